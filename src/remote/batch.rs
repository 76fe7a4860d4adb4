//! Row requests sent together in one `$batch`, and their answers told apart again.

mod blame;

use self::blame::{blame_new_rows, blame_rows_by_id, doubt_deletions, spare_new_rows};
use super::{classify, link_body, row_url, About, Asked, Outcome, Remote, LOOKUP_ANNOTATION};
use crate::model::{planted, Bug, ETag, Key, Millis, OpId};
use crate::platform::Transport;
use flette_odata::batch::{parse_batch_response, write_batch_request, BatchAnswer, BatchItem, Part};
use flette_odata::changes_only;
use flette_odata::edm::Table;
use flette_odata::time::format_http_date;
use flette_odata::{Method, Request, Response};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Bytes that a part takes besides its body: delimiters, request line, headers.
const PART_BYTES: usize = 600;

/// One row's request.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum RowCall {
    /// The row as it is.
    Read { key: Key },
    /// A new row under an id of our own; refused when the id is taken.
    Create { key: Key, op: OpId, first_sent: Millis, body: Vec<u8> },
    /// A new row to which the server gives an id: `key` is known here only. Others in its change set mean it by
    /// [`content_id`].
    Add { key: Key, op: OpId, first_sent: Millis, body: Vec<u8> },
    /// Changed columns; refused unless the row is still at `base`.
    Update { key: Key, op: OpId, first_sent: Millis, base: ETag, body: Vec<u8>, reply: Reply },
    /// Deletion; refused unless the row is still at `base`.
    Delete { key: Key, op: OpId, first_sent: Millis, base: ETag },
    /// New rows in place of all in a collection of the row; refused unless the row is still at `base`.
    Replace { key: Key, op: OpId, first_sent: Millis, base: ETag, collection: String, body: Vec<u8> },
    /// Another row, given below the root, joins a collection of pairs.
    Join { key: Key, op: OpId, first_sent: Millis, collection: String, other: String },
    /// Another row leaves a collection of pairs.
    Part { key: Key, op: OpId, first_sent: Millis, collection: String, other: Uuid },
    /// Rows of the table that goes with the call, below the root. `key` is the row that they belong to.
    List { key: Key, url: String },
}

/// What an update is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The row.
    Row,
    /// What of the row differs from the version that the update names. A server may answer with the row all the same.
    Changes,
}

impl RowCall {
    /// The row at whose URL it is asked.
    pub fn key(&self) -> &Key {
        match self {
            RowCall::Read { key }
            | RowCall::Create { key, .. }
            | RowCall::Add { key, .. }
            | RowCall::Update { key, .. }
            | RowCall::Delete { key, .. }
            | RowCall::Replace { key, .. }
            | RowCall::Join { key, .. }
            | RowCall::Part { key, .. }
            | RowCall::List { key, .. } => key,
        }
    }

    /// The same under another operation. For a bug that is planted only.
    pub fn set_op(&mut self, new: OpId) {
        match self {
            RowCall::Create { op, .. }
            | RowCall::Add { op, .. }
            | RowCall::Update { op, .. }
            | RowCall::Delete { op, .. }
            | RowCall::Replace { op, .. }
            | RowCall::Join { op, .. }
            | RowCall::Part { op, .. } => *op = new,
            RowCall::Read { .. } | RowCall::List { .. } => {}
        }
    }

    /// What it asks; `alone`: not together with others that may be what the answer speaks of.
    fn asked(&self, alone: bool) -> Asked {
        match self {
            RowCall::Read { .. } | RowCall::List { .. } => Asked::Read,
            RowCall::Create { .. } => Asked::Create,
            RowCall::Add { .. } => Asked::Add,
            RowCall::Join { .. } if alone => Asked::Join,
            RowCall::Update { .. } | RowCall::Replace { .. } | RowCall::Join { .. } => Asked::Update,
            RowCall::Delete { .. } | RowCall::Part { .. } if alone => Asked::Delete,
            RowCall::Delete { .. } | RowCall::Part { .. } => Asked::Update,
        }
    }

    /// Whether a success tells of the row.
    fn tells_row(&self) -> bool {
        let named = matches!(self, RowCall::Read { .. } | RowCall::Create { .. } | RowCall::Update { .. });
        named || self.is_add()
    }

