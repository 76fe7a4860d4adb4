//! Names of rows that say nothing by themselves, as the replica knows them.

use super::{is_complete, table_not_here, Door};
use crate::replica::State;
use flette_odata::alike::all_equal;
use flette_odata::error::Result;
use flette_odata::filter::Filter;
use flette_odata::names::RowNames;
use flette_odata::operation::{self, Operation};
use flette_odata::path::AlternateName;
use flette_odata::{EntityRef, ODataError, Request, Table, Uuid};
use serde_json::value::RawValue;
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
        None => error,
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
    /// Rows that a change set has made so far.
    pub(super) content: &'a dyn Fn(&str) -> Option<EntityRef>,
}

impl RowNames for KnownNames<'_> {
    fn content(&self, reference: &str) -> Option<EntityRef> {
        (self.content)(reference)
    }

    /// 501 when the row may be one that is not here.
    fn by_key(&self, table: &Table, key: &AlternateName) -> Result<Option<Uuid>> {
        if let Some(reason) = table_not_here(self.state, &table.logical_name, self.door) {
            return Err(reason);
        }
        let filter = all_equal(key.values.iter().map(|(name, value)| (name.as_str(), value)));
        let filter = self.state.id_map.resolve_filter(&filter);
        match (self.find)(&table.logical_name, &filter).first() {
            Some(id) => Ok(Some(*id)),
            None if is_complete(self.state, &table.logical_name) => Ok(None),
            None => Err(ODataError::not_implemented(format!(
                "The row of '{}' with these key values was not synchronised yet and is not available offline.",
                table.logical_name
            ))),
        }
    }
}
