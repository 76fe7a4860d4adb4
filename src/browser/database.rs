//! The store of the browser: an IndexedDB database per replica, an object store per table, opened again when the browser
//! lost it.

use super::commit::Outcome;
use super::connection::{self, Connection, Link};
use super::trouble::Trouble;
use super::{random, timer};
use crate::model::{planted, Bug};
use crate::store::ledger::{Ledger, Nonce};
use crate::store::{Batch, KeyRange, Pair, Revision, Store, StoreError, Table};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How often a lost database is opened again for one operation, after its first try. In the field most sessions that
/// retried on the dead handle lost data in silence; opening anew is what helps.
pub const REOPENINGS_MAX: u32 = 3;

/// Wait before the first reopening, in milliseconds; the n-th waits n times as long.
const REOPENING_MILLIS: u32 = 20;

/// A database of this origin. Several handles, in this context or others, may be open at once. A clone is the same handle.
///
/// The handle is closed for good, and everything fails with [`StoreError::Closed`], when another context deletes or
/// upgrades the database, and when the database was found replaced by a new one after the browser had lost it.
#[derive(Debug, Clone)]
pub struct IndexedDbStore {
    handle: Rc<Handle>,
}

#[derive(Debug)]
struct Handle {
    name: String,
    birth: Cell<Option<Nonce>>,
    connection: RefCell<Option<Rc<Connection>>>,
    closed: Cell<bool>,
}

impl IndexedDbStore {
    /// Opens the database `name`, making it when there is none.
    ///
    /// # Errors
    /// When the browser refuses, or does not answer, after [`REOPENINGS_MAX`] more tries.
    pub async fn open(name: &str) -> Result<IndexedDbStore, StoreError> {
        let handle = Handle {
            name: name.to_owned(),
            birth: Cell::new(None),
            connection: RefCell::new(None),
            closed: Cell::new(false),
        };
        handle.run(async |_, _| Ok(())).await?;
        Ok(IndexedDbStore { handle: Rc::new(handle) })
    }

    /// Closes the handle for good, once its transactions are through.
    pub fn close(&self) {
        self.handle.close();
    }

    /// Closes the handle and deletes the database. Other handles give way.
    ///
    /// # Errors
    /// When the browser does not delete it in time: a context that does not give way, such as a frozen page, holds it up.
    /// The browser then deletes it as soon as that context is gone.
    pub async fn destroy(&self) -> Result<(), StoreError> {
        self.close();
        connection::delete(self.handle.name.clone()).await.map_err(|trouble| match trouble {
            Trouble::Lost => StoreError::Failed("the database could not be deleted in time".to_owned()),
            Trouble::Final(error) => error,
        })
    }
}

impl Handle {
    fn close(&self) {
        self.closed.set(true);
        self.connection.take();
    }

    /// Runs `work` on the connection; when it is lost, all of `work` again on a new one. The number counts the reruns.
    async fn run<T>(
        &self,
        work: impl AsyncFn(&Connection, u32) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        for reruns in 0..=REOPENINGS_MAX {
            if reruns > 0 {
                timer::sleep(REOPENING_MILLIS * reruns).await;
            }
            let connection = match self.connection().await {
                Ok(connection) => connection,
                Err(Trouble::Lost) => continue,
                Err(Trouble::Final(error)) => return Err(error),
            };
            match work(&connection, reruns).await {
                Ok(result) => return Ok(result),
                Err(Trouble::Lost) if planted(Bug::ClosedHandleKept) => {}
                Err(Trouble::Lost) => self.forget(&connection),
                Err(Trouble::Final(error)) => return Err(error),
            }
        }
        Err(StoreError::Closed)
    }

