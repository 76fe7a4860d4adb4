//! Reads definitions of the tables in scope: all of them, or where the server tells changes, those that changed.

use super::reread::{keyed, reading, together, Known, Reading};
use super::step::{Run, Stop};
use crate::model::DefinitionStamp;
use crate::platform::Transport;
use crate::remote::{Described, Outcome, CHANGES_TABLES_MAX};
use crate::replica::Record;
use crate::store::Store;
use flette_odata::edm::Schema;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the server's definitions.
pub(super) struct Definitions {
    /// Of the tables in scope that it describes, as if all of them had been read.
    pub(super) schema: Schema,
    /// From where on changes of it will be told, if they will.
    pub(super) stamp: Option<DefinitionStamp>,
    /// Tables that were in doubt and are so no more.
    pub(super) doubted: BTreeSet<String>,
}

/// The definitions as they are now. `is_whole`: what is known here is the server's schema but for the columns that the profile
/// which is set leaves out.
///
/// # Errors
/// Why they could not be read.
pub(super) async fn read<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    is_whole: bool,
) -> Result<Definitions, Stop> {
    let scope = &run.config.tables;
    let (schema, record) = (run.schema(), run.replica.state().record.clone());
    // Asked for before anything is read, so that nothing changes unnoticed between the two.
    let tells = !run.progress.changes_failed.replace(false);
    let believed = believed(run, &record).filter(|_| tells && is_whole);
    let changed = match &believed {
        Some(stamp) => changed(run, (&schema, &record), stamp).await?,
        None => None,
    };
    let (names, stamp) = match (believed, changed) {
        (Some(believed), Some((names, stamp))) => (names, Some(DefinitionStamp { stamp, ..believed })),
        (_, _) => (scope.iter().cloned().collect(), begun(run, tells).await?),
    };
    let names: Vec<String> = scope.iter().filter(|name| names.contains(*name)).cloned().collect();
    let mut read: BTreeMap<String, Option<Described>> = BTreeMap::new();
    for (name, answer) in names.iter().zip(run.remote.definitions(&names).await.map_err(Stop::Outcome)?) {
        if answer.is_err() {
            run.problem(format!("table {name}: the server does not describe it"));
        }
        read.insert(name.clone(), answer.ok());
    }
    // A table that has shared options is always read, so these are all.
    let shares = |(_, described): &(&String, &Option<Described>)| {
        described.as_ref().is_some_and(|described| described.shares_options)
    };
    let shared_options: BTreeSet<String> = read.iter().filter(shares).map(|(name, _)| name.clone()).collect();
    let stamp = stamp.map(|stamp| DefinitionStamp { shared_options, ..stamp });
    Ok(Definitions { schema: together(&schema, scope, read), stamp, doubted: record.doubted })
}

/// The stamp by which changes can be asked for.
fn believed<S: Store, T: Transport>(run: &Run<'_, S, T>, record: &Record) -> Option<DefinitionStamp> {
    let is_few = run.config.tables.len() <= CHANGES_TABLES_MAX;
    record.definition_stamp.clone().filter(|stamp| is_few && !record.narrowing && stamp.is_good(run.at()))
}

/// The tables to read, and up to where that is all; `None` where all are to be read.
async fn changed<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    (schema, record): (&Schema, &Record),
    DefinitionStamp { stamp, shared_options, .. }: &DefinitionStamp,
) -> Result<Option<(BTreeSet<String>, String)>, Stop> {
    let scope = &run.config.tables;
    let keyed = keyed(schema, scope);
    let asked = run.remote.definition_changes((scope, &keyed), stamp).await;
    let Some(changes) = asked.map_err(|outcome| failed(run, outcome))? else { return Ok(None) };
    let known = Known { schema, left_out: &record.left_out, shared_options, doubted: &record.doubted };
    Ok(match reading(&known, scope, &changes) {
        Reading::All => None,
        Reading::Only(names) => Some((names, changes.stamp)),
    })
}

/// From where on changes will be told when all is read now.
async fn begun<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    tells: bool,
) -> Result<Option<DefinitionStamp>, Stop> {
    let Some(table) = run.config.tables.first().filter(|_| tells) else { return Ok(None) };
    let stamp = run.remote.definition_stamp(table).await.map_err(|outcome| failed(run, outcome))?;
    Ok(stamp.map(|stamp| DefinitionStamp::begin(stamp, run.at(), BTreeSet::new())))
}

/// Where no answer came in time, definitions are read without knowing what changed the next time: they might come.
fn failed<S: Store, T: Transport>(run: &Run<'_, S, T>, outcome: Outcome) -> Stop {
    run.progress.changes_failed.set(run.remote.was_late());
    Stop::Outcome(outcome)
}
