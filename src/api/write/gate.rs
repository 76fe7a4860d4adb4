//! Which writes are the replica's to carry out: those of which it knows every row and table that they touch.
//!
//! A row that is known has been seen or changed here. Of any other the replica says nothing before it has all rows:
//! neither that it is not there, nor that a write makes it.

use super::super::{is_complete, table_not_here, Door};
use crate::model::{EntityRef, Key};
use crate::replica::State;
use flette_odata::condition::Condition;
use flette_odata::operation::Operation;
use flette_odata::path::{Collection, PARTY_TABLE};
use flette_odata::payload::{Related, Target, Write};
use flette_odata::rules::SECURITY_TABLES;
use flette_odata::{ODataError, Table, Uuid};

/// Why a write is none of the replica's.
pub(in crate::api) fn not_here(
    state: &State,
    operation: &Operation,
    door: Door<'_>,
    known: &dyn Fn(&Key) -> bool,
) -> Option<ODataError> {
    Gate { state, door, known }.check(operation).err()
}

type Passed = std::result::Result<(), ODataError>;

struct Gate<'a> {
    state: &'a State,
    door: Door<'a>,
    known: &'a dyn Fn(&Key) -> bool,
}

fn beyond(what: &str) -> ODataError {
    ODataError::not_implemented(format!("{what} is not available offline."))
}

impl Gate<'_> {
    fn check(&self, operation: &Operation) -> Passed {
        match operation {
            Operation::Create { table, write, .. } => self.new_row(table, write),
            Operation::Update { table, id, write, condition, .. } => {
                match condition {
                    // Where it cannot be made, it is to be known that it is not there.
                    Condition::IfNoneMatchAny if !self.assigns_ids(table) => self.table(table)?,
                    Condition::None
                    | Condition::IfNoneMatchAny
                    | Condition::IfNoneMatch(_)
                    | Condition::IfMatch(_)
                    | Condition::IfMatchAny => self.row(table, *id)?,
                }
                self.related(table, write)
            }
            Operation::SetProperty { table, id, .. }
            | Operation::Delete { table, id, .. }
            | Operation::SetReference { table, id, .. } => self.row(table, *id),
            Operation::Pair { table, id, collection, other, .. } => {
                self.row(table, *id)?;
                self.row(&other.table, other.id)?;
                self.pairs(table, collection)
            }
            Operation::ReplaceSet { table, id, .. } => {
                self.row(table, *id)?;
                self.whole(PARTY_TABLE)
            }
            Operation::Multiple { table, targets, .. } => {
                targets.iter().try_for_each(|target| self.target(table, target))
            }
            Operation::Define { .. } => Err(beyond("Changing definitions")),
            Operation::Action { name, .. } => Err(beyond(&format!("The action {name}"))),
            _ => Ok(()),
        }
    }

    fn assigns_ids(&self, table: &str) -> bool {
        self.state.schema.table(table).is_some_and(Table::assigns_ids)
    }

    fn target(&self, table: &str, target: &Target) -> Passed {
        match target.id {
            Some(id) => self.row(table, id)?,
            None => self.table(table)?,
        }
        self.related(table, &target.write)
    }

    fn new_row(&self, table: &str, write: &Write) -> Passed {
        self.table(table)?;
        self.related(table, write)
    }

    /// What comes along with a row.
    fn related(&self, table: &str, write: &Write) -> Passed {
        for related in &write.related {
            match related {
                Related::Parent { table, write, .. } => self.new_row(table, write)?,
                Related::Children { collection, table: child, writes } => {
                    writes.iter().try_for_each(|write| self.new_row(child, write))?;
                    self.pairs(table, collection)?;
                }
                Related::Links { collection, rows } => {
                    rows.iter().try_for_each(|EntityRef { table, id }| self.row(table, *id))?;
                    self.pairs(table, collection)?;
                }
            }
        }
        Ok(())
    }

    /// A collection of pairs can be added to only by who knows them all: a pair is made once.
    fn pairs(&self, table: &str, collection: &str) -> Passed {
        let definition = self.state.schema.table(table);
        match definition.and_then(|table| Collection::find(&self.state.schema, table, collection)) {
            Some(Collection::Paired { relationship, .. }) => self.whole(&relationship.intersect),
            Some(Collection::Pointing { .. }) | None => Ok(()),
        }
    }

    fn table(&self, table: &str) -> Passed {
        // Who may do what is never decided here.
        if SECURITY_TABLES.contains(&table) {
            return Err(beyond("A change of who may do what"));
        }
        table_not_here(self.state, table, self.door).map_or(Ok(()), Err)
    }

    fn whole(&self, table: &str) -> Passed {
        self.table(table)?;
        match is_complete(self.state, table) {
            true => Ok(()),
            false => Err(beyond(&format!("A change of '{table}', which was not synchronised yet,"))),
        }
    }

    fn row(&self, table: &str, id: Uuid) -> Passed {
        self.table(table)?;
        match is_complete(self.state, table) || (self.known)(&Key::new(table, id)) {
            true => Ok(()),
            false => Err(beyond("A row that was not synchronised yet")),
        }
    }
}
