//! Learns tables and columns from the server's metadata, before any row.

use super::added::ask_anew;
use super::definitions::{self, Definitions};
use super::policy::Policy;
use super::pull::forget;
use super::scope::{is_down, pending, scoped};
use super::step::{decide, Run, Stop};
use super::wanted::{wanted, Me, Views};
use super::{Phase, Stage};
use crate::error::Result;
use crate::journal::{Entry, EntryState};
use crate::model::{Change, Clash, Millis, Profile, Side, TraceEvent, Value};
use crate::platform::Transport;
use crate::remote::Outcome;
use crate::replica::Draft;
use crate::store::{Durability, Store};
use crate::sync::reconcile::{Clashed, Decision};
use flette_odata::edm::{Column, Schema, Table};
use flette_odata::ordered;
use std::collections::{BTreeMap, BTreeSet};

/// The schema is compared with the server's at least this often, milliseconds.
const CHECK_INTERVAL_MILLIS: i64 = 60 * 60 * 1000;
/// The same where pages tell when it changes.
const CHECK_INTERVAL_TOLD_MILLIS: i64 = 24 * CHECK_INTERVAL_MILLIS;

/// [`refresh`], or on by the schema known here where the server's cannot be read now: what waits goes out all the same.
///
/// # Errors
/// Why it could not be read, where what is known here does not do.
pub(super) async fn refresh_if_possible<S: Store, T: Transport>(
    run: &Run<'_, S, T>,
) -> std::result::Result<(), Stop> {
    // Every other round does without, where it took all the time of the one before.
    if run.progress.schema_failed.replace(false) && suffices(run) {
        run.problem("the server's metadata did not come in time".to_owned());
        return Ok(());
    }
    match refresh(run).await {
        Err(Stop::Outcome(Outcome::Retry(what))) if suffices(run) => {
            run.problem(what);
            // Another round would wait as long, and have no time left for changes either.
            if run.in_time().is_err() {
                run.progress.schema_failed.set(true);
            }
            Ok(())
        }
        ended => ended,
    }
}

/// Whether a round can do with what is known here: it is of the database that is asked, since no table holds rows of another
/// one, and was narrowed by the profile that is set, without which rows and columns would be asked for that are not wanted.
fn suffices<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    let state = run.replica.state();
    let is_foreign = |name: &String| state.tables.get(name).is_some_and(|table| table.cursor.foreign);
    !state.schema.tables.is_empty() && !run.config.tables.iter().any(is_foreign) && is_narrowed(run)
}

/// Brings the schema up to date when it is due.
///
/// # Errors
/// Why it could not be read. Rows are not pulled then, since they could not be understood.
pub(super) async fn refresh<S: Store, T: Transport>(run: &Run<'_, S, T>) -> std::result::Result<(), Stop> {
    if !due(run) && !finds_views(run).await? {
        return Ok(());
    }
    run.progress.set(Some(Stage { phase: Phase::Schema, table: String::new(), done: 0, total: None }));
    // What a page tells from now on may be newer than what is read.
    let heard = run.replica.state().record.definitions_heard.clone();
    let Definitions { schema, stamp, doubted } = definitions::read(run, is_narrowed(run)).await?;
    if schema.tables.is_empty() {
        return Err(Stop::Outcome(Outcome::Retry("the server describes no table in scope".to_owned())));
    }
    let views = views(run).await?;
    let at = run.at();
    let profile = (&run.config.profile, &views);
    let conflicts = run.replica.transact(at, Durability::Strict, &[], |draft| {
        let conflicts = adopt(draft, &schema, profile, at)?;
        if draft.record.definitions_heard != heard {
            draft.record.schema_checked = None;
        }
        draft.record.definitions.clone_from(&heard);
        draft.record.definition_stamp.clone_from(&stamp);
        draft.record.doubted.retain(|name| !doubted.contains(name));
        Ok(conflicts)
    });
    let conflicts = conflicts.await?;
    run.count(|report| report.conflicts += conflicts);
    Ok(())
}

/// The views by which the profile chooses rows.
async fn views<S: Store, T: Transport>(run: &Run<'_, S, T>) -> std::result::Result<Views, Stop> {
    let wanted: Vec<(&str, &str)> = run.config.profile.views().collect();
    let found = run.remote.views(&wanted).await.map_err(Stop::Outcome)?;
    Ok(ordered::map(wanted.into_iter().map(|(table, _)| table.to_owned()).zip(found)))
}