    /// Whether the server gives the row its id.
    fn is_add(&self) -> bool {
        matches!(self, RowCall::Add { .. })
    }

    /// What stands in `Content-ID`, of the request with this number in its batch.
    fn content_id(&self, number: u32) -> String {
        match self {
            RowCall::Add { op, .. } => content_id(*op),
            _ => number.to_string(),
        }
    }

    /// The request. The operation's id goes along for servers that keep receipts (OASIS Repeatable Requests 1.0).
    fn request(&self, root: &str, annotations: &str, table: &Table) -> Request {
        let url = row_url(root, table, self.key().id);
        let repeatable = |request: Request, op: &OpId, first_sent: &Millis| {
            request
                .header("Repeatability-Request-ID", op.0.to_string())
                .header("Repeatability-First-Sent", format_http_date(first_sent.0))
        };
        let told_by = |request: Request, how: &str| {
            request.header("Prefer", format!("return=representation,{how}{LOOKUP_ANNOTATION}"))
        };
        let representation = |request: Request| told_by(request, "");
        match self {
            RowCall::Read { .. } => Request::get(url).header("Prefer", annotations),
            RowCall::Create { op, first_sent, body, .. } => {
                let request =
                    Request::new(Method::Patch, url).json(body.clone()).header("If-None-Match", "*");
                repeatable(representation(request), op, first_sent)
            }
            RowCall::Add { op, first_sent, body, .. } => {
                let url = format!("{root}{}", table.set_name);
                repeatable(representation(Request::new(Method::Post, url).json(body.clone())), op, first_sent)
            }
            RowCall::Update { op, first_sent, base, body, reply, .. } => {
                let request = Request::new(Method::Patch, url).json(body.clone());
                let request = request.header("If-Match", base.0.clone());
                let request = match reply {
                    Reply::Row => representation(request),
                    Reply::Changes => told_by(request, &format!("{},", changes_only::PREFERENCE)),
                };
                repeatable(request, op, first_sent)
            }
            RowCall::Delete { op, first_sent, base, .. } => repeatable(
                Request::new(Method::Delete, url).header("If-Match", base.0.clone()),
                op,
                first_sent,
            ),
            RowCall::Replace { op, first_sent, base, collection, body, .. } => {
                let request = Request::new(Method::Put, format!("{url}/{collection}")).json(body.clone());
                repeatable(request.header("If-Match", base.0.clone()), op, first_sent)
            }
            RowCall::Join { op, first_sent, collection, other, .. } => {
                let url = format!("{url}/{collection}/$ref");
                let body = link_body(&format!("{root}{other}"));
                repeatable(Request::new(Method::Post, url).json(body), op, first_sent)
            }
            RowCall::Part { op, first_sent, collection, other, .. } => {
                let url = format!("{url}/{collection}({other})/$ref");
                repeatable(Request::new(Method::Delete, url), op, first_sent)
            }
            RowCall::List { url, .. } => {
                Request::get(format!("{root}{url}")).header("Prefer", LOOKUP_ANNOTATION)
            }
        }
    }
}

/// The `Content-ID` of a new row to which the server gives an id: `$` before it means that row in the rest of its change set
/// (OData 4.01, Part 1: Protocol, "Referencing Returned Entities"). It is the same each time the request is sent, and no answer to another one
/// carries it.
pub fn content_id(op: OpId) -> String {
    op.0.to_string()
}

/// About how many bytes a request takes in a batch.
pub fn request_bytes(call: &RowCall) -> usize {
    let body = match call {
        RowCall::Create { body, .. }
        | RowCall::Add { body, .. }
        | RowCall::Update { body, .. }
        | RowCall::Replace { body, .. } => body.len(),
        RowCall::Read { .. }
        | RowCall::Delete { .. }
        | RowCall::Join { .. }
        | RowCall::Part { .. }
        | RowCall::List { .. } => 0,
    };
    PART_BYTES + body
}

/// The answer to one row's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAnswer {
    /// What it means.
    pub outcome: Outcome,
    /// The row's representation, where there is one.
    pub body: Vec<u8>,
    /// What of the row it is.
    pub tells: Reply,
    /// The id that the server gave to a new row.
    pub given: Option<Uuid>,
    /// The version that the row has since then, where its header tells.
    pub etag: Option<ETag>,
}

