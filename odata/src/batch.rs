//! `$batch`: multipart requests and answers, read and written, for both ends.
//!
//! Sources: OData 4.0 Part 1, 11.7; developer guide, "Execute batch operations using the Web API". What real clients send
//! is taken: CRLF or LF line ends, quoted or bare boundaries, text before the first delimiter, `Content-ID` among the
//! part's or the request's headers. What is written is the strict form: CRLF, no preamble, the prefixes `batchresponse_`
//! and `changesetresponse_` that clients look for.

use crate::edm::Schema;
use crate::error::{ODataError, Result};
use crate::http::{Headers, Method, Request, Response};
use crate::value::EntityRef;
use uuid::Uuid;

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
    /// `Content-ID`: what `$n` in later requests of the same change set means.
    pub content_id: Option<String>,
    /// The request. Its `url` stands as the client wrote it: absolute, a path, relative to the root, or `$1…`;
    /// see [`resolve_url`].
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
/// 400 `0x80048d19`: no boundary, no closing delimiter, a part that is no request, a batch in a batch, a `GET` in a change
/// set, a doubled `Content-ID` in a change set, more than [`BATCH_PARTS_MAX`] requests. Nothing of such a batch may be
/// executed.
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

/// Writes a batch response. An `outer_status` of 200 says that the batch was executed (or, with continue-on-error, gone
/// through); without continue-on-error it is the status of the request that failed. Each change set gets a boundary of its
/// own, derived from `boundary`.
pub fn write_batch_response(answers: &[BatchAnswer], boundary: Uuid, outer_status: u16) -> Response {
    let outer = format!("batchresponse_{boundary}");
    let mut body = Vec::new();
    for (at, answer) in (1u128..).zip(answers) {
        open_part(&mut body, &outer);
        match answer {
            BatchAnswer::Single(response) => write_answer(&mut body, None, response),
            BatchAnswer::ChangeSet(responses) => {
                let inner = format!("changesetresponse_{}", derived(boundary, at));
                line(&mut body, &format!("Content-Type: multipart/mixed; boundary={inner}"));
                line(&mut body, "");
                for (content_id, response) in responses {
                    open_part(&mut body, &inner);
                    write_answer(&mut body, content_id.as_deref(), response);
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
/// 502 without a code: not multipart, cut short, or not HTTP inside. The caller does not know then what was executed.
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

/// The URL a part means: `$1` and `$1/…` become `{root}accounts(id)…`, a URL relative to the root gets it in front, an
/// absolute URL or path stays. `None` when the reference is not declared (yet) or its table is unknown; the caller
/// answers with [`unknown_reference`].
pub fn resolve_url(
    url: &str,
    references: &dyn Fn(&str) -> Option<EntityRef>,
    schema: &Schema,
    root: &str,
) -> Option<String> {
    if let Some(rest) = url.trim_start_matches('/').strip_prefix('$') {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let (number, path) = rest.split_at(digits);
            if !(path.is_empty() || path.starts_with(['/', '?'])) {
                return None;
            }
            let row = references(&format!("${number}"))?;
            let set_name = &schema.table(&row.table)?.set_name;
            return Some(format!("{root}{set_name}({}){path}", row.id));
        }
    }
    let absolute = url.starts_with('/') || url.contains("://");
    Some(if absolute { url.to_owned() } else { format!("{root}{url}") })
}

/// 400 `0x80060888`: a request or body refers to a `Content-ID` that no earlier request of its change set declared.
pub fn unknown_reference(reference: &str) -> ODataError {
    let name: String = reference.chars().take_while(|c| *c == '$' || c.is_ascii_alphanumeric()).collect();
    ODataError::bad_request(format!("Content-ID Reference: '{name}' does not exist in the batch context."))
}

/// A further boundary, different for every place in the batch.
fn derived(boundary: Uuid, at: u128) -> Uuid {
    Uuid::from_u128(boundary.as_u128().wrapping_add(at))
}

fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Opens a part. No text stands before the first delimiter: clients take the delimiter from the first line.
fn open_part(out: &mut Vec<u8>, boundary: &str) {
    line(out, &format!("--{boundary}"));
}

fn close_parts(out: &mut Vec<u8>, boundary: &str) {
    line(out, &format!("--{boundary}--"));
}

fn part_headers(out: &mut Vec<u8>, content_id: Option<&str>) {
    line(out, "Content-Type: application/http");
    line(out, "Content-Transfer-Encoding: binary");
    if let Some(id) = content_id {
        line(out, &format!("Content-ID: {}", clean(id)));
    }
    line(out, "");
}

fn write_request(out: &mut Vec<u8>, part: &Part) {
    part_headers(out, part.content_id.as_deref());
    line(out, &format!("{} {} HTTP/1.1", part.request.method.as_str(), clean(&part.request.url)));
    write_message(out, &part.request.headers, &part.request.body);
}

fn write_answer(out: &mut Vec<u8>, content_id: Option<&str>, response: &Response) {
    part_headers(out, content_id);
    line(out, &format!("HTTP/1.1 {} {}", response.status, reason(response.status)));
    write_message(out, &response.headers, &response.body);
}

/// The line break after the body belongs to the delimiter that follows.
fn write_message(out: &mut Vec<u8>, headers: &Headers, body: &[u8]) {
    for (name, value) in headers.iter() {
        line(out, &format!("{}: {}", clean(name), clean(value)));
    }
    line(out, "");
    out.extend_from_slice(body);
    line(out, "");
}

/// A header value or URL without line breaks: nothing that comes from outside may begin a line of its own.
fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    match text.contains(['\r', '\n']) {
        true => text.replace(['\r', '\n'], " ").into(),
        false => text.into(),
    }
}

/// Reason phrases; some clients refuse a status line without one.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => match status / 100 {
            2 => "Success",
            3 => "Redirection",
            4 => "Client Error",
            _ => "Server Error",
        },
    }
}

