//! Rows as bytes: answers are written straight into a `Vec<u8>`, with no tree of JSON values in between.
//!
//! What depends only on the table and the request (column order, property names, annotations) is worked out
//! once per answer in a [`RowShape`]; a row then costs its values. Shapes follow the developer guide,
//! "Query data using the Web API": an annotation precedes its property, null columns are present, the
//! primary key is always there.

mod body;
mod fetched;
mod value;

pub use body::{
    annotated_collection_body, collection_body, context_collection, context_delta, context_entity,
    definitions_version_annotation, entity_body, property_body, record_count_annotations, ContextExpand,
};
pub use fetched::{paging_annotations, FetchShape};
pub use value::{write_cell, write_guid, write_text, write_value, Cell};

use crate::edm::{Column, ColumnKind, Table};
use crate::format;
use crate::prefer::Annotations;
use crate::rules::ADDRESS_FIELDS;
use crate::value::{EntityRef, Value};
use uuid::Uuid;

/// Annotation: a value as people read it.
pub const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
/// Annotation: logical name of the table that a lookup points to.
pub const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// An expanded single-valued navigation property of one row.
#[derive(Debug, Clone, Copy)]
pub struct Nested<'n> {
    /// The navigation property (`primarycontactid`, `parentcustomerid_account`).
    pub navigation: &'n str,
    /// The target row as written by its own [`RowShape`]; `None` is written as `null`.
    pub row: Option<&'n [u8]>,
}

/// What every row of one answer looks like: the columns in order and the annotations asked for.
#[derive(Debug)]
pub struct RowShape<'a> {
    /// The table.
    pub table: &'a Table,
    /// Columns in the order they are written.
    pub columns: Vec<&'a Column>,
    members: Vec<Member<'a>>,
}

/// One column's ready-made bytes. Each begins with the comma that parts it from the member before it.
#[derive(Debug)]
struct Member<'a> {
    column: &'a Column,
    key: Vec<u8>,
    formatted: Option<Vec<u8>>,
    targets: Vec<(&'a str, Vec<u8>)>,
}

impl<'a> RowShape<'a> {
    /// The shape for the columns selected by logical name, in that order, doubled and unknown names left out. Columns
    /// that come along with them follow, as in Dataverse: the currency of an amount, the composite of an address. The
    /// primary key is added last where it is missing. `None` selects every column in the table's order.
    pub fn new(table: &'a Table, select: Option<&[String]>, annotations: &Annotations) -> RowShape<'a> {
        let mut columns: Vec<&'a Column> = Vec::new();
        let mut add = |column: &'a Column| {
            if !columns.iter().any(|c| std::ptr::eq(*c, column)) {
                columns.push(column);
            }
        };
        match select {
            None => columns.extend(&table.columns),
            Some(names) => {
                let selected = || names.iter().filter_map(|name| table.column(name));
                selected().for_each(&mut add);
                selected().filter_map(|column| companion(table, column)).for_each(&mut add);
                table.column(&table.primary_id).into_iter().for_each(add);
            }
        }
        let members = columns.iter().map(|column| Member::new(column, annotations)).collect();
        RowShape { table, columns, members }
    }

