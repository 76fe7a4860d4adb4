//! One open connection to one database: `rexie` opens, creates and reads; a plain `web-sys` handle beside it commits, as
//! `rexie` knows no durability, and hears `close` and `versionchange`, which `rexie` does not pass on. Both go together.

use super::commit::{self, Outcome};
use super::trouble::Trouble;
use super::{global, timer};
use crate::store::ledger::{Ledger, Nonce};
use crate::store::{Batch, KeyRange, Pair, Table};
use futures_channel::oneshot;
use futures_util::future::{join, try_join, try_join_all};
use futures_util::stream::{self, StreamExt};
use js_sys::{Promise, Uint8Array};
use rexie::{ObjectStore, Rexie, Store, Transaction, TransactionMode};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{spawn_local, JsFuture};
use web_sys::{IdbDatabase, IdbFactory};

/// Time for the browser to open, make or delete a database, in milliseconds. Browsers have been seen never to answer
/// (<https://bugs.webkit.org/show_bug.cgi?id=226547>).
pub const OPEN_MILLIS_MAX: u32 = 5_000;

/// Pairs read by one request of a scan: enough to make round trips cheap, few enough for values of a mebibyte.
const PAGE_PAIRS_MAX: u32 = 128;

/// Pairs of up to a mebibyte read by one request of a visit, and how many such requests are under way.
const VISIT_PAIRS_MAX: usize = 2;
const VISITS_UNDER_WAY: usize = 4;

/// Version of the set of object stores.
const DATABASE_VERSION: u32 = 1;

/// Whether a connection can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// As far as is known.
    Open,
    /// The browser closed it. The database may be opened again.
    Lost,
    /// It made way for another context that deletes or upgrades the database. The database must not be opened again:
    /// it would come back empty, or newer than this code.
    GaveWay,
}

/// An open connection; closed when dropped.
#[derive(Debug)]
pub(super) struct Connection {
    handles: Rc<Handles>,
    birth: Nonce,
    /// The ledger as last seen, for the next commit; `None` while that is in doubt.
    known: RefCell<Option<Ledger>>,
    /// Kept alive for as long as the handle may call them.
    _listeners: [Closure<dyn FnMut()>; 2],
}

#[derive(Debug)]
struct Handles {
    /// Empty once closed; closing needs the value itself.
    reader: RefCell<Option<Rexie>>,
    writer: IdbDatabase,
    link: Cell<Link>,
}

impl Handles {
    /// Closes both handles once their transactions are through.
    fn close(&self, link: Link) {
        self.link.set(link);
        self.writer.close();
        if let Some(reader) = self.reader.take() {
            reader.close();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.handles.writer.set_onclose(None);
        self.handles.writer.set_onversionchange(None);
        self.handles.close(Link::Lost);
    }
}

impl Connection {
    /// Opens the database, making it with a chance `birth` when it does not exist.
    pub(super) async fn open(name: &str, birth: Nonce) -> Result<Connection, Trouble> {
        // Both at once. Requests for one database are served in turn: whichever makes it, the first, is through when the
        // second is.
        let opening = join(
            in_time(open_reader(name.to_owned()), Rexie::close),
            in_time(open_writer(name.to_owned()), |late| late.close()),
        );
        let (reader, writer) = match opening.await {
            (Ok(reader), Ok(writer)) => (reader, writer),
            (Ok(reader), Err(trouble)) => {
                reader.close();
                return Err(trouble);
            }
            (Err(trouble), Ok(writer)) => {
                writer.close();
                return Err(trouble);
            }
            (Err(trouble), Err(_)) => return Err(trouble),
        };
        let handles = Handles { reader: RefCell::new(Some(reader)), writer, link: Cell::new(Link::Open) };
        let handles = Rc::new(handles);
        let listeners = [listener(&handles, Link::Lost), listener(&handles, Link::GaveWay)];
        handles.writer.set_onclose(Some(listeners[0].as_ref().unchecked_ref()));
        handles.writer.set_onversionchange(Some(listeners[1].as_ref().unchecked_ref()));
        let known = RefCell::new(None);
        let mut connection = Connection { handles, birth, known, _listeners: listeners };
        let ledger = match connection.ledger().await? {
            Some(ledger) => ledger,
            None => commit::found(&connection.handles.writer, birth).await?,
        };
        connection.birth = ledger.birth();
        connection.known.replace(Some(ledger));
        Ok(connection)
    }

    /// What the database was given when it was made.
    pub(super) fn birth(&self) -> Nonce {
        self.birth
    }

