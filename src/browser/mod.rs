//! The browser as a platform: IndexedDB, `fetch`, the wall clock, the browser's own source of chance, timers, Web
//! Locks. Runs in a service worker, a dedicated worker or a page alike: what it needs is looked up on the global object.

mod commit;
mod connection;
mod database;
mod locks;
mod space;
mod timer;
mod transport;
mod trouble;

pub use connection::OPEN_MILLIS_MAX;
pub use database::{IndexedDbStore, REOPENINGS_MAX};
pub use locks::WebLock;
pub use transport::{FetchTransport, ANSWER_MILLIS_MAX};

use crate::model::Millis;
use crate::platform::{Platform, Space};
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsCast;

/// Unit in which memory grows (WebAssembly Core Specification, 4.2.8).
const WASM_PAGE_BYTES: u64 = 65_536;

/// The engine's surroundings in a browser.
#[derive(Debug)]
pub struct Browser {
    store: IndexedDbStore,
    transport: FetchTransport,
}

impl Browser {
    /// A platform over an open store and a way to the server.
    pub fn new(store: IndexedDbStore, transport: FetchTransport) -> Browser {
        Browser { store, transport }
    }
}

impl Platform for Browser {
    type Store = IndexedDbStore;
    type Transport = FetchTransport;
    type Lock = WebLock;

    fn store(&self) -> &IndexedDbStore {
        &self.store
    }

    fn transport(&self) -> &FetchTransport {
        &self.transport
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole milliseconds within ±8.64e15 by ECMA-262, 21.4.1.1"
    )]
    fn now(&self) -> Millis {
        Millis(js_sys::Date::now() as i64)
    }

    fn random(&self, bytes: &mut [u8]) {
        random(bytes);
    }

    async fn sleep(&self, millis: u32) {
        timer::sleep(millis).await;
    }

    fn memory_bytes(&self) -> Option<u64> {
        let pages = u64::try_from(core::arch::wasm32::memory_size(0)).ok()?;
        pages.checked_mul(WASM_PAGE_BYTES)
    }

    async fn space(&self) -> Option<Space> {
        space::space().await
    }

    async fn try_lock(&self, name: &str) -> Option<WebLock> {
        locks::try_lock(name).await
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &js_sys::Uint8Array);
}

/// What `getRandomValues` gives in one call (Web Cryptography API, 10.1.1).
const RANDOM_BYTES_MAX: u32 = 65_536;
/// Bytes asked for at once: a change needs a few ids, and each way to the browser costs as much as all of them.
const AHEAD_BYTES: usize = 256;

thread_local! {
    /// Bytes that were asked for ahead; each is given once.
    static AHEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Fills `bytes` from the browser's cryptographic source.
fn random(bytes: &mut [u8]) {
    if bytes.len() > AHEAD_BYTES {
        return ask_random(bytes);
    }
    AHEAD.with_borrow_mut(|ahead| {
        if ahead.len() < bytes.len() {
            ahead.resize(AHEAD_BYTES, 0);
            ask_random(ahead);
        }
        let left = ahead.len() - bytes.len();
        bytes.copy_from_slice(&ahead[left..]);
        ahead.truncate(left);
    });
}

fn ask_random(bytes: &mut [u8]) {
    for part in bytes.chunks_mut(RANDOM_BYTES_MAX as usize) {
        let filled = js_sys::Uint8Array::new_from_slice(part);
        get_random_values(&filled);
        filled.copy_to(part);
    }
}

/// A property of the global object, where it is there and of the type asked for.
fn global<T: JsCast>(name: &str) -> Option<T> {
    js_sys::Reflect::get(&js_sys::global(), &name.into()).ok()?.dyn_into().ok()
}
