//! The one transaction that writes: the ledger is read, compared, and written back together with the batch.
//!
//! Between opening the transaction and its end nothing is awaited but its own requests: at any other await the browser
//! would commit it by itself. It counts as done at `complete`, never at a request's success; what went wrong is read
//! from the transaction, as the disk is found full only at its end.

use super::connection::{binary, bytes};
use super::trouble::Trouble;
use crate::store::ledger::{Ledger, Nonce, Standing};
use crate::store::{Batch, Durability, KeyRange, Revision, Write};
use js_sys::{Array, Object, Promise, Reflect};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use wasm_bindgen::prelude::{wasm_bindgen, Closure};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbKeyRange, IdbObjectStore, IdbRequest, IdbTransaction};

/// Object store of the ledger, beside one for every table.
pub(super) const LEDGER_STORE: &str = "ledger";

/// Key of the only record in it.
pub(super) fn ledger_key() -> JsValue {
    binary(b"ledger")
}

/// Reads the record.
pub(super) fn read_ledger(record: &JsValue) -> Result<Ledger, Trouble> {
    Ledger::from_bytes(&bytes(record)).ok_or_else(|| Trouble::failed("the ledger record is damaged"))
}

/// How a transaction ended that the browser carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The batch is written, now or by an earlier try.
    Written(Revision),
    /// The store has moved on. Nothing was written.
    Stale,
    /// The store has moved on, and whether an earlier try was written is forgotten. This one wrote nothing.
    Forgotten,
}

/// Writes the batch if the store is at `batch.expected`, in one transaction over the object stores it needs.
///
/// `known` is the ledger that the caller last saw. While it still stands, one way to the database and back is enough.
///
/// A batch that an earlier try with this `nonce` has written is not written again; the ledger is, so that the end of this
/// transaction says about durability what the end of the lost one would have said.
///
/// # Errors
/// [`Trouble::Lost`] leaves it open whether the batch was written; run it again with the same nonce. After
/// [`Trouble::Final`] nothing was written.
pub(super) async fn commit(
    database: &IdbDatabase,
    batch: &Batch,
    nonce: Nonce,
    known: Option<Ledger>,
) -> Result<(Outcome, Option<Ledger>), Trouble> {
    if let Some(known) = known.filter(|known| known.standing(batch.expected, &nonce) == Standing::Current) {
        if let Some(ledger) = at_once(database, batch, nonce, known).await? {
            return Ok((Outcome::Written(ledger.revision()), Some(ledger)));
        }
    }
    after_a_look(database, batch, nonce).await
}

/// Sends the writes along with the question whether `known` stands; `None` when it does not, and nothing was written.
async fn at_once(
    database: &IdbDatabase,
    batch: &Batch,
    nonce: Nonce,
    known: Ledger,
) -> Result<Option<Ledger>, Trouble> {
    let transaction = Writing::begin(database, &batch.writes, batch.durability)?;
    let expected = known.to_bytes();
    let ledger = known.after(nonce);
    let verdict = match transaction.send_on_condition(&batch.writes, &ledger, expected) {
        Ok(verdict) => verdict,
        Err(thrown) => return Err(transaction.abandon(thrown.into())),
    };
    let ended = transaction.end.await;
    match (ended, verdict.stands.get()) {
        (Ok(_), Some(true)) => Ok(Some(ledger)),
        (Err(_), Some(false)) => Ok(None),
        (Err(_), _) => Err(reason(&transaction.transaction)),
        // It cannot end well before its first request did; were it so, what was written would not be known.
        (Ok(_), _) => Err(Trouble::Lost),
    }
}

