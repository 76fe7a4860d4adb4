//! The answer to `$apply`: one object per group.

use super::list::Listed;
use super::sheet::part;
use crate::edm::{Column, Table};
use crate::error::{ODataError, Result};
use crate::filter::Filter;
use crate::format::{formatted, separated};
use crate::prefer::Annotations;
use crate::query::{AggregateOp, Apply};
use crate::render::{self, write_text, write_value, FORMATTED, LOOKUP_TABLE};
use crate::value::Value;

/// One member of each group's object.
struct Member<'a> {
    alias: &'a str,
    /// The column whose values it has; none for numbers of rows or values.
    column: Option<&'a Column>,
}

/// The groups of a list.
///
/// # Errors
/// 400 for more rows than may be grouped, or other options that make no sense beside `$apply`.
pub(super) fn answer(list: &Listed, apply: &Apply) -> Result<Vec<u8>> {
    let press = list.press();
    if list.within.is_some() {
        return Err(ODataError::bad_request("$apply is supported on entity sets only."));
    }
    let filters = [&list.query.filter, &apply.filter].into_iter().flatten().cloned().collect();
    let filter = press.resolved(Some(&Filter::And(filters)), list.table)?;
    let apply = Apply { filter, ..apply.clone() };
    let groups = list.source.groups(list.table, &apply)?;
    let members = members(list, &apply);
    let lookups = groups.iter().flatten().filter_map(|value| match value {
        Value::Lookup(to) => Some((to.table.as_str(), to.id)),
        _ => None,
    });
    if press.annotations.includes(FORMATTED) {
        press.names.learn(list.source, lookups)?;
    }
    let mut out = Vec::new();
    for group in &groups {
        part(&mut out);
        let start = out.len();
        for (member, value) in members.iter().zip(group) {
            let name = match value {
                Value::Lookup(to) => press.names.get(to.id),
                _ => None,
            };
            member.write(&mut out, value, name, press.annotations);
        }
        match out.get_mut(start) {
            Some(comma) => *comma = b'{',
            None => out.push(b'{'),
        }
        out.push(b'}');
    }
    let context = format!("{}$metadata#{}", list.root, list.table.set_name);
    let said = list.definitions_version();
    Ok(render::annotated_collection_body((&context, &said), None, None, None, &out))
}

fn members<'a>(list: &'a Listed, apply: &'a Apply) -> Vec<Member<'a>> {
    let column = |path: &[String], column: &str| behind(list, path)?.column(column);
    let keys =
        apply.group.iter().map(|key| Member { alias: &key.alias, column: column(&key.path, &key.column) });
    let aggregates = apply.aggregates.iter().map(|aggregate| Member {
        alias: &aggregate.alias,
        column: match (&aggregate.op, &aggregate.column) {
            (AggregateOp::Count | AggregateOp::CountDistinct, _) | (_, None) => None,
            (_, Some((path, name))) => column(path, name),
        },
    });
    keys.chain(aggregates).collect()
}

/// The table that a path leads to.
fn behind<'a>(list: &'a Listed, path: &[String]) -> Option<&'a Table> {
    let schema = list.source.schema();
    path.iter().try_fold(list.table, |table, navigation| {
        let (_, targets) = table.navigation(navigation)?;
        schema.table(&targets.first()?.table)
    })
}

impl Member<'_> {
    /// Adds the member with a comma in front.
    fn write(&self, out: &mut Vec<u8>, value: &Value, name: Option<String>, annotations: &Annotations) {
        let text = match (self.column, value) {
            (_, Value::Lookup(_)) => name,
            (Some(column), value) => formatted(column, value),
            (None, Value::Int(number)) => Some(separated(&number.to_string())),
            (None, _) => None,
        };
        if let Some(text) = text.filter(|_| annotations.includes(FORMATTED)) {
            self.annotation(out, FORMATTED, &text);
        }
        if let Value::Lookup(to) = value {
            if annotations.includes(LOOKUP_TABLE) {
                self.annotation(out, LOOKUP_TABLE, &to.table);
            }
        }
        out.push(b',');
        write_text(out, self.alias);
        out.push(b':');
        match (self.column, value) {
            (Some(column), value) => write_value(out, column, value),
            (None, Value::Int(number)) => out.extend_from_slice(number.to_string().as_bytes()),
            (None, _) => out.extend_from_slice(b"null"),
        }
    }

    fn annotation(&self, out: &mut Vec<u8>, annotation: &str, text: &str) {
        out.push(b',');
        write_text(out, &format!("{}@{annotation}", self.alias));
        out.push(b':');
        write_text(out, text);
    }
}
