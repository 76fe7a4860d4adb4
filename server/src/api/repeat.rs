//! OASIS Repeatable Requests 1.0: a write that is sent twice has one effect, and the same answer both times.

use super::write::Effect;
use super::Call;
use crate::db::receipts::{Receipt, RECEIPT_DAYS};
use crate::db::Writer;
use flette_odata::changes_only;
use flette_odata::condition::Condition;
use flette_odata::error::Result;
use flette_odata::planted::{planted, Bug};
use flette_odata::time::{parse_http_date, DAY_MILLIS};
use flette_odata::{ODataError, Request, Response, Uuid};
use sha2::{Digest, Sha256};

/// The client's name for the request.
const REQUEST_ID: &str = "Repeatability-Request-ID";
/// When the client sent it for the first time.
const FIRST_SENT: &str = "Repeatability-First-Sent";
/// What the server made of the two.
const RESULT: &str = "Repeatability-Result";
/// Headers that decide what a request does, beside verb, URL and body.
const DECISIVE: [&str; 4] = ["If-Match", "If-None-Match", "Prefer", "MSCRM.SuppressDuplicateDetection"];

/// What came of a request that may be repeated.
pub(super) enum Outcome {
    /// It was carried out, now or before.
    Accepted(Effect),
    /// It was not, and will not be under this id.
    Rejected(ODataError),
}

impl Outcome {
    /// The answer to a request of its own.
    pub(super) fn into_response(self) -> Response {
        match self {
            Outcome::Accepted(effect) => effect.response,
            Outcome::Rejected(error) => error.to_response().header(RESULT, "rejected"),
        }
    }

    /// The effect as part of a change set, which a rejected part brings down as a whole.
    pub(super) fn into_effect(self) -> Result<Effect> {
        match self {
            Outcome::Accepted(effect) => Ok(effect),
            Outcome::Rejected(error) => Err(error),
        }
    }
}

/// Carries a request out, unless its receipt tells what came of it before. The receipt is written in the same
/// transaction as the effect; what fails has no effect and leaves no receipt. `carry_out` also reads the request: a key
/// in it may name nothing any more once the request was carried out.
///
/// # Errors
/// What `carry_out` refuses.
pub(super) fn once(
    writer: &Writer,
    call: &Call,
    request: &Request,
    carry_out: impl FnOnce() -> Result<Effect>,
) -> Result<Outcome> {
    let asked = Repeatable::read(request, call.caller.actor).filter(|_| call.extensions);
    let Some(asked) = asked else {
        return carry_out().map(Outcome::Accepted);
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(error) => return Ok(Outcome::Rejected(error)),
    };
    if let Some(receipt) = writer.receipt(call.caller.user, asked.id)? {
        return Ok(match receipt.fingerprint == asked.fingerprint {
            true => Outcome::Accepted(Effect { response: receipt.response, row: receipt.row }),
            false => Outcome::Rejected(other_request(request)),
        });
    }
    // Its receipt may have been forgotten. With a condition that it ends itself it is safe to carry out all the
    // same.
    let forgotten = asked.first_sent < call.now - RECEIPT_DAYS * DAY_MILLIS;
    if forgotten && !holds_once(request) {
        return Ok(Outcome::Rejected(too_old()));
    }
    let effect = carry_out()?;
    let response = effect.response.header(RESULT, "accepted");
    let receipt = Receipt { fingerprint: asked.fingerprint, row: effect.row, response };
    if !planted(Bug::ReceiptApart) {
        writer.add_receipt(call.caller.user, asked.id, &receipt, call.now)?;
    }
    Ok(Outcome::Accepted(Effect { response: receipt.response, row: receipt.row }))
}

/// A request that may be repeated.
struct Repeatable {
    id: Uuid,
    /// Milliseconds.
    first_sent: i64,
    fingerprint: Vec<u8>,
}

impl Repeatable {
    /// `None` for a request like any other; an error when one of the headers is missing or malformed.
    fn read(request: &Request, actor: Option<Uuid>) -> Option<Result<Repeatable>> {
        let (id, sent) = (request.headers.get(REQUEST_ID), request.headers.get(FIRST_SENT));
        if id.is_none() && sent.is_none() {
            return None;
        }
        let id = id.and_then(|id| Uuid::try_parse(id.trim()).ok());
        let first_sent = sent.and_then(|sent| parse_http_date(sent.trim()));
        Some(match (id, first_sent) {
            (Some(id), Some(first_sent)) => {
                Ok(Repeatable { id, first_sent, fingerprint: fingerprint(request, actor) })
            }
            _ => Err(ODataError::bad_request(format!(
                "A repeatable request needs a GUID in {REQUEST_ID} and an HTTP date in {FIRST_SENT}."
            ))),
        })
    }
}

/// What makes a request the same as another; `actor` acts for the user. Scheme and host do not count: behind a proxy they
/// differ. Nor does it whether the answer may tell changes only: that depends on what the client still knows of the row.
fn fingerprint(request: &Request, actor: Option<Uuid>) -> Vec<u8> {
    let url = match request.url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => &request.url,
    };
    let mut hash = Sha256::new();
    hash.update(request.method.as_str());
    let mut add = |part: &str| {
        // The length parts one piece from the next.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(url);
    for name in DECISIVE {
        add(name);
        let values = request.headers.all(name);
        match name {
            "Prefer" => values.filter_map(changes_only::without).for_each(|value| add(&value)),
            _ => values.for_each(&mut add),
        }
    }
    hash.update(&request.body);
    if let Some(actor) = actor {
        hash.update(actor.as_bytes());
    }
    hash.finalize().to_vec()
}

/// The id was used for another request, which had its effect: the answer is what the condition would meet, if there is
/// one, so that a client that squashed two edits into one request looks at the row first.
fn other_request(request: &Request) -> ODataError {
    match Condition::parse(&request.headers) {
        Ok(Condition::IfMatch(_)) => ODataError::version_mismatch(),
        Ok(Condition::IfNoneMatchAny) => ODataError::duplicate_key(),
        Ok(Condition::None | Condition::IfMatchAny | Condition::IfNoneMatch(_)) | Err(_) => {
            ODataError::bad_request(format!("The {REQUEST_ID} belongs to another request."))
        }
    }
}

/// Whether the request has a condition that does not hold any more once it was carried out, or one that never does.
fn holds_once(request: &Request) -> bool {
    match Condition::parse(&request.headers) {
        Ok(Condition::IfMatch(_) | Condition::IfNoneMatchAny) | Err(_) => true,
        Ok(Condition::None | Condition::IfMatchAny | Condition::IfNoneMatch(_)) => false,
    }
}

fn too_old() -> ODataError {
    ODataError::new(
        412,
        "0x80060888",
        format!("The request was first sent more than {RECEIPT_DAYS} days ago: what came of it is not known any more."),
    )
}
