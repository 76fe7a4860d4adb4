//! Rows as bytes: answers are written straight into a `Vec<u8>`, with no tree of JSON values in between.
//!
//! What depends only on the table and the request (column order, property names, annotations) is worked out once per
//! answer in a [`RowShape`]; a row then costs its values. Shapes follow the developer guide, "Query data using the Web
//! API": an annotation precedes its property, null columns are present, the primary key is always there.

use crate::decimal::Decimal;
use crate::edm::{Column, ColumnKind, Table};
use crate::format;
use crate::prefer::Annotations;
use crate::value::{EntityRef, Value};
use chrono::{Datelike, Timelike};
use std::io::Write as _;
use uuid::Uuid;

const FORMATTED: &str = "OData.Community.Display.V1.FormattedValue";
const NAVIGATION: &str = "Microsoft.Dynamics.CRM.associatednavigationproperty";
const LOOKUP_TABLE: &str = "Microsoft.Dynamics.CRM.lookuplogicalname";

/// A borrowed value: what a row's source hands out without copying text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'v> {
    /// No value.
    Null,
    /// Two options.
    Bool(bool),
    /// Whole numbers, options, Int64.
    Int(i64),
    /// Decimal and money.
    Decimal(Decimal),
    /// Floating point number; one that is not finite is written as `null`.
    Double(f64),
    /// Text and memo.
    Text(&'v str),
    /// A row id.
    Guid(Uuid),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    /// Days since 1970-01-01.
    Date(i32),
    /// A reference to a row.
    Lookup {
        /// Logical name of the target table.
        table: &'v str,
        /// Id of the target row.
        id: Uuid,
    },
}

