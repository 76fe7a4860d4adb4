//! The module as JavaScript sees it.

use flette::browser::IndexedDbStore;
use flette::store::{Revision, Store};
use flette::wasm::Flette;
use tsify::Ts;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{Request, RequestInit, Response};

const OPTIONS: &str = r#"{
    "root": "/api/data/v9.2/", "user": "0b7e0f6e-7a43-4a0e-9d0c-6f8a3c1d2e4f", "page_size": 5000,
    "business_unit": "5f0d3a0c-2f0e-4a53-8a44-31b5b1b0c1d2", "tables": ["account", "contact"]
}"#;

fn options(database: &str) -> JsValue {
    let options = js_sys::JSON::parse(OPTIONS).expect("JSON");
    js_sys::Reflect::set(&options, &"database".into(), &database.into()).expect("an object");
    options
}

async fn open(options: JsValue) -> Result<Flette, JsValue> {
    Flette::open(Ts::new_unchecked(options)).await.map_err(JsValue::from)
}

async fn ask(engine: &Flette, method: &str, url: &str, body: Option<&str>) -> (Response, String) {
    let init = RequestInit::new();
    init.set_method(method);
    if let Some(body) = body {
        init.set_body(&body.into());
    }
    let request = Request::new_with_str_and_init(url, &init).expect("a request");
    let response = engine.handle(request).await.expect("an answer, never a rejection");
    let text = JsFuture::from(response.text().expect("a body")).await.expect("a text");
    (response, text.as_string().expect("a text"))
}

fn message(error: &JsValue) -> String {
    error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message())).unwrap_or_default()
}

#[wasm_bindgen_test]
async fn options_that_cannot_be_read_are_refused() {
    for broken in [JsValue::UNDEFINED, JsValue::from_str("options"), js_sys::Object::new().into()] {
        assert!(open(broken).await.is_err());
    }
    let broken = options("never opened");
    js_sys::Reflect::set(&broken, &"user".into(), &"not a GUID".into()).expect("an object");
    let error = open(broken).await.err().expect("a refusal");
    assert!(message(&error).contains("UUID"), "{error:?}");
}

#[wasm_bindgen_test]
async fn requests_are_answered_in_bytes_status_and_headers() {
    let engine = open(options(&uuid::Uuid::new_v4().to_string())).await.expect("an engine");
    let (response, text) = ask(&engine, "GET", "/flette/status", None).await;
    assert_eq!(response.status(), 200, "{text}");
    let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(status["pending"], 0);
    assert_eq!(status["tables"][1]["name"], "contact");

    let (response, text) = ask(&engine, "POST", "/flette/nothing", Some("{}")).await;
    assert_eq!(response.status(), 404);
    assert!(text.contains("\"error\"") && text.contains("\"code\""), "{text}");

    let (response, text) = ask(&engine, "OPTIONS", "/api/data/v9.2/accounts", None).await;
    assert_eq!(response.status(), 405, "{text}");

    let (response, text) = ask(&engine, "GET", "/api/data/v9.2/accounts", None).await;
    assert!(response.headers().get("Flette-Source").expect("headers").is_some(), "{text}");

    let (response, text) = ask(&engine, "POST", "/flette/sign-out", Some("{\"unsent\":\"discard\"}")).await;
    assert_eq!((response.status(), text.as_str()), (204, ""));
}

#[wasm_bindgen_test]
async fn a_round_is_reported_and_never_rejects() {
    let engine = open(options(&uuid::Uuid::new_v4().to_string())).await.expect("an engine");
    let report: JsValue = engine.round().await.map_err(JsValue::from).expect("a report").into();
    let field = |name: &str| js_sys::Reflect::get(&report, &name.into()).expect("an object");
    for name in ["ok", "more"] {
        assert!(field(name).as_bool().is_some(), "{name}");
    }
    for name in ["pushed", "pulled", "conflicts", "parked"] {
        assert_eq!(field(name).as_f64(), Some(0.0), "{name}");
    }
    assert!(field("retry_after_millis").is_null() || field("retry_after_millis").as_f64().is_some());
    assert!(field("problem").is_null() || field("problem").is_string());
}

#[wasm_bindgen_test]
fn paths_of_the_engine_are_known() {
    let cases = [
        ("/api/data/v9.2/accounts", true),
        ("/api/data/v9.2/", true),
        ("/api/data/v9.2", true),
        ("/flette/status", true),
        ("/api/data/v9.20/accounts", false),
        ("/flette", false),
        ("/flette_bg.wasm", false),
        ("/auth/who", false),
        ("/", false),
    ];
    for (path, answered) in cases {
        assert_eq!(Flette::answers(path), answered, "{path}");
    }
}

#[wasm_bindgen_test]
async fn a_destroyed_engine_answers_with_errors_and_leaves_no_database() {
    let name = uuid::Uuid::new_v4().to_string();
    let engine = open(options(&name)).await.expect("an engine");
    engine.destroy().await.map_err(JsValue::from).expect("a deletion");
    let (response, _) = ask(&engine, "GET", "/api/data/v9.2/accounts", None).await;
    assert!(response.status() >= 400, "{}", response.status());
    engine.close();
    let store = IndexedDbStore::open(&name).await.expect("a new database");
    assert_eq!(store.revision().await, Ok(Revision(0)));
}