    async fn connection(&self) -> Result<Rc<Connection>, Trouble> {
        if let Some(connection) = self.open_connection()? {
            return Ok(connection);
        }
        let mut birth = Nonce::default();
        random(&mut birth);
        let opened = Connection::open(&self.name, birth).await?;
        // Meanwhile the store may have been closed, or another call may have opened a connection.
        if let Some(connection) = self.open_connection()? {
            return Ok(connection);
        }
        let known = self.birth.get().unwrap_or(opened.birth());
        if known != opened.birth() {
            self.close();
            return Err(Trouble::Final(StoreError::Closed));
        }
        self.birth.set(Some(known));
        let opened = Rc::new(opened);
        self.connection.replace(Some(Rc::clone(&opened)));
        Ok(opened)
    }

    fn open_connection(&self) -> Result<Option<Rc<Connection>>, Trouble> {
        if self.closed.get() {
            return Err(Trouble::Final(StoreError::Closed));
        }
        let connection = self.connection.borrow().clone();
        match connection.as_ref().map(|connection| connection.link()) {
            Some(Link::Open) => Ok(connection),
            Some(Link::Lost) if planted(Bug::ClosedHandleKept) => Ok(connection),
            Some(Link::Lost) | None => Ok(None),
            Some(Link::GaveWay) => {
                self.close();
                Err(Trouble::Final(StoreError::Closed))
            }
        }
    }

    /// Drops a lost connection, unless it has been replaced already. One that gave way stays: it tells why.
    fn forget(&self, lost: &Rc<Connection>) {
        let mut slot = self.connection.borrow_mut();
        if lost.link() != Link::GaveWay && slot.as_ref().is_some_and(|current| Rc::ptr_eq(current, lost)) {
            slot.take();
        }
    }
}

impl Store for IndexedDbStore {
    async fn revision(&self) -> Result<Revision, StoreError> {
        self.handle.run(async |connection, _| revision_of(connection.ledger().await?)).await
    }

    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.handle.run(async |connection, _| connection.get(table, key).await).await
    }

    async fn scan(&self, table: Table, keys: KeyRange, limit: u32) -> Result<Vec<Pair>, StoreError> {
        self.handle.run(async |connection, _| connection.scan(table, &keys, limit).await).await
    }

    async fn snapshot(&self, ranges: &[(Table, KeyRange)]) -> Result<(Revision, Vec<Vec<Pair>>), StoreError> {
        self.handle
            .run(async |connection, _| {
                let (ledger, pairs) = connection.snapshot(ranges).await?;
                Ok((revision_of(ledger)?, pairs))
            })
            .await
    }

    async fn visit(&self, table: Table, keys: KeyRange, take: impl FnMut(Pair)) -> Result<(), StoreError> {
        // Where the connection is lost on the way, the next one goes on behind the last pair.
        let (keys, take) = (RefCell::new(keys), RefCell::new(take));
        self.handle
            .run(async |connection, _| {
                let left = keys.borrow().clone();
                let mut passed_on = |pair: Pair| {
                    keys.borrow_mut().start = [pair.0.as_slice(), &[0]].concat();
                    (take.borrow_mut())(pair);
                };
                connection.visit(table, &left, &mut passed_on).await
            })
            .await
    }

    /// A connection can be lost between the browser's commit and its telling so. The whole transaction is then run again,
    /// and finds its own nonce in the ledger if it had landed: it is neither written twice nor reported stale. Where even
    /// the last try is lost ([`StoreError::Closed`]) or too many others have committed since ([`StoreError::Failed`]),
    /// it cannot be known whether the batch was written; a later handle on the same database shows it.
    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let mut nonce = Nonce::default();
        random(&mut nonce);
        let outcome =
            self.handle.run(async |connection, reruns| Ok((connection.commit(&batch, nonce).await?, reruns)));
        match outcome.await? {
            (Outcome::Written(revision), _) => Ok(revision),
            (Outcome::Stale, _) | (Outcome::Forgotten, 0) => Err(StoreError::Stale),
            (Outcome::Forgotten, _) => {
                Err(StoreError::Failed("whether the commit was written is not known".to_owned()))
            }
        }
    }
}

fn revision_of(ledger: Option<Ledger>) -> Result<Revision, Trouble> {
    ledger.map(|ledger| ledger.revision()).ok_or_else(|| Trouble::failed("the ledger record is missing"))
}