    /// Whether the connection can be used.
    pub(super) fn link(&self) -> Link {
        self.handles.link.get()
    }

    /// The ledger; `None` in a database just made.
    pub(super) async fn ledger(&self) -> Result<Option<Ledger>, Trouble> {
        let (_transaction, store) = self.read(commit::LEDGER_STORE)?;
        store.get(commit::ledger_key()).await?.map(|record| commit::read_ledger(&record)).transpose()
    }

    /// The value of one key.
    pub(super) async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let (_transaction, store) = self.read(table.name())?;
        Ok(store.get(binary(key)).await?.map(|value| bytes(&value)))
    }

    /// Pairs in key order, at most `limit`, all from one point in time.
    pub(super) async fn scan(&self, table: Table, keys: &KeyRange, limit: u32) -> Result<Vec<Pair>, Trouble> {
        let (_transaction, store) = self.read(table.name())?;
        pairs(&store, keys, limit).await
    }

    /// Hands the pairs of a range to `take` in key order, all from one point in time. The keys are asked for first, so that
    /// several requests for values can be under way.
    pub(super) async fn visit(
        &self,
        table: Table,
        keys: &KeyRange,
        take: &mut impl FnMut(Pair),
    ) -> Result<(), Trouble> {
        let (_transaction, store) = self.read(table.name())?;
        let Some(range) = range_after(keys, None)? else { return Ok(()) };
        let keys = store.get_all_keys(Some(range), None).await?;
        let values = stream::iter(keys.chunks(VISIT_PAIRS_MAX).map(|keys| {
            let (first, last) = (keys.first(), keys.last());
            let range = first.zip(last).map(|(first, last)| {
                rexie::KeyRange::bound(first, last, Some(false), Some(false)).map_err(rexie::Error::from)
            });
            let store = &store;
            async move { Ok::<_, Trouble>((keys, store.get_all(range.transpose()?, None).await?)) }
        }));
        let mut values = pin!(values.buffered(VISITS_UNDER_WAY));
        while let Some(found) = values.next().await {
            let (keys, values) = found?;
            keys.iter().zip(&values).for_each(|(key, value)| take((bytes(key), bytes(value))));
        }
        Ok(())
    }

    /// The ledger and all pairs of several ranges, from one point in time.
    pub(super) async fn snapshot(
        &self,
        ranges: &[(Table, KeyRange)],
    ) -> Result<(Option<Ledger>, Vec<Vec<Pair>>), Trouble> {
        let transaction = {
            let reader = self.handles.reader.borrow();
            let reader = reader.as_ref().ok_or(Trouble::Lost)?;
            let tables: BTreeSet<&str> = ranges.iter().map(|(table, _)| table.name()).collect();
            let stores: Vec<&str> = tables.into_iter().chain([commit::LEDGER_STORE]).collect();
            reader.transaction(&stores, TransactionMode::ReadOnly)?
        };
        let ledger = transaction.store(commit::LEDGER_STORE)?;
        let stores = ranges.iter().map(|(table, _)| transaction.store(table.name()));
        let stores = stores.collect::<Result<Vec<_>, _>>()?;
        // None waits for anything but its own requests, so that the transaction stays open until the last has ended.
        let scans = stores.iter().zip(ranges).map(|(store, (_, keys))| pairs(store, keys, u32::MAX));
        let ledger = async { Ok::<_, Trouble>(ledger.get(commit::ledger_key()).await?) };
        let (ledger, pairs) = try_join(ledger, try_join_all(scans)).await?;
        Ok((ledger.map(|record| commit::read_ledger(&record)).transpose()?, pairs))
    }

    /// Writes the batch in one transaction; see [`commit::commit`].
    pub(super) async fn commit(&self, batch: &Batch, nonce: Nonce) -> Result<Outcome, Trouble> {
        // In doubt until the end is known, also where nobody waits for it.
        let known = self.known.take();
        let (outcome, ledger) = commit::commit(&self.handles.writer, batch, nonce, known).await?;
        self.known.replace(ledger);
        Ok(outcome)
    }

    fn read(&self, store: &str) -> Result<(Transaction, Store), Trouble> {
        let reader = self.handles.reader.borrow();
        let reader = reader.as_ref().ok_or(Trouble::Lost)?;
        let transaction = reader.transaction(&[store], TransactionMode::ReadOnly)?;
        let store = transaction.store(store)?;
        Ok((transaction, store))
    }
}

