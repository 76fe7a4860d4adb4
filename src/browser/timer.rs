//! Waiting: a timer that stops when it is no longer waited for.

use futures_util::future::{select, Either};
use js_sys::{Function, Promise};
use std::future::Future;
use std::pin::pin;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, millis: u32) -> i32;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: i32);
}

/// Stops the timer when dropped; one that has fired is stopped without effect.
struct Timer(i32);

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.0);
    }
}

/// Comes back after at least `millis`.
pub(super) async fn sleep(millis: u32) {
    let mut timer = None;
    let fired = Promise::new(&mut |resolve, _| timer = Some(Timer(set_timeout(&resolve, millis))));
    // The promise of a timer is never rejected.
    let _ = JsFuture::from(fired).await;
    drop(timer);
}

/// What `work` came to, or `None` when it took longer than `millis`; then it is dropped.
pub(super) async fn within<T>(millis: u32, work: impl Future<Output = T>) -> Option<T> {
    match select(pin!(work), pin!(sleep(millis))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(((), _)) => None,
    }
}
