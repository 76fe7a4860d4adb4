//! Which part answers which path.

use super::cors;
use super::metrics::Class;
use super::{now, read_request, sign_in, site, to_http, App, Asked, MetricsAccess};
use crate::auth::{self, Proof};
use axum::body::Body;
use axum::extract::State;
use axum::http::Request as HttpRequest;
use axum::response::Response as HttpResponse;
use flette_odata::error::Result;
use flette_odata::{Headers, Method, ODataError, Request, Response, Uuid};
use std::sync::Arc;
use std::time::Instant;

/// Below these the Web API answers; they are versions of one API.
const API_ROOTS: [&str; 3] = ["/api/data/v9.2", "/api/data/v9.1", "/api/data/v9.0"];
/// Header by which one answer is found in the log.
const REQUEST_ID_HEADER: &str = "x-ms-service-request-id";
/// How long a browser shall ask this host by TLS only, seconds: a year, once it was asked by TLS.
const TLS_ONLY: &str = "max-age=31536000";

/// Data is no page: whatever it holds, nothing of it runs or is shown in a frame.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Answers every request.
pub(super) async fn handle(State(app): State<Arc<App>>, request: HttpRequest<Body>) -> HttpResponse {
    let started = Instant::now();
    let request_id = Uuid::new_v4();
    app.metrics.began();
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let (class, response) = match read_request(request).await {
        Ok(asked) => {
            let class = Class::of(&asked.method, &asked.url, &asked.headers);
            let (app, tls) = (app.clone(), auth::scheme(&asked.headers) == "https");
            let work = tokio::task::spawn_blocking(move || answer(&app, asked));
            let response = work.await.unwrap_or_else(|_| {
                ODataError::new(500, "0x80040216", "The server failed unexpectedly.").to_response()
            });
            (class, if tls { response.header("Strict-Transport-Security", TLS_ONLY) } else { response })
        }
        Err(error) => (Class::of(&method, &path, &Headers::new()), error.to_response()),
    };
    let elapsed = started.elapsed();
    app.metrics.ended(class, response.status, elapsed.as_secs_f64());
    let millis = elapsed.as_millis();
    // Paths and verbs are logged; queries and bodies hold personal data, and so may keys in a path.
    tracing::info!(%request_id, method, path = shape(&path), status = response.status, millis, "answered");
    to_http(secured(response).header(REQUEST_ID_HEADER, request_id.to_string()))
}

/// What every answer says to browsers.
fn secured(response: Response) -> Response {
    let response =
        response.header("X-Content-Type-Options", "nosniff").header("Referrer-Policy", "no-referrer");
    let is_data =
        response.headers.get("Content-Type").is_some_and(|kind| kind.starts_with("application/json"));
    let response = match is_data {
        true => response.header("Content-Security-Policy", DATA_POLICY),
        false => response,
    };
    match response.headers.get("Cross-Origin-Resource-Policy") {
        Some(_) => response,
        None => response.header("Cross-Origin-Resource-Policy", "same-origin"),
    }
}

/// A path without what stands in quotes: an alternate key may be a mail address.
fn shape(path: &str) -> String {
    let mut parts = path.split('\'').flat_map(|part| part.split("%27")).enumerate();
    let mut shape = String::new();
    parts.by_ref().for_each(|(at, part)| match at % 2 {
        0 => shape.push_str(part),
        _ => shape.push_str("'…'"),
    });
    shape
}

fn answer(app: &App, asked: Asked) -> Response {
    if !app.options.hosts.allow(asked.headers.get("Host").unwrap_or("localhost")) {
        return ODataError::new(421, "0x80048405", "This server does not answer to that host name.")
            .to_response();
    }
    let path = asked.path();
    let shared = API_ROOTS.iter().any(|root| is_below(path, root)) || is_below(path, "/oauth2");
    if !shared {
        return own(app, asked).unwrap_or_else(|error| error.to_response());
    }
    if cors::is_preflight(&asked.method, &asked.headers) {
        return cors::preflight(&app.options.origins, &asked.headers)
            .unwrap_or_else(|error| error.to_response());
    }
    let origin = asked.headers.get("Origin").map(str::to_owned);
    let headers: Headers = origin.iter().map(|origin| ("Origin", origin.as_str())).collect();
    let result = match path {
        "/oauth2/v2.0/token" => sign_in::token(app, &asked),
        _ => match API_ROOTS.iter().find(|root| is_below(path, root)) {
            Some(root) => api(app, root, asked),
            None => Err(ODataError::segment_not_found(path)),
        },
    };
    cors::expose(result.unwrap_or_else(|error| error.to_response()), &app.options.origins, &headers)
}