/// Several requests that succeed or fail together, or a single one.
pub type Group<'a> = Vec<(&'a RowCall, &'a Table)>;

impl<T: Transport> Remote<'_, T> {
    /// Sends all groups in one batch, one group after the other; a failed group does not stop the next. Returns one
    /// list of answers a group, in the order of its requests, or what became of the batch as a whole.
    ///
    /// # Errors
    /// When the batch itself was not done; then nothing is known of any part.
    pub async fn batch(&self, groups: &[Group<'_>], boundary: Uuid) -> Result<Vec<Vec<RowAnswer>>, Outcome> {
        let mut number = 0_u32;
        let items: Vec<BatchItem> =
            groups.iter().map(|group| item(group, (self.root, self.annotations()), &mut number)).collect();
        let (content_type, body) = write_batch_request(&items, boundary);
        let mut request = Request::new(Method::Post, format!("{}$batch", self.root))
            .header("Content-Type", content_type)
            .header("Prefer", "odata.continue-on-error");
        request.body = body;
        let parts = usize::try_from(number).unwrap_or(usize::MAX);
        let exchange = self.exchange(request, About::Batch("$batch", parts)).await;
        let parsed = exchange.answer.as_ref().ok().and_then(multipart);
        match parsed {
            Some(Ok(answers)) => {
                self.heard.set(exchange.heard());
                let now = Millis(exchange.received.0.saturating_add(self.offset_millis.get()));
                Ok(assign(groups, answers, now))
            }
            Some(Err(what)) => Err(Outcome::Retry(what)),
            None => match self.judge(Asked::Batch, &exchange) {
                Outcome::Done if planted(Bug::LoginPageIsSuccess) => Ok(all_done(groups)),
                Outcome::Done => Err(Outcome::Retry("the answer to a batch is no batch".to_owned())),
                other => Err(other),
            },
        }
    }
}

