//! Rows of a FetchXML query as bytes. Unlike elsewhere, columns without a value are left out, and names are
//! those the query gives.

use super::value::{write_json, write_text};
use super::{begin_row, end_row, Cell, Member};
use crate::fetchxml::{Figure, Output, Role};
use crate::prefer::Annotations;
use crate::value::Value;
use std::io::Write as _;
use uuid::Uuid;

/// What every row of one answer looks like.
#[derive(Debug)]
pub struct FetchShape<'a> {
    members: Vec<(Member<'a>, Form)>,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As a value of its column.
    Column,
    /// As the number it is: counts, averages, parts of dates.
    Number,
}

impl<'a> FetchShape<'a> {
    /// The shape of the answer to a query with these columns.
    pub fn new(outputs: &[Output<'a>], annotations: &Annotations) -> FetchShape<'a> {
        let members =
            outputs.iter().map(|output| {
                let form = match output.role {
                    Role::Plain
                    | Role::Group(None)
                    | Role::Aggregate(Figure::Sum | Figure::Min | Figure::Max) => Form::Column,
                    Role::Group(Some(_))
                    | Role::Aggregate(
                        Figure::Average | Figure::Rows | Figure::Values | Figure::DistinctValues,
                    ) => Form::Number,
                };
                (Member::named(output.column, &output.name, annotations), form)
            });
        FetchShape { members: members.collect() }
    }

    /// Whether names of lookups' targets are written.
    pub fn names_lookups(&self) -> bool {
        self.members.iter().any(|(member, _)| member.formatted.is_some() && member.column.is_lookup())
    }

    /// Appends one JSON object: etag (left out when empty), columns with values. `cells` are in the order of
    /// the query's columns; `name_of` gives the name of a lookup's target.
    pub fn write_row(
        &self,
        out: &mut Vec<u8>,
        etag: &str,
        cells: &[Value],
        name_of: &dyn Fn(&str, Uuid) -> Option<String>,
    ) {
        let start = begin_row(out, etag);
        for ((member, form), value) in self.members.iter().zip(cells) {
            match (form, value) {
                (_, Value::Null) => {}
                (Form::Column, value) => member.write(out, Cell::from(value), name_of),
                (Form::Number, value) => write_number(out, member, value),
            }
        }
        end_row(out, start, &[]);
    }
}

fn write_number(out: &mut Vec<u8>, member: &Member, value: &Value) {
    let mut number = Vec::new();
    match value {
        Value::Int(value) => write_json(&mut number, value),
        Value::Double(value) => write_json(&mut number, value),
        Value::Decimal(value) => write!(number, "{value}").expect("a Vec takes every text"),
        _ => number.extend_from_slice(b"null"),
    }
    if let Some(key) = &member.formatted {
        out.extend_from_slice(key);
        write_text(out, &String::from_utf8_lossy(&number));
    }
    out.extend_from_slice(&member.key);
    out.extend_from_slice(&number);
}

/// The annotations that tell of a further page, as far as they were asked for: members with a comma in front
/// of each. `cookie` is the annotation `fetchxmlpagingcookie`.
pub fn paging_annotations(annotations: &Annotations, cookie: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut member = |name: &str, write: &dyn Fn(&mut Vec<u8>)| {
        let name = format!("Microsoft.Dynamics.CRM.{name}");
        if annotations.includes(&name) {
            out.push(b',');
            write_text(&mut out, &format!("@{name}"));
            out.push(b':');
            write(&mut out);
        }
    };
    member("fetchxmlpagingcookie", &|out| write_text(out, cookie));
    member("morerecords", &|out| write_json(out, &true));
    out
}
