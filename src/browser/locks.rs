//! Web Locks: one holder per name among all pages and workers of the origin. A lock says who should run a round; it is
//! no fence, as it can be stolen and its holder frozen. The fence is the revision checked in every commit.
//!
//! `web-sys` has the interface only behind a compiler flag, so the three members used are declared here.

use super::{global, timer};
use futures_channel::oneshot;
use futures_util::future::{select, Either, FutureExt};
use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::{wasm_bindgen, Closure};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        options: &Object,
        granted: &Function,
    ) -> Result<Promise, JsValue>;
}

/// A held lock; released when dropped, and by the browser when its context ends.
#[derive(Debug)]
pub struct WebLock {
    release: Function,
}

impl Drop for WebLock {
    fn drop(&mut self) {
        // Resolving a promise does not throw.
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// How often a lock is asked for that somebody holds: it may be this context, which has just released it.
const TRIES: u32 = 3;
/// How long the browser may take to hear of a release, milliseconds.
const RELEASE_MILLIS: u32 = 20;

/// The lock `name` if nobody holds it. `None` also where the browser has no Web Locks (an insecure context, Safari
/// before 15.4): such a context never becomes primary.
///
/// A release is heard of by the browser some time after the guard was dropped, and later than a request made at once, so
/// that a second round in a row would take the first one for another context.
pub(super) async fn try_lock(name: &str) -> Option<WebLock> {
    for _ in 1..TRIES {
        if let Some(lock) = ask(name).await {
            return Some(lock);
        }
        timer::sleep(RELEASE_MILLIS).await;
    }
    ask(name).await
}

async fn ask(name: &str) -> Option<WebLock> {
    let navigator: JsValue = global::<Object>("navigator")?.into();
    let manager = Reflect::get(&navigator, &"locks".into()).ok().filter(JsValue::is_object)?;
    let manager: LockManager = manager.unchecked_into();
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE).ok()?;
    let (sender, answer) = oneshot::channel();
    let granted = Closure::once_into_js(move |lock: JsValue| -> JsValue {
        if lock.is_null() {
            drop(sender);
            return JsValue::UNDEFINED;
        }
        let (guard, held) = hold();
        if let Some(guard) = guard {
            // When nobody waits any more the guard comes back in the error and is dropped, which releases the lock.
            drop(sender.send(guard));
        }
        held.into()
    });
    let request = manager.request(name, &options, granted.unchecked_ref()).ok()?;
    // The request settles before the grant only when it fails; when the lock is stolen later, the rejection is taken
    // here and the guard guards nothing from then on.
    match select(answer, JsFuture::from(request)).await {
        Either::Left((lock, _)) => lock.ok(),
        Either::Right((_, answer)) => answer.now_or_never()?.ok(),
    }
}

/// A guard, and the promise that keeps the lock until the guard is dropped.
fn hold() -> (Option<WebLock>, Promise) {
    let mut guard = None;
    let held = Promise::new(&mut |release, _| guard = Some(WebLock { release }));
    (guard, held)
}
