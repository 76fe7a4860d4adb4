//! `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: several rows in one change set.

use super::related::create;
use super::rows::upsert;
use super::Call;
use crate::error::Result;
use crate::replica::Draft;
use flette_odata::condition::Condition;
use flette_odata::payload::{Target, Write, WriteKind};
use flette_odata::{ODataError, Table, Uuid};

/// Carries out one of the actions; the rows' ids, in order.
pub(super) fn carry_out(
    draft: &mut Draft,
    call: Call<'_>,
    table: &Table,
    kind: WriteKind,
    targets: Vec<Target>,
) -> Result<Vec<Uuid>> {
    draft.whole(|draft| targets.into_iter().map(|target| one(draft, call, table, kind, target)).collect())
}

fn one(draft: &mut Draft, call: Call<'_>, table: &Table, kind: WriteKind, target: Target) -> Result<Uuid> {
    let Target { id, write } = target;
    let condition = match kind {
        WriteKind::Create => return Ok(create(draft, call, table, Write { id, ..write })?.id),
        WriteKind::Update => Condition::IfMatchAny,
        WriteKind::Upsert => Condition::None,
    };
    match id {
        Some(id) => upsert(draft, call, (table, id), write, &condition).map(|_| id),
        None if kind == WriteKind::Upsert => Ok(create(draft, call, table, write)?.id),
        None => Err(ODataError::bad_payload("Every target of an update must name its row.").into()),
    }
}
