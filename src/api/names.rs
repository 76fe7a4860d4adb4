//! Names of rows that say nothing by themselves, as the replica knows them.

use super::scope::explained;
use super::{is_complete, not_synced_yet, table_not_here, Door};
use crate::model::Key;
use crate::replica::{SeenRow, State};
use flette_odata::alike::all_equal;
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::names::RowNames;
use flette_odata::operation::{self, Operation};
use flette_odata::path::{AlternateName, Collection};
use flette_odata::{EntityRef, ODataError, Request, Table, Uuid, Value};
use serde_json::value::RawValue;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Reads a request.
///
/// # Errors
/// What the server says too; 501 for what is asked in the name of another user, whose rights are not known here, and for
/// rows of a collection that is not known here: their table may be one that is not
/// offline.
pub(super) fn read(request: &Request, root: &str, names: &KnownNames) -> Result<Operation> {
    if request.acts_for_another() {
        return Err(ODataError::not_implemented("Acting for another user is not available offline."));
    }
    let read = operation::parse(request, root, &names.state.schema, names);
    read.map_err(|error| match unknown_collection(request, &error) {
        Some(name) => {
            ODataError::not_implemented(format!("The collection '{name}' is not available offline."))
        }
        None => explained(names.state, error),
    })
}

/// The collection that the body gives rows for and that an error calls unknown.
fn unknown_collection(request: &Request, error: &ODataError) -> Option<String> {
    if error.status != 400 {
        return None;
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(&request.body).ok()?;
    let lists = members.iter().filter(|(_, raw)| raw.get().starts_with('['));
    let mut names = lists.map(|(name, _)| name.trim_end_matches("@odata.bind").to_owned());
    names.find(|name| error.message.starts_with(&format!("The property '{name}' does not exist on type")))
}

/// See the module.
pub(super) struct KnownNames<'a> {
    pub(super) state: &'a State,
    pub(super) door: Door<'a>,
    /// Ids of rows of a table that pass, by its logical name.
    pub(super) find: &'a dyn Fn(&str, &Filter) -> Vec<Uuid>,
    /// A row as it is at this moment.
    pub(super) row: &'a dyn Fn(&Key) -> Option<SeenRow>,
    /// Rows that a change set has made so far.
    pub(super) content: &'a dyn Fn(&str) -> Option<EntityRef>,
    /// Whether a path was found to lead nowhere, by rows that are all here.
    pub(super) denied: Cell<bool>,
}

impl KnownNames<'_> {
    /// Ids of rows with these values, by whichever ids the values say it.
    ///
    /// # Errors
    /// 501 when none is found and there may be one that is not here.
    fn with_values<'v>(
        &self,
        table: &str,
        values: impl IntoIterator<Item = (&'v str, &'v Value)>,
    ) -> Result<Option<Uuid>> {
        if let Some(reason) = table_not_here(self.state, table, self.door) {
            return Err(reason);
        }
        let filter = self.state.id_map.resolve_filter(&all_equal(values));
        match (self.find)(table, &filter).first() {
            Some(id) => Ok(Some(*id)),
            None if is_complete(self.state, table) => Ok(None),
            None => Err(ODataError::not_implemented(format!(
                "The row of '{table}' with these values was not synchronised yet and is not available offline."
            ))),
        }
    }

    /// A row on a path.
    ///
    /// # Errors
    /// 404 when it is not there; 501 when it may be there and is not here.
    fn step(&self, table: &Table, id: Uuid) -> Result<SeenRow> {
        let name = &table.logical_name;
        if let Some(reason) = table_not_here(self.state, name, self.door) {
            return Err(reason);
        }
        (self.row)(&Key::new(name.clone(), id)).ok_or_else(|| match is_complete(self.state, name) {
            true => {
                self.denied.set(true);
                ODataError::row_not_found(name, id)
            }
            false => not_synced_yet(name),
        })
    }
}

impl RowNames for KnownNames<'_> {
    fn content(&self, reference: &str) -> Option<EntityRef> {
        (self.content)(reference)
    }

    /// 501 when the row may be one that is not here.
    fn by_key(&self, table: &Table, key: &AlternateName) -> Result<Option<Uuid>> {
        let values = key.values.iter().map(|(name, value)| (name.as_str(), value));
        self.with_values(&table.logical_name, values)
    }

    fn behind(&self, table: &Table, id: Uuid, navigation: &str) -> Result<Option<EntityRef>> {
        let (column, targets) =
            table.navigation(navigation).ok_or_else(|| ODataError::segment_not_found(navigation))?;
        let seen = self.step(table, id)?;
        Ok(match seen.row.get(&column.logical_name) {
            Some(Value::Lookup(to)) if targets.iter().any(|target| target.table == to.table) => {
                Some(to.clone())
            }
            _ => {
                self.denied.set(true);
                None
            }
        })
    }

    fn holds(&self, table: &Table, id: Uuid, name: &str, child: Uuid) -> Result<bool> {
        self.step(table, id)?;
        let schema = &self.state.schema;
        let collection = Collection::find(schema, table, name);
        let collection = collection.ok_or_else(|| ODataError::segment_not_found(name))?;
        let (holder, child) = (Value::Guid(id), Value::Guid(child));
        let found = match collection {
            Collection::Pointing { holder: pointing, lookup, .. } => {
                let values =
                    [(pointing.primary_id.as_str(), &child), (lookup.logical_name.as_str(), &holder)];
                self.with_values(&pointing.logical_name, values)?
            }
            Collection::Paired { relationship, end, other } => {
                let values = [(end.column.as_str(), &holder), (other.column.as_str(), &child)];
                self.with_values(&relationship.intersect, values)?
            }
        };
        self.denied.set(found.is_none());
        Ok(found.is_some())
    }
}
