//! `GET /flette/parity`: what of the Web API is answered without the server, table by table.

use crate::replica::State;
use flette_odata::edm::{ColumnKind, ManyToMany};
use flette_odata::filter::{function_names, FunctionNeed};
use flette_odata::navigation::{navigation, Navigation};
use flette_odata::{Column, Table};
use serde::Serialize;
use std::collections::BTreeMap;

/// Query options and forms of reading that every table which is here has. What else is said of a table says which
/// other tables they reach.
const QUERIES: [&str; 17] = [
    "$select",
    "$filter",
    "$orderby",
    "$top",
    "$count",
    "$expand",
    "$apply",
    "$skiptoken",
    "fetchXml",
    "savedQuery",
    "userQuery",
    "/$count",
    "/$ref",
    "/$value",
    "/property",
    "/navigation",
    "If-None-Match",
];

/// What only the server answers.
const SERVER_ONLY: [&str; 3] = ["odata.track-changes", "$deltatoken", "Flette.ModifiedOn"];

/// See the module.
#[derive(Serialize)]
pub(super) struct Parity {
    queries: [&'static str; 17],
    server_only: [&'static str; 3],
    tables: Vec<TableParity>,
}

#[derive(Serialize)]
struct TableParity {
    name: String,
    set: String,
    /// Whether queries on it are answered; while not all rows are here the answers say so.
    here: bool,
    complete: bool,
    /// Properties that can be selected, ordered by and filtered with.
    columns: Vec<String>,
    /// Navigation properties and whether what they lead to is here.
    navigations: BTreeMap<String, bool>,
    /// Query functions, without namespace.
    functions: Vec<&'static str>,
}

/// What the replica can answer at this moment. The tables must be loaded.
pub(super) fn parity(state: &State, scope: &[String]) -> Parity {
    let tables = scope.iter().filter_map(|name| state.schema.table(name));
    let tables = tables.map(|table| of_table(state, scope, table)).collect();
    Parity { queries: QUERIES, server_only: SERVER_ONLY, tables }
}

fn of_table(state: &State, scope: &[String], table: &Table) -> TableParity {
    let is_here = |table: &Table| here(state, scope, table);
    TableParity {
        name: table.logical_name.clone(),
        set: table.set_name.clone(),
        here: is_here(table),
        complete: state.is_complete(&table.logical_name),
        columns: table.columns.iter().map(Column::property).collect(),
        navigations: navigations(state, table)
            .into_iter()
            .map(|(name, targets)| (name, targets.iter().all(|target| is_here(target))))
            .collect(),
        functions: functions(state, scope, table),
    }
}

fn here(state: &State, scope: &[String], table: &Table) -> bool {
    let name = &table.logical_name;
    let begun = state.tables.get(name).is_some_and(|t| t.cursor.has_begun());
    scope.contains(name) && begun && state.tells_rows(table)
}

/// Navigation properties with the tables that an answer needs.
fn navigations<'s>(state: &'s State, table: &'s Table) -> Vec<(String, Vec<&'s Table>)> {
    let schema = &state.schema;
    let mut names: Vec<&str> = Vec::new();
    for column in &table.columns {
        if let ColumnKind::Lookup { targets } = &column.kind {
            names.extend(targets.iter().map(|target| target.navigation.as_str()));
        }
    }
    for column in schema.tables.iter().flat_map(|other| &other.columns) {
        if let ColumnKind::Lookup { targets } = &column.kind {
            let here = targets.iter().filter(|target| target.table == table.logical_name);
            names.extend(here.map(|target| target.collection.as_str()));
        }
    }
    let ends = |pairs: &'s ManyToMany| [&pairs.first, &pairs.second];
    let ends = schema.many_to_many.iter().flat_map(ends).filter(|end| end.table == table.logical_name);
    names.extend(ends.map(|end| end.navigation.as_str()));
    let found = names.into_iter().filter_map(|name| {
        let tables = match navigation(schema, table, name)? {
            Navigation::ToOne { targets, .. } => targets,
            Navigation::ToMany { table, .. } => vec![table],
            Navigation::ManyToMany { table, intersect, .. } => vec![table, intersect],
        };
        Some((name.to_owned(), tables)).filter(|(_, tables)| !tables.is_empty())
    });
    found.collect()
}

/// Query functions whose answer is here, whatever column they are asked of.
fn functions(state: &State, scope: &[String], table: &Table) -> Vec<&'static str> {
    let named = |name: &str| state.schema.table(name).is_some_and(|table| here(state, scope, table));
    let teams = || {
        let mut pairs = state.schema.many_to_many.iter();
        pairs.any(|pairs| {
            let ends = [pairs.first.table.as_str(), pairs.second.table.as_str()];
            ends.contains(&"systemuser") && ends.contains(&"team") && named(&pairs.intersect)
        })
    };
    let answered = |need: FunctionNeed| match need {
        FunctionNeed::Nothing => true,
        FunctionNeed::Teams => teams(),
        FunctionNeed::Managers => named("systemuser"),
        FunctionNeed::ManagersAndTeams => named("systemuser") && teams(),
        FunctionNeed::Hierarchy => here(state, scope, table),
    };
    function_names().filter(|(_, need)| answered(*need)).map(|(name, _)| name).collect()
}
