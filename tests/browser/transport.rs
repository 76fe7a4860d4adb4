//! `fetch` against the server that serves these tests, against nobody, and against servers that fail in other ways.

use flette::browser::{FetchTransport, ANSWER_MILLIS_MAX};
use flette::platform::{Transport, TransportError};
use flette_odata::{Method, Request};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen(inline_js = "
// Puts another `fetch` in the place of the real one, and tells how each request was made.
function become(seen, answer) {
    const real = self.fetch;
    self.fetch = async (request) => {
        const { method, cache, redirect, credentials } = request;
        const header = request.headers.get('authorization');
        seen.push([method, cache, redirect, credentials, header, await request.clone().text()].join(' '));
        return answer(request);
    };
    return () => { self.fetch = real; };
}
export function watchFetch(seen) {
    return become(seen, () => new Response('{}', { headers: { 'content-encoding': 'gzip', 'etag': 'W/1' } }));
}
export function cutFetch(seen) {
    const cut = { pull(body) { body.enqueue(new Uint8Array(9)); body.error(new TypeError('cut off')); } };
    return become(seen, () => new Response(new ReadableStream(cut)));
}
// Never answers, until it is aborted. Timers run a thousand times as fast.
export function hangFetch(seen) {
    const real = self.setTimeout;
    self.setTimeout = (callback, millis) => real(callback, millis / 1000);
    const undo = become(seen, (request) => new Promise((_, reject) => {
        request.signal.onabort = () => { seen.push('aborted'); reject(request.signal.reason); };
    }));
    return () => { self.setTimeout = real; undo(); };
}
export function undo(fault) { fault(); }
")]
extern "C" {
    #[wasm_bindgen(js_name = watchFetch)]
    fn watch_fetch(seen: &js_sys::Array) -> JsValue;
    #[wasm_bindgen(js_name = cutFetch)]
    fn cut_fetch(seen: &js_sys::Array) -> JsValue;
    #[wasm_bindgen(js_name = hangFetch)]
    fn hang_fetch(seen: &js_sys::Array) -> JsValue;
    fn undo(fault: &JsValue);
}

/// Another `fetch`, until the end of the scope.
struct Instead(JsValue);

impl Drop for Instead {
    fn drop(&mut self) {
        undo(&self.0);
    }
}

#[wasm_bindgen_test]
async fn an_answer_comes_with_status_headers_and_bytes() {
    let transport = FetchTransport::with_authorization("Bearer of these tests");
    let answer = transport.send(Request::get("/")).await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.headers.get("Content-Type").is_some_and(|kind| kind.contains("html")));
    assert!(answer.body.starts_with(b"<"), "{} bytes", answer.body.len());
}

#[wasm_bindgen_test]
async fn a_refusal_is_an_answer() {
    let request = Request::new(Method::Patch, "/nothing/here").json(b"{}".as_slice());
    let answer = FetchTransport::with_cookies().send(request).await.expect("an answer");
    assert!((400..500).contains(&answer.status), "{}", answer.status);
}

#[wasm_bindgen_test]
async fn a_closed_port_is_unreachable() {
    let answer = FetchTransport::with_cookies().send(Request::get("http://127.0.0.1:9/")).await;
    assert!(matches!(answer, Err(TransportError::Unreachable(_))), "{answer:?}");
}

#[wasm_bindgen_test]
async fn requests_pass_the_cache_follow_nothing_and_carry_what_speaks_for_the_user() {
    let seen = js_sys::Array::new();
    let instead = Instead(watch_fetch(&seen));
    let (cookies, bearer) = (FetchTransport::with_cookies(), FetchTransport::with_authorization("Bearer b"));
    let far = "http://crm.example/api/data/v9.2/accounts";
    let patch = Request::new(Method::Patch, "/api/data/v9.2/accounts").json(b"{\"a\":1}".as_slice());
    let own = Request::get("/x").header("Authorization", "Bearer of its own");
    for (transport, request) in [
        (&cookies, Request::get("/api/data/v9.2/accounts")),
        (&cookies, Request::get(far)),
        (&bearer, Request::get("/api/data/v9.2/accounts")),
        (&bearer, Request::new(Method::Delete, far)),
        (&bearer, own),
        (&cookies, patch),
    ] {
        let answer = transport.send(request).await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"{}".as_slice()));
        assert_eq!(answer.headers.get("ETag"), Some("W/1"));
        assert_eq!(answer.headers.get("Content-Encoding"), None, "the body is decoded already");
    }
    drop(instead);
    let seen: Vec<String> = seen.iter().filter_map(|line| line.as_string()).collect();
    assert_eq!(
        seen,
        [
            "GET no-store manual same-origin  ",
            "GET no-store manual include  ",
            "GET no-store manual same-origin Bearer b ",
            "DELETE no-store manual omit Bearer b ",
            "GET no-store manual same-origin Bearer of its own ",
            "PATCH no-store manual same-origin  {\"a\":1}",
        ]
    );
}

#[wasm_bindgen_test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let instead = Instead(cut_fetch(&js_sys::Array::new()));
    let answer = FetchTransport::with_cookies().send(Request::get("/")).await;
    drop(instead);
    assert!(matches!(answer, Err(TransportError::Cut(_))), "{answer:?}");
}

#[wasm_bindgen_test]
async fn an_answer_that_does_not_come_is_given_up_and_aborted() {
    let seen = js_sys::Array::new();
    let before = js_sys::Date::now();
    let instead = Instead(hang_fetch(&seen));
    let answer = FetchTransport::with_cookies().send(Request::get("/")).await;
    drop(instead);
    let waited = (js_sys::Date::now() - before) * 1000.0;
    assert_eq!(answer, Err(TransportError::Timeout));
    assert!(waited + 2000.0 >= f64::from(ANSWER_MILLIS_MAX), "{waited} ms of fast time");
    assert_eq!(seen.get(1).as_string().as_deref(), Some("aborted"));
}