/// What belongs to this origin alone.
fn own(app: &App, asked: Asked) -> Result<Response> {
    let path = asked.path();
    match path {
        "/healthz" => health(app),
        "/metrics" => metrics(app, &asked),
        "/auth/sign-in" => sign_in::sign_in(app, &asked),
        "/auth/sign-out" => sign_in::sign_out(app, &asked),
        "/auth/who" => sign_in::who(app, &asked),
        _ if is_reserved(path) => Err(ODataError::segment_not_found(path)),
        _ => match &app.options.site {
            Some(folder) => site::answer(folder, &asked),
            None => Err(ODataError::segment_not_found(path)),
        },
    }
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

fn metrics(app: &App, asked: &Asked) -> Result<Response> {
    match app.options.metrics {
        MetricsAccess::Loopback if !asked.is_from_here() => Err(ODataError::segment_not_found("/metrics")),
        MetricsAccess::Loopback | MetricsAccess::Everybody => {
            Ok(app.metrics.respond(app.service.database().figures().now()))
        }
    }
}

fn api(app: &App, root: &str, asked: Asked) -> Result<Response> {
    let entered = now();
    let proof = Proof::of(&asked.headers);
    let user = auth::authenticate(app.service.database(), proof, entered)?;
    let method = Method::parse(&asked.method)
        .ok_or_else(|| ODataError::method_not_allowed(&asked.method, asked.path()))?;
    if method != Method::Get && matches!(proof, Proof::Cookie(_)) && !auth::allows_write(&asked.headers) {
        return Err(forged());
    }
    let host = asked.headers.get("Host").unwrap_or("localhost");
    let root = format!("{}://{host}{root}/", auth::scheme(&asked.headers));
    let mut request = Request { method, url: asked.url, headers: asked.headers, body: asked.body };
    request.check_content_type()?;
    // The root itself is also known without its last slash.
    if request.url.split('?').next().is_some_and(|path| root.ends_with(&format!("{path}/"))) {
        let at = request.url.find('?').unwrap_or(request.url.len());
        request.url.insert(at, '/');
    }
    Ok(throttled(app, user, entered, || {
        let answer = app.service.answer(user, &root, &request, entered);
        app.service.dated(answer, now())
    }))
}

/// Answers within what the caller may ask for. `entered` in milliseconds.
fn throttled(app: &App, user: Uuid, entered: i64, answer: impl FnOnce() -> Response) -> Response {
    let Some(throttle) = &app.throttle else { return answer() };
    let remaining = match throttle.enter(user, entered) {
        Ok(remaining) => remaining,
        Err(refusal) => {
            app.metrics.refused(refusal.limit);
            return refusal.to_response(&throttle.limits);
        }
    };
    // Left on every way out, a panic's too: the place would be lost.
    let started = Instant::now();
    let answer = std::panic::catch_unwind(std::panic::AssertUnwindSafe(answer));
    let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    throttle.leave(user, now(), took);
    match answer {
        Ok(response) => remaining.tell(response),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// 403: a page of another site made the browser send this.
pub(super) fn forged() -> ODataError {
    ODataError::new(403, "0x80048405", "The request does not come from this site's own pages.")
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn keys_in_a_path_are_not_logged() {
        fn check(path: &str, expected: &str) {
            assert_eq!(shape(path), expected);
        }
        check("/api/data/v9.2/accounts(1)", "/api/data/v9.2/accounts(1)");
        check("/x/contacts(emailaddress1='a@b.example')/name", "/x/contacts(emailaddress1='…')/name");
        check("/x/contacts(a=%27secret%27,b='it''s')", "/x/contacts(a='…',b='…''…')");
        check("/x/contacts(a='open", "/x/contacts(a='…'");
    }
}
