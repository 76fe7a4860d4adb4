//! What every store must do, as cases over any back end. A back end joins in one line:
//! `store_conformance!(native, MyBackend::new())`, or `browser` in place of `native`.
//!
//! A case panics where the store breaks the contract of [`Store`]; it is for tests only.

use super::{Batch, Durability, KeyRange, Pair, Revision, Store, StoreError, Table, Write};
use futures_util::future::join;

/// Makes handles to stores.
#[allow(async_fn_in_trait)]
pub trait Backend {
    /// The store under test.
    type Store: Store;

    /// A new handle to the store `name`: empty when the name is new, otherwise with everything committed before.
    async fn open(&self, name: &str) -> Self::Store;
}

/// One test per case of the suite. `native` blocks on each, `browser` makes each a `wasm_bindgen_test`.
///
/// The expression is evaluated anew for every case.
#[macro_export]
macro_rules! store_conformance {
    ($mode:ident, $backend:expr) => {
        $crate::store_conformance! { @each $mode, $backend,
            a_new_store_is_empty
            a_value_comes_back_as_it_was_put
            the_last_put_wins
            tables_do_not_share_keys
            keys_are_ordered_bytewise
            scans_keep_to_their_range
            scans_keep_to_their_limit
            scans_go_on_after_the_last_key
            long_scans_are_whole
            snapshots_hold_every_range
            visits_see_every_pair_once_and_in_order
            prefixes_end_where_they_should
            empty_keys_and_values_count
            large_values_come_back_whole
            writes_of_a_batch_happen_in_order
            a_batch_over_all_tables_is_one_step
            range_deletes_keep_to_their_range
            every_commit_adds_one
            a_stale_batch_writes_nothing
            a_batch_from_the_future_is_stale
            commits_outlive_the_handle
            handles_see_each_others_commits
            of_two_racing_commits_one_wins
            both_durabilities_commit
        }
    };
    (@each native, $backend:expr, $($case:ident)*) => { $(
        #[test]
        fn $case() {
            pollster::block_on($crate::store::conformance::$case(&$backend));
        }
    )* };
    (@each browser, $backend:expr, $($case:ident)*) => { $(
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $case() {
            $crate::store::conformance::$case(&$backend).await;
        }
    )* };
}

/// Revision 0, no value, no pair.
pub async fn a_new_store_is_empty<B: Backend>(backend: &B) {
    let store = backend.open("new").await;
    assert_eq!(store.revision().await, Ok(Revision(0)));
    for table in Table::ALL {
        assert_eq!(store.get(table, b"key").await, Ok(None));
        assert_eq!(store.scan(table, KeyRange::all(), u32::MAX).await, Ok(Vec::new()));
    }
}

/// Every byte survives, in keys and values.
pub async fn a_value_comes_back_as_it_was_put<B: Backend>(backend: &B) {
    let store = backend.open("bytes").await;
    let all: Vec<u8> = (0..=u8::MAX).collect();
    commit(&store, vec![put(Table::Meta, &all, &all), put(Table::Meta, b"\0", b"\0\0")]).await;
    assert_eq!(store.get(Table::Meta, &all).await, Ok(Some(all.clone())));
    assert_eq!(store.get(Table::Meta, b"\0").await, Ok(Some(b"\0\0".to_vec())));
    assert_eq!(store.get(Table::Meta, &all[..255]).await, Ok(None));
    assert_eq!(scan(&store, Table::Meta, KeyRange::all()).await, [pair(b"\0", b"\0\0"), pair(&all, &all)]);
}

/// A later batch replaces; a deleted key is gone; deleting what is not there is no error.
pub async fn the_last_put_wins<B: Backend>(backend: &B) {
    let store = backend.open("replace").await;
    commit(&store, vec![put(Table::IdMap, b"k", b"first, and longer")]).await;
    commit(&store, vec![put(Table::IdMap, b"k", b"second")]).await;
    assert_eq!(store.get(Table::IdMap, b"k").await, Ok(Some(b"second".to_vec())));
    commit(&store, vec![delete(Table::IdMap, b"k"), delete(Table::IdMap, b"never")]).await;
    assert_eq!(store.get(Table::IdMap, b"k").await, Ok(None));
    assert_eq!(scan(&store, Table::IdMap, KeyRange::all()).await, []);
}

