//! A filter as text, for the requests that the engine itself makes.

use super::call::FUNCTION_PREFIX;
use super::operator::named;
use super::{Filter, QueryFunction, TextOp};
use crate::edm::{Schema, Table};
use crate::navigation::{navigation, Navigation};
use crate::time::{format_date, format_datetime};
use crate::value::Value;

/// The `$filter` text, not percent-encoded; [`super::parse_filter`] reads it back. Columns that the table
/// does not have are written by their logical names. [`TextOp::Like`], which no text means, is written as a
/// function that does not exist, so that a service refuses it.
pub fn print_filter(filter: &Filter, table: &Table, schema: &Schema) -> String {
    let mut printer = Printer { out: String::new(), schema };
    printer.print(filter, Place { table: Some(table), prefix: "" });
    printer.out
}

/// Where names are looked up, and what stands before each.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// None behind a navigation property that the schema does not have.
    table: Option<&'a Table>,
    /// Such as `x/primarycontactid/`.
    prefix: &'a str,
}

struct Printer<'a> {
    out: String,
    schema: &'a Schema,
}

impl Printer<'_> {
    fn print(&mut self, filter: &Filter, place: Place<'_>) {
        match filter {
            Filter::And(items) => self.join(items, " and ", "true", place),
            Filter::Or(items) => self.join(items, " or ", "false", place),
            Filter::Not(inner) => {
                self.out.push_str("not ");
                self.join(std::slice::from_ref(&**inner), "", "", place);
            }
            Filter::Compare { column, op, value } => {
                self.property(column, place);
                self.out.push_str(&format!(" {} ", op.keyword()));
                print_literal(&mut self.out, value);
            }
            Filter::CompareColumns { left, op, right } => {
                self.property(left, place);
                self.out.push_str(&format!(" {} ", op.keyword()));
                self.property(right, place);
            }
            Filter::Text { column, op, pattern } => {
                let name = match op {
                    TextOp::Contains => "contains",
                    TextOp::StartsWith => "startswith",
                    TextOp::EndsWith => "endswith",
                    TextOp::Like => "like",
                };
                self.out.push_str(&format!("{name}("));
                self.property(column, place);
                self.out.push_str(&format!(",{})", quote(pattern)));
            }
            Filter::HasValues { column, values } => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                let values = format!(",PropertyValues=[{}]", values.join(","));
                self.call("ContainValues", column, &values, place);
            }
            Filter::Function { column, function } => self.function(column, *function, place),
            Filter::Through { navigation, filter } => self.step(navigation, filter, place),
            Filter::Any { collection, filter } => self.any(collection, filter, place),
            Filter::Always(value) => self.out.push_str(if *value { "true" } else { "false" }),
        }
    }

    /// Every item in parentheses unless it is a leaf, so that the shape survives.
    fn join(&mut self, items: &[Filter], separator: &str, empty: &str, place: Place<'_>) {
        if items.is_empty() {
            self.out.push_str(empty);
        }
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push_str(separator);
            }
            let group = matches!(item, Filter::And(_) | Filter::Or(_));
            if group {
                self.out.push('(');
            }
            self.print(item, place);
            if group {
                self.out.push(')');
            }
        }
    }

    fn property(&mut self, column: &str, place: Place<'_>) {
        let known = place.table.and_then(|table| table.column(column));
        self.out.push_str(place.prefix);
        self.out.push_str(&known.map_or_else(|| column.to_owned(), |column| column.property()));
    }

    fn call(&mut self, name: &str, column: &str, arguments: &str, place: Place<'_>) {
        let prefix = place.prefix;
        self.out.push_str(&format!("{prefix}{FUNCTION_PREFIX}{name}(PropertyName='{column}'{arguments})"));
    }

    fn function(&mut self, column: &str, function: QueryFunction, place: Place<'_>) {
        let (name, values) = named(function);
        let arguments = match values.as_slice() {
            [] => String::new(),
            [value] => format!(",PropertyValue='{value}'"),
            values => {
                let numbered = values.iter().enumerate();
                numbered.map(|(at, value)| format!(",PropertyValue{}='{value}'", at + 1)).collect()
            }
        };
        self.call(name, column, &arguments, place);
    }

    fn step(&mut self, name: &str, filter: &Filter, place: Place<'_>) {
        let schema = self.schema;
        let table = match place.table.and_then(|table| navigation(schema, table, name)) {
            Some(Navigation::ToOne { targets, .. }) => targets.first().copied(),
            _ => None,
        };
        let prefix = format!("{}{name}/", place.prefix);
        self.print(filter, Place { table, prefix: &prefix });
    }

    fn any(&mut self, collection: &str, filter: &Filter, place: Place<'_>) {
        let schema = self.schema;
        let table = match place.table.and_then(|table| navigation(schema, table, collection)) {
            Some(Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. }) => Some(table),
            _ => None,
        };
        self.out.push_str(&format!("{}{collection}/any(", place.prefix));
        if *filter != Filter::Always(true) {
            self.out.push_str("x:");
            self.print(filter, Place { table, prefix: "x/" });
        }
        self.out.push(')');
    }
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
