//! What stands around rows: context URLs, lists, single rows, single properties.

use super::value::{write_json, write_text, write_value};
use crate::edm::{Column, Table};
use crate::prefer::Annotations;
use crate::value::Value;
use uuid::Uuid;

/// An expanded navigation property in a context URL.
#[derive(Debug, Clone)]
pub struct ContextExpand<'e> {
    /// The navigation property.
    pub navigation: &'e str,
    /// Its target table.
    pub table: &'e Table,
    /// Selected columns of the target, logical names.
    pub select: Option<&'e [String]>,
    /// What is expanded below it.
    pub expand: Vec<ContextExpand<'e>>,
    /// Whether only the reference is given.
    pub reference_only: bool,
}

impl ContextExpand<'_> {
    /// `primarycontactid(fullname,parentcustomerid_account(name))`
    fn text(&self) -> String {
        match self.reference_only {
            true => format!("{}/$ref", self.navigation),
            false => format!("{}({})", self.navigation, parts(self.table, self.select, &self.expand)),
        }
    }
}

/// `{root}$metadata#accounts(name,_primarycontactid_value)`: the context of a list; columns by logical name.
pub fn context_collection(
    root: &str,
    table: &Table,
    select: Option<&[String]>,
    expand: &[ContextExpand<'_>],
) -> String {
    let list = match parts(table, select, expand) {
        list if list.is_empty() => list,
        list => format!("({list})"),
    };
    format!("{root}$metadata#{}{list}", table.set_name)
}

/// `name,_primarycontactid_value,primarycontactid(fullname)`
fn parts(table: &Table, select: Option<&[String]>, expand: &[ContextExpand<'_>]) -> String {
    let mut parts: Vec<String> = select.map(|names| properties(table, names)).unwrap_or_default();
    parts.extend(expand.iter().map(ContextExpand::text));
    parts.join(",")
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

/// A list answer. Links stand before `value`, so that a reader can ask for the next page while this one
/// arrives. `rows` are the objects, already parted by commas (rows and tombstones alike).
pub fn collection_body(
    context: &str,
    count: Option<u64>,
    next_link: Option<&str>,
    delta_link: Option<&str>,
    rows: &[u8],
) -> Vec<u8> {
    annotated_collection_body((context, b""), count, next_link, delta_link, rows)
}

/// The same with annotations after the context: members with a comma in front of each.
pub fn annotated_collection_body(
    (context, annotations): (&str, &[u8]),
    count: Option<u64>,
    next_link: Option<&str>,
    delta_link: Option<&str>,
    rows: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() + context.len() + annotations.len() + 512);
    out.extend_from_slice(b"{\"@odata.context\":");
    write_text(&mut out, context);
    out.extend_from_slice(annotations);
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

/// The annotations of a list that tell how many rows there are in all, as far as they were asked for: -1 when
/// nobody counted, and whether there are more than `count_max`. `counted` stops above `count_max`.
pub fn record_count_annotations(annotations: &Annotations, counted: Option<u64>, count_max: u64) -> Vec<u8> {
    let count = counted.map_or_else(|| "-1".to_owned(), |counted| counted.min(count_max).to_string());
    let exceeded = counted.is_some_and(|counted| counted > count_max).to_string();
    let mut out = Vec::new();
    for (name, value) in [("totalrecordcount", count), ("totalrecordcountlimitexceeded", exceeded)] {
        let name = format!("Microsoft.Dynamics.CRM.{name}");
        if annotations.includes(&name) {
            out.push(b',');
            write_text(&mut out, &format!("@{name}"));
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
        }
    }
    out
}

/// The annotation of a list that tells the version of the definitions, when it was asked for: a client that knows
/// another one reads them again.
pub fn definitions_version_annotation(annotations: &Annotations, version: i64) -> Vec<u8> {
    let name = "Microsoft.Dynamics.CRM.globalmetadataversion";
    let mut out = Vec::new();
    if annotations.includes(name) {
        out.push(b',');
        write_text(&mut out, &format!("@{name}"));
        out.push(b':');
        write_text(&mut out, &version.to_string());
    }
    out
}

/// The answer that holds one row: `row` as written by [`super::RowShape::write_row`], with the context put
/// in front.
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