/// For [`Bug::LoginPageIsSuccess`].
fn all_done(groups: &[Group<'_>]) -> Vec<Vec<RowAnswer>> {
    let done = RowAnswer { outcome: Outcome::Done, ..lost() };
    groups.iter().map(|group| vec![done.clone(); group.len()]).collect()
}

pub(super) fn multipart(response: &Response) -> Option<Result<Vec<BatchAnswer>, String>> {
    let kind = response.headers.get("Content-Type")?;
    kind.trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/")
        .then(|| parse_batch_response(kind, &response.body).map_err(|error| error.message))
}

fn item(group: &Group<'_>, (root, annotations): (&str, &str), number: &mut u32) -> BatchItem {
    let mut part = |(call, table): &(&RowCall, &Table)| {
        *number += 1;
        Part { content_id: Some(call.content_id(*number)), request: call.request(root, annotations, table) }
    };
    match group.as_slice() {
        // In a change set the answer says which request it belongs to: nothing else would.
        [single] if !single.0.is_add() => BatchItem::Single(part(single)),
        many => BatchItem::ChangeSet(many.iter().map(part).collect()),
    }
}

/// Which answer belongs to which request.
///
/// Answers of a change set carry the `Content-ID` of their requests. Answers of single requests don't, by the
/// protocol; they stand in the order of the requests. So the row's id in each representation is compared: when one
/// stands in the wrong place, or answers are missing or too many, no answer is trusted but those that name their row.
fn assign(groups: &[Group<'_>], answers: Vec<BatchAnswer>, now: Millis) -> Vec<Vec<RowAnswer>> {
    let complete = answers.len() == groups.len();
    let mut number = 0_u32;
    let mut assigned = Vec::with_capacity(groups.len());
    let mut answers = answers.into_iter();
    let mut in_order = complete;
    // What refusals say, and answers to deletions: they name no row.
    let mut unnamed = BTreeSet::new();
    for group in groups {
        let answer = answers.next();
        let first = number;
        number += u32::try_from(group.len()).unwrap_or(u32::MAX);
        // An answer to a whole change set may speak of any of its requests.
        let alone = group.len() == 1 || !matches!(answer, Some(BatchAnswer::Single(_)));
        let adds = group.iter().any(|(call, _)| call.is_add());
        let status = match &answer {
            Some(BatchAnswer::Single(response)) => Some(response.status),
            Some(BatchAnswer::ChangeSet(_)) | None => None,
        };
        let responses = match answer {
            Some(BatchAnswer::Single(response)) if adds && response.is_success() => {
                in_order = false;
                Vec::new()
            }
            Some(BatchAnswer::Single(response)) => vec![response; group.len()],
            Some(BatchAnswer::ChangeSet(parts)) => {
                let (responses, all_known) = by_content_id(parts, first, group);
                in_order &= all_known;
                responses
            }
            None => Vec::new(),
        };
        let (mut row, names): (Vec<RowAnswer>, Vec<Option<Uuid>>) = group
            .iter()
            .enumerate()
            .map(|(at, (call, table))| row_answer((call, table), responses.get(at), alone, now))
            .unzip();
        if !alone {
            blame_new_rows(&mut row);
            blame_rows_by_id(group, &mut row);
            spare_new_rows(group, &mut row);
        }
        // Its requests mean new rows by what stands in this very set: it is asked for again as a whole, or not at all.
        if adds && row.iter().any(|answer| matches!(answer.outcome, Outcome::Retry(_))) {
            row.fill(lost());
        }
        let deletes = || matches!(group.as_slice(), [(RowCall::Delete { .. }, _)]);
        unnamed.extend(status.filter(|status| *status >= 400 || deletes()));
        in_order &=
            group.iter().zip(names).all(|((call, _), name)| name.is_none_or(|id| id == call.key().id));
        assigned.push(row);
    }
    if !in_order && !planted(Bug::PartsByPosition) {
        distrust(groups, &mut assigned);
    }
    if unnamed.len() > 1 {
        doubt_deletions(groups, &mut assigned);
    }
    assigned
}

/// Answers in the order of their requests, and whether each of them belongs to one.
fn by_content_id(
    parts: Vec<(Option<String>, Response)>,
    first: u32,
    group: &Group<'_>,
) -> (Vec<Response>, bool) {
    let mut found: Vec<Option<Response>> = vec![None; group.len()];
    let names: Vec<String> = group.iter().zip(first + 1..).map(|((call, _), n)| call.content_id(n)).collect();
    let mut all_known = true;
    for (at, (content_id, response)) in parts.into_iter().enumerate() {
        let content_id = content_id.filter(|_| !planted(Bug::PartsByPosition));
        let place = match &content_id {
            Some(id) => names.iter().position(|name| name.eq_ignore_ascii_case(id)),
            None => Some(at).filter(|at| group.get(*at).is_some_and(|(call, _)| !call.is_add())),
        };
        match place.and_then(|place| found.get_mut(place)) {
            Some(slot) => *slot = Some(response),
            None => all_known = false,
        }
    }
    // A change set succeeds as a whole; an answer that is missing is read as one that was lost.
    let found = found.into_iter().map(|response| response.unwrap_or_else(|| Response::empty(500)));
    (found.collect(), all_known)
}

/// The answer to a request, and the id of the row that a success tells of.
fn row_answer(
    (call, table): (&RowCall, &Table),
    response: Option<&Response>,
    alone: bool,
    now: Millis,
) -> (RowAnswer, Option<Uuid>) {
    let Some(response) = response else { return (lost(), None) };
    let outcome = classify(call.asked(alone), Ok(response), now);
    let tells = if changes_only::is_applied(&response.headers) { Reply::Changes } else { Reply::Row };
    let etag = response.headers.get("ETag").map(|etag| ETag(etag.to_owned()));
    let answer = RowAnswer { outcome, body: response.body.clone(), tells, given: None, etag };
    if call.is_add() && answer.outcome == Outcome::Done {
        return given(call, table, response, answer);
    }
    if answer.outcome != Outcome::Done || answer.body.is_empty() || planted(Bug::PartsByPosition) {
        return (answer, None);
    }
    match id_in(&answer.body, table) {
        // A success whose row cannot be read is no success.
        Err(_) if call.tells_row() => (lost(), None),
        // This is what was said of another row: one of another table, or, as a deletion is answered with nothing, of any.
        Ok(None) if call.tells_row() => (lost(), Some(Uuid::nil())),
        Ok(None) | Err(_) if response.is_success() && matches!(call, RowCall::Delete { .. }) => {
            (lost(), Some(Uuid::nil()))
        }
        named => (answer, named.ok().flatten()),
    }
}

/// The answer about a new row to which the server gave an id: in its representation, or at the end of `OData-EntityId`.
fn given(call: &RowCall, table: &Table, response: &Response, answer: RowAnswer) -> (RowAnswer, Option<Uuid>) {
    let at_end = |url: &str| url.strip_suffix(')')?.rsplit('(').next()?.parse().ok();
    let id = match answer.body.is_empty() {
        true => response.headers.get("OData-EntityId").and_then(at_end),
        false => id_in(&answer.body, table).ok().flatten(),
    };
    match id {
        Some(id) => (RowAnswer { given: Some(id), ..answer }, Some(call.key().id)),
        None => (lost(), None),
    }
}

fn lost() -> RowAnswer {
    let outcome = Outcome::Retry("the answer is missing in the batch".to_owned());
    RowAnswer { outcome, body: Vec::new(), tells: Reply::Row, given: None, etag: None }
}

/// Keeps only answers that name their row.
fn distrust(groups: &[Group<'_>], assigned: &mut [Vec<RowAnswer>]) {
    for (group, answers) in groups.iter().zip(assigned) {
        for ((call, table), answer) in group.iter().zip(answers) {
            let named = answer.outcome == Outcome::Done
                && (answer.given.is_some()
                    || id_in(&answer.body, table).ok().flatten() == Some(call.key().id));
            if !named {
                *answer = lost();
            }
        }
    }
}

/// The id of the row that a body is. The body is read to its end, as it may have been cut, and nothing else is kept: it
/// is long, and read in full by whoever takes the row over.
fn id_in(body: &[u8], table: &Table) -> serde_json::Result<Option<Uuid>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let id = json.deserialize_map(IdVisitor(&table.primary_id))?;
    json.end()?;
    Ok(id.and_then(|id| id.parse().ok()))
}

/// Finds a member that is text.
struct IdVisitor<'t>(&'t str);

/// A member's name, as it stands in the body where that is possible.
#[derive(Deserialize)]
struct Name<'b>(#[serde(borrow)] Cow<'b, str>);

