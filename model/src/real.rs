//! The model's small values as the engine's own types, and back.

use crate::crm::{Deed, Row, Standing};
use crate::device::{Entry, State};
use crate::FIELDS;
use flette::journal::{self, EntryState};
use flette::model::{
    Change, Clash, DeviceId, ETag, EntityRef, FieldEdit, Hlc, Key, Millis, OpId, Reason, Seq, Side, Value,
};
use flette::sync::Decision;
use flette_odata::edm::{Column, Table};
use uuid::Uuid;

const TABLE: &str = "thing";
const NAMES: [&str; FIELDS] = ["first", "second"];
/// Steps of the model's time, milliseconds: far enough apart for whole-second stamps.
const STEP_MILLIS: i64 = 10_000;

/// The table of the model's rows.
pub fn table() -> Table {
    let column = |name: &&str| Column {
        logical_name: (*name).to_owned(),
        valid_for_create: true,
        valid_for_update: true,
        ..Column::default()
    };
    let columns = NAMES.iter().map(column).collect();
    Table { logical_name: TABLE.to_owned(), writable: true, columns, ..Table::default() }
}

fn key(row: u8) -> Key {
    Key::new(TABLE, Uuid::from_u128(u128::from(row) + 1))
}

/// Which row a key names.
pub fn row_of(key: &Key) -> u8 {
    u8::try_from(key.id.as_u128().saturating_sub(1)).unwrap_or(u8::MAX)
}

fn value(value: u8) -> Value {
    Value::Int(i64::from(value))
}

fn small(value: &Value) -> u8 {
    match value {
        Value::Int(value) => u8::try_from(*value).unwrap_or(u8::MAX),
        _ => 0,
    }
}

fn user(device: u8) -> Value {
    Value::Lookup(EntityRef { table: "systemuser".to_owned(), id: Uuid::from_u128(u128::from(device) + 100) })
}

/// A row as the server tells it.
pub fn row(row: &Row) -> (flette::model::Row, ETag) {
    let fields = NAMES.iter().zip(row.fields).map(|(name, field)| ((*name).to_owned(), value(field)));
    let mut real: flette::model::Row = fields.collect();
    real.insert("modifiedon".to_owned(), Value::DateTime(i64::from(row.modified) * STEP_MILLIS));
    real.insert("createdby".to_owned(), user(row.maker));
    (real, etag(row.version))
}

/// The mirror's row, if there is one.
pub fn mirror(standing: Standing) -> Option<flette::model::Row> {
    match standing {
        Standing::Live(live) => Some(row(&live).0),
        Standing::Never | Standing::Gone(_) => None,
    }
}

/// The fields of a row.
pub fn fields(row: &flette::model::Row) -> [u8; FIELDS] {
    NAMES.map(|name| row.get(name).map_or(0, small))
}

fn etag(version: u8) -> ETag {
    ETag(version.to_string())
}

/// The number behind an etag.
pub fn version(etag: &ETag) -> u8 {
    etag.0.parse().unwrap_or(u8::MAX)
}

/// A journal entry of a device. The number of its operation is its place in the journal.
pub fn entry(device: u8, entry: &Entry) -> journal::Entry {
    let change = match entry.deed {
        Deed::Create(fields) => {
            let fields = NAMES.iter().zip(fields).map(|(name, field)| ((*name).to_owned(), value(field)));
            let mut row: flette::model::Row = fields.collect();
            row.insert("createdby".to_owned(), user(device));
            Change::Create(row)
        }
        Deed::Update(edits) => {
            let edit = |(name, edit): (&&str, Option<(u8, u8)>)| {
                let (old, new) = edit?;
                Some(FieldEdit { name: (*name).to_owned(), old: value(old), new: value(new) })
            };
            Change::Update(NAMES.iter().zip(edits).filter_map(edit).collect())
        }
        Deed::Delete => Change::Delete,
    };
    journal::Entry {
        seq: Seq(u64::from(entry.made)),
        op: OpId(Uuid::from_u128(u128::from(entry.op))),
        key: key(entry.row),
        change,
        at: Hlc {
            wall: Millis(i64::from(entry.at) * STEP_MILLIS),
            counter: 0,
            device: DeviceId(u64::from(device)),
        },
        base: entry.base.map(etag),
        change_set: None,
        state: match entry.state {
            State::Waiting => EntryState::Waiting,
            State::Sent => EntryState::Sent,
            State::Parked => {
                EntryState::Parked(Reason { status: 400, code: String::new(), message: String::new() })
            }
        },
        holders: Vec::new(),
        added: false,
        first_sent: None,
        before: None,
    }
}

/// What an entry of the engine's is in the model.
pub fn small_entry(real: &journal::Entry) -> Entry {
    Entry {
        made: u8::try_from(real.seq.0).unwrap_or(u8::MAX),
        op: u8::try_from(real.op.0.as_u128()).unwrap_or(u8::MAX),
        at: u8::try_from(real.at.wall.0 / STEP_MILLIS).unwrap_or(u8::MAX),
        row: row_of(&real.key),
        deed: deed(&real.change),
        base: real.base.as_ref().map(version),
        state: match real.state {
            EntryState::Waiting => State::Waiting,
            EntryState::Sent => State::Sent,
            EntryState::Parked(_) => State::Parked,
        },
    }
}

/// What a change is in the model.
pub fn deed(change: &Change) -> Deed {
    match change {
        Change::Create(row) => Deed::Create(fields(row)),
        Change::Update(edits) => {
            let edit = |name: &str| {
                let edit = edits.iter().find(|edit| edit.name == name)?;
                Some((small(&edit.old), small(&edit.new)))
            };
            Deed::Update(NAMES.map(edit))
        }
        Change::Delete => Deed::Delete,
    }
}

/// Numbers of the operations that a decision writes to the conflict log as having lost, one bit each.
pub fn lost(decision: &Decision, deletion: impl Fn(OpId) -> Option<u8>) -> u16 {
    let bit = |number: u8| 1_u16 << number;
    decision.clashes.iter().fold(0, |bits, clashed| {
        bits | match &clashed.clash {
            Clash::Field { local, server, .. } => match clashed.winner {
                Side::Local => bit(small(server)),
                Side::Server => bit(small(local)),
            },
            Clash::DeletedThere { edits, .. } => {
                edits.iter().fold(0, |bits, edit| bits | bit(small(&edit.new)))
            }
            Clash::DeletedHere => deletion(clashed.op).map_or(0, bit),
        }
    })
}
