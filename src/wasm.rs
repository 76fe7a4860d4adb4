//! The surface of the module in JavaScript: conversions, and nothing else.

use crate::browser::{Browser, FetchTransport, IndexedDbStore};
use crate::engine::{Config, Engine, Identity, Profile, CONTROL_ROOT};
use crate::error::Error;
use flette_odata::{Method, ODataError, Request, Response};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use tsify::{Ts, Tsify};
use uuid::Uuid;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsError, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Path of the API on the origin of the worker.
const API_ROOT: &str = "/api/data/v9.2/";

/// Rows per pulled page unless the options say otherwise. The bodies of two pages are most of what a first sync holds at
/// its peak: half as many as Dataverse gives at most.
const PAGE_ROWS: u32 = 2_500;
/// The same of requests in a batch.
const BATCH_REQUESTS: u32 = 100;

/// What a replica is opened with.
#[derive(Debug, Deserialize, Tsify)]
pub struct OpenOptions {
    /// API root on this origin, such as `/api/data/v9.2/`, or the absolute URL of a CRM on another origin.
    root: String,
    /// Name of the IndexedDB database, made of origin, organization id and user id.
    database: String,
    /// `systemuserid` of the user, a GUID.
    #[tsify(type = "string")]
    user: Uuid,
    /// `businessunitid` of the user, a GUID.
    #[tsify(type = "string")]
    business_unit: Uuid,
    /// `organizationid`, a GUID; what `WhoAmI` answers offline.
    #[serde(default)]
    #[tsify(optional, type = "string")]
    organization: Uuid,
    /// Logical names in scope, in pull order.
    tables: Vec<String>,
    /// Rows per pulled page, 1 to 5000; 2500 by default.
    #[serde(default = "page_rows")]
    #[tsify(optional)]
    page_size: u32,
    /// Changes sent in one batch, 1 to 100; 100 by default. Of a change set all go in one.
    #[serde(default = "batch_requests")]
    #[tsify(optional)]
    batch_size: u32,
    /// The offline profile in JSON; see `docs/profile.md`.
    #[tsify(optional)]
    profile: Option<String>,
    /// `Authorization` header of the requests to the server; where it is absent a cookie speaks for the user.
    #[tsify(optional)]
    authorization: Option<String>,
}

fn page_rows() -> u32 {
    PAGE_ROWS
}

fn batch_requests() -> u32 {
    BATCH_REQUESTS
}

/// What a round came to.
#[derive(Debug, Serialize, Tsify)]
#[tsify(missing_as_null)]
pub struct Report {
    /// Whether everything that could be sent was sent, and everything pulled.
    ok: bool,
    /// Whether another round is due at once.
    more: bool,
    /// Requests that the server accepted.
    pushed: u64,
    /// Rows and deletions received.
    pulled: u64,
    /// Rows whose local edits were merged with the server's without a conflict.
    merged: u64,
    /// Conflicts written to the log.
    conflicts: u64,
    /// Entries set aside with the server's reason.
    parked: u64,
    /// Why the round stopped, for people.
    problem: Option<String>,
    /// How long the server wants to be left alone, in milliseconds.
    retry_after_millis: Option<u64>,
}

/// The engine over the replica of one user.
#[wasm_bindgen]
pub struct Flette {
    engine: Engine<Browser>,
    store: IndexedDbStore,
}

#[wasm_bindgen]
impl Flette {
    /// Opens the replica of one user, making it when there is none. Rejects when the options or the profile cannot be
    /// read or the database cannot be opened.
    pub async fn open(options: Ts<OpenOptions>) -> Result<Flette, JsError> {
        let options = options.to_rust().map_err(|error| JsError::new(&error.to_string()))?;
        let transport = match &options.authorization {
            Some(value) => FetchTransport::with_authorization(value.as_str()),
            None => FetchTransport::with_cookies(),
        };
        let config = config(options)?;
        let store = IndexedDbStore::open(&config.database).await?;
        let platform = Browser::new(store.clone(), transport);
        let engine = Engine::open(platform, config).await?;
        Ok(Flette { engine, store })
    }

