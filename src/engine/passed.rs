//! Writes that went to the server past the replica. Whoever wrote reads on here, so what is kept here of the rows is read
//! anew before he hears that it is done.

use super::{sync, Engine};
use crate::model::Key;
use crate::platform::Platform;
use crate::replica::State;
use crate::sync::Written;
use flette_odata::batch::{parse_batch, parse_batch_response, BatchAnswer, BatchItem};
use flette_odata::path::{parse_url, Resource, RowKey};
use flette_odata::{Headers, ODataError, Request, Response};
use std::collections::{BTreeMap, BTreeSet};

impl<P: Platform + 'static> Engine<P> {
    /// Reads the rows that were written so, or that may have been, where no answer came. What cannot be read now comes in
    /// with the next round.
    pub(super) async fn learn(&self, request: &Request, response: Option<&Response>) {
        self.catch_up().await;
        let mut rows = written(&self.replica.state(), &self.config.root, request, response);
        let config = self.sync_config();
        rows.retain(|row| config.tables.contains(&row.key.table) && shows(&self.replica.state(), &row.key));
        if rows.is_empty() {
            return;
        }
        let now = || self.platform.now();
        let random = |bytes: &mut [u8]| self.platform.random(bytes);
        let outside = self.outside(&now, &random);
        sync::learn(&self.replica, &outside, &config, &self.live.progress, rows).await;
    }
}

/// Whether an answer leaves open what becomes of a write, as none at all does: whoever gave up waiting for the server says so, or
/// the server in the middle of it. From 520 on statuses are a gateway's own. A batch of which one request failed may have the
/// status of that one, and tells of each.
pub(super) fn leaves_open(answer: &Response) -> bool {
    let kind = answer.headers.get("Content-Type").unwrap_or_default();
    matches!(answer.status, 408 | 500 | 502 | 504 | 520..=599)
        && parse_batch_response(kind, &answer.body).is_err()
}

/// What is said of a write that was sent and not answered.
pub(super) fn unanswered() -> ODataError {
    let message = "The server did not answer in time. The change may have been carried out.";
    ODataError::new(504, "0x80040216", message)
}

/// An answer that leaves open what becomes of a write, in words that an app can read: the server's own, where there are some.
pub(super) fn in_words(answer: Response) -> Response {
    let own = flette_odata::json::read::<serde_json::Value>(&answer.body);
    match own.is_ok_and(|body| body["error"].is_object()) {
        true => answer,
        false => unanswered().to_response(),
    }
}

/// Whether the replica would answer a read of the row.
fn shows(state: &State, key: &Key) -> bool {
    state.is_known(key) || state.is_complete(&key.table)
}

/// Rows that a request wrote, by the answers that it got; those that it names, where none came.
fn written(state: &State, root: &str, request: &Request, response: Option<&Response>) -> Vec<Written> {
    let of = |request: &Request, response: Option<&Response>| {
        response.is_none_or(Response::is_success).then(|| one(state, root, request, response)).flatten()
    };
    if !super::path_of(&request.url).ends_with("/$batch") {
        return of(request, response).into_iter().collect();
    }
    let kind = |headers: &Headers| headers.get("Content-Type").unwrap_or_default().to_owned();
    let items = parse_batch(&kind(&request.headers), &request.body).unwrap_or_default();
    let answers = response
        .map(|response| parse_batch_response(&kind(&response.headers), &response.body).unwrap_or_default());
    let pairs: Vec<(&Request, Option<&Response>)> = match &answers {
        Some(answers) => {
            items.iter().zip(answers).flat_map(|(item, answer)| answered(item, answer)).collect()
        }
        None => items.iter().flat_map(requests).map(|request| (request, None)).collect(),
    };
    // A row that was written twice is read once.
    let rows = pairs.into_iter().filter_map(|(request, response)| of(request, response));
    let mut all: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        all.entry(row.key).or_default().extend(row.columns);
    }
    all.into_iter().map(|(key, columns)| Written { key, columns }).collect()
}

/// The requests of an item of a batch.
fn requests(item: &BatchItem) -> Vec<&Request> {
    match item {
        BatchItem::Single(part) => vec![&part.request],
        BatchItem::ChangeSet(parts) => parts.iter().map(|part| &part.request).collect(),
    }
}

/// The same with their answers.
fn answered<'a>(item: &'a BatchItem, answer: &'a BatchAnswer) -> Vec<(&'a Request, Option<&'a Response>)> {
    match (item, answer) {
        (BatchItem::Single(part), BatchAnswer::Single(answer)) => vec![(&part.request, Some(answer))],
        (BatchItem::ChangeSet(parts), BatchAnswer::ChangeSet(answers)) => {
            parts.iter().zip(answers).map(|(part, (_, answer))| (&part.request, Some(answer))).collect()
        }
        // A change set that was refused, and what fits nowhere.
        (BatchItem::ChangeSet(_), BatchAnswer::Single(_))
        | (BatchItem::Single(_), BatchAnswer::ChangeSet(_)) => Vec::new(),
    }
}

/// The row that a request names, or that it made.
fn one(state: &State, root: &str, request: &Request, response: Option<&Response>) -> Option<Written> {
    if request.method == flette_odata::Method::Get {
        return None;
    }
    let row = |url: &str| match parse_url(url, root, &state.schema).ok()?.resource {
        Resource::Row { table, key: RowKey::Id(id) }
        | Resource::Property { table, key: RowKey::Id(id), .. }
        | Resource::Reference { table, key: RowKey::Id(id), .. } => Some(Key::new(table, id)),
        _ => None,
    };
    let key = row(&request.url).or_else(|| row(response?.headers.get("OData-EntityId")?))?;
    let body: BTreeMap<String, serde_json::Value> =
        flette_odata::json::read(&request.body).unwrap_or_default();
    Some(Written { key, columns: body.into_keys().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flette_odata::batch::write_batch_response;
    use flette_odata::Uuid;

    #[test]
    fn a_status_of_who_gave_up_leaves_a_write_open_unless_a_batch_tells_of_each() {
        let failed = ODataError::new(500, "0x80040333", "A duplicate was found.").to_response();
        let answers = [BatchAnswer::Single(Response::empty(204)), BatchAnswer::Single(failed.clone())];
        let batch = write_batch_response(&answers, Uuid::from_u128(1), 500);
        assert_eq!((batch.status, leaves_open(&batch)), (500, false));
        for status in [408, 500, 502, 504, 520, 524, 599] {
            assert!(leaves_open(&Response::empty(status)), "{status}");
        }
        for status in [200, 204, 400, 401, 403, 404, 407, 412, 413, 429, 501, 503] {
            assert!(!leaves_open(&Response::empty(status)), "{status}");
        }
        assert_eq!(in_words(failed.clone()), failed);
        assert_eq!(in_words(Response::empty(502)).status, 504);
    }
}
