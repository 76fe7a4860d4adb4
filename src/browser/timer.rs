//! Waiting: a timer that stops when it is no longer waited for.

use futures_util::future::{select, Either};
use js_sys::{Function, Promise};
use std::future::Future;
use std::pin::pin;
use wasm_bindgen::prelude::{wasm_bindgen, JsValue};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, millis: u32) -> i32;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: i32);

    type MessageChannel;

    #[wasm_bindgen(constructor)]
    fn new() -> MessageChannel;

    #[wasm_bindgen(method, getter)]
    fn port1(this: &MessageChannel) -> MessagePort;

    #[wasm_bindgen(method, getter)]
    fn port2(this: &MessageChannel) -> MessagePort;

    type MessagePort;

    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &MessagePort, callback: &Function);

    #[wasm_bindgen(method, js_name = postMessage)]
    fn post_message(this: &MessagePort, message: &JsValue);

    #[wasm_bindgen(method)]
    fn close(this: &MessagePort);
}

/// Stops the timer when dropped; one that has fired is stopped without effect.
struct Timer(i32);

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(self.0);
    }
}

/// Comes back when whatever waits for this thread had its turn. A timer of nothing would take 4 ms from the sixth in a row on
/// (HTML, 8.6 Timers), and messages do not.
async fn turn() {
    let channel = MessageChannel::new();
    let (here, there) = (channel.port1(), channel.port2());
    let heard = Promise::new(&mut |resolve, _| here.set_onmessage(&resolve));
    there.post_message(&JsValue::NULL);
    // Nothing rejects it.
    let _ = JsFuture::from(heard).await;
    here.close();
}

/// Comes back after at least `millis`; with none, when whatever waits had its turn.
pub(super) async fn sleep(millis: u32) {
    if millis == 0 {
        return turn().await;
    }
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