impl<'b> Visitor<'b> for IdVisitor<'_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("a row")
    }

    fn visit_map<A: MapAccess<'b>>(self, mut members: A) -> Result<Option<String>, A::Error> {
        let mut found = None;
        while let Some(Name(name)) = members.next_key()? {
            if name == self.0 {
                found = members.next_value()?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Resolve;
    use flette_odata::ODataError;

    fn account() -> Table {
        flette_server::schema::schema().table("account").cloned().unwrap()
    }

    fn call(id: u128) -> RowCall {
        RowCall::Update {
            key: Key::new("account", Uuid::from_u128(id)),
            op: OpId(Uuid::from_u128(id)),
            first_sent: Millis(0),
            base: ETag("W/\"1\"".to_owned()),
            body: b"{}".to_vec(),
            reply: Reply::Row,
        }
    }

    fn row(id: u128) -> Response {
        Response::json(200, format!(r#"{{"accountid":"{}"}}"#, Uuid::from_u128(id)).into_bytes())
    }

    fn single(response: Response) -> BatchAnswer {
        BatchAnswer::Single(response)
    }

    /// Outcomes of requests for rows 1, 2 and, as one change set, 3 and 4.
    #[track_caller]
    fn check(answers: Vec<BatchAnswer>, expected: &[&[&str]]) {
        let table = account();
        let calls = [call(1), call(2), call(3), call(4)];
        let groups: Vec<Group> = vec![
            vec![(&calls[0], &table)],
            vec![(&calls[1], &table)],
            vec![(&calls[2], &table), (&calls[3], &table)],
        ];
        let name = |answer: &RowAnswer| match &answer.outcome {
            Outcome::Done => {
                let id = id_in(&answer.body, &table).ok().flatten();
                format!("done {}", id.map_or(0, |id| id.as_u128()))
            }
            Outcome::Retry(_) => "retry".to_owned(),
            Outcome::Park(reason) => format!("park {}", reason.status),
            other => format!("{other:?}"),
        };
        let assigned = assign(&groups, answers, Millis(0));
        let names: Vec<Vec<String>> = assigned.iter().map(|group| group.iter().map(name).collect()).collect();
        assert_eq!(names, expected);
    }

    fn set(parts: &[(u32, u128)]) -> BatchAnswer {
        BatchAnswer::ChangeSet(parts.iter().map(|(n, id)| (Some(n.to_string()), row(*id))).collect())
    }

    fn refused() -> Response {
        ODataError::bad_payload("no").to_response()
    }

    #[test]
    fn each_request_gets_its_own_answer() {
        check(
            vec![single(row(1)), single(refused()), set(&[(3, 3), (4, 4)])],
            &[&["done 1"], &["park 400"], &["done 3", "done 4"]],
        );
        // Within a change set by Content-ID, whatever the order.
        check(
            vec![single(row(1)), single(row(2)), set(&[(4, 4), (3, 3)])],
            &[&["done 1"], &["done 2"], &["done 3", "done 4"]],
        );
        // One error answer stands for a change set.
        check(
            vec![single(row(1)), single(row(2)), single(refused())],
            &[&["done 1"], &["done 2"], &["park 400", "park 400"]],
        );
    }

    /// A refused deletion may be answered in the place of an update, and what was said of that in its place.
    #[test]
    fn a_deletion_is_not_taken_for_done_where_an_answer_may_be_about_another_row() {
        let table = account();
        let key = Key::new("account", Uuid::from_u128(2));
        let (op, base) = (OpId(Uuid::from_u128(2)), ETag("W/\"1\"".to_owned()));
        let calls = [call(1), RowCall::Delete { key, op, first_sent: Millis(0), base }];
        let is_done = |update: Response, deletion: Response| {
            let groups: Vec<Group> = calls.iter().map(|call| vec![(call, &table)]).collect();
            let assigned = assign(&groups, vec![single(update), single(deletion)], Millis(0));
            assert_ne!(
                assigned[1][0].outcome,
                Outcome::Retry("the answer is missing in the batch".to_owned())
            );
            assigned[1][0].outcome == Outcome::Done
        };
        let missing = || ODataError::row_not_found("account", Uuid::from_u128(2)).to_response();
        let changed = || ODataError::version_mismatch().to_response();
        assert!(!is_done(changed(), missing()));
        assert!(!is_done(changed(), Response::empty(204)));
        assert!(!is_done(refused(), Response::empty(204)));
        assert!(!is_done(missing(), changed()));
        // These name their row, or say the same.
        assert!(is_done(row(1), Response::empty(204)));
        assert!(is_done(row(1), missing()));
        assert!(is_done(missing(), missing()));
    }

    #[test]
    fn answers_out_of_place_or_missing_are_not_trusted_unless_they_name_their_row() {
        check(
            vec![single(row(2)), single(row(1)), set(&[(3, 3), (4, 4)])],
            &[&["retry"], &["retry"], &["done 3", "done 4"]],
        );
        check(vec![single(row(1)), single(refused())], &[&["done 1"], &["retry"], &["retry", "retry"]]);
        // A row of another table in the place of a refusal, and the refusal in its place.
        let other = Response::json(201, format!(r#"{{"contactid":"{}"}}"#, Uuid::from_u128(2)).into_bytes());
        check(
            vec![single(other), single(refused()), set(&[(3, 3), (4, 4)])],
            &[&["retry"], &["retry"], &["done 3", "done 4"]],
        );
        check(
            vec![single(row(1)), single(refused()), set(&[(3, 3), (4, 4)]), single(row(9))],
            &[&["done 1"], &["retry"], &["done 3", "done 4"]],
        );
        check(
            vec![single(row(1)), single(row(2)), set(&[(3, 3)])],
            &[&["done 1"], &["done 2"], &["done 3", "retry"]],
        );
    }

    #[test]
    fn a_failed_change_set_deletes_nothing() {
        let table = account();
        let key = |id: u128| Key::new("account", Uuid::from_u128(id));
        let first_sent = Millis(0);
        let delete =
            RowCall::Delete { key: key(1), op: OpId(Uuid::nil()), first_sent, base: ETag("1".to_owned()) };
        let part = RowCall::Part {
            key: key(1),
            op: OpId(Uuid::nil()),
            first_sent,
            collection: "leads".to_owned(),
            other: Uuid::nil(),
        };
        let missing = || single(ODataError::row_not_found("account", Uuid::nil()).to_response());
        for call in [&delete, &part] {
            let alone = assign(&[vec![(call, &table)]], vec![missing()], Millis(0));
            assert_eq!(alone[0][0].outcome, Outcome::Done);
            // What is missing may be another row of the set.
            let together =
                assign(&[vec![(call, &table), (&self::call(2), &table)]], vec![missing()], Millis(0));
            assert!(matches!(&together[0][0].outcome, Outcome::Resolve(Resolve::Gone(_))));
        }
    }

    /// Of rows 1 and 2, each to be given an id, alone, and of rows 3 and 4 in one change set, of which 3 is to be given one.
    #[track_caller]
    fn check_given(answers: Vec<BatchAnswer>, expected: &[&[Option<u128>]]) {
        let table = account();
        let add = |id| {
            let first_sent = Millis(0);
            let (key, op) = (Key::new("account", Uuid::from_u128(id)), OpId(Uuid::from_u128(id)));
            RowCall::Add { key, op, first_sent, body: b"{}".to_vec() }
        };
        let calls = [add(1), add(2), add(3), call(4)];
        let groups: Vec<Group> = vec![
            vec![(&calls[0], &table)],
            vec![(&calls[1], &table)],
            vec![(&calls[2], &table), (&calls[3], &table)],
        ];
        let id = |answer: &RowAnswer| {
            let id = answer.given.or_else(|| id_in(&answer.body, &table).ok().flatten());
            id.filter(|_| answer.outcome == Outcome::Done).map(|id| id.as_u128())
        };
        let assigned = assign(&groups, answers, Millis(0));
        let ids: Vec<Vec<Option<u128>>> =
            assigned.iter().map(|answers| answers.iter().map(id).collect()).collect();
        assert_eq!(ids, expected);
    }

    fn made(op: u128, id: u128) -> (Option<String>, Response) {
        (Some(Uuid::from_u128(op).to_string()), row(id))
    }

    #[test]
    fn an_id_is_given_only_by_an_answer_that_names_the_operation() {
        let one = |op, id| BatchAnswer::ChangeSet(vec![made(op, id)]);
        let two = |op, id, number: &str, row_id| {
            BatchAnswer::ChangeSet(vec![(Some(number.to_owned()), row(row_id)), made(op, id)])
        };
        let all = [&[Some(11)][..], &[Some(12)], &[Some(13), Some(4)]];
        check_given(vec![one(1, 11), one(2, 12), two(3, 13, "4", 4)], &all);
        let quiet = |op: u128| {
            let url = format!("https://crm/api/data/v9.2/accounts({})", Uuid::from_u128(op + 10));
            let content_id = Some(Uuid::from_u128(op).to_string());
            BatchAnswer::ChangeSet(vec![(content_id, Response::empty(204).header("OData-EntityId", url))])
        };
        check_given(vec![quiet(1), quiet(2), two(3, 13, "4", 4)], &all);
        let nothing = [&[None][..], &[None], &[Some(13), Some(4)]];
        check_given(vec![one(2, 12), one(1, 11), two(3, 13, "4", 4)], &nothing);
        check_given(vec![single(row(11)), one(2, 12), two(3, 13, "4", 4)], &[nothing[0], all[1], all[2]]);
        // A refusal in the place of a success, and the other way round.
        check_given(vec![single(refused()), one(1, 11), two(3, 13, "4", 4)], &nothing);
        // The rest of its change set means the new row by this very request: all of it is asked for again.
        check_given(
            vec![one(1, 11), one(2, 12), BatchAnswer::ChangeSet(vec![made(3, 13)])],
            &[all[0], all[1], &[None, None]],
        );
        let unnamed = BatchAnswer::ChangeSet(vec![(None, row(11))]);
        check_given(vec![unnamed, one(2, 12), two(3, 13, "4", 4)], &[nothing[0], all[1], all[2]]);
    }

    #[test]
    fn a_success_that_cannot_be_read_is_none() {
        let cut = Response::json(200, br#"{"accountid":"0000"#.to_vec());
        check(
            vec![single(cut), single(Response::empty(204)), single(refused())],
            &[&["retry"], &["done 0"], &["park 400", "park 400"]],
        );
    }
}
