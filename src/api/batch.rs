//! `$batch`: items run one after the other; a change set is one transaction.

use super::write::{apply, respond, Done};
use super::{Answer, Door, Unread};
use crate::error::Result;
use crate::model::Key;
use crate::replica::{Draft, Replica};
use crate::store::{Durability, Store};
use flette_odata::batch::{
    content_reference, resolve_url, unknown_reference, write_batch_response, BatchAnswer, BatchItem, Part,
};
use flette_odata::prefer::Prefer;
use flette_odata::{EntityRef, Method, ODataError, Request, Schema};
use std::collections::HashMap;

/// Answers a batch. Without `odata.continue-on-error` it stops at the first failure, whose status is then the batch's.
///
/// A batch of reads that the replica cannot answer, or that lack rows here, goes elsewhere as a whole. One that also
/// writes to tables that are offline stays here, so that its writes keep their place behind those that wait; what the
/// replica cannot answer in it is refused with 501.
pub(super) async fn answer<S: Store>(
    replica: &Replica<S>,
    request: &Request,
    items: Vec<BatchItem>,
    door: Door<'_>,
    root: &str,
) -> Result<Answer> {
    let schema = replica.state().schema.clone();
    if goes_elsewhere(replica, &items, &schema, door, root) {
        return Ok(beyond());
    }
    let reads =
        |item: &BatchItem| matches!(item, BatchItem::Single(part) if part.request.method == Method::Get);
    let reads_only = items.iter().all(reads);
    let goes_on = Prefer::parse(&request.headers).continue_on_error;
    let mut answers = Vec::new();
    let mut status = 200;
    let (mut lacks, mut unknown) = (false, false);
    for item in items {
        let answer = match item {
            BatchItem::Single(part) => match single(replica, part, door, root).await {
                // Found out only now; nothing was written before.
                Answer::Elsewhere(response) if reads_only && matches!(response.status, 404 | 501) => {
                    return Ok(beyond());
                }
                Answer::Here(response) => BatchAnswer::Single(response),
                Answer::Elsewhere(response) => {
                    lacks |= response.headers.get("Flette-Incomplete").is_some();
                    unknown |= response.status >= 400;
                    BatchAnswer::Single(response)
                }
            },
            BatchItem::ChangeSet(parts) => change_set(replica, &parts, door, root).await,
        };
        let failed = match &answer {
            BatchAnswer::Single(response) if response.status >= 400 => Some(response.status),
            BatchAnswer::Single(_) | BatchAnswer::ChangeSet(_) => None,
        };
        answers.push(answer);
        if let (Some(failed), false) = (failed, goes_on) {
            status = failed;
            break;
        }
    }
    let boundary = replica.new_id(door.now);
    let mut response = write_batch_response(&answers, boundary, status);
    if goes_on {
        response.headers.set("Preference-Applied", "odata.continue-on-error");
    }
    // Better answered there, as a list of its own would be; not while anything waits of which the server does not know. What means
    // nothing here may mean something there.
    let better_there = unknown || lacks && replica.state().journal.is_empty();
    Ok(match reads_only && better_there {
        true => Answer::Elsewhere(response),
        false => Answer::Here(response),
    })
}

fn beyond() -> Answer {
    let reason = ODataError::not_implemented("The batch holds requests that cannot be answered offline.");
    Answer::Elsewhere(reason.to_response())
}

fn goes_elsewhere<S: Store>(
    replica: &Replica<S>,
    items: &[BatchItem],
    schema: &Schema,
    door: Door<'_>,
    root: &str,
) -> bool {
    let state = replica.state();
    let known = |key: &Key| super::is_known(&state, key);
    let (mut beyond, mut writes_here) = (false, false);
    let parts = items.iter().flat_map(|item| match item {
        BatchItem::Single(part) => std::slice::from_ref(part),
        // A part that names an earlier one cannot be read yet: it goes where that one goes.
        BatchItem::ChangeSet(parts) => parts,
    });
    for part in parts {
        let read = resolved(part, root, schema, &HashMap::new())
            .map_err(Unread::Unknown)
            .and_then(|(request, root)| super::parse(&state, &request, door, root));
        match read {
            Ok(operation) => match super::not_here(&state, &operation, door, &known) {
                Some(_) => beyond = true,
                None => writes_here |= operation.is_write(),
            },
            Err(Unread::Denied(_)) => {}
            Err(Unread::Unknown(error)) => {
                beyond |= matches!(error.status, 404 | 501) && !error.is_key_not_found();
            }
        }
    }
    beyond && !writes_here
}

