//! How much the browser lets this origin store.
//!
//! `web-sys` has the dictionary only as untyped members, so the one method used is declared here.

use super::global;
use crate::platform::Space;
use js_sys::{Object, Promise, Reflect};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    type StorageManager;

    #[wasm_bindgen(method, catch)]
    fn estimate(this: &StorageManager) -> Result<Promise, JsValue>;
}

/// What `navigator.storage.estimate()` says (Storage Standard, 5). `None` where the browser has no such thing, such as in
/// an insecure context and in Safari before 17.
pub(super) async fn space() -> Option<Space> {
    let navigator: JsValue = global::<Object>("navigator")?.into();
    let manager = Reflect::get(&navigator, &"storage".into()).ok().filter(JsValue::is_object)?;
    let manager: StorageManager = manager.unchecked_into();
    let estimate = JsFuture::from(manager.estimate().ok()?).await.ok()?;
    let bytes = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64().map(whole);
    Some(Space { quota_bytes: bytes("quota")?, used_bytes: bytes("usage")? })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a number of bytes is whole and not negative"
)]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}
