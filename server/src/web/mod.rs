//! HTTP: routes, limits, sign-in, the site. What is asked of the Web API is handed to `api` on a blocking
//! thread.

mod routes;
mod sign_in;
mod site;

use crate::api::Service;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, StatusCode};
use axum::response::Response as HttpResponse;
use axum::Router;
use flette_odata::error::Result;
use flette_odata::{Headers, ODataError, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest request body, bytes.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest URL, bytes, as in Dataverse.
pub const URL_BYTES_MAX: usize = 32_768;

/// What the handlers share.
pub struct App {
    service: Service,
    site: Option<PathBuf>,
}

/// The whole application; tests call it without a socket.
///
/// `site` is the folder of the web CRM; without it only the API answers.
pub fn app(service: Service, site: Option<PathBuf>) -> Router {
    let app = Arc::new(App { service, site: site.and_then(|folder| folder.canonicalize().ok()) });
    Router::new().fallback(routes::handle).with_state(app)
}

/// Milliseconds since 1970-01-01T00:00:00Z. The only clock of the server.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Reads a request as a whole.
///
/// # Errors
/// 414 and 413 beyond the limits; 400 when the body breaks off.
async fn read_request(request: HttpRequest<Body>) -> Result<(String, String, Headers, Vec<u8>)> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    if url.len() > URL_BYTES_MAX {
        return Err(ODataError::new(
            414,
            "0x80060888",
            format!("The URL is longer than {URL_BYTES_MAX} bytes."),
        ));
    }
    // Header values beyond ASCII mean nothing to this server; they are dropped, not guessed at.
    let headers = parts.headers.iter();
    let headers: Headers = headers.filter_map(|(n, v)| Some((n.as_str(), v.to_str().ok()?))).collect();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            let message = format!("The request is longer than {BODY_BYTES_MAX} bytes.");
            return ODataError::new(413, "0x8004418a", message);
        }
        ODataError::bad_payload("The request body could not be read.")
    })?;
    Ok((parts.method.as_str().to_owned(), url, headers, body.to_bytes().to_vec()))
}

/// An answer as HTTP.
fn to_http(response: Response) -> HttpResponse {
    let mut http = HttpResponse::new(Body::from(response.body));
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            http.headers_mut().append(name, value);
        }
    }
    http.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    http
}
