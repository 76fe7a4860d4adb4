//! Lost connections, other contexts, lost outcomes: what the conformance suite cannot know of.

use flette::browser::IndexedDbStore;
use flette::store::{Batch, Durability, KeyRange, Revision, Store, StoreError, Table, Write};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen(inline_js = "
export function deleteDatabase(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = () => resolve();
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(new Error('blocked'));
    });
}
export function upgradeDatabase(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.open(name, 1000);
        request.onsuccess = () => { request.result.close(); resolve(); };
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(new Error('blocked'));
    });
}
export async function databaseExists(name) {
    return (await indexedDB.databases()).some((database) => database.name === name);
}

// Faults. Each returns what takes it back.
function replace(prototype, name, make) {
    const real = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, make(real));
    return () => Object.defineProperty(prototype, name, real);
}
// The next `count` writing transactions land, but their handles hear an abort without a reason instead.
export function loseOutcomes(count) {
    return replace(IDBTransaction.prototype, 'oncomplete', (real) => ({
        configurable: true,
        set(listener) {
            const lost = this.mode === 'readwrite' && count-- > 0;
            real.set.call(this, lost ? (event) => this.onabort(event) : listener);
        },
    }));
}
// The next `count` writing transactions are aborted with this exception once all their writes were sent.
export function abortCommits(count, exception) {
    const error = replace(IDBTransaction.prototype, 'error', (real) => ({
        configurable: true,
        get() { return this.broken ?? real.get.call(this); },
    }));
    const commit = replace(IDBTransaction.prototype, 'commit', (real) => ({
        configurable: true,
        value() {
            if (count-- > 0) {
                this.broken = new DOMException('made by a test', exception);
                this.abort();
            } else {
                real.value.call(this);
            }
        },
    }));
    return () => { error(); commit(); };
}
// Every handle is closing: what the browser throws after a forced close.
export function refuseTransactions(count) {
    return replace(IDBDatabase.prototype, 'transaction', (real) => ({
        configurable: true,
        value(...args) {
            if (count-- > 0) {
                throw new DOMException('The database connection is closing.', 'InvalidStateError');
            }
            return real.value.apply(this, args);
        },
    }));
}
// The next open never fires any event.
export function hangOpen(count) {
    return replace(IDBFactory.prototype, 'open', (real) => ({
        configurable: true,
        value(...args) {
            return count-- > 0 ? new EventTarget() : real.value.apply(this, args);
        },
    }));
}
// The durabilities of the writing transactions from now on, in order.
export function watchDurability(seen) {
    return replace(IDBDatabase.prototype, 'transaction', (real) => ({
        configurable: true,
        value(...args) {
            const transaction = real.value.apply(this, args);
            if (transaction.mode === 'readwrite') {
                seen.push(`${transaction.durability} ${[...transaction.objectStoreNames].join(' ')}`);
            }
            return transaction;
        },
    }));
}
export function fireClose(count) {
    // A forced close cannot be had from inside: close the handles and tell them, as the browser does.
    return replace(IDBDatabase.prototype, 'transaction', (real) => ({
        configurable: true,
        value(...args) {
            if (count-- > 0) {
                this.close();
                this.dispatchEvent(new Event('close'));
            }
            return real.value.apply(this, args);
        },
    }));
}
export function undo(fault) { fault(); }
")]
extern "C" {
    #[wasm_bindgen(js_name = deleteDatabase, catch)]
    async fn delete_database(name: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = upgradeDatabase, catch)]
    async fn upgrade_database(name: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(js_name = databaseExists, catch)]
    async fn database_exists(name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = loseOutcomes)]
    pub(super) fn lose_outcomes(count: u32) -> JsValue;
    #[wasm_bindgen(js_name = abortCommits)]
    pub(super) fn abort_commits(count: u32, exception: &str) -> JsValue;
    #[wasm_bindgen(js_name = refuseTransactions)]
    pub(super) fn refuse_transactions(count: u32) -> JsValue;
    #[wasm_bindgen(js_name = hangOpen)]
    fn hang_open(count: u32) -> JsValue;
    #[wasm_bindgen(js_name = watchDurability)]
    fn watch_durability(seen: &js_sys::Array) -> JsValue;
    #[wasm_bindgen(js_name = fireClose)]
    pub(super) fn fire_close(count: u32) -> JsValue;
    fn undo(fault: &JsValue);
}

/// A fault that ends with the scope.
pub(super) struct Fault(pub(super) JsValue);

impl Drop for Fault {
    fn drop(&mut self) {
        undo(&self.0);
    }
}

pub(super) fn name() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub(super) async fn open(name: &str) -> IndexedDbStore {
    IndexedDbStore::open(name).await.expect("a database")
}

