//! HTTP: routes, limits, sign-in, the site. What is asked of the Web API is handed to `api` on a blocking
//! thread.

mod cors;
mod hosts;
mod metrics;
mod options;
mod routes;
mod sign_in;
mod site;
mod throttle;

pub use cors::Origin;
pub use hosts::Hosts;
pub use options::{MetricsAccess, Options};
pub use throttle::Limits;

use crate::api::Service;
use crate::auth::Attempts;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderName, HeaderValue, Request as HttpRequest, StatusCode};
use axum::response::Response as HttpResponse;
use axum::Router;
use flette_odata::error::Result;
use flette_odata::{Headers, ODataError, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use metrics::Metrics;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use throttle::Throttle;

/// Longest request body, bytes.
pub const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest URL, bytes, as in Dataverse.
pub const URL_BYTES_MAX: usize = 32_768;

/// What the handlers share.
pub struct App {
    service: Arc<Service>,
    options: Options,
    throttle: Option<Throttle>,
    metrics: Metrics,
    attempts: Attempts,
}

/// The whole application; tests call it without a socket. Serve it with the peers' addresses
/// (`into_make_service_with_connect_info::<SocketAddr>`), or nobody counts as a program of this machine.
pub fn app(service: impl Into<Arc<Service>>, options: Options) -> Router {
    let site = options.site.as_ref().and_then(|folder| folder.canonicalize().ok());
    let throttle = options.throttle.map(Throttle::new);
    let metrics = Metrics::new();
    let options = Options { site, ..options };
    let service = service.into();
    let app = Arc::new(App { service, options, throttle, metrics, attempts: Attempts::default() });
    Router::new().fallback(routes::handle).with_state(app)
}

/// Milliseconds since 1970-01-01T00:00:00Z. The only clock of the server.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A request that was read as a whole.
struct Asked {
    method: String,
    /// Path and query, percent-encoded.
    url: String,
    headers: Headers,
    body: Vec<u8>,
    /// Who is at the other end of the connection, when that is known.
    peer: Option<IpAddr>,
}

impl Asked {
    fn path(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }

    /// Whether a program of this machine asks, and no proxy for somebody else.
    fn is_from_here(&self) -> bool {
        let passed_on = ["Forwarded", "X-Forwarded-For"].iter().any(|name| self.headers.get(name).is_some());
        self.peer.is_some_and(|peer| peer.is_loopback()) && !passed_on
    }

    /// Where the request comes from, for counting: a proxy on this machine names its client last.
    fn source(&self) -> Option<IpAddr> {
        let passed_on = self.headers.all("X-Forwarded-For").last().and_then(|line| line.rsplit(',').next());
        match (self.peer, passed_on.and_then(|text| text.trim().parse().ok())) {
            (Some(peer), Some(client)) if peer.is_loopback() => Some(client),
            (peer, _) => peer,
        }
    }
}

/// Reads a request as a whole.
///
/// # Errors
/// 414 and 413 beyond the limits; 400 when the body breaks off.
async fn read_request(request: HttpRequest<Body>) -> Result<Asked> {
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
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    Ok(Asked { method: parts.method.as_str().to_owned(), url, headers, body: body.to_bytes().to_vec(), peer })
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
    http
}