    /// Answers a request below the API's root or `/flette/`. Never rejects: an error is a response.
    pub async fn handle(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        let answer = match read(&request).await {
            Ok(request) => self.engine.handle(request).await,
            Err(refusal) => refusal.to_response(),
        };
        write(&answer)
    }

    /// One pull and one push, if this context is the primary client and the server did not ask for patience. Never rejects.
    pub async fn round(&self) -> Result<Ts<Report>, JsError> {
        let report = self.engine.round_if_due().await;
        let report = Report {
            ok: report.ok,
            more: report.more,
            pushed: report.pushed,
            pulled: report.pulled,
            merged: report.merged,
            conflicts: report.conflicts,
            parked: report.parked,
            problem: report.problem,
            retry_after_millis: report.retry_after_millis,
        };
        report.into_ts().map_err(|error| JsError::new(&error.to_string()))
    }

    /// Whether the engine answers a path of this origin: the API's root and the control API.
    pub fn answers(path: &str) -> bool {
        path.starts_with(API_ROOT) || path.starts_with(CONTROL_ROOT) || path == API_ROOT.trim_end_matches('/')
    }

    /// Closes the database. Requests are answered with an error from then on.
    pub fn close(&self) {
        self.store.close();
    }

    /// Closes and deletes the database. Rejects when another context holds on to it.
    pub async fn destroy(&self) -> Result<(), JsError> {
        Ok(self.store.destroy().await?)
    }
}

fn config(options: OpenOptions) -> Result<Config, Error> {
    let profile = match &options.profile {
        Some(text) => Profile::read(text, &options.tables)?,
        None => Profile::default(),
    };
    Ok(Config {
        root: options.root,
        database: options.database,
        identity: Identity {
            user: options.user,
            business_unit: options.business_unit,
            organization: options.organization,
        },
        tables: options.tables,
        page_size: options.page_size,
        batch_size: options.batch_size,
        profile,
    })
}

/// The request; its URL stays absolute, so that links in the answer are.
async fn read(request: &web_sys::Request) -> Result<Request, ODataError> {
    let url = request.url();
    let url = url.split('#').next().unwrap_or_default();
    let verb = request.method();
    let method = Method::parse(&verb).ok_or_else(|| ODataError::method_not_allowed(&verb, url))?;
    let mut read = Request::new(method, url);
    for pair in request.headers().entries() {
        let fields = pair.ok().map(|pair| js_sys::Array::from(&pair));
        let text = |place: u32| fields.as_ref().and_then(|pair| pair.get(place).as_string());
        if let (Some(name), Some(value)) = (text(0), text(1)) {
            read.headers.push(&name, value);
        }
    }
    if method != Method::Get {
        let cut = |_: JsValue| ODataError::bad_request("The body of the request did not arrive.");
        let body = JsFuture::from(request.array_buffer().map_err(cut)?).await.map_err(cut)?;
        read.body = Uint8Array::new(&body).to_vec();
    }
    Ok(read)
}

/// The answer. A status that must not have a body (Fetch Standard, 2.2.3) gets none.
fn write(answer: &Response) -> Result<web_sys::Response, JsValue> {
    let headers = web_sys::Headers::new()?;
    for (name, value) in answer.headers.iter() {
        headers.append(name, value)?;
    }
    let init = web_sys::ResponseInit::new();
    init.set_status(answer.status);
    init.set_headers(&headers);
    if matches!(answer.status, 204 | 205 | 304) {
        return web_sys::Response::new_with_opt_str_and_init(None, &init);
    }
    let body = Uint8Array::new_from_slice(&answer.body);
    web_sys::Response::new_with_opt_js_u8_array_and_init(Some(&body), &init)
}
