//! Rows that were written past the replica: read, so that who wrote them sees here what he wrote.

use super::held;
use super::outside::{is_told, is_unheard_of, until_told, until_told_of_new};
use super::reconcile::Incoming;
use super::round::hello;
use super::step::{keep_known, meet, mirror, News, Run, Stop, Told};
use super::unclear::boundary;
use super::{Outside, Progress, SyncConfig};
use crate::journal::{sent_edits, Entry, EntryState};
use crate::model::{ETag, Key, Row};
use crate::platform::Transport;
use crate::remote::{stamps_of_row, Outcome, Resolve, RowAnswer, RowCall};
use crate::replica::{decode_row, Draft, Item, PageError, Replica, State};
use crate::store::{Durability, Store};
use flette_odata::edm::Table;
use flette_odata::navigation::navigation;
use flette_odata::path::PARTY_TABLE;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A row that was written, and the names of what was written of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Written {
    pub key: Key,
    pub columns: BTreeSet<String>,
}

/// Reads these rows, each of which the replica shows, if the server knows the user. What is not read now comes in with the
/// next round. Changes that wait are merged with what is read, as when a page brings the row.
pub async fn learn<S: Store, T: Transport>(
    replica: &Replica<S>,
    outside: &Outside<'_, T>,
    config: &SyncConfig,
    progress: &Progress,
    rows: Vec<Written>,
) {
    let run = Run::new(replica, outside, config, progress);
    // Whatever went wrong, the next round meets it again and tells of it.
    let _ = read(&run, &rows).await;
}

async fn read<S: Store, T: Transport>(run: &Run<'_, S, T>, rows: &[Written]) -> Result<(), Stop> {
    hello(run).await?;
    let schema = run.schema();
    let calls: Vec<RowCall> = rows.iter().map(|row| RowCall::Read { key: row.key.clone() }).collect();
    let asked: Vec<(&Written, &RowCall, &Table)> = rows
        .iter()
        .zip(&calls)
        .filter_map(|(row, call)| Some((row, call, schema.table(&row.key.table)?)))
        .collect();
    // An activity gets no newer version here than its parties.
    let lists: Vec<RowCall> =
        asked.iter().filter_map(|(row, _, _)| held::set_list(&schema, &row.key)).collect();
    let parties = schema.table(PARTY_TABLE);
    let mut groups: Vec<Vec<(&RowCall, &Table)>> =
        asked.iter().map(|(_, call, table)| vec![(*call, *table)]).collect();
    groups.extend(lists.iter().filter_map(|list| Some(vec![(list, parties?)])));
    let answers = run.remote.batch(&groups, boundary(run)).await.map_err(Stop::Outcome)?;
    let answers: Vec<&RowAnswer> = answers.iter().flatten().collect();
    let (of_rows, of_sets) = answers.split_at(asked.len().min(answers.len()));
    let tables: BTreeSet<&str> = rows.iter().map(|row| row.key.table.as_str()).collect();
    let tables: Vec<&str> = tables.into_iter().chain(parties.map(|_| PARTY_TABLE)).collect();
    run.replica
        .transact(run.at(), Durability::Strict, &tables, |draft| {
            draft.hear(run.remote.heard());
            for (row, _, table) in &asked {
                if names_news(draft.state(), row, table) {
                    draft.record.doubt_schema(&row.key.table);
                }
            }
            let mut told: Vec<Told> = Vec::new();
            for (list, answer) in lists.iter().zip(of_sets) {
                held::learn_set(draft, list, answer, &mut told);
            }
            for ((row, _, table), answer) in asked.iter().zip(of_rows) {
                told.extend(take_over(run, draft, (row, table), answer));
            }
            let by_pages = |draft: &Draft, (key, news): &Told| {
                news.as_ref().is_some_and(|(_, etag)| is_told(draft, key, etag))
            };
            let new: Vec<Key> =
                told.iter().filter(|told| !by_pages(draft, told)).map(|told| told.0.clone()).collect();
            let unheard_of: Vec<Key> =
                told.iter().filter(|told| is_unheard_of(draft, told)).map(|told| told.0.clone()).collect();
            mirror(draft, &told)?;
            new.iter().for_each(|key| until_told(draft, key));
            unheard_of.iter().for_each(|key| until_told_of_new(draft, key));
            Ok(())
        })
        .await?;
    Ok(())
}