/// One key, six values.
pub async fn tables_do_not_share_keys<B: Backend>(backend: &B) {
    let store = backend.open("tables").await;
    let writes = Table::ALL.iter().map(|&table| put(table, b"k", table.name().as_bytes())).collect();
    commit(&store, writes).await;
    commit(&store, vec![delete(Table::Schema, b"k")]).await;
    for table in Table::ALL {
        let expected = (table != Table::Schema).then(|| table.name().as_bytes().to_vec());
        assert_eq!(store.get(table, b"k").await, Ok(expected), "{}", table.name());
    }
}

/// Shorter before longer, 0x7f before 0x80, whatever the order of the puts.
pub async fn keys_are_ordered_bytewise<B: Backend>(backend: &B) {
    let store = backend.open("order").await;
    let sorted: [&[u8]; 9] = [b"\0", b"\0\0", b"\0\xff", b"a", b"a\0", b"aa", b"b", b"\x7f", b"\x80"];
    let shuffled = [4, 8, 0, 2, 6, 1, 7, 3, 5].map(|place: usize| sorted[place]);
    commit(&store, shuffled.iter().map(|key| put(Table::Segment, key, key)).collect()).await;
    assert_eq!(keys(&scan(&store, Table::Segment, KeyRange::all()).await), sorted);
}

/// The start is in, the end is out; empty and inverted ranges hold nothing.
pub async fn scans_keep_to_their_range<B: Backend>(backend: &B) {
    let store = backend.open("ranges").await;
    put_keys(&store, Table::Journal, &[b"a", b"b", b"b\0", b"c"]).await;
    let cases: [RangeCase; 9] = [
        (b"", None, &[b"a", b"b", b"b\0", b"c"]),
        (b"b", None, &[b"b", b"b\0", b"c"]),
        (b"b\0", Some(b"c"), &[b"b\0"]),
        (b"a", Some(b"b"), &[b"a"]),
        (b"", Some(b"a"), &[]),
        (b"d", None, &[]),
        (b"b", Some(b"b"), &[]),
        (b"c", Some(b"a"), &[]),
        (b"", Some(b""), &[]),
    ];
    for (start, end, expected) in cases {
        let found = scan(&store, Table::Journal, range(start, end)).await;
        assert_eq!(keys(&found), expected, "{start:?}..{end:?}");
    }
}

/// At most `limit`, from the front; 0 is none.
pub async fn scans_keep_to_their_limit<B: Backend>(backend: &B) {
    let store = backend.open("limits").await;
    put_keys(&store, Table::Journal, &[b"a", b"b", b"c"]).await;
    for (limit, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (u32::MAX, 3)] {
        let found = store.scan(Table::Journal, KeyRange::all(), limit).await.expect("scan");
        assert_eq!(keys(&found), [b"a", b"b", b"c"][..expected], "limit {limit}");
    }
}

/// Pages of one: the last key with a zero byte appended is the next start.
pub async fn scans_go_on_after_the_last_key<B: Backend>(backend: &B) {
    let store = backend.open("pages").await;
    put_keys(&store, Table::Journal, &[b"a", b"a\0", b"a\0\0", b"a\x01", b"b"]).await;
    let mut found = Vec::new();
    let mut start = Vec::new();
    while let [(key, _)] =
        &store.scan(Table::Journal, KeyRange { start: start.clone(), end: None }, 1).await.expect("scan")[..]
    {
        found.push(key.clone());
        start = [key.as_slice(), b"\0"].concat();
        assert!(found.len() <= 5, "the scan does not come to an end");
    }
    let expected: [&[u8]; 5] = [b"a", b"a\0", b"a\0\0", b"a\x01", b"b"];
    assert_eq!(found, expected);
}

