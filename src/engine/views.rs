//! What the control API shows, as plain data.

use super::offline::OnTheWay;
use super::Live;
use crate::journal::{Entry, EntryState, Reason};
use crate::model::{planted, Bug, Change, Clash, Conflict, EntityRef, Key, Millis, OpId, Profile, Value};
use crate::replica::{Feed, State};
use crate::sync::{Phase, Report, Stage};
use flette_odata::time::{format_date, format_datetime};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// `GET /flette/status`
#[derive(Serialize)]
pub(super) struct Status {
    mode: &'static str,
    chosen: bool,
    reachable: Option<bool>,
    primary: bool,
    pending: usize,
    parked: usize,
    conflicts: usize,
    syncing: bool,
    progress: Option<serde_json::Value>,
    last_sync: Option<String>,
    pub(super) synced: bool,
    /// Whether a pull is owed, or was left unfinished, since the last one that ended well.
    pull_due: bool,
    /// How far going offline has come, while it is wished for.
    going_offline: Option<OnTheWay>,
    generation: u64,
    signed_in: bool,
    problem: Option<String>,
    /// How long the server wants to be left alone, milliseconds.
    retry_after_millis: Option<u64>,
    tables: Vec<TableStatus>,
    storage: Storage,
    /// Of the module that the engine is; `None` where it is none.
    memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct TableStatus {
    name: String,
    set: String,
    rows: usize,
    complete: bool,
    /// How changes are learned: `delta`, or `sweep`, by which deletions are noticed late.
    feed: &'static str,
    /// Rows that are here although the profile leaves them out: changes of them wait.
    outside: usize,
}

#[derive(Serialize)]
struct Storage {
    bytes: usize,
    /// Known to the page only: workers cannot always ask.
    persisted: Option<bool>,
}

pub(super) fn status(
    state: &State,
    (scope, profile): (&[String], &Profile),
    live: &Live,
    (memory_bytes, going_offline): (Option<u64>, Option<OnTheWay>),
    now: Millis,
) -> Status {
    let record = &state.record;
    let parked = state.journal.iter().filter(|e| e.is_parked()).count();
    let reachable = live.reachable.get();
    let offline = record.offline_chosen || reachable == Some(false);
    let tables: Vec<TableStatus> = scope.iter().map(|name| table(state, name)).collect();
    let unheeded = || {
        let unknown = record.unknown_rows().next().cloned();
        unknown.or_else(|| profile.problems(&state.schema, &record.left_out).into_iter().next())
    };
    let whole = tables.iter().all(|table| table.complete);
    Status {
        mode: if offline { "offline" } else { "online" },
        chosen: record.offline_chosen,
        reachable,
        primary: live.primary.get(),
        pending: state.journal.len() - parked,
        parked,
        conflicts: state.conflicts.values().filter(|c| c.resolved.is_none()).count(),
        syncing: live.syncing.get(),
        progress: live.progress.get().map(|stage| progress(&stage)),
        last_sync: record.last_sync.map(|at| format_datetime(at.0)),
        synced: whole
            && state.journal.is_empty()
            && (!record.pull_due || planted(Bug::SyncedTooEarly))
            && record.last_sync.is_some(),
        pull_due: record.pull_due,
        going_offline,
        generation: record.generation,
        signed_in: live.signed_in.get(),
        problem: live.problem.borrow().clone().or_else(unheeded),
        retry_after_millis: live.patience_left(now),
        tables,
        storage: Storage { bytes: state.tables.values().map(|t| t.stored_bytes()).sum(), persisted: None },
        memory_bytes,
    }
}

fn table(state: &State, name: &str) -> TableStatus {
    let known = state.tables.get(name);
    TableStatus {
        name: name.to_owned(),
        set: state.schema.table(name).map(|t| t.set_name.clone()).unwrap_or_default(),
        rows: known.and_then(|t| t.mirror.as_ref()).map_or(0, |m| m.len()),
        complete: known.is_some_and(|t| t.cursor.complete),
        feed: match known.map(|t| t.cursor.feed).unwrap_or_default() {
            Feed::Delta => "delta",
            Feed::Sweep => "sweep",
        },
        outside: known.map_or(0, |t| t.cursor.outside.len()),
    }
}

fn progress(stage: &Stage) -> serde_json::Value {
    let phase = match stage.phase {
        Phase::Schema => "schema",
        Phase::Checks => "checks",
        Phase::Pull => "pull",
        Phase::Push => "push",
    };
    json!({"phase": phase, "table": stage.table, "done": stage.done, "total": stage.total})
}

/// How a round ended.
pub fn report(report: &Report) -> serde_json::Value {
    json!({
        "ok": report.ok,
        "more": report.more,
        "pushed": report.pushed,
        "pulled": report.pulled,
        "merged": report.merged,
        "conflicts": report.conflicts,
        "parked": report.parked,
        "problem": report.problem,
        "retry_after_millis": report.retry_after_millis,
        "reachable": report.reachable,
        "signed_out": report.signed_out,
    })
}

/// `GET /flette/journal`
pub(super) fn journal(state: &State) -> serde_json::Value {
    let entries: Vec<serde_json::Value> =
        state.journal.iter().map(|entry| entry_view(state, entry)).collect();
    json!({ "entries": entries })
}

fn entry_view(state: &State, entry: &Entry) -> serde_json::Value {
    let fields: Vec<serde_json::Value> = match &entry.change {
        Change::Create(row) => row
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| json!({"name": name, "old": null, "new": plain(value)}))
            .collect(),
        Change::Update(edits) => edits
            .iter()
            .map(|edit| json!({"name": edit.name, "old": plain(&edit.old), "new": plain(&edit.new)}))
            .collect(),
        Change::Delete => Vec::new(),
    };
    let (name, reason) = match &entry.state {
        EntryState::Waiting => ("waiting", None),
        EntryState::Sent => ("sent", None),
        EntryState::Parked(reason) => ("parked", Some(reason_view(reason))),
    };
    json!({
        "op": entry.op.0,
        "seq": entry.seq.0,
        "table": entry.key.table,
        "set": set_of(state, &entry.key),
        "id": entry.key.id,
        "name": name_of(state, &entry.key),
        "kind": entry.change.kind(),
        "at": format_datetime(entry.at.wall.0),
        "state": name,
        "reason": reason,
        "fields": fields,
    })
}

