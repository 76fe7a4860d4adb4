//! Tests of the browser platform, run in a real browser's service worker.
#![cfg(target_arch = "wasm32")]

mod stores;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_service_worker);
