//! What the server's clock said when it answered, finer than the seconds of `Date`. An extension that Dataverse does not have.
//!
//! Field stamps ([`crate::stamps`]) are milliseconds. A client that knows the server's clock by `Date` alone knows it to
//! a second, and of two edits within that second cannot say which was made of the other. A server that announces [`NAME`]
//! in [`crate::stamps::EXTENSIONS_HEADER`] says in [`HEADER`] of every answer when the answer was ready: no stamp in
//! it is later.

use crate::time::{format_datetime, parse_datetime};
use crate::{Headers, Response};

/// The extension.
pub const NAME: &str = "exact-time";
/// Header of an answer: an instant as in OData, such as `2026-01-15T10:02:11.042Z`.
pub const HEADER: &str = "Flette-Date";

/// An answer that says when it was ready, milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn tell(answer: Response, now: i64) -> Response {
    answer.header(HEADER, format_datetime(now))
}

/// When an answer was ready, if it says so, milliseconds since 1970-01-01T00:00:00Z.
pub fn read(headers: &Headers) -> Option<i64> {
    parse_datetime(headers.get(HEADER)?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read() {
        for now in [0, 1_774_000_000_000, 1_774_000_000_042, -1] {
            assert_eq!(read(&tell(Response::empty(204), now).headers), Some(now));
        }
        assert_eq!(read(&Response::empty(204).headers), None);
        assert_eq!(read(&Response::empty(204).header(HEADER, "soon").headers), None);
    }
}