    /// Appends one JSON object: etag (left out when empty), columns, expanded rows.
    ///
    /// `name_of` gives the name of a lookup's target for its formatted value; it is asked only when that
    /// annotation was asked for.
    pub fn write_row(
        &self,
        out: &mut Vec<u8>,
        etag: &str,
        cell: &dyn Fn(&Column) -> Value,
        name_of: &dyn Fn(&EntityRef) -> Option<String>,
        nested: &[Nested<'_>],
    ) {
        let start = begin_row(out, etag);
        let name = |table: &str, id: Uuid| name_of(&EntityRef { table: table.to_owned(), id });
        for member in &self.members {
            let value = cell(member.column);
            member.write(out, Cell::from(&value), &name);
        }
        end_row(out, start, nested);
    }

    /// The same as [`RowShape::write_row`] without copying values: `cell` is called once per column, in the
    /// order of [`RowShape::columns`], with the column's place in it.
    pub fn write_cells<'v>(
        &self,
        out: &mut Vec<u8>,
        etag: &str,
        mut cell: impl FnMut(usize, &Column) -> Cell<'v>,
        name_of: &dyn Fn(&str, Uuid) -> Option<String>,
        nested: &[Nested<'_>],
    ) {
        let start = begin_row(out, etag);
        for (at, member) in self.members.iter().enumerate() {
            member.write(out, cell(at, member.column), name_of);
        }
        end_row(out, start, nested);
    }
}

/// The column that comes along with one that is selected.
fn companion<'a>(table: &'a Table, column: &Column) -> Option<&'a Column> {
    if matches!(column.kind, ColumnKind::Money { .. }) {
        return table.column("transactioncurrencyid");
    }
    let (address, field) = column.logical_name.split_once('_')?;
    let number = address.strip_prefix("address")?;
    let is_part = !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
        && ADDRESS_FIELDS.contains(&field);
    table.column(&format!("{address}_composite")).filter(|_| is_part)
}

impl<'a> Member<'a> {
    fn new(column: &'a Column, annotations: &Annotations) -> Member<'a> {
        Member::named(column, &column.property(), annotations)
    }

    /// A column under a name of its own; only under its property does a lookup have a navigation property.
    fn named(column: &'a Column, property: &str, annotations: &Annotations) -> Member<'a> {
        let navigation = annotations.includes(NAVIGATION) && property == column.property();
        let member = |suffix: &str| {
            let mut out = vec![b','];
            write_text(&mut out, &format!("{property}{suffix}"));
            out.push(b':');
            out
        };
        let mut targets = Vec::new();
        if let ColumnKind::Lookup { targets: all } = &column.kind {
            for target in all {
                let mut bytes = Vec::new();
                if navigation {
                    bytes.extend(member(&format!("@{NAVIGATION}")));
                    write_text(&mut bytes, &target.navigation);
                }
                if annotations.includes(LOOKUP_TABLE) {
                    bytes.extend(member(&format!("@{LOOKUP_TABLE}")));
                    write_text(&mut bytes, &target.table);
                }
                targets.push((target.table.as_str(), bytes));
            }
        }
        let formatted = annotations.includes(FORMATTED).then(|| member(&format!("@{FORMATTED}")));
        Member { column, key: member(""), formatted, targets }
    }

    fn write(&self, out: &mut Vec<u8>, cell: Cell<'_>, name_of: &dyn Fn(&str, Uuid) -> Option<String>) {
        if let Some(key) = &self.formatted {
            let text = match cell {
                Cell::Lookup { table, id } => name_of(table, id).map(Into::into),
                _ => format::formatted_cell(self.column, cell),
            };
            if let Some(text) = text {
                out.extend_from_slice(key);
                write_text(out, &text);
            }
        }
        if let Cell::Lookup { table, .. } = cell {
            if let Some((_, bytes)) = self.targets.iter().find(|(name, _)| *name == table) {
                out.extend_from_slice(bytes);
            }
        }
        out.extend_from_slice(&self.key);
        write_cell(out, self.column, cell);
    }
}

/// Every member is written with a comma in front; the first comma becomes the brace in [`end_row`].
fn begin_row(out: &mut Vec<u8>, etag: &str) -> usize {
    let start = out.len();
    if !etag.is_empty() {
        out.extend_from_slice(b",\"@odata.etag\":");
        write_text(out, etag);
    }
    start
}

fn end_row(out: &mut Vec<u8>, start: usize, nested: &[Nested<'_>]) {
    for one in nested {
        out.push(b',');
        write_text(out, one.navigation);
        out.push(b':');
        out.extend_from_slice(one.row.unwrap_or(b"null"));
    }
    match out.get_mut(start) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}
