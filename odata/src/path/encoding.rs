//! Percent-encoding (RFC 3986 §2.1), strictly: what is malformed is refused, never passed on.

use crate::error::{ODataError, Result};

/// What `+` means: itself in a path, a space in a query, where form encoders write it so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Plus {
    Literal,
    Space,
}

pub(super) fn percent_decode(text: &str, plus: Plus) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_pair(rest.next(), rest.next()).ok_or_else(bad_encoding)?,
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad_encoding())
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| match byte? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    Some(digit(high)? * 16 + digit(low)?)
}

fn bad_encoding() -> ODataError {
    ODataError::bad_request("The percent-encoding of the URL is malformed.")
}
