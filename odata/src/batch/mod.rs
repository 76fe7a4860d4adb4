//! `$batch`: multipart requests and answers, read and written, for both ends.
//!
//! Sources: OData 4.0 Part 1, 11.7; developer guide, "Execute batch operations using the Web API". What
//! real clients send is taken: CRLF or LF line ends, quoted or bare boundaries, text before the first
//! delimiter, `Content-ID` among the part's or the request's headers. What is written is the strict form:
//! CRLF, no preamble, the prefixes `batchresponse_` and `changesetresponse_` that clients look for.

mod read;
mod write;

use crate::edm::Schema;
use crate::error::{ODataError, Result};
use crate::http::{Method, Request, Response};
use crate::value::EntityRef;
use read::{boundary, inner_boundary, read_answer, read_headers, read_request, split};
use uuid::Uuid;
use write::{close_parts, derived, line, open_part, write_answer, write_request};

/// Most requests in one batch; those in change sets count.
pub const BATCH_PARTS_MAX: usize = 1000;
/// Most header fields of one part, and of one request or answer in it.
pub const BATCH_HEADERS_MAX: usize = 100;

/// One item of a batch request, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchItem {
    /// A request of its own.
    Single(Part),
    /// Requests that succeed or fail together; none is a `GET`.
    ChangeSet(Vec<Part>),
}

/// One request inside a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `Content-ID`: what `$` and this text mean in later requests of the same change set.
    pub content_id: Option<String>,
    /// The request. Its `url` stands as the client wrote it: absolute, a path, relative to the root, or
    /// `$1…`; see [`resolve_url`].
    pub request: Request,
}

/// One answer of a batch response, in the order of the items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchAnswer {
    /// The answer of a single request, or the one error answer that stands for a whole failed change set.
    Single(Response),
    /// One answer per request of a change set, each with the request's `Content-ID`.
    ChangeSet(Vec<(Option<String>, Response)>),
}

/// Reads a batch request. An empty change set is kept, as an empty list.
///
/// # Errors
/// 400 `0x80048d19`: no boundary, no closing delimiter, a part that is no request, a batch in a batch, a
/// `GET` in a change set, a doubled `Content-ID` in a change set, more than [`BATCH_PARTS_MAX`] requests.
/// Nothing of such a batch may be executed.
pub fn parse_batch(content_type: &str, body: &[u8]) -> Result<Vec<BatchItem>> {
    let boundary = boundary(content_type).ok_or_else(|| {
        ODataError::bad_payload("The batch has no multipart/mixed content type with a boundary.")
    })?;
    let mut items = Vec::new();
    let mut count = 0;
    for piece in split(&boundary, body).map_err(ODataError::bad_payload)? {
        let (headers, content) = read_headers(piece).map_err(ODataError::bad_payload)?;
        let item = match inner_boundary(&headers) {
            None => BatchItem::Single(read_request(&headers, content).map_err(ODataError::bad_payload)?),
            Some(inner) => BatchItem::ChangeSet(read_change_set(&inner, content)?),
        };
        count += match &item {
            BatchItem::Single(_) => 1,
            BatchItem::ChangeSet(parts) => parts.len(),
        };
        if count > BATCH_PARTS_MAX {
            let message = format!("The batch holds more than {BATCH_PARTS_MAX} requests.");
            return Err(ODataError::bad_payload(message));
        }
        items.push(item);
    }
    Ok(items)
}

