//! `CreateMultiple`, `UpdateMultiple`, `UpsertMultiple`: several rows in one transaction.

use super::related::create;
use super::rows::upsert;
use super::Effect;
use crate::api::Call;
use crate::db::Writer;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::payload::{Target, Write, WriteKind};
use flette_odata::{ODataError, Response, Table, Uuid};

/// Carries out one of the actions.
pub(super) fn carry_out(
    writer: &Writer,
    call: &Call,
    table: &Table,
    kind: WriteKind,
    targets: Vec<Target>,
) -> Result<Effect> {
    let mut ids = Vec::with_capacity(targets.len());
    for target in targets {
        ids.push(one(writer, call, table, kind, target)?);
    }
    let response = match kind {
        WriteKind::Create => created(call, &ids),
        // The service answers both without a body.
        WriteKind::Update | WriteKind::Upsert => Response::empty(204),
    };
    Ok(Effect { response, row: None })
}

fn one(writer: &Writer, call: &Call, table: &Table, kind: WriteKind, target: Target) -> Result<Uuid> {
    let Target { id, write } = target;
    let condition = match kind {
        WriteKind::Create => return create(writer, call, table, Write { id, ..write }),
        WriteKind::Update => Condition::IfMatchAny,
        WriteKind::Upsert => Condition::None,
    };
    match id {
        Some(id) => upsert(writer, call, (table, id), write, &condition).map(|_| id),
        None if kind == WriteKind::Upsert => create(writer, call, table, write),
        None => Err(ODataError::bad_payload("Every target of an update must name its row.")),
    }
}

fn created(call: &Call, ids: &[Uuid]) -> Response {
    let context = format!("{}$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse", call.root);
    let body = serde_json::json!({"@odata.context": context, "Ids": ids});
    Response::json(200, body.to_string().into_bytes())
}