/// Reads the ledger first and then decides.
async fn after_a_look(
    database: &IdbDatabase,
    batch: &Batch,
    nonce: Nonce,
) -> Result<(Outcome, Option<Ledger>), Trouble> {
    let mut transaction = Writing::begin(database, &batch.writes, batch.durability)?;
    let Some(ledger) = transaction.ledger().await? else {
        return Err(transaction.abandon(Trouble::failed("the ledger record is missing")));
    };
    let (written, writes) = match ledger.standing(batch.expected, &nonce) {
        Standing::Current => (ledger.after(nonce), batch.writes.as_slice()),
        Standing::Landed => (ledger, &[][..]),
        Standing::Stale => return Ok((transaction.leave(Outcome::Stale), Some(ledger))),
        Standing::Forgotten => return Ok((transaction.leave(Outcome::Forgotten), Some(ledger))),
    };
    transaction.finish(writes, &written).await?;
    Ok((Outcome::Written(Revision(batch.expected.0.saturating_add(1))), Some(written)))
}

/// Gives a new database its ledger, unless another context was faster. Returns the ledger that stands.
pub(super) async fn found(database: &IdbDatabase, birth: Nonce) -> Result<Ledger, Trouble> {
    let mut transaction = Writing::begin(database, &[], Durability::Relaxed)?;
    match transaction.ledger().await? {
        Some(ledger) => Ok(transaction.leave(ledger)),
        None => {
            let ledger = Ledger::new(birth);
            transaction.finish(&[], &ledger).await?;
            Ok(ledger)
        }
    }
}

/// A read-write transaction under way.
struct Writing {
    transaction: IdbTransaction,
    /// Resolves at `complete`, is rejected at `abort`.
    end: JsFuture,
}

/// Whether the ledger was as expected; `None` until the browser has said.
struct Verdict {
    stands: Rc<Cell<Option<bool>>>,
    /// Kept alive until the transaction has ended.
    _answered: Closure<dyn FnMut()>,
}

impl Writing {
    fn begin(database: &IdbDatabase, writes: &[Write], durability: Durability) -> Result<Writing, Trouble> {
        let tables = writes.iter().map(|write| match write {
            Write::Put { table, .. } | Write::Delete { table, .. } | Write::DeleteRange { table, .. } => {
                *table
            }
        });
        let tables: BTreeSet<_> = tables.collect();
        let stores: Array =
            tables.iter().map(|table| table.name()).chain([LEDGER_STORE]).map(JsValue::from).collect();
        let durability = match durability {
            Durability::Relaxed => "relaxed",
            Durability::Strict => "strict",
        };
        let options = Object::new();
        Reflect::set(&options, &"durability".into(), &durability.into())?;
        let database: &DurableDatabase = database.unchecked_ref();
        let transaction = database.transaction(&stores, "readwrite", &options)?;
        let end = Promise::new(&mut |resolve, reject| {
            transaction.set_oncomplete(Some(&resolve));
            transaction.set_onabort(Some(&reject));
        });
        Ok(Writing { transaction, end: end.into() })
    }

    async fn ledger(&mut self) -> Result<Option<Ledger>, Trouble> {
        let request = self.store(LEDGER_STORE)?.get(&ledger_key())?;
        let Ok(record) = success(&request).await else {
            // A failed request aborts its transaction, which then knows the reason.
            let _ = (&mut self.end).await;
            return Err(reason(&self.transaction));
        };
        if record.is_undefined() {
            return Ok(None);
        }
        read_ledger(&record).map(Some)
    }

    /// Sends all writes without waiting for each, then waits for the end of the transaction.
    async fn finish(self, writes: &[Write], ledger: &Ledger) -> Result<(), Trouble> {
        if let Err(thrown) = self.send(writes, ledger) {
            return Err(self.abandon(thrown.into()));
        }
        match self.end.await {
            Ok(_) => Ok(()),
            Err(_) => Err(reason(&self.transaction)),
        }
    }

    fn send(&self, writes: &[Write], ledger: &Ledger) -> Result<(), JsValue> {
        self.put_all(writes, ledger)?;
        // Saves the browser the wait for further requests.
        self.transaction.unchecked_ref::<EagerTransaction>().commit()
    }

