//! The strict form in which parts are written: CRLF, a reason phrase on every status line.

use super::Part;
use crate::http::{Headers, Response};
use uuid::Uuid;

/// A further boundary, different for every place in the batch.
pub(super) fn derived(boundary: Uuid, at: u128) -> Uuid {
    Uuid::from_u128(boundary.as_u128().wrapping_add(at))
}

pub(super) fn line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Opens a part. No text stands before the first delimiter: clients take the delimiter from the first line.
pub(super) fn open_part(out: &mut Vec<u8>, boundary: &str) {
    line(out, &format!("--{boundary}"));
}

pub(super) fn close_parts(out: &mut Vec<u8>, boundary: &str) {
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

pub(super) fn write_request(out: &mut Vec<u8>, part: &Part) {
    part_headers(out, part.content_id.as_deref());
    line(out, &format!("{} {} HTTP/1.1", part.request.method.as_str(), clean(&part.request.url)));
    write_message(out, &part.request.headers, &part.request.body);
}

pub(super) fn write_answer(out: &mut Vec<u8>, content_id: Option<&str>, response: &Response) {
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
