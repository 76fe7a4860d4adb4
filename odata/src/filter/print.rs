//! A filter as text, for the requests that the engine itself makes.

use super::{Filter, TextOp};
use crate::edm::Table;
use crate::time::{format_date, format_datetime};
use crate::value::Value;

/// The `$filter` text, not percent-encoded; [`super::parse_filter`] reads it back. Columns that the table
/// does not have are written by their logical names.
pub fn print_filter(filter: &Filter, table: &Table) -> String {
    let mut text = String::new();
    print(&mut text, filter, table);
    text
}

fn print(out: &mut String, filter: &Filter, table: &Table) {
    match filter {
        Filter::And(items) => join(out, items, " and ", "true", table),
        Filter::Or(items) => join(out, items, " or ", "false", table),
        Filter::Not(inner) => {
            out.push_str("not (");
            print(out, inner, table);
            out.push(')');
        }
        Filter::Compare { column, op, value } => {
            out.push_str(&format!("{} {} ", property(column, table), op.keyword()));
            print_literal(out, value);
        }
        Filter::CompareColumns { left, op, right } => {
            out.push_str(&property(left, table));
            out.push_str(&format!(" {} ", op.keyword()));
            out.push_str(&property(right, table));
        }
        Filter::Text { column, op, pattern } => {
            let name = match op {
                TextOp::Contains => "contains",
                TextOp::StartsWith => "startswith",
                TextOp::EndsWith => "endswith",
                TextOp::Like => "like",
            };
            out.push_str(&format!("{name}({},{})", property(column, table), quote(pattern)));
        }
        Filter::HasValues { .. } | Filter::Through { .. } | Filter::Any { .. } | Filter::Function { .. } => {}
        Filter::Always(value) => out.push_str(if *value { "true" } else { "false" }),
    }
}

/// Every item in parentheses unless it is a leaf, so that the shape survives.
fn join(out: &mut String, items: &[Filter], separator: &str, empty: &str, table: &Table) {
    if items.is_empty() {
        out.push_str(empty);
    }
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        let group = matches!(item, Filter::And(_) | Filter::Or(_));
        if group {
            out.push('(');
        }
        print(out, item, table);
        if group {
            out.push(')');
        }
    }
}

fn property(column: &str, table: &Table) -> String {
    table.column(column).map_or_else(|| column.to_owned(), |c| c.property())
}

fn print_literal(out: &mut String, value: &Value) {
    let text = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Double(number) => format!("{number:?}"),
        Value::Text(text) => quote(text),
        Value::Guid(id) => id.to_string(),
        Value::Lookup(target) => target.id.to_string(),
        Value::DateTime(millis) => format_datetime(*millis),
        Value::Date(days) => format_date(*days),
    };
    out.push_str(&text);
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
