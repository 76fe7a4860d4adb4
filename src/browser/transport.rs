//! The way to the server: `fetch`, with a time limit, past the HTTP cache, and never along a redirect.

use super::timer;
use crate::platform::{Transport, TransportError};
use flette_odata::{Headers, Method, Request, Response};
use gloo_net::http::{Method as Verb, RequestBuilder, Response as Answer};
use web_sys::{AbortController, RequestCache, RequestCredentials, RequestRedirect, ResponseType};

/// Time for a whole answer, body included, in milliseconds. Chromium may end a worker whose own `fetch` is not answered
/// within the same time, so waiting longer gains nothing.
pub const ANSWER_MILLIS_MAX: u32 = 30_000;

/// Headers that speak of the bytes on the wire; `fetch` gives the body without its encoding.
const DECODED: [&str; 3] = ["content-encoding", "content-length", "transfer-encoding"];

/// Sends requests with `fetch`.
///
/// A server on this origin gets this origin's cookies; a server on another origin gets the bearer token when there is
/// one, and its own cookies when there is none.
#[derive(Debug, Clone, Default)]
pub struct FetchTransport {
    authorization: Option<String>,
}

impl FetchTransport {
    /// A transport that relies on the session cookie.
    pub fn with_cookies() -> FetchTransport {
        FetchTransport::default()
    }

    /// A transport that sends this `Authorization` header, such as `Bearer …`, unless a request has its own.
    pub fn with_authorization(value: impl Into<String>) -> FetchTransport {
        FetchTransport { authorization: Some(value.into()) }
    }

    fn credentials(&self, url: &str) -> RequestCredentials {
        match (url.starts_with('/'), &self.authorization) {
            (true, _) => RequestCredentials::SameOrigin,
            (false, Some(_)) => RequestCredentials::Omit,
            (false, None) => RequestCredentials::Include,
        }
    }

    async fn fetch(&self, request: Request, abort: &AbortController) -> Result<Response, TransportError> {
        let mut builder = RequestBuilder::new(&request.url)
            .method(verb(request.method))
            .cache(RequestCache::NoStore)
            .redirect(RequestRedirect::Manual)
            .credentials(self.credentials(&request.url))
            .abort_signal(Some(&abort.signal()));
        for (name, value) in request.headers.iter() {
            builder = builder.header(name, value);
        }
        if let (Some(value), None) = (&self.authorization, request.headers.get("Authorization")) {
            builder = builder.header("Authorization", value);
        }
        let fetched = if request.body.is_empty() {
            builder.build()
        } else {
            builder.body(js_sys::Uint8Array::new_from_slice(&request.body))
        };
        let fetched = fetched.map_err(|error| TransportError::Unreachable(error.to_string()))?;
        let answer = fetched.send().await.map_err(|error| TransportError::Unreachable(error.to_string()))?;
        response(answer).await
    }
}

impl Transport for FetchTransport {
    /// A redirect comes back as status 302 without a `Location`: `fetch` hides which redirect it was and where to. It is
    /// what a server does that sends the signed-out to a page to sign in.
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let Ok(abort) = AbortController::new() else {
            return Err(TransportError::Unreachable("this context cannot send requests".to_owned()));
        };
        let abort = AbortOnDrop(abort);
        timer::within(ANSWER_MILLIS_MAX, self.fetch(request, &abort.0))
            .await
            .unwrap_or(Err(TransportError::Timeout))
    }
}

/// Ends the request when its time is up or nobody waits for it; one that is through is not touched.
struct AbortOnDrop(AbortController);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn verb(method: Method) -> Verb {
    match method {
        Method::Get => Verb::GET,
        Method::Post => Verb::POST,
        Method::Patch => Verb::PATCH,
        Method::Put => Verb::PUT,
        Method::Delete => Verb::DELETE,
    }
}

async fn response(answer: Answer) -> Result<Response, TransportError> {
    if answer.type_() == ResponseType::Opaqueredirect {
        return Ok(Response { status: 302, headers: Headers::new(), body: Vec::new() });
    }
    let status = answer.status();
    let is_of_bytes = |(name, _): &(String, String)| !DECODED.contains(&name.as_str());
    let headers: Headers = answer.headers().entries().filter(is_of_bytes).collect();
    let body = answer.binary().await.map_err(|error| TransportError::Cut(error.to_string()))?;
    Ok(Response { status, headers, body })
}