/// More pairs than any back end reads at once.
pub async fn long_scans_are_whole<B: Backend>(backend: &B) {
    const PAIRS: u32 = 1_500;
    let store = backend.open("long").await;
    let key = |place: u32| place.to_be_bytes();
    commit(&store, (0..PAIRS).rev().map(|n| put(Table::Journal, &key(n), &key(n))).collect()).await;
    let expected: Vec<Pair> = (0..PAIRS).map(|n| pair(&key(n), &key(n))).collect();
    assert!(scan(&store, Table::Journal, KeyRange::all()).await == expected, "not the whole table");
    let part = store.scan(Table::Journal, range(&key(100), Some(&key(1_400))), 1_200).await;
    assert!(part == Ok(expected[100..1_300].to_vec()), "not the part asked for");
}

/// Several ranges at once, one of them longer than any back end reads at once, one empty, two of one table.
pub async fn snapshots_hold_every_range<B: Backend>(backend: &B) {
    const PAIRS: u32 = 1_500;
    let store = backend.open("snapshot").await;
    let key = |place: u32| place.to_be_bytes();
    commit(&store, (0..PAIRS).map(|n| put(Table::Journal, &key(n), &key(n))).collect()).await;
    put_keys(&store, Table::Meta, &[b"one", b"one\0", b"one more", b"two"]).await;
    let ranges = [
        (Table::Meta, KeyRange::only(b"one")),
        (Table::Journal, KeyRange::all()),
        (Table::Conflict, KeyRange::all()),
        (Table::Meta, KeyRange::prefix(b"one")),
    ];
    let (revision, found) = store.snapshot(&ranges).await.expect("snapshot");
    assert_eq!(revision, Revision(2));
    assert_eq!(keys(&found[0]), [b"one"]);
    let expected: Vec<Pair> = (0..PAIRS).map(|n| pair(&key(n), &key(n))).collect();
    assert!(found[1] == expected, "not the whole table");
    assert!(found[2].is_empty());
    let expected: [&[u8]; 3] = [b"one", b"one\0", b"one more"];
    assert_eq!(keys(&found[3]), expected);
    assert_eq!(store.snapshot(&[]).await, Ok((Revision(2), Vec::new())));
}

/// Numbers of pairs around what back ends ask for at once, within neighbours that do not belong.
pub async fn visits_see_every_pair_once_and_in_order<B: Backend>(backend: &B) {
    let store = backend.open("visits").await;
    put_keys(&store, Table::Segment, &[b"a", b"c"]).await;
    let mut expected: Vec<Pair> = Vec::new();
    for number in 0..=20_u8 {
        let mut seen = Vec::new();
        store.visit(Table::Segment, KeyRange::prefix(b"b"), |pair| seen.push(pair)).await.expect("a visit");
        assert!(seen == expected, "{number} pairs");
        let (key, value) = ([b'b', number], vec![number; 10_000]);
        commit(&store, vec![put(Table::Segment, &key, &value)]).await;
        expected.push(pair(&key, &value));
    }
}

