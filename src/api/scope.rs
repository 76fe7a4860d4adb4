//! What an offline profile keeps from the replica: columns that are not here, and columns that cannot be edited here.

use crate::model::{Direction, Key};
use crate::replica::{State, View};
use flette_odata::navigation::{navigation, Navigation};
use flette_odata::operation::Operation;
use flette_odata::query::{Expand, Query};
use flette_odata::{ODataError, Table};

/// What is said of a request that cannot be read, where the profile is why: of a column that is left out only the server
/// can tell; one that only comes down is refused wherever the request goes.
pub(super) fn explained(state: &State, error: ODataError) -> ODataError {
    let Some(name) = named(&error) else { return error };
    if state.record.left_out.names.contains(name) {
        return ODataError::not_implemented(format!(
            "'{name}' is not in the offline profile and is not available offline."
        ));
    }
    let Some(profile) = &state.record.profiled else { return error };
    let mut tables = profile.tables.keys();
    let only_down = |table: &String| {
        profile.direction(table, name) == Direction::Down && error.message.contains(&format!("'{table}'"))
    };
    match tables.any(only_down) {
        true => ODataError::new(
            error.status,
            &error.code,
            format!("'{name}' cannot be edited on this device: by the offline profile it only comes down."),
        ),
        false => error,
    }
}

/// The property that an error of a request that cannot be read is about: what stands first between quotation marks.
fn named(error: &ODataError) -> Option<&str> {
    matches!(error.status, 400 | 404).then_some(())?;
    error.message.split('\'').nth(1)
}

/// Why whole rows cannot be shown: some of their columns are not here. Rows of which the columns are named can; and so are
/// those of which changes wait that the server does not know of, as far as they are here.
pub(super) fn whole_rows(state: &State, operation: &Operation) -> Option<ODataError> {
    let shown = lacking_columns(state, operation);
    let first = shown.first()?;
    match waits(state, operation) {
        true => None,
        false => state.lacking_columns(first),
    }
}

/// Tables of which whole rows are asked for, and some columns are not here.
pub(super) fn lacking_columns<'s>(state: &'s State, operation: &Operation) -> Vec<&'s str> {
    if state.record.left_out.columns.is_empty() {
        return Vec::new();
    }
    let shown = Asked { state }.operation(operation).into_iter().filter(|shown| shown.whole);
    let names = shown.map(|shown| shown.table.logical_name.as_str());
    names.filter(|name| state.lacking_columns(name).is_some()).collect()
}

/// Whether changes wait that an operation is to show.
fn waits(state: &State, operation: &Operation) -> bool {
    let row = match operation {
        Operation::ReadRow { table, id, .. }
        | Operation::ReadNavigation { table, id, .. }
        | Operation::ReadRelated { table, id, .. } => Some(Key::new(table.clone(), *id)),
        _ => None,
    };
    let own = matches!(operation, Operation::ReadRow { .. });
    let shown = Asked { state }.operation(operation);
    // Of the table of a single row only that row counts.
    let mut tables = shown.iter().skip(usize::from(own)).map(|shown| &shown.table.logical_name);
    row.is_some_and(|row| state.waits(&row)) || tables.any(|table| state.table_waits(table))
}

/// 501 for a row of which only the server can tell: it may be outside of what the profile takes offline.
pub(super) fn outside(table: &str) -> ODataError {
    ODataError::not_implemented(format!(
        "The row of '{table}' is not among the rows of the offline profile and is not available offline."
    ))
}

/// Whether the server had better answer a request about several rows, while it is in reach: a profile takes only some of
/// them offline. Not while changes wait of any table that was looked at, of which it does not know.
pub(super) fn better_there(state: &State, operation: &Operation, view: &View) -> bool {
    let one = matches!(
        operation,
        Operation::ReadRow { .. }
            | Operation::ReadProperty { .. }
            | Operation::ReadNavigation { .. }
            | Operation::ReadReference { .. }
    );
    let expands = operation.query().is_some_and(|query| !query.expand.is_empty());
    (!one || expands) && view.lacking().iter().any(|table| state.is_narrow(table)) && !view.waits()
}

/// A table of which rows are shown.
struct Shown<'s> {
    table: &'s Table,
    /// All of their columns, not only those that are named.
    whole: bool,
}

/// Looks at what is asked of rows.
#[derive(Clone, Copy)]
struct Asked<'s> {
    state: &'s State,
}

impl<'s> Asked<'s> {
    /// Tables of which an operation shows rows, with those that are expanded; the one that it names first.
    fn operation(self, operation: &Operation) -> Vec<Shown<'s>> {
        let table = |name: &str| self.state.schema.table(name);
        match operation {
            Operation::ReadCollection { table: name, query, .. }
            | Operation::ReadRow { table: name, query, .. } => {
                table(name).map_or_else(Vec::new, |table| self.rows(table, query))
            }
            Operation::ReadNavigation { table: name, navigation: leads, query, .. }
            | Operation::ReadRelated {
                table: name, collection: leads, query, reference_only: false, ..
            } => {
                let behind = table(name).map_or_else(Vec::new, |table| self.behind(table, leads));
                behind.into_iter().flat_map(|target| self.rows(target, query)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn rows(self, table: &'s Table, query: &Query) -> Vec<Shown<'s>> {
        let figures = query.apply.is_some() || query.fetch.is_some() || query.saved.is_some();
        let mut shown = vec![Shown { table, whole: query.select.is_none() && !figures }];
        self.expanded(table, &query.expand, &mut shown);
        shown
    }

    fn expanded(self, table: &'s Table, expand: &[Expand], shown: &mut Vec<Shown<'s>>) {
        for expand in expand.iter().filter(|expand| !expand.reference_only) {
            for target in self.behind(table, &expand.navigation) {
                shown.push(Shown { table: target, whole: expand.select.is_none() });
                self.expanded(target, &expand.expand, shown);
            }
        }
    }

    /// The tables that a navigation property leads to.
    fn behind(self, table: &'s Table, name: &str) -> Vec<&'s Table> {
        match navigation(&self.state.schema, table, name) {
            Some(Navigation::ToOne { targets, .. }) => targets,
            Some(Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. }) => vec![table],
            None => Vec::new(),
        }
    }
}
