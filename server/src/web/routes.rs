//! Which part answers which path.

use super::{now, read_request, sign_in, site, to_http, App};
use crate::auth::{self, Proof};
use axum::body::Body;
use axum::extract::State;
use axum::http::Request as HttpRequest;
use axum::response::Response as HttpResponse;
use flette_odata::error::Result;
use flette_odata::{Headers, Method, ODataError, Request, Response};
use std::sync::Arc;

/// Below these the Web API answers; they are versions of one API.
const API_ROOTS: [&str; 3] = ["/api/data/v9.2", "/api/data/v9.1", "/api/data/v9.0"];

/// A request that was read as a whole.
pub(super) struct Asked {
    pub(super) method: String,
    /// Path and query, percent-encoded.
    pub(super) url: String,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn path(&self) -> &str {
        self.url.split('?').next().unwrap_or_default()
    }
}

/// Answers every request.
pub(super) async fn handle(State(app): State<Arc<App>>, request: HttpRequest<Body>) -> HttpResponse {
    let (method, url, headers, body) = match read_request(request).await {
        Ok(parts) => parts,
        Err(error) => return to_http(error.to_response()),
    };
    let asked = Asked { method, url, headers, body };
    // Paths and verbs are logged; queries and bodies hold personal data.
    let (method, path) = (asked.method.clone(), asked.path().to_owned());
    let started = std::time::Instant::now();
    let work = tokio::task::spawn_blocking(move || answer(&app, asked));
    let response = work.await.unwrap_or_else(|_| {
        ODataError::new(500, "0x80040216", "The server failed unexpectedly.").to_response()
    });
    let millis = started.elapsed().as_millis();
    tracing::info!(method, path, status = response.status, millis, "answered");
    to_http(response)
}

fn answer(app: &App, asked: Asked) -> Response {
    let path = asked.path();
    let result = match path {
        "/healthz" => health(app),
        "/oauth2/v2.0/token" => sign_in::token(app, &asked),
        "/auth/sign-in" => sign_in::sign_in(app, &asked),
        "/auth/sign-out" => sign_in::sign_out(app, &asked),
        "/auth/who" => sign_in::who(app, &asked),
        _ => match API_ROOTS.iter().find(|root| is_below(path, root)) {
            Some(root) => api(app, root, asked),
            None if is_reserved(path) => Err(ODataError::segment_not_found(path)),
            None => match &app.site {
                Some(folder) => site::answer(folder, &asked),
                None => Err(ODataError::segment_not_found(path)),
            },
        },
    };
    result.unwrap_or_else(|error| error.to_response())
}

fn is_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Paths that never belong to the site, whether they exist or not.
fn is_reserved(path: &str) -> bool {
    ["/api", "/auth", "/oauth2", "/flette"].iter().any(|root| is_below(path, root))
}

/// 405 unless the request has this verb.
pub(super) fn only(asked: &Asked, method: &str) -> Result<()> {
    match asked.method == method {
        true => Ok(()),
        false => Err(ODataError::method_not_allowed(&asked.method, asked.path())),
    }
}

fn health(app: &App) -> Result<Response> {
    app.service.database().read(|reader| reader.version())?;
    let mut response = Response::empty(200).header("Content-Type", "text/plain; charset=utf-8");
    response.body = b"ok\n".to_vec();
    Ok(response)
}

fn api(app: &App, root: &str, asked: Asked) -> Result<Response> {
    let now = now();
    let proof = Proof::of(&asked.headers);
    let caller = auth::authenticate(app.service.database(), proof, now)?;
    let method = Method::parse(&asked.method)
        .ok_or_else(|| ODataError::method_not_allowed(&asked.method, asked.path()))?;
    if method != Method::Get && matches!(proof, Proof::Cookie(_)) && !auth::allows_write(&asked.headers) {
        return Err(forged());
    }
    let host = asked.headers.get("Host").unwrap_or("localhost");
    let root = format!("{}://{host}{root}/", scheme(&asked.headers));
    let mut request = Request { method, url: asked.url, headers: asked.headers, body: asked.body };
    request.check_content_type()?;
    // The root itself is also known without its last slash.
    if request.url.split('?').next().is_some_and(|path| root.ends_with(&format!("{path}/"))) {
        let at = request.url.find('?').unwrap_or(request.url.len());
        request.url.insert(at, '/');
    }
    Ok(app.service.answer(&caller, &root, &request, now))
}

/// How the caller reaches this server: a proxy in front of it may speak TLS.
pub(super) fn scheme(headers: &Headers) -> &'static str {
    match headers.get("X-Forwarded-Proto") {
        Some("https") => "https",
        _ => "http",
    }
}

/// 403: a page of another site made the browser send this.
pub(super) fn forged() -> ODataError {
    ODataError::new(403, "0x80048405", "The request does not come from this site's own pages.")
}
