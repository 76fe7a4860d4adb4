//! `fetch` against the server that serves these tests, and against nobody.

use flette::browser::FetchTransport;
use flette::platform::{Transport, TransportError};
use flette_odata::{Method, Request};
use wasm_bindgen_test::wasm_bindgen_test;

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