    fn put_all(&self, writes: &[Write], ledger: &Ledger) -> Result<(), JsValue> {
        for write in writes {
            self.write(write)?;
        }
        self.store(LEDGER_STORE)?.put_with_key(&binary(&ledger.to_bytes()), &ledger_key())?;
        Ok(())
    }

    /// Asks for the ledger and sends all writes behind the question. When the answer comes, before any other request's,
    /// the transaction is aborted unless the answer is `expected`. That is done in the very callback: a promise's would
    /// come after it, and what would become of the transaction meanwhile is the browser's affair.
    fn send_on_condition(
        &self,
        writes: &[Write],
        ledger: &Ledger,
        expected: Vec<u8>,
    ) -> Result<Verdict, JsValue> {
        let question = self.store(LEDGER_STORE)?.get(&ledger_key())?;
        let stands = Rc::new(Cell::new(None));
        let answered = {
            let (stands, transaction, question) =
                (Rc::clone(&stands), self.transaction.clone(), question.clone());
            Closure::once(move || {
                let record = question.result().ok().filter(|record| !record.is_undefined());
                let same = record.is_some_and(|record| bytes(&record) == expected);
                stands.set(Some(same));
                // One that cannot be ended early ends by itself.
                let _ = match same {
                    true => transaction.unchecked_ref::<EagerTransaction>().commit(),
                    false => transaction.abort(),
                };
            })
        };
        question.set_onsuccess(Some(answered.as_ref().unchecked_ref()));
        self.put_all(writes, ledger)?;
        Ok(Verdict { stands, _answered: answered })
    }

    fn write(&self, write: &Write) -> Result<(), JsValue> {
        match write {
            Write::Put { table, key, value } => {
                self.store(table.name())?.put_with_key(&binary(value), &binary(key))?;
            }
            Write::Delete { table, key } => {
                self.store(table.name())?.delete(&binary(key))?;
            }
            Write::DeleteRange { table, keys } => {
                if let Some(range) = range(keys)? {
                    self.store(table.name())?.delete(&range)?;
                }
            }
        }
        Ok(())
    }

    fn store(&self, name: &str) -> Result<IdbObjectStore, JsValue> {
        self.transaction.object_store(name)
    }

    /// Gives the transaction up without having written.
    fn leave<T>(self, with: T) -> T {
        // One that is over already cannot be aborted, and needs not be.
        let _ = self.transaction.abort();
        with
    }

    fn abandon(self, trouble: Trouble) -> Trouble {
        self.leave(trouble)
    }
}

/// Why the transaction was aborted. One that names no reason was cut off.
fn reason(transaction: &IdbTransaction) -> Trouble {
    transaction.error().map_or(Trouble::Lost, Trouble::from)
}

/// The result of a request that succeeds.
async fn success(request: &IdbRequest) -> Result<JsValue, ()> {
    let answered = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(answered).await.map_err(|_| ())?;
    request.result().map_err(|_| ())
}

/// The range as the browser takes it; `None` when no key can be in it (the browser throws at an inverted range).
fn range(keys: &KeyRange) -> Result<Option<JsValue>, JsValue> {
    let start = binary(&keys.start);
    Ok(match &keys.end {
        None => Some(IdbKeyRange::lower_bound(&start)?.into()),
        Some(end) if keys.start < *end => {
            Some(IdbKeyRange::bound_with_lower_open_and_upper_open(&start, &binary(end), false, true)?.into())
        }
        Some(_) => None,
    })
}

#[wasm_bindgen]
extern "C" {
    /// `web-sys` calls the stable method deprecated (it stood in its draft interface definition only).
    #[wasm_bindgen(extends = IdbTransaction)]
    type EagerTransaction;

    #[wasm_bindgen(method, catch)]
    fn commit(this: &EagerTransaction) -> Result<(), JsValue>;

    /// `web-sys` has the method with options only behind a compiler flag.
    #[wasm_bindgen(extends = IdbDatabase)]
    type DurableDatabase;

    #[wasm_bindgen(method, catch)]
    fn transaction(
        this: &DurableDatabase,
        stores: &Array,
        mode: &str,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;
}
