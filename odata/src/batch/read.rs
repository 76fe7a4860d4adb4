//! The tolerant reading of parts: multipart boundaries, header lines, requests and answers.

use super::{Part, BATCH_HEADERS_MAX, BATCH_PARTS_MAX};
use crate::http::{Headers, Method, Request, Response};

/// The boundary of a `multipart/mixed` content type.
pub(super) fn boundary(content_type: &str) -> Option<String> {
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

pub(super) fn inner_boundary(headers: &Headers) -> Option<String> {
    headers.get("Content-Type").and_then(boundary)
}

pub(super) type Fault = &'static str;

/// The pieces between the delimiter lines; the line break before each delimiter belongs to it. What stands
/// before the first and after the last delimiter is ignored.
pub(super) fn split<'b>(boundary: &str, body: &'b [u8]) -> std::result::Result<Vec<&'b [u8]>, Fault> {
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

/// Reads header lines up to the empty line; gives back what follows. The end of the piece ends the headers
/// too.
pub(super) fn read_headers(piece: &[u8]) -> std::result::Result<(Headers, &[u8]), Fault> {
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

/// A body of nothing but line breaks is none: samples show one or two of them after the headers of a 204 or
/// a `GET`.
fn message_body(rest: &[u8]) -> Vec<u8> {
    match rest.iter().all(|b| matches!(b, b'\r' | b'\n')) {
        true => Vec::new(),
        false => rest.to_vec(),
    }
}

pub(super) fn read_request(part: &Headers, content: &[u8]) -> std::result::Result<Part, Fault> {
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
    let path = url.split('?').next().unwrap_or_default().to_ascii_lowercase();
    if path.ends_with("$batch") || path.ends_with("%24batch") {
        return Err("a batch cannot hold a batch.");
    }
    Ok(Part { content_id, request: Request { method, url, headers, body: message_body(rest) } })
}

pub(super) fn read_answer(content: &[u8]) -> std::result::Result<Response, Fault> {
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