async fn single<S: Store>(replica: &Replica<S>, part: Part, door: Door<'_>, root: &str) -> Answer {
    if content_reference(&part.request.url).is_some() {
        return Answer::Here(unknown_reference(&part.request.url).to_response());
    }
    let url = url_of(&part.request.url, root);
    let request = Request { url, ..part.request };
    let inner = Door { root, ..door };
    // An earlier item may have waited while a round, or another context, put the rows out of memory.
    let tables: Vec<&str> = door.scope.iter().map(String::as_str).collect();
    if let Err(error) = replica.load(&tables).await {
        return Answer::Here(error.to_odata().to_response());
    }
    let answered = Box::pin(super::route(replica, &request, inner)).await;
    answered.unwrap_or_else(|error| Answer::Here(error.to_odata().to_response()))
}

/// A part's URL may be absolute, a path, or relative to the root.
fn url_of(url: &str, root: &str) -> String {
    match url.contains("://") || url.starts_with('/') {
        true => url.to_owned(),
        false => format!("{root}{url}"),
    }
}

/// Content-ID (with its dollar sign) to the row that the request made or changed.
type References = HashMap<String, EntityRef>;

/// A part of a change set as a request of its own, and the root to read it by.
fn resolved<'r>(
    part: &Part,
    root: &'r str,
    schema: &Schema,
    rows: &References,
) -> flette_odata::error::Result<(Request, &'r str)> {
    let find = |reference: &str| rows.get(reference).cloned();
    let url = match content_reference(&part.request.url) {
        Some(_) => resolve_url(&part.request.url, &find, schema, root)
            .ok_or_else(|| unknown_reference(&part.request.url))?,
        None => url_of(&part.request.url, root),
    };
    // The root may be absolute while a part names a path only.
    let path_root = root.find("://").and_then(|at| root[at + 3..].find('/').map(|s| &root[at + 3 + s..]));
    let root = if url.starts_with('/') { path_root.unwrap_or(root) } else { root };
    Ok((Request { url, ..part.request.clone() }, root))
}

async fn change_set<S: Store>(
    replica: &Replica<S>,
    parts: &[Part],
    door: Door<'_>,
    root: &str,
) -> BatchAnswer {
    let tables: Vec<&str> = door.scope.iter().map(String::as_str).collect();
    let decide = |draft: &mut Draft| draft_set(draft, parts, door, root);
    match replica.transact(door.now, Durability::Strict, &tables, decide).await {
        Ok(done) => {
            let state = replica.state();
            let answers = done.iter().map(|done| respond(&state, done, (door, root)));
            BatchAnswer::ChangeSet(parts.iter().map(|part| part.content_id.clone()).zip(answers).collect())
        }
        Err(error) => BatchAnswer::Single(error.to_odata().to_response()),
    }
}

fn draft_set(draft: &mut Draft, parts: &[Part], door: Door<'_>, root: &str) -> Result<Vec<Done>> {
    let schema = draft.schema();
    let mut rows = References::new();
    let mut done = Vec::new();
    draft.begin_change_set();
    for part in parts {
        let (request, root) = resolved(part, root, &schema, &rows)?;
        let content = |reference: &str| rows.get(reference).cloned();
        let one = apply(draft, &request, (door, root), &content)?;
        if let (Some(content_id), Some(row)) = (&part.content_id, &one.row) {
            rows.insert(format!("${content_id}"), row.clone());
        }
        done.push(one);
    }
    draft.check_change_set()?;
    draft.end_change_set();
    Ok(done)
}