/// Whether a view is there by now that was not found, or that the user might not read: until then its table goes by what was
/// wanted before, or is not here at all.
async fn finds_views<S: Store, T: Transport>(run: &Run<'_, S, T>) -> std::result::Result<bool, Stop> {
    let unread = run.replica.state().record.unread_views.clone();
    if unread.is_empty() {
        return Ok(false);
    }
    let views = views(run).await?;
    Ok(views.iter().any(|(table, view)| view.is_ok() && unread.contains(table)))
}

fn due<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    let state = run.replica.state();
    let missing = run.config.tables.iter().any(|name| state.schema.table(name).is_none());
    let interval_millis = match is_told_of_changes(run) {
        true => CHECK_INTERVAL_TOLD_MILLIS,
        false => CHECK_INTERVAL_MILLIS,
    };
    let old = state
        .record
        .schema_checked
        .is_none_or(|Millis(at)| !(0..interval_millis).contains(&run.at().0.saturating_sub(at)));
    missing || old || !is_narrowed(run) || state.record.narrowing
}

/// Whether the schema was narrowed by the profile that is set, and it is known which rows that wants.
fn is_narrowed<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    let (profile, state) = (&run.config.profile, run.replica.state());
    let is_this = state.record.profiled.as_ref().map_or(profile.is_empty(), |known| known == profile);
    is_this && (state.record.wanted.is_some() || profile.is_empty())
}

/// Whether pages tell the version of the definitions, so that the schema need not be looked at to see whether it has changed. Views
/// are rows, and change without it.
fn is_told_of_changes<S: Store, T: Transport>(run: &Run<'_, S, T>) -> bool {
    run.replica.state().record.definitions.is_some() && run.config.profile.views().next().is_none()
}

/// Takes the schema over, as far as the profile wants it, if it differs. Edits of columns that are gone, or that only come
/// down now, move to the conflict log; a column that the profile leaves out stays until its edits are settled.
fn adopt(
    draft: &mut Draft,
    schema: &Schema,
    (profile, views): (&Profile, &Views),
    at: Millis,
) -> Result<u64> {
    draft.record.schema_checked = Some(at);
    let me = Me { user: draft.record.user, business_unit: draft.record.business_unit };
    draft.record.wanted = Some(wanted(schema, (profile, views), me));
    let unread = views.iter().filter(|(_, view)| view.is_err());
    draft.record.unread_views = unread.map(|(table, _)| table.clone()).collect();
    let scoped = scoped(schema, profile, &pending(draft.state().journal.iter()));
    let was_profiled = draft.record.profiled.is_some() || !draft.record.left_out.columns.is_empty();
    draft.record.left_out = scoped.left_out;
    // What is kept for now is looked at again in the next round.
    let all_done = scoped.kept_for_edits == 0 && (was_profiled || !profile.is_empty());
    draft.record.profiled = all_done.then(|| profile.clone());
    draft.record.narrowing = scoped.kept_for_edits > 0;
    read_anew(draft, Policy::of(profile).all_up());
    if *draft.schema() == scoped.schema {
        return Ok(0);
    }
    for name in to_read_anew(&draft.schema(), &scoped.schema) {
        forget(draft, &name, None);
    }
    let before = draft.schema();
    draft.set_schema(scoped.schema);
    let generation = draft.record.generation;
    draft.note(TraceEvent::Schema { generation, tables: schema.tables.len() });
    let entries: Vec<Entry> = draft.state().journal.iter().cloned().collect();
    let mut conflicts = 0;
    for entry in entries {
        let Some(table) = schema.table(&entry.key.table) else { continue };
        if let Some(decision) = without((before.table(&entry.key.table), table), profile, &entry) {
            conflicts += decide(draft, std::slice::from_ref(&entry), decision, false);
        }
    }
    ask_anew(draft, &before, schema);
    let is_new = |table: &Table| before.table(&table.logical_name).is_none();
    if draft.schema().tables.iter().any(is_new) {
        draft.release_out_of_scope();
    }
    Ok(conflicts)
}

/// What the server said of columns that only went up was not taken over, and no row's version tells: where one goes down again,
/// the rows of its table are read anew.
fn read_anew(draft: &mut Draft, up: &BTreeMap<String, BTreeSet<String>>) {
    let before = std::mem::replace(&mut draft.record.up, up.clone());
    for (name, columns) in before {
        if up.get(&name).is_none_or(|now| !columns.is_subset(now)) {
            forget(draft, &name, None);
        }
    }
}

