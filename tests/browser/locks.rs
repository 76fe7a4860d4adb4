//! Web Locks: one holder per name.

use flette::browser::{Browser, FetchTransport, IndexedDbStore};
use flette::platform::Platform;
use wasm_bindgen_test::wasm_bindgen_test;

async fn browser() -> Browser {
    let store = IndexedDbStore::open("locks").await.expect("a database");
    Browser::new(store, FetchTransport::with_cookies())
}

#[wasm_bindgen_test]
async fn a_lock_has_one_holder_until_it_is_dropped() {
    let (left, right) = (browser().await, browser().await);
    let name = uuid::Uuid::new_v4().to_string();
    for _ in 0..3 {
        let held = left.try_lock(&name).await;
        assert!(held.is_some());
        assert!(left.try_lock(&name).await.is_none());
        assert!(right.try_lock(&name).await.is_none());
        assert!(right.try_lock(&format!("{name} other")).await.is_some());
        drop(held);
        assert!(right.try_lock(&name).await.is_some(), "a lock that was just released can be had");
    }
}

#[wasm_bindgen_test]
async fn the_clock_ticks_chance_varies_and_sleep_takes_its_time() {
    let browser = browser().await;
    let before = browser.now();
    browser.sleep(30).await;
    let slept = browser.now().0 - before.0;
    assert!((29..5_000).contains(&slept), "{slept} ms");
    assert!(before.0 > 1_700_000_000_000, "{before:?}");
    let mut chance = [vec![0; 70_000], vec![0; 70_000]];
    chance.iter_mut().for_each(|bytes| browser.random(bytes));
    assert_ne!(chance[0][..16], chance[1][..16]);
    assert_ne!(chance[0][69_984..], [0; 16]);
}
