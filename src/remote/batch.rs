//! Row requests sent together in one `$batch`, and their answers told apart again.

use super::{classify, link_body, row_url, About, Asked, Outcome, Remote, Resolve, LOOKUP_ANNOTATION};
use crate::model::{planted, Bug, ETag, Hlc, Key, Millis, OpId};
use crate::platform::Transport;
use flette_odata::batch::{parse_batch_response, write_batch_request, BatchAnswer, BatchItem, Part};
use flette_odata::changes_only;
use flette_odata::edm::Table;
use flette_odata::time::format_http_date;
use flette_odata::{Method, Request, Response};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::Deserialize;
use std::borrow::Cow;
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
    Create { key: Key, op: OpId, at: Hlc, body: Vec<u8> },
    /// Changed columns; refused unless the row is still at `base`.
    Update { key: Key, op: OpId, at: Hlc, base: ETag, body: Vec<u8>, reply: Reply },
    /// Deletion; refused unless the row is still at `base`.
    Delete { key: Key, op: OpId, at: Hlc, base: ETag },
    /// New rows in place of all in a collection of the row; refused unless the row is still at `base`.
    Replace { key: Key, op: OpId, at: Hlc, base: ETag, collection: String, body: Vec<u8> },
    /// Another row, given below the root, joins a collection of pairs.
    Join { key: Key, op: OpId, at: Hlc, collection: String, other: String },
    /// Another row leaves a collection of pairs.
    Part { key: Key, op: OpId, at: Hlc, collection: String, other: Uuid },
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
            RowCall::Join { .. } if alone => Asked::Join,
            RowCall::Update { .. } | RowCall::Replace { .. } | RowCall::Join { .. } => Asked::Update,
            RowCall::Delete { .. } | RowCall::Part { .. } if alone => Asked::Delete,
            RowCall::Delete { .. } | RowCall::Part { .. } => Asked::Update,
        }
    }

    /// Whether a success tells of the row.
    fn tells_row(&self) -> bool {
        matches!(self, RowCall::Read { .. } | RowCall::Create { .. } | RowCall::Update { .. })
    }

    /// The request. The operation's id goes along for servers that keep receipts (OASIS Repeatable Requests 1.0).
    fn request(&self, root: &str, annotations: &str, table: &Table) -> Request {
        let url = row_url(root, table, self.key().id);
        let repeatable = |request: Request, op: &OpId, at: &Hlc| {
            request
                .header("Repeatability-Request-ID", op.0.to_string())
                .header("Repeatability-First-Sent", format_http_date(at.wall.0))
        };
        let told_by = |request: Request, how: &str| {
            request.header("Prefer", format!("return=representation,{how}{LOOKUP_ANNOTATION}"))
        };
        let representation = |request: Request| told_by(request, "");
        match self {
            RowCall::Read { .. } => Request::get(url).header("Prefer", annotations),
            RowCall::Create { op, at, body, .. } => {
                let request =
                    Request::new(Method::Patch, url).json(body.clone()).header("If-None-Match", "*");
                repeatable(representation(request), op, at)
            }
            RowCall::Update { op, at, base, body, reply, .. } => {
                let request = Request::new(Method::Patch, url).json(body.clone());
                let request = request.header("If-Match", base.0.clone());
                let request = match reply {
                    Reply::Row => representation(request),
                    Reply::Changes => told_by(request, &format!("{},", changes_only::PREFERENCE)),
                };
                repeatable(request, op, at)
            }
            RowCall::Delete { op, at, base, .. } => {
                repeatable(Request::new(Method::Delete, url).header("If-Match", base.0.clone()), op, at)
            }
            RowCall::Replace { op, at, base, collection, body, .. } => {
                let request = Request::new(Method::Put, format!("{url}/{collection}")).json(body.clone());
                repeatable(request.header("If-Match", base.0.clone()), op, at)
            }
            RowCall::Join { op, at, collection, other, .. } => {
                let url = format!("{url}/{collection}/$ref");
                let body = link_body(&format!("{root}{other}"));
                repeatable(Request::new(Method::Post, url).json(body), op, at)
            }
            RowCall::Part { op, at, collection, other, .. } => {
                let url = format!("{url}/{collection}({other})/$ref");
                repeatable(Request::new(Method::Delete, url), op, at)
            }
            RowCall::List { url, .. } => {
                Request::get(format!("{root}{url}")).header("Prefer", LOOKUP_ANNOTATION)
            }
        }
    }
}