fn reason_view(reason: &Reason) -> serde_json::Value {
    json!({
        "status": reason.status,
        "class": reason.class(),
        "code": reason.code,
        "message": reason.message,
    })
}

/// `GET /flette/conflicts`, newest first.
pub(super) fn conflicts(state: &State) -> serde_json::Value {
    let all: Vec<serde_json::Value> =
        state.conflicts.values().rev().map(|c| conflict_view(state, c)).collect();
    json!({ "conflicts": all })
}

fn conflict_view(state: &State, conflict: &Conflict) -> serde_json::Value {
    let (field, local, server) = match &conflict.clash {
        Clash::Field { name, local, server } => (Some(name), plain(local), plain(server)),
        Clash::DeletedThere { .. } | Clash::DeletedHere => (None, json!(null), json!(null)),
    };
    let edits: Vec<serde_json::Value> = match &conflict.clash {
        Clash::DeletedThere { edits, .. } => edits
            .iter()
            .map(|edit| json!({"name": edit.name, "old": plain(&edit.old), "new": plain(&edit.new)}))
            .collect(),
        Clash::Field { .. } | Clash::DeletedHere => Vec::new(),
    };
    let me = EntityRef { table: "systemuser".to_owned(), id: state.record.user };
    let author = |user: &EntityRef| json!({"id": user.id, "name": state.name_of(user)});
    json!({
        "id": conflict.id,
        "table": conflict.key.table,
        "set": set_of(state, &conflict.key),
        "row": conflict.key.id,
        "name": row_name(state, conflict),
        "kind": conflict.clash.kind(),
        "field": field,
        "local": local,
        "server": server,
        "edits": edits,
        "local_at": format_datetime(conflict.local_at.wall.0),
        "server_at": conflict.server_at.map(|at| format_datetime(at.0)),
        "local_author": author(&me),
        "server_author": conflict.server_author.as_ref().map(author),
        "winner": conflict.winner,
        "open": conflict.is_open(),
        "resolved": conflict.resolved,
    })
}

fn row_name(state: &State, conflict: &Conflict) -> Option<String> {
    name_of(state, &conflict.key).or_else(|| match &conflict.clash {
        Clash::DeletedThere { row, .. } => {
            let table = state.schema.table(&conflict.key.table)?;
            row.get(&table.primary_name)?.as_text().map(str::to_owned)
        }
        Clash::Field { .. } | Clash::DeletedHere => None,
    })
}

fn name_of(state: &State, key: &Key) -> Option<String> {
    state.name_of(&EntityRef { table: key.table.clone(), id: key.id })
}

fn set_of(state: &State, key: &Key) -> String {
    state.schema.table(&key.table).map(|t| t.set_name.clone()).unwrap_or_default()
}

/// `GET /flette/export`: the rescue file. Entries and conflicts whole, in the stored form.
pub(super) fn export(state: &State) -> serde_json::Value {
    let entries: Vec<&Entry> = state.journal.iter().collect();
    let conflicts: Vec<&Conflict> = state.conflicts.values().collect();
    let user: Uuid = state.record.user;
    json!({"format": "flette-journal", "version": 1, "user": user, "entries": entries, "conflicts": conflicts})
}

/// One entry in the same form.
pub(super) fn export_one(state: &State, op: OpId) -> Option<serde_json::Value> {
    let (entry, user) = (state.journal.by_op(op)?, state.record.user);
    Some(json!({"format": "flette-journal", "version": 1, "user": user, "entries": [entry], "conflicts": []}))
}

/// Rows with what names them.
pub(super) fn named(state: &State, rows: &[EntityRef]) -> serde_json::Value {
    let row = |row: &EntityRef| {
        let key = Key::new(row.table.clone(), row.id);
        json!({"table": row.table, "set": set_of(state, &key), "id": row.id, "name": state.name_of(row)})
    };
    json!({ "rows": rows.iter().map(row).collect::<Vec<_>>() })
}

/// A value as people read JSON: the form it has in a row of the Web API.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        // Exact: a JSON number could be read as a float.
        Value::Decimal(number) => json!(number.to_string()),
        Value::Double(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Guid(id) => json!(id),
        Value::DateTime(millis) => json!(format_datetime(*millis)),
        Value::Date(days) => json!(format_date(*days)),
        Value::Lookup(target) => json!({"table": target.table, "id": target.id}),
    }
}