pub(super) fn batch(expected: u64, value: &[u8]) -> Batch {
    let put = Write::Put { table: Table::Journal, key: b"k".to_vec(), value: value.to_vec() };
    Batch { expected: Revision(expected), durability: Durability::Strict, writes: vec![put] }
}

async fn value(store: &IndexedDbStore) -> Option<Vec<u8>> {
    store.get(Table::Journal, b"k").await.expect("a read")
}

#[wasm_bindgen_test]
fn the_tests_run_in_a_service_worker() {
    let kind = js_sys::Object::get_prototype_of(&js_sys::global()).constructor().name();
    assert_eq!(kind, "ServiceWorkerGlobalScope");
}

#[wasm_bindgen_test]
async fn durability_and_scope_of_a_commit_are_as_the_batch_asks() {
    let store = open(&name()).await;
    let seen = js_sys::Array::new();
    let watch = Fault(watch_durability(&seen));
    store.commit(batch(0, b"1")).await.expect("a commit");
    let empty = Batch { expected: Revision(1), durability: Durability::Relaxed, writes: vec![] };
    store.commit(empty).await.expect("a commit");
    drop(watch);
    assert_eq!(seen.join(", "), "strict journal ledger, relaxed ledger");
}

#[wasm_bindgen_test]
async fn a_commit_whose_outcome_was_lost_is_written_once_and_reported_written() {
    let store = open(&name()).await;
    for lost in 1..=3_u32 {
        let expected = u64::from(lost) - 1;
        let fault = Fault(lose_outcomes(lost));
        assert_eq!(store.commit(batch(expected, &[1])).await, Ok(Revision(expected + 1)), "{lost} lost");
        drop(fault);
        assert_eq!(store.revision().await, Ok(Revision(expected + 1)), "{lost} lost");
    }
    assert_eq!(value(&store).await, Some(vec![1]));
}

#[wasm_bindgen_test]
async fn a_commit_that_never_hears_its_outcome_fails_after_three_reopenings() {
    let store = open(&name()).await;
    let fault = Fault(lose_outcomes(4));
    assert_eq!(store.commit(batch(0, b"1")).await, Err(StoreError::Closed));
    drop(fault);
    assert_eq!(store.revision().await, Ok(Revision(1)));
}

#[wasm_bindgen_test]
async fn a_commit_cut_off_before_it_landed_is_run_again_as_a_whole() {
    for exception in ["UnknownError", "AbortError", "InvalidStateError"] {
        let store = open(&name()).await;
        let fault = Fault(abort_commits(3, exception));
        assert_eq!(store.commit(batch(0, b"1")).await, Ok(Revision(1)), "{exception}");
        drop(fault);
        assert_eq!(value(&store).await, Some(b"1".to_vec()));
    }
}

#[wasm_bindgen_test]
async fn a_full_disk_is_told_and_nothing_is_written() {
    let store = open(&name()).await;
    store.commit(batch(0, b"kept")).await.expect("a commit");
    let fault = Fault(abort_commits(1, "QuotaExceededError"));
    assert_eq!(store.commit(batch(1, b"lost")).await, Err(StoreError::Full));
    drop(fault);
    assert_eq!(store.revision().await, Ok(Revision(1)));
    assert_eq!(value(&store).await, Some(b"kept".to_vec()));
    assert_eq!(store.commit(batch(1, b"next")).await, Ok(Revision(2)));
}

#[wasm_bindgen_test]
async fn a_handle_that_is_closing_is_replaced() {
    let store = open(&name()).await;
    store.commit(batch(0, b"1")).await.expect("a commit");
    let fault = Fault(refuse_transactions(1));
    assert_eq!(value(&store).await, Some(b"1".to_vec()));
    drop(fault);
    let fault = Fault(refuse_transactions(3));
    assert_eq!(store.commit(batch(1, b"2")).await, Ok(Revision(2)));
    drop(fault);
    let fault = Fault(refuse_transactions(u32::MAX));
    assert_eq!(store.revision().await, Err(StoreError::Closed));
    assert_eq!(store.commit(batch(2, b"3")).await, Err(StoreError::Closed));
    drop(fault);
    assert_eq!(store.scan(Table::Journal, KeyRange::all(), 9).await.expect("a scan").len(), 1);
    assert_eq!(value(&store).await, Some(b"2".to_vec()));
}

#[wasm_bindgen_test]
async fn a_forced_close_is_survived() {
    let store = open(&name()).await;
    let fault = Fault(fire_close(1));
    assert_eq!(store.commit(batch(0, b"1")).await, Ok(Revision(1)));
    drop(fault);
    let fault = Fault(fire_close(2));
    assert_eq!(value(&store).await, Some(b"1".to_vec()));
    drop(fault);
}