/// About how many bytes a request takes in a batch.
pub fn request_bytes(call: &RowCall) -> usize {
    let body = match call {
        RowCall::Create { body, .. } | RowCall::Update { body, .. } | RowCall::Replace { body, .. } => {
            body.len()
        }
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
    let done = RowAnswer { outcome: Outcome::Done, body: Vec::new(), tells: Reply::Row };
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
        Part { content_id: Some(number.to_string()), request: call.request(root, annotations, table) }
    };
    match group.as_slice() {
        [single] => BatchItem::Single(part(single)),
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
    for group in groups {
        let answer = answers.next();
        let first = number;
        number += u32::try_from(group.len()).unwrap_or(u32::MAX);
        // An answer to a whole change set may speak of any of its requests.
        let alone = group.len() == 1 || !matches!(answer, Some(BatchAnswer::Single(_)));
        let responses = match answer {
            Some(BatchAnswer::Single(response)) => vec![response; group.len()],
            Some(BatchAnswer::ChangeSet(parts)) => by_content_id(parts, first, group.len()),
            None => Vec::new(),
        };
        let (mut row, names): (Vec<RowAnswer>, Vec<Option<Uuid>>) = group
            .iter()
            .enumerate()
            .map(|(at, (call, table))| row_answer((call, table), responses.get(at), alone, now))
            .unzip();
        if !alone {
            blame_new_rows(&mut row);
        }
        in_order &=
            group.iter().zip(names).all(|((call, _), name)| name.is_none_or(|id| id == call.key().id));
        assigned.push(row);
    }
    if !in_order && !planted(Bug::PartsByPosition) {
        distrust(groups, &mut assigned);
    }
    assigned
}

/// A change set was refused since an id is taken: that is the id of a new row, so nothing is said of the other requests.
fn blame_new_rows(answers: &mut [RowAnswer]) {
    let exists = |answer: &RowAnswer| matches!(answer.outcome, Outcome::Resolve(Resolve::Exists(_)));
    if !answers.iter().any(exists) {
        return;
    }
    for answer in answers {
        if let Outcome::Park(reason) = &answer.outcome {
            answer.outcome = Outcome::Resolve(Resolve::Changed(reason.clone()));
        }
    }
}

fn by_content_id(parts: Vec<(Option<String>, Response)>, first: u32, count: usize) -> Vec<Response> {
    let mut found: Vec<Option<Response>> = vec![None; count];
    for (at, (content_id, response)) in parts.into_iter().enumerate() {
        let number = content_id.and_then(|id| id.parse::<u32>().ok());
        let place =
            match number.and_then(|n| n.checked_sub(first + 1)).filter(|_| !planted(Bug::PartsByPosition)) {
                Some(place) => usize::try_from(place).unwrap_or(usize::MAX),
                None => at,
            };
        if let Some(slot) = found.get_mut(place) {
            *slot = Some(response);
        }
    }
    // A change set succeeds as a whole; an answer that is missing is read as one that was lost.
    found.into_iter().map(|response| response.unwrap_or_else(|| Response::empty(500))).collect()
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
    let answer = RowAnswer { outcome, body: response.body.clone(), tells };
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

fn lost() -> RowAnswer {
    let outcome = Outcome::Retry("the answer is missing in the batch".to_owned());
    RowAnswer { outcome, body: Vec::new(), tells: Reply::Row }
}

/// Keeps only answers that name their row.
fn distrust(groups: &[Group<'_>], assigned: &mut [Vec<RowAnswer>]) {
    for (group, answers) in groups.iter().zip(assigned) {
        for ((call, table), answer) in group.iter().zip(answers) {
            let named = answer.outcome == Outcome::Done
                && id_in(&answer.body, table).ok().flatten() == Some(call.key().id);
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
    use crate::model::{DeviceId, Hlc};
    use flette_odata::ODataError;

    fn account() -> Table {
        flette_server::schema::schema().table("account").cloned().unwrap()
    }

    fn call(id: u128) -> RowCall {
        RowCall::Update {
            key: Key::new("account", Uuid::from_u128(id)),
            op: OpId(Uuid::from_u128(id)),
            at: Hlc { wall: Millis(0), counter: 0, device: DeviceId(1) },
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
        let at = Hlc { wall: Millis(0), counter: 0, device: DeviceId(1) };
        let delete = RowCall::Delete { key: key(1), op: OpId(Uuid::nil()), at, base: ETag("1".to_owned()) };
        let part = RowCall::Part {
            key: key(1),
            op: OpId(Uuid::nil()),
            at,
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

    #[test]
    fn a_success_that_cannot_be_read_is_none() {
        let cut = Response::json(200, br#"{"accountid":"0000"#.to_vec());
        check(
            vec![single(cut), single(Response::empty(204)), single(refused())],
            &[&["retry"], &["done 0"], &["park 400", "park 400"]],
        );
    }
}