impl<'v> From<&'v Value> for Cell<'v> {
    fn from(value: &'v Value) -> Cell<'v> {
        match value {
            Value::Null => Cell::Null,
            Value::Bool(b) => Cell::Bool(*b),
            Value::Int(n) => Cell::Int(*n),
            Value::Decimal(d) => Cell::Decimal(*d),
            Value::Double(d) => Cell::Double(*d),
            Value::Text(text) => Cell::Text(text),
            Value::Guid(id) => Cell::Guid(*id),
            Value::DateTime(at) => Cell::DateTime(*at),
            Value::Date(days) => Cell::Date(*days),
            Value::Lookup(to) => Cell::Lookup { table: &to.table, id: to.id },
        }
    }
}

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
    /// The shape for the columns selected by logical name, in that order, doubled and unknown names left out; the
    /// primary key is added last where it is missing. `None` selects every column in the table's order.
    pub fn new(table: &'a Table, select: Option<&[String]>, annotations: &Annotations) -> RowShape<'a> {
        let mut columns: Vec<&'a Column> = Vec::new();
        match select {
            None => columns.extend(&table.columns),
            Some(names) => {
                for column in names.iter().filter_map(|name| table.column(name)) {
                    if !columns.iter().any(|c| std::ptr::eq(*c, column)) {
                        columns.push(column);
                    }
                }
            }
        }
        if let Some(key) = table.column(&table.primary_id) {
            if !columns.iter().any(|c| std::ptr::eq(*c, key)) {
                columns.push(key);
            }
        }
        let members = columns.iter().map(|column| Member::new(column, annotations)).collect();
        RowShape { table, columns, members }
    }

    /// Appends one JSON object: etag (left out when empty), columns, expanded rows.
    ///
    /// `name_of` gives the name of a lookup's target for its formatted value; it is asked only when that annotation
    /// was asked for.
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

    /// The same as [`RowShape::write_row`] without copying values: `cell` is called once per column, in the order of
    /// [`RowShape::columns`], with the column's place in it.
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

impl<'a> Member<'a> {
    fn new(column: &'a Column, annotations: &Annotations) -> Member<'a> {
        let property = column.property();
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
                if annotations.includes(NAVIGATION) {
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

/// Appends one value as JSON. Money has four digits after the point, as Dataverse sends it; a lookup is its id.
pub fn write_value(out: &mut Vec<u8>, column: &Column, value: &Value) {
    write_cell(out, column, Cell::from(value));
}

/// The same as [`write_value`] for a borrowed value.
pub fn write_cell(out: &mut Vec<u8>, column: &Column, cell: Cell<'_>) {
    match cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(true) => out.extend_from_slice(b"true"),
        Cell::Bool(false) => out.extend_from_slice(b"false"),
        Cell::Int(number) => write_json(out, &number),
        Cell::Decimal(number) if matches!(column.kind, ColumnKind::Money { .. }) => {
            write_decimal(out, number.rescale(MONEY_SCALE));
        }
        Cell::Decimal(number) => write_decimal(out, number),
        Cell::Double(number) => write_json(out, &number),
        Cell::Text(text) => write_text(out, text),
        Cell::Guid(id) | Cell::Lookup { id, .. } => {
            out.push(b'"');
            write_guid(out, id);
            out.push(b'"');
        }
        Cell::DateTime(at) => write_datetime(out, at),
        Cell::Date(days) => write_date(out, days),
    }
}

/// Digits after the point of money on the wire.
const MONEY_SCALE: u8 = 4;

/// Appends a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write_json(out, text);
}

/// Appends a GUID in lower case with hyphens, without quotes.
pub fn write_guid(out: &mut Vec<u8>, id: Uuid) {
    let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
    out.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(&mut *out, value).expect("a Vec takes every text and number");
}

fn write_decimal(out: &mut Vec<u8>, number: Decimal) {
    let unit = 10i64.pow(u32::from(number.scale()));
    match i64::try_from(number.mantissa()) {
        // The usual size, without 128-bit division.
        Ok(mantissa) if number.scale() > 0 => {
            if mantissa < 0 {
                out.push(b'-');
            }
            let (mantissa, unit) = (mantissa.unsigned_abs(), unit.unsigned_abs());
            write_json(out, &(mantissa / unit));
            out.push(b'.');
            write_digits(out, mantissa % unit, usize::from(number.scale()));
        }
        _ => write!(out, "{number}").expect("a Vec takes every text"),
    }
}

/// Appends exactly `width` digits, zeros in front.
fn write_digits(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// The same text as [`crate::time::format_datetime`], quoted, without its allocation.
fn write_datetime(out: &mut Vec<u8>, at: i64) {
    let Some(moment) = chrono::DateTime::from_timestamp_millis(at).filter(|m| (1..=9999).contains(&m.year()))
    else {
        return write_text(out, &crate::time::format_datetime(at));
    };
    out.push(b'"');
    write_ymd(out, moment.date_naive());
    for (mark, number) in [(b'T', moment.hour()), (b':', moment.minute()), (b':', moment.second())] {
        out.push(mark);
        write_digits(out, u64::from(number), 2);
    }
    let millis = moment.timestamp_subsec_millis();
    if millis != 0 {
        out.push(b'.');
        write_digits(out, u64::from(millis), 3);
    }
    out.extend_from_slice(b"Z\"");
}

fn write_date(out: &mut Vec<u8>, days: i32) {
    let epoch = chrono::NaiveDate::default();
    match epoch.checked_add_signed(chrono::Duration::days(i64::from(days))) {
        Some(date) if (1..=9999).contains(&date.year()) => {
            out.push(b'"');
            write_ymd(out, date);
            out.push(b'"');
        }
        _ => write_text(out, &crate::time::format_date(days)),
    }
}

fn write_ymd(out: &mut Vec<u8>, date: chrono::NaiveDate) {
    write_digits(out, u64::from(date.year().unsigned_abs()), 4);
    out.push(b'-');
    write_digits(out, u64::from(date.month()), 2);
    out.push(b'-');
    write_digits(out, u64::from(date.day()), 2);
}

/// An expanded navigation property in a context URL.
#[derive(Debug, Clone, Copy)]
pub struct ContextExpand<'e> {
    /// The navigation property.
    pub navigation: &'e str,
    /// Its target table.
    pub table: &'e Table,
    /// Selected columns of the target, logical names.
    pub select: Option<&'e [String]>,
}

/// `{root}$metadata#accounts(name,_primarycontactid_value)`: the context of a list; columns by logical name.
pub fn context_collection(
    root: &str,
    table: &Table,
    select: Option<&[String]>,
    expand: &[ContextExpand<'_>],
) -> String {
    let mut parts: Vec<String> = select.map(|names| properties(table, names)).unwrap_or_default();
    for one in expand {
        let inner = one.select.map(|names| properties(one.table, names).join(",")).unwrap_or_default();
        parts.push(format!("{}({inner})", one.navigation));
    }
    let list = if parts.is_empty() { String::new() } else { format!("({})", parts.join(",")) };
    format!("{root}$metadata#{}{list}", table.set_name)
}

/// `{root}$metadata#accounts(name)/$entity`: the context of one row.
pub fn context_entity(
    root: &str,
    table: &Table,
    select: Option<&[String]>,
    expand: &[ContextExpand<'_>],
) -> String {
    context_collection(root, table, select, expand) + "/$entity"
}

/// `{root}$metadata#accounts(name)/$delta`: the context of a list of changes.
pub fn context_delta(root: &str, table: &Table, select: Option<&[String]>) -> String {
    context_collection(root, table, select, &[]) + "/$delta"
}

fn properties(table: &Table, names: &[String]) -> Vec<String> {
    names.iter().map(|name| table.column(name).map_or_else(|| name.clone(), Column::property)).collect()
}

/// A list answer. Links stand before `value`, so that a reader can ask for the next page while this one arrives.
/// `rows` are the objects, already parted by commas (rows and tombstones alike).
pub fn collection_body(
    context: &str,
    count: Option<u64>,
    next_link: Option<&str>,
    delta_link: Option<&str>,
    rows: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() + context.len() + 512);
    out.extend_from_slice(b"{\"@odata.context\":");
    write_text(&mut out, context);
    if let Some(count) = count {
        out.extend_from_slice(b",\"@odata.count\":");
        write_json(&mut out, &count);
    }
    for (name, link) in [("@odata.nextLink", next_link), ("@odata.deltaLink", delta_link)] {
        if let Some(link) = link {
            out.push(b',');
            write_text(&mut out, name);
            out.push(b':');
            write_text(&mut out, link);
        }
    }
    out.extend_from_slice(b",\"value\":[");
    out.extend_from_slice(rows);
    out.extend_from_slice(b"]}");
    out
}

/// The answer that holds one row: `row` as written by [`RowShape::write_row`], with the context put in front.
pub fn entity_body(context: &str, row: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.len() + context.len() + 32);
    out.extend_from_slice(b"{\"@odata.context\":");
    write_text(&mut out, context);
    match row.strip_prefix(b"{") {
        Some(b"}") | None => out.push(b'}'),
        Some(members) => {
            out.push(b',');
            out.extend_from_slice(members);
        }
    }
    out
}

/// The answer that holds one property: `{"@odata.context":"{root}$metadata#accounts(id)/name","value":…}`.
pub fn property_body(root: &str, table: &Table, id: Uuid, column: &Column, value: &Value) -> Vec<u8> {
    let context = format!("{root}$metadata#{}({id})/{}", table.set_name, column.property());
    let mut out = Vec::with_capacity(context.len() + 64);
    out.extend_from_slice(b"{\"@odata.context\":");
    write_text(&mut out, &context);
    out.extend_from_slice(b",\"value\":");
    write_value(&mut out, column, value);
    out.push(b'}');
    out
}