/// Prefixes that end in 0xff, and the prefix of nothing but 0xff, which has no end.
pub async fn prefixes_end_where_they_should<B: Backend>(backend: &B) {
    let store = backend.open("prefixes").await;
    let all: [&[u8]; 8] =
        [b"a", b"a\xfe", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\x01", b"\xff\xff\xff"];
    put_keys(&store, Table::Conflict, &all).await;
    let cases: [(&[u8], &[&[u8]]); 7] = [
        (b"", &all),
        (b"a", &all[..4]),
        (b"a\xff", &all[2..4]),
        (b"b", &all[4..5]),
        (b"c", &[]),
        (b"\xff", &all[5..]),
        (b"\xff\xff", &all[7..]),
    ];
    for (prefix, expected) in cases {
        let found = scan(&store, Table::Conflict, KeyRange::prefix(prefix)).await;
        assert_eq!(keys(&found), expected, "{prefix:?}");
    }
}

/// The empty key is a key and comes first; the empty value is a value, not an absence.
pub async fn empty_keys_and_values_count<B: Backend>(backend: &B) {
    let store = backend.open("empty").await;
    commit(&store, vec![put(Table::Meta, b"k", b""), put(Table::Meta, b"", b"v")]).await;
    assert_eq!(store.get(Table::Meta, b"k").await, Ok(Some(Vec::new())));
    assert_eq!(store.get(Table::Meta, b"").await, Ok(Some(b"v".to_vec())));
    assert_eq!(scan(&store, Table::Meta, KeyRange::all()).await, [pair(b"", b"v"), pair(b"k", b"")]);
    commit(&store, vec![delete(Table::Meta, b"")]).await;
    assert_eq!(keys(&scan(&store, Table::Meta, KeyRange::all()).await), [b"k"]);
}

/// Sizes around 64 KiB, where one browser changes its way of storing, and 1 MiB.
pub async fn large_values_come_back_whole<B: Backend>(backend: &B) {
    let store = backend.open("large").await;
    for size in [65_535_usize, 65_536, 65_537, 1 << 20] {
        let value = noise(size);
        commit(&store, vec![put(Table::Segment, b"k", &value)]).await;
        let found = store.get(Table::Segment, b"k").await.expect("get").expect("a value");
        assert!(found == value, "{size} bytes came back as {} others", found.len());
        let found = scan(&store, Table::Segment, KeyRange::all()).await;
        assert!(found == [pair(b"k", &value)], "{size} bytes scanned");
    }
}

/// Put, delete, put; range delete between puts; delete last.
pub async fn writes_of_a_batch_happen_in_order<B: Backend>(backend: &B) {
    let store = backend.open("sequence").await;
    commit(
        &store,
        vec![
            put(Table::Journal, b"a", b"1"),
            delete(Table::Journal, b"a"),
            put(Table::Journal, b"a", b"2"),
            put(Table::Journal, b"b", b"1"),
            put(Table::Journal, b"c", b"1"),
            Write::DeleteRange { table: Table::Journal, keys: range(b"b", None) },
            put(Table::Journal, b"c", b"2"),
            put(Table::Journal, b"d", b"1"),
            delete(Table::Journal, b"d"),
            put(Table::Journal, b"e", b"1"),
            put(Table::Journal, b"e", b"2"),
        ],
    )
    .await;
    assert_eq!(
        scan(&store, Table::Journal, KeyRange::all()).await,
        [pair(b"a", b"2"), pair(b"c", b"2"), pair(b"e", b"2")]
    );
}

/// One batch, one revision, however many tables it names.
pub async fn a_batch_over_all_tables_is_one_step<B: Backend>(backend: &B) {
    let store = backend.open("wide").await;
    let writes = Table::ALL.iter().map(|&table| put(table, b"k", b"v")).collect();
    assert_eq!(commit(&store, writes).await, Revision(1));
    for table in Table::ALL {
        assert_eq!(scan(&store, table, KeyRange::all()).await, [pair(b"k", b"v")]);
    }
}

/// Start in, end out, other tables untouched; empty and inverted ranges delete nothing; everything can go.
pub async fn range_deletes_keep_to_their_range<B: Backend>(backend: &B) {
    let store = backend.open("range deletes").await;
    put_keys(&store, Table::IdMap, &[b"a", b"b"]).await;
    let cases: [RangeCase; 6] = [
        (b"b", Some(b"c"), &[b"", b"a", b"c", b"\xff"]),
        (b"b", None, &[b"", b"a"]),
        (b"b", Some(b"b"), &[b"", b"a", b"b", b"c", b"\xff"]),
        (b"c", Some(b"a"), &[b"", b"a", b"b", b"c", b"\xff"]),
        (b"", Some(b"a"), &[b"a", b"b", b"c", b"\xff"]),
        (b"", None, &[]),
    ];
    for (start, end, expected) in cases {
        put_keys(&store, Table::Conflict, &[b"", b"a", b"b", b"c", b"\xff"]).await;
        let write = Write::DeleteRange { table: Table::Conflict, keys: range(start, end) };
        commit(&store, vec![write]).await;
        let found = scan(&store, Table::Conflict, KeyRange::all()).await;
        assert_eq!(keys(&found), expected, "{start:?}..{end:?}");
    }
    assert_eq!(keys(&scan(&store, Table::IdMap, KeyRange::all()).await), [b"a", b"b"]);
}

/// The returned revision is the store's, and the next; an empty batch counts too.
pub async fn every_commit_adds_one<B: Backend>(backend: &B) {
    let store = backend.open("revisions").await;
    for expected in 0..40 {
        let writes = (0..expected % 3).map(|n| put(Table::Meta, &[n], b"v")).collect();
        let batch = Batch { expected: Revision(expected.into()), durability: Durability::Relaxed, writes };
        let next = Revision(u64::from(expected) + 1);
        assert_eq!(store.commit(batch).await, Ok(next));
        assert_eq!(store.revision().await, Ok(next));
    }
}

/// No write of a stale batch is seen, and the revision stays.
pub async fn a_stale_batch_writes_nothing<B: Backend>(backend: &B) {
    let store = backend.open("stale").await;
    commit(&store, vec![put(Table::Meta, b"k", b"kept"), put(Table::Journal, b"j", b"kept")]).await;
    let writes = vec![
        put(Table::Meta, b"k", b"lost"),
        put(Table::Segment, b"new", b"lost"),
        Write::DeleteRange { table: Table::Journal, keys: KeyRange::all() },
    ];
    let batch = Batch { expected: Revision(0), durability: Durability::Strict, writes };
    assert_eq!(store.commit(batch).await, Err(StoreError::Stale));
    assert_eq!(store.revision().await, Ok(Revision(1)));
    assert_eq!(store.get(Table::Meta, b"k").await, Ok(Some(b"kept".to_vec())));
    assert_eq!(scan(&store, Table::Journal, KeyRange::all()).await, [pair(b"j", b"kept")]);
    assert_eq!(scan(&store, Table::Segment, KeyRange::all()).await, []);
    commit(&store, vec![put(Table::Meta, b"k", b"next")]).await;
}

/// A revision the store has not reached is as wrong as one it has left.
pub async fn a_batch_from_the_future_is_stale<B: Backend>(backend: &B) {
    let store = backend.open("future").await;
    for expected in [1, 2, u64::MAX] {
        let writes = vec![put(Table::Meta, b"k", b"v")];
        let batch = Batch { expected: Revision(expected), durability: Durability::Relaxed, writes };
        assert_eq!(store.commit(batch).await, Err(StoreError::Stale));
    }
    assert_eq!(store.revision().await, Ok(Revision(0)));
    assert_eq!(store.get(Table::Meta, b"k").await, Ok(None));
}

/// A handle opened after the first one went finds data and revision.
pub async fn commits_outlive_the_handle<B: Backend>(backend: &B) {
    let first = backend.open("lasting").await;
    commit(&first, vec![put(Table::Journal, b"k", b"v"), put(Table::Meta, b"m", b"")]).await;
    commit(&first, vec![put(Table::Journal, b"l", b"w")]).await;
    drop(first);
    let second = backend.open("lasting").await;
    assert_eq!(second.revision().await, Ok(Revision(2)));
    assert_eq!(scan(&second, Table::Journal, KeyRange::all()).await, [pair(b"k", b"v"), pair(b"l", b"w")]);
    assert_eq!(second.get(Table::Meta, b"m").await, Ok(Some(Vec::new())));
    assert_eq!(commit(&second, vec![]).await, Revision(3));
}

/// What one handle commits the other reads, without reopening; the one left behind is stale.
pub async fn handles_see_each_others_commits<B: Backend>(backend: &B) {
    let left = backend.open("two handles").await;
    let right = backend.open("two handles").await;
    assert_eq!(commit(&left, vec![put(Table::Meta, b"k", b"left")]).await, Revision(1));
    assert_eq!(right.get(Table::Meta, b"k").await, Ok(Some(b"left".to_vec())));
    let writes = vec![put(Table::Meta, b"k", b"right")];
    let late = Batch { expected: Revision(0), durability: Durability::Relaxed, writes };
    assert_eq!(right.commit(late.clone()).await, Err(StoreError::Stale));
    assert_eq!(right.commit(Batch { expected: Revision(1), ..late }).await, Ok(Revision(2)));
    assert_eq!(left.get(Table::Meta, b"k").await, Ok(Some(b"right".to_vec())));
    assert_eq!(left.revision().await, Ok(Revision(2)));
}

/// Commits in flight at the same time from the same revision: one is written, all others find themselves stale.
pub async fn of_two_racing_commits_one_wins<B: Backend>(backend: &B) {
    let left = backend.open("race").await;
    let right = backend.open("race").await;
    for round in 0..20_u64 {
        let bid = |value: &[u8]| Batch {
            expected: Revision(round),
            durability: Durability::Relaxed,
            writes: vec![put(Table::Meta, b"winner", value), put(Table::Journal, value, value)],
        };
        let names = [format!("left {round:02}"), format!("right {round:02}")];
        let [l, r] = &names;
        let (one, other) = join(left.commit(bid(l.as_bytes())), right.commit(bid(r.as_bytes()))).await;
        let (winner, loser) = match (&one, &other) {
            (Ok(_), Err(_)) => (l, r),
            _ => (r, l),
        };
        let (won, lost) = if winner == l { (one, other) } else { (other, one) };
        assert_eq!((won, lost), (Ok(Revision(round + 1)), Err(StoreError::Stale)));
        assert_eq!(left.get(Table::Meta, b"winner").await, Ok(Some(winner.clone().into_bytes())));
        assert_eq!(right.get(Table::Journal, loser.as_bytes()).await, Ok(None));
    }
    assert_eq!(left.revision().await, Ok(Revision(20)));
}

/// Strict and relaxed commits follow each other; both are read back.
pub async fn both_durabilities_commit<B: Backend>(backend: &B) {
    let store = backend.open("durability").await;
    for (expected, durability) in
        [Durability::Strict, Durability::Relaxed, Durability::Strict].into_iter().enumerate()
    {
        let expected = Revision(expected.try_into().expect("a small number"));
        let writes = vec![put(Table::Journal, b"k", format!("{durability:?}").as_bytes())];
        assert!(store.commit(Batch { expected, durability, writes }).await.is_ok());
    }
    assert_eq!(store.get(Table::Journal, b"k").await, Ok(Some(b"Strict".to_vec())));
}

/// Start, end, and the keys expected.
type RangeCase<'a> = (&'a [u8], Option<&'a [u8]>, &'a [&'a [u8]]);

async fn commit<S: Store>(store: &S, writes: Vec<Write>) -> Revision {
    let expected = store.revision().await.expect("a revision");
    let batch = Batch { expected, durability: Durability::Relaxed, writes };
    store.commit(batch).await.expect("a commit at the current revision")
}

async fn put_keys<S: Store>(store: &S, table: Table, keys: &[&[u8]]) {
    commit(store, keys.iter().map(|key| put(table, key, b"v")).collect()).await;
}

async fn scan<S: Store>(store: &S, table: Table, keys: KeyRange) -> Vec<Pair> {
    store.scan(table, keys, u32::MAX).await.expect("a scan")
}

fn put(table: Table, key: &[u8], value: &[u8]) -> Write {
    Write::Put { table, key: key.to_vec(), value: value.to_vec() }
}

fn delete(table: Table, key: &[u8]) -> Write {
    Write::Delete { table, key: key.to_vec() }
}

fn pair(key: &[u8], value: &[u8]) -> Pair {
    (key.to_vec(), value.to_vec())
}

fn keys(pairs: &[Pair]) -> Vec<&[u8]> {
    pairs.iter().map(|(key, _)| key.as_slice()).collect()
}

fn range(start: &[u8], end: Option<&[u8]>) -> KeyRange {
    KeyRange { start: start.to_vec(), end: end.map(<[u8]>::to_vec) }
}

/// Bytes that no compression shrinks, the same in every run.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..size).map(|_| step()).collect()
}