/// Whether the server took something by a name that the schema known here has not, so that this one is out of date: the next
/// round reads it again.
fn names_news(state: &State, written: &Written, table: &Table) -> bool {
    let known = |name: &String| {
        name.contains('@')
            || table.column(name).is_some()
            || state.record.left_out.names.contains(name)
            || navigation(&state.schema, table, name).is_some()
    };
    !written.columns.iter().all(known)
}

/// What the mirror shows of a row from now on; `None`: as before.
fn take_over<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    draft: &mut Draft,
    (written, table): (&Written, &Table),
    answer: &RowAnswer,
) -> Option<Told> {
    let key = &written.key;
    let entries = draft.entries_of(key);
    // Of what is on its way to the server nobody can say yet whether it has arrived.
    let under_way = entries.iter().any(|entry| entry.state == EntryState::Sent);
    let known = draft.state().mirror_row(key);
    match &answer.outcome {
        Outcome::Done => {
            let (mut row, etag, others) = as_far_as_it_fits(table, key, &answer.body)?;
            if !others.is_empty() {
                draft.record.doubt_schema(&key.table);
                let known = known.iter().flat_map(|(row, _)| row);
                let kept = known.filter(|(name, _)| others.contains(*name));
                row.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
            }
            if under_way {
                keep_known(draft, &entries);
                let (row, etag) = but_sent(&entries, known?, row);
                return Some((key.clone(), Some((News::Row(row), etag))));
            }
            let stamps = stamps_of_row(&answer.body, table);
            let incoming = Incoming::Row { row: &row, etag: &etag, stamps: &stamps };
            meet(draft, table, key, incoming, (&run.policy, false));
            let own = |name: &str, _: &_| written.columns.contains(name);
            run.policy.carry(&key.table, (&mut row, known.as_ref().map(|(row, _)| row)), &own);
            Some((key.clone(), Some((News::Row(row), etag))))
        }
        Outcome::Resolve(Resolve::Gone(_)) if !under_way => {
            meet(draft, table, key, Incoming::Gone, (&run.policy, false));
            Some((key.clone(), None))
        }
        Outcome::Resolve(_) | Outcome::Retry(_) | Outcome::Hold(_) | Outcome::Park(_) => None,
    }
}

/// A row as far as it fits the columns known here, and the names of those that are others on the server by now: until the schema
/// is read again, these show what they did.
fn as_far_as_it_fits(table: &Table, key: &Key, body: &[u8]) -> Option<(Row, ETag, BTreeSet<String>)> {
    let (mut fitting, mut others) = (Cow::Borrowed(table), BTreeSet::new());
    loop {
        match decode_row(body, &fitting) {
            Ok(page) => {
                let is_it = page.items().next() == Some(Item::Row(key.id));
                return is_it.then_some((page.row(0), ETag(page.etag(0)?), others));
            }
            Err(PageError::WrongType { column } | PageError::UnknownTarget { column }) => {
                fitting.to_mut().columns.retain(|known| known.logical_name != column);
                if !others.insert(column) {
                    return None;
                }
            }
            Err(PageError::Malformed(_) | PageError::NoId) => return None,
        }
    }
}

/// The row that is known, with all that was told but the columns that are under way. Its version stays what it was, so that
/// the next round takes the row for changed.
fn but_sent(entries: &[Entry], (known, etag): (Row, ETag), told: Row) -> (Row, ETag) {
    let mut row = told;
    for (name, value) in known {
        if sent_edits(entries).any(|edit| edit.name == name) {
            row.insert(name, value);
        }
    }
    (row, etag)
}
