//! Conditional requests: `If-Match` and `If-None-Match` (Dataverse: "Perform conditional operations").
//!
//! Etags are opaque: compared as text, `W/` and quotes included, for equality only.

use crate::error::{ODataError, Result};
use crate::http::Headers;
use uuid::Uuid;

/// What must hold for the request to be carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: a PATCH is an upsert.
    #[default]
    None,
    /// `If-Match: *`: the row must exist.
    IfMatchAny,
    /// `If-Match: W/"…"`: the row must have this etag.
    IfMatch(String),
    /// `If-None-Match: *`: the row must not exist.
    IfNoneMatchAny,
    /// `If-None-Match: W/"…"`: the row must have another etag; on a GET else 304.
    IfNoneMatch(String),
}

impl Condition {
    /// Reads both headers. The literal word `null`, which Dataverse clients send against browser caches, is
    /// no condition.
    ///
    /// # Errors
    /// 400 when an etag is malformed, when several are listed, or when both headers make a condition: a
    /// condition that is not understood must never count as none, since the write would then overwrite what
    /// it should not.
    pub fn parse(headers: &Headers) -> Result<Condition> {
        let matching = single(headers, "If-Match")?;
        let none_matching = single(headers, "If-None-Match")?;
        Ok(match (matching, none_matching) {
            (None, None) => Condition::None,
            (Some("*"), None) => Condition::IfMatchAny,
            (Some(etag), None) => Condition::IfMatch(etag.to_owned()),
            (None, Some("*")) => Condition::IfNoneMatchAny,
            (None, Some(etag)) => Condition::IfNoneMatch(etag.to_owned()),
            (Some(_), Some(_)) => {
                return Err(ODataError::bad_request("If-Match and If-None-Match cannot be combined."))
            }
        })
    }

    /// Whether a write to a row may go on; `current` is the row's etag, `None` when there is no such row.
    /// A row that is absent is no error here unless a condition needs it.
    ///
    /// # Errors
    /// 404 when the row must exist and does not; 412 when it must not exist and does, or has another etag
    /// than the one given in `If-Match`.
    pub fn check(&self, table: &str, id: Uuid, current: Option<&str>) -> Result<()> {
        match (self, current) {
            (Condition::None, _) => Ok(()),
            (Condition::IfMatchAny, Some(_)) => Ok(()),
            (Condition::IfMatchAny | Condition::IfMatch(_), None) => {
                Err(ODataError::row_not_found(table, id))
            }
            (Condition::IfMatch(etag), Some(current)) if etag == current => Ok(()),
            (Condition::IfMatch(_), Some(_)) => Err(ODataError::version_mismatch()),
            (Condition::IfNoneMatchAny | Condition::IfNoneMatch(_), None) => Ok(()),
            (Condition::IfNoneMatchAny, Some(_)) => Err(ODataError::duplicate_key()),
            (Condition::IfNoneMatch(etag), Some(current)) if etag != current => Ok(()),
            (Condition::IfNoneMatch(_), Some(_)) => Err(ODataError::version_mismatch()),
        }
    }

    /// Whether a GET of a row with this etag is answered `304 Not Modified`.
    pub fn not_modified(&self, current: &str) -> bool {
        match self {
            Condition::IfNoneMatchAny => true,
            Condition::IfNoneMatch(etag) => etag == current,
            Condition::None | Condition::IfMatchAny | Condition::IfMatch(_) => false,
        }
    }
}

/// The one value of a header: `None` when absent or `null`.
fn single<'a>(headers: &'a Headers, name: &'a str) -> Result<Option<&'a str>> {
    let mut values = headers.all(name).map(str::trim).filter(|v| *v != "null");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() || !(value == "*" || is_etag(value)) {
        return Err(ODataError::bad_request(format!("The value of header {name} is not one etag or '*'.")));
    }
    Ok(Some(value))
}

/// `"…"` or `W/"…"` without a quote inside (RFC 9110 §8.8.3).
fn is_etag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    match opaque.strip_prefix('"').and_then(|o| o.strip_suffix('"')) {
        Some(inner) => inner.bytes().all(|b| b != b'"' && b > 0x20 && b != 0x7f),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_conditions() {
        fn check(fields: &[(&str, &str)], expected: Option<Condition>) {
            let headers: Headers = fields.iter().copied().collect();
            assert_eq!(Condition::parse(&headers).ok(), expected, "{fields:?}");
        }
        let etag = "W/\"468026\"";
        check(&[], Some(Condition::None));
        check(&[("If-None-Match", "null")], Some(Condition::None));
        check(&[("If-Match", "null"), ("If-None-Match", "null")], Some(Condition::None));
        check(&[("if-match", "*")], Some(Condition::IfMatchAny));
        check(&[("If-Match", "*"), ("If-None-Match", "null")], Some(Condition::IfMatchAny));
        check(&[("If-Match", etag)], Some(Condition::IfMatch(etag.into())));
        check(&[("If-Match", " \"x\" ")], Some(Condition::IfMatch("\"x\"".into())));
        check(&[("If-None-Match", "*")], Some(Condition::IfNoneMatchAny));
        check(&[("If-None-Match", etag)], Some(Condition::IfNoneMatch(etag.into())));
        check(&[("If-Match", "")], None);
        check(&[("If-Match", "468026")], None);
        check(&[("If-Match", "\"")], None);
        check(&[("If-Match", "W/")], None);
        check(&[("If-Match", "w/\"1\"")], None);
        check(&[("If-Match", "\"1\", \"2\"")], None);
        check(&[("If-Match", "\"1\""), ("If-Match", "\"2\"")], None);
        check(&[("If-Match", "*"), ("If-None-Match", "*")], None);
    }

    #[test]
    fn a_write_is_let_through_or_refused_with_the_documented_status() {
        fn check(condition: Condition, current: Option<&str>, expected: u16) {
            let status = match condition.check("account", Uuid::nil(), current) {
                Ok(()) => 204,
                Err(error) => error.status,
            };
            assert_eq!(status, expected, "{condition:?} {current:?}");
        }
        let same = Some("W/\"1\"");
        check(Condition::None, None, 204);
        check(Condition::None, same, 204);
        check(Condition::IfMatchAny, same, 204);
        check(Condition::IfMatchAny, None, 404);
        check(Condition::IfMatch("W/\"1\"".into()), same, 204);
        check(Condition::IfMatch("\"1\"".into()), same, 412);
        check(Condition::IfMatch("W/\"1\"".into()), None, 404);
        check(Condition::IfNoneMatchAny, None, 204);
        check(Condition::IfNoneMatchAny, same, 412);
        check(Condition::IfNoneMatch("W/\"2\"".into()), same, 204);
        check(Condition::IfNoneMatch("W/\"1\"".into()), same, 412);
        assert!(Condition::IfNoneMatch("W/\"1\"".into()).not_modified("W/\"1\""));
        assert!(!Condition::IfNoneMatch("W/\"2\"".into()).not_modified("W/\"1\""));
        assert!(!Condition::IfMatch("W/\"1\"".into()).not_modified("W/\"1\""));
    }
}