/// The boundary of a `multipart/mixed` content type.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let parameter = parameters.split(';').find_map(|p| {
        let (name, value) = p.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
    })?;
    let boundary = parameter.strip_prefix('"').and_then(|b| b.strip_suffix('"')).unwrap_or(parameter);
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_LENGTH_MAX).then(|| boundary.to_owned())
}

/// Longest boundary taken, in bytes. RFC 2046 allows 70; some clients use two GUIDs and a prefix.
const BOUNDARY_LENGTH_MAX: usize = 200;

fn inner_boundary(headers: &Headers) -> Option<String> {
    headers.get("Content-Type").and_then(boundary)
}

type Fault = &'static str;

/// The pieces between the delimiter lines; the line break before each delimiter belongs to it. What stands before the
/// first and after the last delimiter is ignored.
fn split<'b>(boundary: &str, body: &'b [u8]) -> std::result::Result<Vec<&'b [u8]>, Fault> {
    let mut pieces = Vec::new();
    let mut piece_start = None;
    let mut at = 0;
    while at < body.len() {
        let end = line_end(body, at);
        if let Some(closing) = delimiter(boundary, &body[at..end]) {
            if let Some(start) = piece_start {
                pieces.push(without_line_break(&body[start..at]));
                if pieces.len() > BATCH_PARTS_MAX {
                    return Err("there are more than 1000 parts.");
                }
            }
            if closing {
                return Ok(pieces);
            }
            piece_start = Some(end);
        }
        at = end;
    }
    Err("the closing delimiter is missing.")
}

/// The place after the line break of the line that begins at `at`.
fn line_end(body: &[u8], at: usize) -> usize {
    body[at..].iter().position(|b| *b == b'\n').map_or(body.len(), |n| at + n + 1)
}

/// Whether a line is a delimiter (`Some(false)`) or the closing one (`Some(true)`).
fn delimiter(boundary: &str, line: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary.as_bytes())?;
    let (closing, rest) = match rest.strip_prefix(b"--") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    rest.iter().all(u8::is_ascii_whitespace).then_some(closing)
}

fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Reads header lines up to the empty line; gives back what follows. The end of the piece ends the headers too.
fn read_headers(piece: &[u8]) -> std::result::Result<(Headers, &[u8]), Fault> {
    let mut headers = Headers::new();
    let mut count = 0;
    let mut at = 0;
    while at < piece.len() {
        let end = line_end(piece, at);
        let text = without_line_break(&piece[at..end]);
        at = end;
        if text.is_empty() {
            break;
        }
        let text = std::str::from_utf8(text).map_err(|_| "a header is not text.")?;
        let (name, value) = text.split_once(':').ok_or("a header has no colon.")?;
        count += 1;
        if count > BATCH_HEADERS_MAX {
            return Err("a part has more than 100 headers.");
        }
        headers.push(name.trim(), value.trim());
    }
    Ok((headers, &piece[at..]))
}

/// The first line that is not empty, and what follows it.
fn start_line(content: &[u8]) -> std::result::Result<(&str, &[u8]), Fault> {
    let mut at = 0;
    while at < content.len() {
        let end = line_end(content, at);
        let text = without_line_break(&content[at..end]);
        if !text.is_empty() {
            let text = std::str::from_utf8(text).map_err(|_| "a request or status line is not text.")?;
            return Ok((text, &content[end..]));
        }
        at = end;
    }
    Err("a part is empty.")
}

/// A body of nothing but line breaks is none: samples show one or two of them after the headers of a 204 or a `GET`.
fn message_body(rest: &[u8]) -> Vec<u8> {
    match rest.iter().all(|b| matches!(b, b'\r' | b'\n')) {
        true => Vec::new(),
        false => rest.to_vec(),
    }
}

fn read_request(part: &Headers, content: &[u8]) -> std::result::Result<Part, Fault> {
    let (start, rest) = start_line(content)?;
    let (method, tail) = start.trim().split_once(' ').ok_or("a request line has no URL.")?;
    let (url, version) = tail.trim().rsplit_once(' ').ok_or("a request line has no HTTP version.")?;
    if !version.starts_with("HTTP/") {
        return Err("a request line has no HTTP version.");
    }
    let method = Method::parse(method).ok_or("a request has an unknown method.")?;
    let (headers, rest) = read_headers(rest)?;
    let content_id = part.get("Content-ID").or_else(|| headers.get("Content-ID")).map(str::to_owned);
    let url = url.trim().to_owned();
    if url.split('?').next().is_some_and(|path| path.ends_with("$batch")) {
        return Err("a batch cannot hold a batch.");
    }
    Ok(Part { content_id, request: Request { method, url, headers, body: message_body(rest) } })
}

fn read_answer(content: &[u8]) -> std::result::Result<Response, Fault> {
    let (start, rest) = start_line(content)?;
    let mut words = start.split_ascii_whitespace();
    if !words.next().is_some_and(|word| word.starts_with("HTTP/")) {
        return Err("a part has no status line.");
    }
    let status = words.next().and_then(|word| word.parse().ok()).filter(|s| (100..600).contains(s));
    let status = status.ok_or("a status line has no status.")?;
    let (headers, rest) = read_headers(rest)?;
    Ok(Response { status, headers, body: message_body(rest) })
}
