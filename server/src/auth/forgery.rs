//! Cross-site request forgery: a cookie is sent for foreign pages too, so a write by cookie must show that
//! it comes from this origin. Bearer tokens need no such proof.
//!
//! Three walls: the cookie is `SameSite=Strict`; `Sec-Fetch-Site` and `Origin`, where the browser sends
//! them, must name this origin; and the request must carry something that a foreign form cannot send
//! without a preflight, which this server never grants: a JSON or multipart/mixed body, or an OData header.
//! Every Dataverse client sends these anyway.

use flette_odata::Headers;

/// Headers that no foreign page can set without a preflight.
const OWN_HEADERS: [&str; 4] = ["OData-Version", "OData-MaxVersion", "If-Match", "X-Requested-With"];

/// Whether a write by cookie may go on.
pub fn allows_write(headers: &Headers) -> bool {
    is_same_origin(headers) && (has_own_body(headers) || OWN_HEADERS.iter().any(|h| headers.get(h).is_some()))
}

/// Whether somebody may sign in or out by a page: the body must be JSON, and no other site may send it.
pub fn allows_sign_in(headers: &Headers) -> bool {
    is_same_origin(headers) && (has_own_body(headers) || headers.get("X-Requested-With").is_some())
}

fn has_own_body(headers: &Headers) -> bool {
    let content_type = headers.get("Content-Type").unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("multipart/mixed")
}

fn is_same_origin(headers: &Headers) -> bool {
    let site = headers.get("Sec-Fetch-Site").is_none_or(|site| site == "same-origin");
    let origin = headers.get("Origin").is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == headers.get("Host")
    });
    site && origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_by_cookie_must_come_from_this_origin() {
        fn check(fields: &[(&str, &str)], expected: bool) {
            let headers: Headers = fields.iter().copied().collect();
            assert_eq!(allows_write(&headers), expected, "{fields:?}");
        }
        let json = ("Content-Type", "application/json; charset=utf-8");
        let host = ("Host", "crm.example:8080");
        check(&[json], true);
        check(&[("Content-Type", "multipart/mixed;boundary=x")], true);
        check(&[("OData-Version", "4.0")], true);
        check(&[host, json, ("Origin", "http://crm.example:8080"), ("Sec-Fetch-Site", "same-origin")], true);
        check(&[], false);
        check(&[("Content-Type", "text/plain")], false);
        check(&[("Content-Type", "application/x-www-form-urlencoded")], false);
        check(&[("Content-Type", "multipart/form-data; boundary=x")], false);
        check(&[("Content-Type", "text/plain; application/json")], false);
        check(&[json, ("Sec-Fetch-Site", "cross-site")], false);
        check(&[json, ("Sec-Fetch-Site", "same-site")], false);
        check(&[json, ("Sec-Fetch-Site", "none")], false);
        check(&[host, json, ("Origin", "http://evil.example")], false);
        check(&[host, json, ("Origin", "http://crm.example")], false);
        check(&[host, json, ("Origin", "null")], false);
    }
}
