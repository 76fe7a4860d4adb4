//! Asks several tables at once what changed, while what others changed is taken over: most often it is nothing, and a round
//! would take as long as all ways to the server one after the other.

use super::cursor::{begin, may_track, Begin, Kind};
use super::known::known;
use super::pages::{ask_all, Replies};
use super::parties::{follow, Follow};
use super::pull::{parties_and_others, pull_table, wanted_rows};
use super::step::{Run, Stop};
use super::unchanged::unchanged;
use crate::platform::Transport;
use crate::remote::Outcome;
use crate::remote::{Asked, PageCall};
use crate::replica::{Cursor, Feed, Target};
use crate::store::Store;
use flette_odata::edm::Table;
use flette_odata::path::PARTY_TABLE;
use futures_util::future::join;

/// Of so many tables it is asked at once what changed.
const ASKED_AT_ONCE: usize = 4;
/// So many groups of them are asked at once before a pull begins.
const GROUPS_FIRST: usize = 2;

/// Pulls tables one after the other; of those that are told of it is asked in groups what changed, of one group while the one
/// before is taken over. `known`: what was asked before. Tells whether all of each is in.
///
/// # Errors
/// Why the pull ends. One table that cannot be read keeps none of the others back; with a second one it is the server.
pub(super) async fn pull_tables<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    names: &[String],
    known: &mut Replies,
) -> std::result::Result<bool, Stop> {
    let groups = groups(names, |name| is_told(run, name));
    let (mut whole, mut failed) = (true, None);
    let mut ahead = None;
    for (nth, group) in groups.iter().enumerate() {
        let mut asked = match ahead.take() {
            Some(asked) => asked,
            None => ask(run, group, known).await,
        };
        let this = async {
            let mut whole = true;
            let unchanged = unchanged(run, group, &mut asked).await?;
            for name in group.iter().filter(|name| !unchanged.contains(*name)) {
                match pull_table(run, name, asked.remove(name)).await {
                    Err(stop @ Stop::Outcome(Outcome::Retry(_))) if failed.is_none() => failed = Some(stop),
                    pulled => whole &= pulled?,
                }
                if name == PARTY_TABLE {
                    follow(run, Follow { settles: true, sends_anew: true }).await?;
                }
            }
            Ok::<bool, Stop>(whole)
        };
        // A table that is not here as a whole may take long, and a worker that does not live long must get on with it.
        let told = group.iter().all(|name| is_told(run, name));
        let next = async {
            match groups.get(nth + 1).filter(|_| told) {
                Some(next) => Some(ask(run, next, known).await),
                None => None,
            }
        };
        let (next, pulled) = join(next, this).await;
        whole &= pulled?;
        ahead = next;
    }
    failed.map_or(Ok(whole), Err)
}

/// Asks what a pull asks first, as far as it is what changed: of parties, and then of so many groups of other tables at once.
pub(super) async fn ask_first<S: Store, T: Transport>(run: &Run<'_, S, T>) -> Replies {
    let (parties, others) = parties_and_others(run);
    let mut asked = ask(run, &parties, &mut Replies::new()).await;
    let groups = groups(&others, |name| is_told(run, name));
    let first =
        groups.into_iter().take(GROUPS_FIRST).take_while(|group| group.iter().all(|name| is_told(run, name)));
    let first: Vec<String> = first.flatten().cloned().collect();
    asked.extend(ask(run, &first, &mut Replies::new()).await);
    asked
}

/// Several in a row that are told of make a group, up to [`ASKED_AT_ONCE`], and each other one.
fn groups(names: &[String], is_told: impl Fn(&str) -> bool) -> Vec<&[String]> {
    let of_a_kind = names.chunk_by(|one, other| is_told(one) && is_told(other));
    of_a_kind.flat_map(|group| group.chunks(ASKED_AT_ONCE)).collect()
}

/// Asks what changed in the tables of a group, as far as that is not known yet.
async fn ask<S: Store, T: Transport>(run: &Run<'_, S, T>, group: &[String], known: &mut Replies) -> Replies {
    let mut asked: Replies = group.iter().filter_map(|name| known.remove_entry(name)).collect();
    let unknown = group.iter().filter(|name| !asked.contains_key(*name));
    let calls: Vec<PageCall> = unknown.filter_map(|name| changes(run, name)).collect();
    if run.in_time().is_ok() {
        asked.extend(ask_all(run, calls).await);
    }
    asked
}

/// The call by which a table that is here as a whole learns what changed; `None` where more than that is to do.
pub(super) fn changes<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str) -> Option<PageCall> {
    let schema = run.schema();
    let table = schema.table(name)?;
    let cursor = run.replica.state().tables.get(name).map(|t| t.cursor.clone())?;
    let (filter, looks_beyond) = wanted_rows(run.replica.state().record.wanted(name), &cursor).ok()?;
    match begin(&cursor, table, filter.as_deref(), run.remote.root()) {
        Begin::Page { url, kind: Kind::Changes, target: Target::Live, fresh: None } if is_told(run, name) => {
            let page = (url, Kind::Changes, Target::Live);
            Some(page_call(run, table, &cursor, (page, false), looks_beyond))
        }
        Begin::Page { .. } | Begin::Swap | Begin::Settle | Begin::DropShadow => None,
    }
}

/// Whether a table is here as a whole, and the server tells what changes of it.
pub(super) fn is_told<S: Store, T: Transport>(run: &Run<'_, S, T>, name: &str) -> bool {
    let state = run.replica.state();
    let cursor = state.tables.get(name).map(|table| &table.cursor);
    cursor.is_some_and(|c| {
        c.complete && c.feed == Feed::Delta && c.next_link.is_none() && c.delta_link.is_some()
    })
}

/// A first call of a pull; `is_fresh`: by a URL of our own making.
pub(super) fn page_call<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
    table: &Table,
    cursor: &Cursor,
    ((url, kind, target), is_fresh): ((String, Kind, Target), bool),
    looks_beyond: bool,
) -> PageCall {
    PageCall {
        table: table.logical_name.clone(),
        url,
        asked: if is_fresh { Asked::Read } else { Asked::Link },
        // A row that comes or goes without being changed is in no feed of changes.
        track_changes: kind == Kind::All && table.change_tracking && may_track(cursor) && !looks_beyond,
        rows_max: run.rows_max,
        // Rows that the first pull has brought may be edited before it has caught up.
        merged: (cursor.complete || cursor.behind) && target == Target::Live,
        known: known(run, (&table.logical_name, cursor), (kind, target)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_goes_together_and_nothing_else() {
        let names: Vec<String> = ["a", "B", "C", "d", "E", "F", "G", "H", "I"].map(str::to_owned).to_vec();
        let told = |name: &str| name.chars().all(char::is_uppercase);
        let joined: Vec<String> = groups(&names, told).iter().map(|group| group.concat()).collect();
        assert_eq!(joined, ["a", "BC", "d", "EFGH", "I"]);
        assert!(groups(&[], told).is_empty());
    }
}