async fn pairs(store: &Store, keys: &KeyRange, limit: u32) -> Result<Vec<Pair>, Trouble> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut left = limit;
    while let (Some(range), 1..) = (range_after(keys, pairs.last())?, left) {
        let page = left.min(PAGE_PAIRS_MAX);
        let twin = range_after(keys, pairs.last())?;
        let found = try_join(store.get_all_keys(Some(range), Some(page)), store.get_all(twin, Some(page)));
        let (keys, values) = found.await?;
        let last_page = keys.len() < page as usize;
        pairs.extend(keys.iter().zip(&values).map(|(key, value)| (bytes(key), bytes(value))));
        left = if last_page { 0 } else { left - page };
    }
    Ok(pairs)
}

/// The range `keys` without what comes up to and with `last`; `None` when nothing can be in it (the browser throws at an
/// inverted range).
fn range_after(keys: &KeyRange, last: Option<&Pair>) -> Result<Option<rexie::KeyRange>, Trouble> {
    let (start, start_is_out) = match last {
        Some((key, _)) => (key, true),
        None => (&keys.start, false),
    };
    let range = match &keys.end {
        None => rexie::KeyRange::lower_bound(&binary(start), Some(start_is_out)),
        Some(end) if start < end => {
            rexie::KeyRange::bound(&binary(start), &binary(end), Some(start_is_out), Some(true))
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(range.map_err(rexie::Error::from)?))
}

fn listener(handles: &Rc<Handles>, link: Link) -> Closure<dyn FnMut()> {
    let handles = Rc::downgrade(handles);
    Closure::new(move || {
        if let Some(handles) = handles.upgrade() {
            handles.close(link);
        }
    })
}

async fn open_reader(name: String) -> Result<Rexie, Trouble> {
    let stores = Table::ALL.map(Table::name).into_iter().chain([commit::LEDGER_STORE]);
    let builder = Rexie::builder(&name).version(DATABASE_VERSION);
    let builder = stores.fold(builder, |builder, store| builder.add_object_store(ObjectStore::new(store)));
    Ok(builder.build().await?)
}

async fn open_writer(name: String) -> Result<IdbDatabase, Trouble> {
    let factory: IdbFactory =
        global("indexedDB").ok_or_else(|| Trouble::failed("this context has no IndexedDB"))?;
    let request = factory.open_with_u32(&name, DATABASE_VERSION)?;
    // The other handle makes the object stores. Where its opening failed, this one must not make a database without any.
    let made = {
        let request = request.clone();
        Closure::once(move || {
            if let Some(upgrade) = request.transaction() {
                let _ = upgrade.abort();
            }
        })
    };
    request.set_onupgradeneeded(Some(made.as_ref().unchecked_ref()));
    let opened = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    if JsFuture::from(opened).await.is_err() {
        return Err(request.error()?.map_or(Trouble::Lost, Trouble::from));
    }
    request.result()?.dyn_into().map_err(|_| Trouble::failed("opening gave something else than a database"))
}

/// Deletes a database, together with everything in it.
pub(super) async fn delete(name: String) -> Result<(), Trouble> {
    in_time(async move { Ok(Rexie::delete(&name).await?) }, drop).await
}

/// What `opening` came to within [`OPEN_MILLIS_MAX`]. What comes later is closed, as an open handle that nobody owns would
/// hold up every later upgrade and deletion.
async fn in_time<T, F>(opening: F, close: fn(T)) -> Result<T, Trouble>
where
    T: 'static,
    F: Future<Output = Result<T, Trouble>> + 'static,
{
    let (sender, opened) = oneshot::channel();
    spawn_local(async move {
        if let Err(Ok(late)) = sender.send(opening.await) {
            close(late);
        }
    });
    match timer::within(OPEN_MILLIS_MAX, opened).await {
        Some(Ok(result)) => result,
        Some(Err(oneshot::Canceled)) | None => Err(Trouble::Lost),
    }
}

/// A key or value as the browser takes it. Binary keys are ordered bytewise (Indexed Database API 3.0, 2.4).
pub(super) fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::new_from_slice(bytes).into()
}

/// The bytes of a stored value (a `Uint8Array`) or key (an `ArrayBuffer`).
pub(super) fn bytes(stored: &JsValue) -> Vec<u8> {
    match stored.dyn_ref::<Uint8Array>() {
        // Without the copy that a new array of it would be.
        Some(array) => array.to_vec(),
        None => Uint8Array::new(stored).to_vec(),
    }
}
