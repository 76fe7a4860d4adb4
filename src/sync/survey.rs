//! What going offline would bring, before it is brought: who is calling, which tables he may read, how many rows come.

use super::round::hello;
use super::step::{Run, Stop};
use super::{schema, Outside, Phase, Progress, Report, Stage, SyncConfig};
use crate::model::{code_shown, TraceEvent, Wanted};
use crate::platform::Transport;
use crate::remote::{Counted, COUNT_MAX};
use crate::replica::{Replica, Total};
use crate::store::Store;
use std::collections::BTreeMap;

/// What the server says of the tables that would be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Of the further tables those that the server has and gives.
    pub further: Vec<String>,
    /// Rows of each table that it gives.
    pub totals: BTreeMap<String, Total>,
    /// Tables in scope that it does not give.
    pub refused: Vec<String>,
}

/// Asks the server: `config`'s tables must be given; of `further` ones those that are not are left out. Learns the schema
/// on the way, as the names of collections stand in it. Call it only as the primary client, and not during a round.
///
/// # Errors
/// Why it could not be found out, as the report of a round that went wrong.
pub async fn survey<S: Store, T: Transport>(
    replica: &Replica<S>,
    outside: &Outside<'_, T>,
    config: &SyncConfig,
    further: &[&str],
    progress: &Progress,
) -> std::result::Result<Survey, Report> {
    // As in a round.
    let _ = replica.recall_trace().await;
    let narrow = Run::new(replica, outside, config, progress);
    let described = match described(&narrow, further).await {
        Ok(described) => described,
        Err(stop) => return Err(narrow.end(Err(stop)).0),
    };
    let mut wide = config.clone();
    wide.tables = described.iter().chain(&config.tables).cloned().collect();
    let run = Run::new(replica, outside, &wide, progress);
    match look(&run, described).await {
        Ok(survey) => {
            progress.set(None);
            Ok(survey)
        }
        Err(stop) => Err(run.end(Err(stop)).0),
    }
}

/// Those of the further tables that the server knows.
async fn described<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    further: &[&str],
) -> std::result::Result<Vec<String>, Stop> {
    run.progress.set(Some(Stage { phase: Phase::Schema, table: String::new(), done: 0, total: None }));
    hello(run).await?;
    let schema = run.schema();
    let wanted = further.iter().copied().filter(|name| !run.config.tables.iter().any(|known| known == name));
    let (known, unknown): (Vec<&str>, Vec<&str>) = wanted.partition(|name| schema.table(name).is_some());
    let mut names: Vec<String> = known.into_iter().map(str::to_owned).collect();
    let unknown: Vec<String> = unknown.into_iter().map(str::to_owned).collect();
    if !unknown.is_empty() {
        let answers = run.remote.definitions(&unknown).await.map_err(Stop::Outcome)?;
        names.extend(answers.into_iter().flatten().map(|described| described.table.logical_name));
    }
    Ok(names)
}

async fn look<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    further: Vec<String>,
) -> std::result::Result<Survey, Stop> {
    run.in_time()?;
    schema::refresh(run).await?;
    run.in_time()?;
    run.progress.set(Some(Stage { phase: Phase::Checks, table: String::new(), done: 0, total: None }));
    let schema = run.schema();
    let known = run.config.tables.iter().filter_map(|name| Some((name, schema.table(name)?)));
    let (names, sets): (Vec<&String>, Vec<(&str, Option<String>)>) =
        known.map(|(name, table)| (name, (table.set_name.as_str(), filter_of(run, name)))).unzip();
    let counted = run.remote.counts(&sets).await.map_err(Stop::Outcome)?;
    let mut survey = Survey::default();
    for (name, counted) in names.into_iter().zip(counted) {
        match counted {
            Counted::Rows(rows) => {
                let total = Total { rows, exact: rows < COUNT_MAX };
                survey.totals.insert(name.clone(), total);
            }
            Counted::Refused(reason) => {
                let (status, code) = (reason.status, code_shown(&reason.code));
                let table = name.clone();
                run.replica.trace().note(run.at(), &TraceEvent::Refused { table, status, code });
            }
        }
    }
    beyond_count(run, &mut survey).await?;
    let given = |name: &String| survey.totals.contains_key(name);
    survey.further = further.iter().filter(|name| given(name)).cloned().collect();
    survey.refused =
        run.config.tables.iter().filter(|name| !given(name) && !further.contains(name)).cloned().collect();
    Ok(survey)
}

/// Which rows of a table are wanted.
fn filter_of<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str) -> Option<String> {
    match run.replica.state().record.wanted(name) {
        Some(Wanted::Rows { filter, .. }) => Some(filter.clone()),
        Some(Wanted::Unknown { .. }) | None => None,
    }
}

/// A count stops at [`COUNT_MAX`]. Of tables that have more, and are wanted whole, the server tells the rows that there are,
/// whoever may see them: as much as will come at most.
async fn beyond_count<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    survey: &mut Survey,
) -> std::result::Result<(), Stop> {
    let capped = survey.totals.iter().filter(|(_, total)| !total.exact).map(|(name, _)| name.as_str());
    let capped: Vec<&str> = capped.filter(|name| filter_of(run, name).is_none()).collect();
    if capped.is_empty() {
        return Ok(());
    }
    let rows = run.remote.total_counts(&capped).await.map_err(Stop::Outcome)?;
    for (name, rows) in rows {
        if let Some(total) = survey.totals.get_mut(&name) {
            total.rows = total.rows.max(rows);
        }
    }
    Ok(())
}