fn read_change_set(boundary: &str, content: &[u8]) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    for piece in split(boundary, content).map_err(ODataError::bad_payload)? {
        let (headers, content) = read_headers(piece).map_err(ODataError::bad_payload)?;
        if inner_boundary(&headers).is_some() {
            return Err(ODataError::bad_payload("A change set cannot hold another multipart part."));
        }
        let part = read_request(&headers, content).map_err(ODataError::bad_payload)?;
        if part.request.method == Method::Get {
            return Err(ODataError::bad_payload("A change set cannot hold a GET request."));
        }
        if part.content_id.is_some() && parts.iter().any(|p| p.content_id == part.content_id) {
            return Err(ODataError::bad_payload("A Content-ID occurs twice in one change set."));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// Writes a batch response. An `outer_status` of 200 says that the batch was executed (or, with
/// continue-on-error, gone through); without continue-on-error it is the status of the request that failed.
/// Each change set gets a boundary of its own, derived from `boundary`. In a batch, what names a row also says so by
/// `Location`, and an error carries a `REQ_ID`.
pub fn write_batch_response(answers: &[BatchAnswer], boundary: Uuid, outer_status: u16) -> Response {
    let outer = format!("batchresponse_{boundary}");
    let mut body = Vec::new();
    for (at, answer) in (1u128..).zip(answers) {
        open_part(&mut body, &outer);
        match answer {
            BatchAnswer::Single(response) => {
                let request_id = derived(boundary, REQUEST_IDS_FROM + at);
                write_answer(&mut body, None, &as_part(response, Some(request_id)));
            }
            BatchAnswer::ChangeSet(responses) => {
                let inner = format!("changesetresponse_{}", derived(boundary, at));
                line(&mut body, &format!("Content-Type: multipart/mixed; boundary={inner}"));
                line(&mut body, "");
                for (content_id, response) in responses {
                    open_part(&mut body, &inner);
                    write_answer(&mut body, content_id.as_deref(), &as_part(response, None));
                }
                close_parts(&mut body, &inner);
            }
        }
    }
    close_parts(&mut body, &outer);
    let mut response = Response::empty(outer_status);
    response.headers.set("Content-Type", format!("multipart/mixed; boundary={outer}"));
    response.body = body;
    response
}

/// Where the ids of failed requests begin: beyond the boundaries of change sets, of which a batch has fewer.
const REQUEST_IDS_FROM: u128 = 1 << 32;

fn as_part(response: &Response, request_id: Option<Uuid>) -> Response {
    let mut part = response.clone();
    if let Some(url) = response.headers.get("OData-EntityId") {
        part.headers.set("Location", url);
    }
    if let Some(id) = request_id.filter(|_| response.status >= 400) {
        part.headers.set("REQ_ID", id.to_string());
    }
    part
}

/// Writes a batch request: its `Content-Type` and body.
pub fn write_batch_request(items: &[BatchItem], boundary: Uuid) -> (String, Vec<u8>) {
    let outer = format!("batch_{boundary}");
    let mut body = Vec::new();
    for (at, item) in (1u128..).zip(items) {
        open_part(&mut body, &outer);
        match item {
            BatchItem::Single(part) => write_request(&mut body, part),
            BatchItem::ChangeSet(parts) => {
                let inner = format!("changeset_{}", derived(boundary, at));
                line(&mut body, &format!("Content-Type: multipart/mixed; boundary=\"{inner}\""));
                line(&mut body, "");
                for part in parts {
                    open_part(&mut body, &inner);
                    write_request(&mut body, part);
                }
                close_parts(&mut body, &inner);
            }
        }
    }
    close_parts(&mut body, &outer);
    (format!("multipart/mixed; boundary=\"{outer}\""), body)
}

/// Reads a batch response, whatever its outer status.
///
/// # Errors
/// 502 without a code: not multipart, cut short, or not HTTP inside. The caller does not know then what was
/// executed.
pub fn parse_batch_response(content_type: &str, body: &[u8]) -> Result<Vec<BatchAnswer>> {
    let foreign =
        |what: &'static str| ODataError::new(502, "", format!("The batch response cannot be read: {what}"));
    let boundary = boundary(content_type).ok_or_else(|| foreign("it is not multipart/mixed."))?;
    let mut answers = Vec::new();
    for piece in split(&boundary, body).map_err(foreign)? {
        let (headers, content) = read_headers(piece).map_err(foreign)?;
        let Some(inner) = inner_boundary(&headers) else {
            answers.push(BatchAnswer::Single(read_answer(content).map_err(foreign)?));
            continue;
        };
        let mut responses = Vec::new();
        for piece in split(&inner, content).map_err(foreign)? {
            let (headers, content) = read_headers(piece).map_err(foreign)?;
            let response = read_answer(content).map_err(foreign)?;
            let content_id = headers.get("Content-ID").or_else(|| response.headers.get("Content-ID"));
            responses.push((content_id.map(str::to_owned), response));
        }
        answers.push(BatchAnswer::ChangeSet(responses));
    }
    Ok(answers)
}

/// The `Content-ID` reference with which a URL begins, dollar sign included (`$1`, or `$` and any other request-id of
/// OData 4.01, such as a GUID), and what follows it. It ends where the request-id does: `$1` is none of `$10`. `None` for
/// any other URL, among them the service's own resources (`$metadata`).
pub fn content_reference(url: &str) -> Option<(&str, &str)> {
    let url = url.trim_start_matches('/');
    let length = url.strip_prefix('$')?.bytes().take_while(|byte| is_unreserved(*byte)).count();
    let (reference, path) = url.split_at(1 + length);
    let ends = path.is_empty() || path.starts_with(['/', '?']);
    (length > 0 && ends && !SYSTEM_RESOURCES.contains(&reference)).then_some((reference, path))
}

/// What a request-id is made of.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Resources of a service that no `Content-ID` can stand in the way of.
const SYSTEM_RESOURCES: [&str; 7] = ["$all", "$batch", "$crossjoin", "$entity", "$id", "$metadata", "$root"];

/// The URL a part means: `$1` and `$1/…` (see [`content_reference`]) become `{root}accounts(id)…`, a URL relative to the
/// root gets it in front, an absolute URL or path stays. `None` when the reference is not declared (yet) or its table is
/// unknown; the caller answers with [`unknown_reference`].
pub fn resolve_url(
    url: &str,
    references: &dyn Fn(&str) -> Option<EntityRef>,
    schema: &Schema,
    root: &str,
) -> Option<String> {
    if let Some((reference, path)) = content_reference(url) {
        let row = references(reference)?;
        let set_name = &schema.table(&row.table)?.set_name;
        return Some(format!("{root}{set_name}({}){path}", row.id));
    }
    let absolute = url.starts_with('/') || url.contains("://");
    Some(if absolute { url.to_owned() } else { format!("{root}{url}") })
}

/// 400 `0x80060888`: a request or body refers to a `Content-ID` that no earlier request of its change set
/// declared.
pub fn unknown_reference(url: &str) -> ODataError {
    let reference = content_reference(url).map_or("", |(reference, _)| reference);
    let name: String = reference.chars().take(REFERENCE_SHOWN_MAX).collect();
    ODataError::bad_request(format!("Content-ID Reference: '{name}' does not exist in the batch context."))
}

/// Most characters of a reference that an error message repeats.
const REFERENCE_SHOWN_MAX: usize = 100;
