//! Rows as the app sees them, asked for as the Web API asks: mirror (+) journal as a [`Source`].
//!
//! A query goes over sets of rows, never from row to row: what a path or lambda says of other tables is found out once
//! per table and becomes a set of ids ([`crate::mirror::Condition`]). Rows as the server told them are read through
//! columns; the few that have entries are folded once per request.

mod circumstances;
mod condition;
mod fetch;
mod groups;
mod links;
mod order;
mod related;
mod seen;
mod source;

use super::State;
use crate::model::{Key, Millis};
use flette_odata::error::Result;
use flette_odata::{ODataError, Table, Uuid};
use seen::SeenTable;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Which tables may be asked for.
type Here<'s> = &'s dyn Fn(&str) -> bool;

/// Everything that one request sees. The tables must be loaded.
pub struct View<'s> {
    state: &'s State,
    here: Here<'s>,
    /// Device time.
    now: Millis,
    tables: RefCell<BTreeMap<String, Rc<SeenTable<'s>>>>,
    doubts: RefCell<Doubts>,
}

/// What the answer may lack.
#[derive(Default)]
struct Doubts {
    /// Tables that were read though not all of their rows are here.
    lacking: BTreeSet<String>,
    /// Whether a row was missed that may be among those.
    missed: bool,
}

impl<'s> View<'s> {
    /// A view at a moment of device time in which only some tables may be asked for: of any other table the answer
    /// is 501.
    pub fn new(state: &'s State, here: Here<'s>, now: Millis) -> View<'s> {
        View { state, here, now, tables: RefCell::default(), doubts: RefCell::default() }
    }

    /// Tables that were read so far though not all of their rows are here.
    pub fn lacking(&self) -> Vec<String> {
        self.doubts.borrow().lacking.iter().cloned().collect()
    }

    /// Notes that what is shown of a table lacks something.
    pub fn lacks(&self, table: &str) {
        self.doubts.borrow_mut().lacking.insert(table.to_owned());
    }

    /// Whether changes wait of rows of any table that was read so far.
    pub fn waits(&self) -> bool {
        self.tables.borrow().keys().any(|table| self.state.table_waits(table))
    }

    /// Whether a row was asked for, and not found, that the server may have.
    pub fn has_missed(&self) -> bool {
        self.doubts.borrow().missed
    }

    /// A table as the app sees it.
    ///
    /// # Errors
    /// 501 for a table that is not here.
    fn seen(&self, table: &Table) -> Result<Rc<SeenTable<'s>>> {
        let name = &table.logical_name;
        if let Some(seen) = self.tables.borrow().get(name) {
            return Ok(seen.clone());
        }
        let known = self.state.schema.table(name).filter(|table| self.is_here(table));
        let known = known.ok_or_else(|| not_here(name))?;
        let seen = Rc::new(SeenTable::of(self.state, known));
        if !self.state.is_complete(name) {
            self.lacks(name);
        }
        self.tables.borrow_mut().insert(name.clone(), seen.clone());
        Ok(seen)
    }

    fn is_here(&self, table: &Table) -> bool {
        (self.here)(&table.logical_name) && self.state.tells_rows(table)
    }

    /// The id under which the replica keeps a row that is asked for by either of its ids.
    fn kept(&self, table: &Table, id: Uuid) -> Uuid {
        self.state.id_map.resolve(&Key::new(table.logical_name.clone(), id))
    }
}

/// 501: only the server can tell.
fn not_here(table: &str) -> ODataError {
    ODataError::not_implemented(format!("The table '{table}' is not available offline."))
}
