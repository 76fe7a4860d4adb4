//! Cross-origin calls: pages of listed origins may call the API with a bearer token.
//!
//! Origins are listed one by one and compared as a whole; `*` cannot be said. Credentials are never
//! allowed: the cookie belongs to this server's own page, and without `Access-Control-Allow-Credentials` a
//! foreign page neither sends nor reads anything by it.

use flette_odata::{Headers, ODataError, Response};
use std::str::FromStr;

/// How long a browser may remember a preflight, seconds.
const PREFLIGHT_SECONDS: u32 = 600;
/// Verbs of the Web API.
const METHODS: &str = "GET, POST, PATCH, PUT, DELETE";
/// Request headers that Dataverse clients send.
const REQUEST_HEADERS: [&str; 17] = [
    "accept",
    "authorization",
    "cache-control",
    "callerobjectid",
    "client-request-id",
    "consistency",
    "content-type",
    "if-match",
    "if-none-match",
    "odata-isolation",
    "odata-maxversion",
    "odata-version",
    "prefer",
    "request-id",
    "return-client-request-id",
    "user-agent",
    "x-requested-with",
];
/// Families of request headers that Dataverse clients, and Flette's extensions, send.
const REQUEST_HEADER_FAMILIES: [&str; 4] = ["mscrm", "x-ms-", "flette-", "repeatability-"];
/// Longest list of header names that is looked at, bytes.
const ASKED_BYTES_MAX: usize = 4096;
/// Response headers that a page may read.
const EXPOSED: &str =
    "OData-EntityId, OData-Version, ETag, Location, Retry-After, Preference-Applied, REQ_ID, \
    Repeatability-Result, Flette-Date, Flette-Lineage, Flette-Extensions, x-ms-service-request-id, \
    x-ms-ratelimit-burst-remaining-xrm-requests, x-ms-ratelimit-time-remaining-xrm-requests";

/// An origin as browsers write it: scheme, host and, unless it is the scheme's own, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let wrong = || "expected scheme://host[:port], in lower case, without a path".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let known = ["http", "https"].contains(&scheme);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b);
        let default_port = match scheme {
            "http" => rest.ends_with(":80"),
            _ => rest.ends_with(":443"),
        };
        match known && !rest.is_empty() && rest.bytes().all(plain) && !default_port {
            true => Ok(Origin(text.to_owned())),
            false => Err(wrong()),
        }
    }
}

/// The origin of a cross-origin call that is allowed.
pub(super) fn allowed<'h>(origins: &[Origin], headers: &'h Headers) -> Option<&'h str> {
    let origin = headers.get("Origin")?;
    origins.iter().any(|known| known.0 == origin).then_some(origin)
}

/// Whether a request asks for leave to send another one.
pub(super) fn is_preflight(method: &str, headers: &Headers) -> bool {
    method == "OPTIONS" && headers.get("Access-Control-Request-Method").is_some()
}

/// The answer to a preflight.
///
/// # Errors
/// 403 for an origin that is not listed.
pub(super) fn preflight(origins: &[Origin], headers: &Headers) -> Result<Response, ODataError> {
    let origin = allowed(origins, headers)
        .ok_or_else(|| ODataError::new(403, "0x80048405", "Pages of this origin may not call the API."))?;
    let asked = headers.get("Access-Control-Request-Headers").unwrap_or_default();
    let granted = REQUEST_HEADERS.iter().map(|name| (*name).to_owned()).chain(further(asked));
    let granted: Vec<String> = granted.collect();
    Ok(Response::empty(204)
        .header("Access-Control-Allow-Origin", origin)
        .header("Access-Control-Allow-Methods", METHODS)
        .header("Access-Control-Allow-Headers", granted.join(", "))
        .header("Access-Control-Max-Age", PREFLIGHT_SECONDS.to_string())
        .header("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"))
}

/// Header names that were asked for and belong to a known family.
fn further(asked: &str) -> impl Iterator<Item = String> + '_ {
    let asked = if asked.len() > ASKED_BYTES_MAX { "" } else { asked };
    let names = asked.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| {
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.');
        is_name && REQUEST_HEADER_FAMILIES.iter().any(|family| name.starts_with(family))
    })
}

/// An answer that pages of an allowed origin may read.
pub(super) fn expose(response: Response, origins: &[Origin], headers: &Headers) -> Response {
    if origins.is_empty() {
        return response;
    }
    let response = response.header("Vary", "Origin");
    match allowed(origins, headers) {
        Some(origin) => response
            .header("Access-Control-Allow-Origin", origin)
            .header("Access-Control-Expose-Headers", EXPOSED),
        None => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        fn check(text: &str, expected: bool) {
            assert_eq!(text.parse::<Origin>().is_ok(), expected, "{text}");
        }
        check("https://app.example", true);
        check("http://localhost:3000", true);
        check("http://[::1]:3000", true);
        for wrong in [
            "*",
            "null",
            "",
            "app.example",
            "https://",
            "https://*.example",
            "https://app.example/",
            "https://app.example/page",
            "https://App.example",
            "https://user@app.example",
            "https://app.example:443",
            "http://app.example:80",
            "file:///tmp",
        ] {
            check(wrong, false);
        }
    }

    #[test]
    fn only_the_very_origin_is_allowed() {
        let origins = ["https://app.example".parse::<Origin>().unwrap()];
        let check = |origin: &str, expected: bool| {
            let headers: Headers = [("Origin", origin)].into_iter().collect();
            assert_eq!(allowed(&origins, &headers).is_some(), expected, "{origin}");
        };
        check("https://app.example", true);
        for other in [
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
            "https://evil-app.example",
            "https://sub.app.example",
            "null",
            "",
        ] {
            check(other, false);
        }
        assert_eq!(allowed(&origins, &Headers::new()), None);
    }

    #[test]
    fn a_preflight_grants_what_dataverse_clients_send() {
        let origins = ["https://app.example".parse::<Origin>().unwrap()];
        let ask = |asked: &str| -> Headers {
            [("Origin", "https://app.example"), ("Access-Control-Request-Headers", asked)]
                .into_iter()
                .collect()
        };
        let check = |asked: &str, name: &str, expected: bool| {
            let answer = preflight(&origins, &ask(asked)).unwrap();
            let granted = answer.headers.get("Access-Control-Allow-Headers").unwrap();
            assert_eq!(granted.split(", ").any(|n| n == name), expected, "{asked}");
            assert_eq!(answer.headers.get("Access-Control-Allow-Credentials"), None);
        };
        check("", "authorization", true);
        check("", "prefer", true);
        check("authorization,MSCRM.SuppressDuplicateDetection", "mscrm.suppressduplicatedetection", true);
        check("repeatability-request-id", "repeatability-request-id", true);
        check("flette-evil\nset-cookie", "flette-evil\nset-cookie", false);
        check("cookie", "cookie", false);
        check(&"x-ms-a,".repeat(ASKED_BYTES_MAX / 7), "x-ms-a", true);
        check(&"x-ms-a,".repeat(ASKED_BYTES_MAX / 7 + 1), "x-ms-a", false);
        let foreign: Headers = [("Origin", "https://evil.example")].into_iter().collect();
        assert_eq!(preflight(&origins, &foreign).unwrap_err().status, 403);
    }
}