/// Tables of which a column went, or was dropped and made again under its name: no row's version tells that its values went
/// with it, so the rows are read anew. One that went is back, perhaps, before they are, and the feed would go on as if nothing
/// had been.
fn to_read_anew(before: &Schema, now: &Schema) -> Vec<String> {
    let lost = |table: &&Table| {
        let known =
            before.table(&table.logical_name).map(|known| known.columns.as_slice()).unwrap_or_default();
        known.iter().any(|column| {
            let same_name = table.column(&column.logical_name);
            same_name.is_none_or(|now| now.metadata_id != column.metadata_id)
        })
    };
    now.tables.iter().filter(lost).map(|table| table.logical_name.clone()).collect()
}

/// An entry without the columns that its table no longer has, that only come down, or that nobody may write any more as the entry
/// does, who could before; `None` when it needs none of them.
///
/// One that was sent without an answer stays sent, since it may have been applied: were that forgotten, a row that was made
/// would be taken for somebody else's, and the rest of a change set would go without it.
fn without((before, table): (Option<&Table>, &Table), profile: &Profile, entry: &Entry) -> Option<Decision> {
    let mut decision = Decision::default();
    let mut clashes = Vec::new();
    let mut lose = |name: &str, local: &Value, server: &Value| {
        clashes.push(Clashed {
            clash: Clash::Field { name: name.to_owned(), local: local.clone(), server: server.clone() },
            local_at: entry.at,
            server_at: None,
            server_author: None,
            op: entry.op,
            winner: Side::Server,
            manual: false,
        });
    };
    let is_create = matches!(entry.change, Change::Create(_));
    // What a new row cannot be given with its creation, it may be given once it stands.
    let writable = |column: &Column| column.valid_for_update || is_create && column.valid_for_create;
    let was_writable = |name: &str| before.and_then(|table| table.column(name)).is_some_and(writable);
    // That the service gives new rows their ids by now makes no edit of them.
    let closed = |column: &Column| {
        !writable(column) && was_writable(&column.logical_name) && column.logical_name != table.primary_id
    };
    let gone = |name: &str| {
        table.column(name).is_none_or(|column| is_down(table, column, profile) || closed(column))
    };
    let change = match &entry.change {
        Change::Create(row) => {
            let mut row = row.clone();
            row.retain(|name, value| {
                if gone(name) && !value.is_null() {
                    lose(name, value, &Value::Null);
                }
                !gone(name)
            });
            Change::Create(row)
        }
        Change::Update(edits) => {
            let (lost, kept): (Vec<_>, Vec<_>) = edits.iter().cloned().partition(|edit| gone(&edit.name));
            for edit in &lost {
                let dropped = table.column(&edit.name).is_none();
                lose(&edit.name, &edit.new, if dropped { &Value::Null } else { &edit.old });
            }
            if entry.state == EntryState::Sent {
                // Another request than the one that was sent: a receipt would refuse it.
                decision.renew.insert(entry.seq);
            }
            Change::Update(kept)
        }
        Change::Delete => Change::Delete,
    };
    if change == entry.change {
        return None;
    }
    decision.clashes = clashes;
    if !matches!(&change, Change::Update(edits) if edits.is_empty()) {
        decision.keep.push(Entry { change, ..entry.clone() });
    }
    Some(decision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, ETag, FieldEdit, Hlc, Key, OpId, Row, Seq};
    use uuid::Uuid;

    fn entry(change: Change) -> Entry {
        Entry {
            seq: Seq(1),
            op: OpId(Uuid::nil()),
            key: Key::new("account", Uuid::nil()),
            change,
            at: Hlc { wall: Millis(0), counter: 0, device: DeviceId(1) },
            base: Some(ETag("1".to_owned())),
            change_set: None,
            state: EntryState::Waiting,
            holders: Vec::new(),
            added: false,
            first_sent: None,
            before: None,
        }
    }

    fn edit(name: &str) -> FieldEdit {
        FieldEdit { name: name.to_owned(), old: Value::Null, new: Value::Text("x".to_owned()) }
    }

    #[test]
    fn edits_of_a_dropped_column_move_to_the_log_and_the_others_stay() {
        let mut table = flette_server::schema::schema().table("account").cloned().unwrap();
        let both = entry(Change::Update(vec![edit("name"), edit("telephone1")]));
        assert_eq!(without((None, &table), &Profile::default(), &both), None);
        table.columns.retain(|column| column.logical_name != "telephone1");
        let decision = without((None, &table), &Profile::default(), &both).unwrap();
        assert_eq!(decision.keep, [entry(Change::Update(vec![edit("name")]))]);
        let [clashed] = decision.clashes.as_slice() else { panic!("{decision:?}") };
        assert!(matches!(&clashed.clash, Clash::Field { name, .. } if name == "telephone1"));
        let only =
            without((None, &table), &Profile::default(), &entry(Change::Update(vec![edit("telephone1")])))
                .unwrap();
        assert_eq!((only.keep.len(), only.clashes.len()), (0, 1));
        let row: Row = [edit("name"), edit("telephone1")].into_iter().map(|e| (e.name, e.new)).collect();
        let created = without((None, &table), &Profile::default(), &entry(Change::Create(row))).unwrap();
        let Change::Create(row) = &created.keep[0].change else { panic!("a create") };
        assert_eq!((row.len(), created.clashes.len()), (1, 1));
    }

    #[test]
    fn edits_of_a_column_that_is_read_only_by_now_move_to_the_log() {
        let before = flette_server::schema::schema().table("account").cloned().unwrap();
        let mut table = before.clone();
        let column = table.columns.iter_mut().find(|column| column.logical_name == "telephone1").unwrap();
        (column.valid_for_create, column.valid_for_update) = (true, false);
        let row: Row = [edit("name"), edit("telephone1")].into_iter().map(|e| (e.name, e.new)).collect();
        let create = entry(Change::Create(row));
        let both = entry(Change::Update(vec![edit("name"), edit("telephone1")]));
        let profile = Profile::default();
        let decision = without((Some(&before), &table), &profile, &both).unwrap();
        assert_eq!(decision.keep, [entry(Change::Update(vec![edit("name")]))]);
        assert_eq!(decision.clashes.len(), 1);
        // A new row is made with it still; later not even that.
        assert_eq!(without((Some(&before), &table), &profile, &create), None);
        let column = table.columns.iter_mut().find(|column| column.logical_name == "telephone1").unwrap();
        column.valid_for_create = false;
        let decision = without((Some(&before), &table), &profile, &create).unwrap();
        assert_eq!((decision.keep.len(), decision.clashes.len()), (1, 1));
        // Not so the id of a new row, when the service begins to give such rows theirs.
        let mut giving = before.clone();
        let id = giving.columns.iter_mut().find(|column| column.logical_name == "accountid").unwrap();
        id.valid_for_create = false;
        let made = entry(Change::Create([("accountid".to_owned(), Value::Guid(Uuid::nil()))].into()));
        assert_eq!(without((Some(&before), &giving), &profile, &made), None);
        // Where it was so before, the edit follows from others, and nobody loses anything.
        assert_eq!(without((Some(&table), &table), &profile, &create), None);
    }

    #[test]
    fn edits_of_a_column_that_only_comes_down_now_move_to_the_log() {
        let table = flette_server::schema::schema().table("account").cloned().unwrap();
        let text =
            r#"{"account":{"fields":{"telephone1":{"direction":"down"},"name":{"direction":"down"}}}}"#;
        let profile = Profile::read(text, &["account".to_owned()]).unwrap();
        let both = Entry {
            state: EntryState::Sent,
            ..entry(Change::Update(vec![edit("name"), edit("telephone1")]))
        };
        let decision = without((None, &table), &profile, &both).unwrap();
        // Rows are found by their names, so those go both ways whatever is set.
        assert_eq!(decision.keep[0].change, Change::Update(vec![edit("name")]));
        assert_eq!((decision.clashes.len(), decision.renew.len()), (1, 1));
    }

    #[test]
    fn what_was_sent_stays_sent_when_a_column_is_dropped() {
        let mut table = flette_server::schema::schema().table("account").cloned().unwrap();
        table.columns.retain(|column| column.logical_name != "telephone1");
        let row: Row = [("name", Value::Text("x".to_owned())), ("telephone1", Value::Null)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        for change in [Change::Create(row), Change::Update(vec![edit("name"), edit("telephone1")])] {
            let sent = Entry { state: EntryState::Sent, ..entry(change) };
            let decision = without((None, &table), &Profile::default(), &sent).unwrap();
            let [kept] = decision.keep.as_slice() else { panic!("{decision:?}") };
            assert_eq!(kept.state, EntryState::Sent);
        }
    }
}
