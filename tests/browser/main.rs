//! Tests of the browser platform, run in a real browser's service worker.
#![cfg(target_arch = "wasm32")]

mod chance;
mod locks;
mod lost;
mod stores;
mod surface;
mod transport;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_service_worker);