#[wasm_bindgen_test]
async fn an_open_that_never_answers_is_given_up_and_tried_again() {
    let name = name();
    let before = js_sys::Date::now();
    let fault = Fault(hang_open(1));
    let store = open(&name).await;
    drop(fault);
    assert!(js_sys::Date::now() - before >= f64::from(flette::browser::OPEN_MILLIS_MAX));
    assert_eq!(store.commit(batch(0, b"1")).await, Ok(Revision(1)));
}

#[wasm_bindgen_test]
async fn handles_give_way_to_a_deletion_and_stay_closed() {
    let name = name();
    let (left, right) = (open(&name).await, open(&name).await);
    left.commit(batch(0, b"1")).await.expect("a commit");
    delete_database(&name).await.expect("not blocked");
    for store in [&left, &right] {
        assert_eq!(store.get(Table::Journal, b"k").await, Err(StoreError::Closed));
        assert_eq!(store.commit(batch(0, b"2")).await, Err(StoreError::Closed));
        assert_eq!(store.revision().await, Err(StoreError::Closed));
    }
    let exists = database_exists(&name).await.expect("an answer");
    assert_eq!(exists, JsValue::FALSE, "a closed handle made the database again");
    assert_eq!(value(&open(&name).await).await, None);
}

#[wasm_bindgen_test]
async fn handles_give_way_to_newer_code() {
    let name = name();
    let store = open(&name).await;
    upgrade_database(&name).await.expect("not blocked");
    assert_eq!(store.revision().await, Err(StoreError::Closed));
    let reopened = IndexedDbStore::open(&name).await;
    assert!(matches!(reopened, Err(StoreError::Failed(words)) if words.contains("VersionError")));
}

#[wasm_bindgen_test]
async fn a_database_replaced_behind_a_lost_connection_is_not_taken_for_the_old_one() {
    let name = name();
    let store = open(&name).await;
    store.commit(batch(0, b"old")).await.expect("a commit");
    // The versionchange is the only word of it, and this handle has lost its connection before it came.
    let fault = Fault(fire_close(u32::MAX));
    assert_eq!(store.revision().await, Err(StoreError::Closed));
    drop(fault);
    delete_database(&name).await.expect("not blocked");
    let newer = open(&name).await;
    assert_eq!(newer.commit(batch(0, b"new")).await, Ok(Revision(1)));
    assert_eq!(store.commit(batch(1, b"old")).await, Err(StoreError::Closed));
    assert_eq!(store.get(Table::Journal, b"k").await, Err(StoreError::Closed));
    assert_eq!(value(&newer).await, Some(b"new".to_vec()));
}

#[wasm_bindgen_test]
async fn a_destroyed_database_is_gone() {
    let name = name();
    let (store, other) = (open(&name).await, open(&name).await);
    store.commit(batch(0, b"1")).await.expect("a commit");
    assert_eq!(store.destroy().await, Ok(()));
    assert_eq!(database_exists(&name).await, Ok(JsValue::FALSE));
    assert_eq!(store.revision().await, Err(StoreError::Closed));
    assert_eq!(other.revision().await, Err(StoreError::Closed));
    assert_eq!(value(&open(&name).await).await, None);
}

#[wasm_bindgen_test]
async fn a_dropped_commit_lands_whole_or_not_at_all() {
    use futures_util::future::{select, Either};
    use std::pin::pin;
    let store = open(&name()).await;
    let mut revision = 0_u64;
    for patience in 0..40_u32 {
        let value = vec![u8::try_from(patience).expect("small"); 1000];
        let mut writes = batch(revision, &value).writes;
        writes.push(Write::Put { table: Table::Meta, key: b"k".to_vec(), value: value.clone() });
        let commit =
            store.commit(Batch { expected: Revision(revision), durability: Durability::Relaxed, writes });
        // Drops the commit after some turns of the event loop, as the browser does when it ends a worker.
        let turns = async {
            for _ in 0..patience % 8 {
                let turn = js_sys::Promise::resolve(&JsValue::NULL);
                let _ = wasm_bindgen_futures::JsFuture::from(turn).await;
            }
        };
        drop(match select(pin!(commit), pin!(turns)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        });
        let now = store.revision().await.expect("a revision").0;
        let pair = (self::value(&store).await, store.get(Table::Meta, b"k").await.expect("a read"));
        assert!(now == revision || now == revision + 1);
        assert_eq!(pair.0, pair.1, "half a commit");
        assert_eq!(pair.0 == Some(value), now == revision + 1, "revision and values differ");
        revision = now;
    }
}
