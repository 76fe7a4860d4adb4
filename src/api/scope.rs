//! What an offline profile keeps from the replica: columns that are not here, and columns that cannot be edited here.

use crate::model::Direction;
use crate::replica::State;
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

/// Why whole rows cannot be shown: some of their columns are not here. Rows of which the columns are named can.
pub(super) fn whole_rows(state: &State, operation: &Operation) -> Option<ODataError> {
    if state.record.left_out.columns.is_empty() {
        return None;
    }
    let asked = Asked { state };
    match operation {
        Operation::ReadCollection { table, query, .. } | Operation::ReadRow { table, query, .. } => {
            asked.rows(state.schema.table(table)?, query)
        }
        Operation::ReadNavigation { table, navigation, query, .. } => {
            asked.behind(state.schema.table(table)?, navigation, |target| asked.rows(target, query))
        }
        Operation::ReadRelated { table, collection, query, reference_only: false, .. } => {
            asked.behind(state.schema.table(table)?, collection, |target| asked.rows(target, query))
        }
        _ => None,
    }
}

/// 501 for a row of which only the server can tell: it may be outside of what the profile takes offline.
pub(super) fn outside(table: &str) -> ODataError {
    ODataError::not_implemented(format!(
        "The row of '{table}' is not among the rows of the offline profile and is not available offline."
    ))
}

/// Whether the server had better answer a request about several rows, while it is in reach: a profile takes only some of
/// them offline. Not while changes of theirs wait, of which it does not know.
pub(super) fn better_there(state: &State, operation: &Operation, lacking: &[String]) -> bool {
    let one = matches!(
        operation,
        Operation::ReadRow { .. }
            | Operation::ReadProperty { .. }
            | Operation::ReadNavigation { .. }
            | Operation::ReadReference { .. }
    );
    let expands = operation.query().is_some_and(|query| !query.expand.is_empty());
    let waits = |table: &String| state.journal.keys_of(table).next().is_some();
    (!one || expands) && lacking.iter().any(|table| state.is_narrow(table)) && !lacking.iter().any(waits)
}

/// Looks at what is asked of rows.
#[derive(Clone, Copy)]
struct Asked<'s> {
    state: &'s State,
}

impl Asked<'_> {
    fn rows(self, table: &Table, query: &Query) -> Option<ODataError> {
        let figures = query.apply.is_some() || query.fetch.is_some() || query.saved.is_some();
        let all = query.select.is_none() && !figures;
        all.then(|| self.lacks(table)).flatten().or_else(|| self.expanded(table, &query.expand))
    }

    fn expanded(self, table: &Table, expand: &[Expand]) -> Option<ODataError> {
        expand.iter().filter(|expand| !expand.reference_only).find_map(|expand| {
            self.behind(table, &expand.navigation, |target| {
                let all = expand.select.is_none();
                all.then(|| self.lacks(target)).flatten().or_else(|| self.expanded(target, &expand.expand))
            })
        })
    }

    /// What is found of the first table that a navigation property leads to and that lacks something.
    fn behind(
        self,
        table: &Table,
        name: &str,
        find: impl Fn(&Table) -> Option<ODataError>,
    ) -> Option<ODataError> {
        match navigation(&self.state.schema, table, name)? {
            Navigation::ToOne { targets, .. } => targets.into_iter().find_map(find),
            Navigation::ToMany { table, .. } | Navigation::ManyToMany { table, .. } => find(table),
        }
    }

    fn lacks(self, table: &Table) -> Option<ODataError> {
        let name = &table.logical_name;
        self.state.lacking_columns(name)
    }
}
