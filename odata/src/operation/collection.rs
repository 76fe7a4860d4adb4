//! Collections below a row, their links, and actions on the rows of a table.

use super::read::{check_nullable, Options, Reader};
use super::{Operation, PairChange};
use crate::condition::Condition;
use crate::edm::{Column, LookupTarget, Table};
use crate::error::{ODataError, Result};
use crate::http::Method;
use crate::path::{Collection, RowKey, PARTY_TABLE};
use crate::payload::{
    check_writable, parse_link, parse_set, parse_targets, resolve_bind, Related, Write, WriteKind,
};
use crate::query::parse_query;
use crate::value::{EntityRef, Value};
use uuid::Uuid;

impl Reader<'_> {
    /// `POST accounts/Microsoft.Dynamics.CRM.CreateMultiple` and its siblings.
    pub(super) fn collection_action(&self, table: &Table, name: &str) -> Result<Operation> {
        let kind = match (name, self.request.method) {
            ("CreateMultiple", Method::Post) => WriteKind::Create,
            ("UpdateMultiple", Method::Post) => WriteKind::Update,
            ("UpsertMultiple", Method::Post) => WriteKind::Upsert,
            _ => return Err(self.wrong_verb(name)),
        };
        self.check_table_writable(table)?;
        self.query(table, Options::Nothing)?;
        let targets = parse_targets(&self.request.body, table, kind, &self.scope())?;
        Ok(Operation::Multiple { table: table.logical_name.clone(), kind, targets })
    }

    /// `accounts(id)/contact_customer_accounts`: read, added to, or replaced.
    pub(super) fn related(&self, table: &Table, key: &RowKey, collection: &str) -> Result<Operation> {
        let found = self.collection_of(table, collection)?;
        match self.request.method {
            Method::Get => self.read_related(table, key, collection, Wanted::Rows),
            Method::Post => self.create_related(table, key, found),
            Method::Put => self.replace_set(table, key, (collection, found)),
            Method::Patch | Method::Delete => Err(self.wrong_verb("a collection below a row")),
        }
    }

    fn read_related(
        &self,
        table: &Table,
        key: &RowKey,
        collection: &str,
        wanted: Wanted,
    ) -> Result<Operation> {
        let rows = self.collection_of(table, collection)?.other(self.schema)?;
        Ok(Operation::ReadRelated {
            table: table.logical_name.clone(),
            id: self.id(table, key)?,
            collection: collection.to_owned(),
            query: parse_query(self.options, rows, self.schema)?,
            prefer: self.prefer(),
            reference_only: matches!(wanted, Wanted::References),
        })
    }

    pub(super) fn related_count(&self, table: &Table, key: &RowKey, collection: String) -> Result<Operation> {
        let rows = self.collection_of(table, &collection)?.other(self.schema)?;
        let query = self.query(rows, Options::OfCount)?;
        let (id, table) = (self.id(table, key)?, table.logical_name.clone());
        self.only_get("$count", Operation::CountRelated { table, id, collection, query })
    }

    /// A new row that belongs to the collection from the start.
    fn create_related(&self, table: &Table, key: &RowKey, collection: Collection) -> Result<Operation> {
        let other = collection.other(self.schema)?;
        self.check_table_writable(other)?;
        let query = self.query(other, Options::OfRow)?;
        let mut write = self.write(other, WriteKind::Create)?;
        let row = EntityRef { table: table.logical_name.clone(), id: self.id(table, key)? };
        match collection {
            Collection::Pointing { lookup, .. } => point_to(&mut write, other, lookup, row)?,
            Collection::Paired { other: back, .. } => {
                write.related.push(Related::Links { collection: back.navigation.clone(), rows: vec![row] });
            }
        }
        let (table, prefer) = (other.logical_name.clone(), self.prefer());
        Ok(Operation::Create { table, url_key: None, write, query, prefer })
    }

    fn replace_set(
        &self,
        table: &Table,
        key: &RowKey,
        (name, collection): (&str, Collection),
    ) -> Result<Operation> {
        let Collection::Pointing { holder, .. } = collection else {
            return Err(self.wrong_verb("a collection below a row"));
        };
        // Parties are written with their activity, not with who takes part in it.
        if holder.logical_name != PARTY_TABLE || !table.activity {
            return Err(self.wrong_verb("a collection below a row"));
        }
        self.check_table_writable(table)?;
        self.query(table, Options::Nothing)?;
        let condition = Condition::parse(&self.request.headers)?;
        let writes = parse_set(&self.request.body, holder, &self.scope())?;
        let id = self.id(table, key)?;
        let table = table.logical_name.clone();
        Ok(Operation::ReplaceSet { table, id, collection: name.to_owned(), writes, condition })
    }

    /// `POST accounts(a)/contact_customer_accounts/$ref` puts the row in the body into the collection; `DELETE`
    /// of `…(contact)/$ref` or `…/$ref?$id=contacts(…)` takes it out.
    pub(super) fn collection_reference(
        &self,
        table: &Table,
        key: &RowKey,
        collection: &str,
        child: Option<&RowKey>,
    ) -> Result<Operation> {
        let found = self.collection_of(table, collection)?;
        let other = found.other(self.schema)?;
        let change = match (self.request.method, child) {
            (Method::Post, None) => PairChange::Join,
            (Method::Delete, _) => PairChange::Part,
            (Method::Get, None) => return self.read_related(table, key, collection, Wanted::References),
            (Method::Get | Method::Post | Method::Patch | Method::Put, _) => {
                return Err(self.wrong_verb("a reference"))
            }
        };
        self.check_no_version()?;
        match found {
            Collection::Pointing { holder, lookup, target } => {
                match change {
                    PairChange::Join => {
                        check_writable(
                            holder,
                            &[(lookup.logical_name.clone(), Value::Null)],
                            WriteKind::Update,
                        )?;
                    }
                    PairChange::Part => check_nullable(holder, lookup)?,
                }
                let child = self.child(other, (collection, child), change)?;
                self.check_table_writable(holder)?;
                let row = EntityRef { table: table.logical_name.clone(), id: self.id(table, key)? };
                Ok(set_reference((holder, child), target, row, change))
            }
            Collection::Paired { .. } => {
                let child = self.child(other, (collection, child), change)?;
                let id = self.id(table, key)?;
                let other = EntityRef { table: other.logical_name.clone(), id: child };
                let (table, collection) = (table.logical_name.clone(), collection.to_owned());
                Ok(Operation::Pair { table, id, collection, other, change })
            }
        }
    }

    /// The row at the other end of a link: in the body, in the path, or in `$id`.
    fn child(
        &self,
        other: &Table,
        (collection, child): (&str, Option<&RowKey>),
        change: PairChange,
    ) -> Result<Uuid> {
        let by_option = self.options.iter().find(|(name, _)| name == "$id").map(|(_, url)| url);
        let row = match (change, child, by_option) {
            (PairChange::Join, None, None) => parse_link(&self.request.body, &self.scope())?,
            (PairChange::Part, Some(key), None) => return self.id(other, key),
            (PairChange::Part, None, Some(url)) => resolve_bind(url, &self.scope())?,
            _ => return Err(ODataError::bad_request("The URL must name one row to take out.")),
        };
        match row.table == other.logical_name {
            true => Ok(row.id),
            false => Err(ODataError::bad_request(format!("'{collection}' holds no rows of that table."))),
        }
    }

    fn collection_of(&self, table: &Table, name: &str) -> Result<Collection<'_>> {
        Collection::find(self.schema, table, name).ok_or_else(|| ODataError::segment_not_found(name))
    }
}

/// What is read of a collection's rows.
#[derive(Clone, Copy)]
enum Wanted {
    Rows,
    References,
}

/// A link of a lookup, told from the side of the row that holds it.
fn set_reference(
    (holder, child): (&Table, Uuid),
    target: &LookupTarget,
    row: EntityRef,
    change: PairChange,
) -> Operation {
    let (to, taken_from) = match change {
        PairChange::Join => (Some(row), None),
        PairChange::Part => (None, Some(row)),
    };
    Operation::SetReference {
        table: holder.logical_name.clone(),
        id: child,
        navigation: target.navigation.clone(),
        target: to,
        taken_from,
    }
}

/// Makes a new row point to the row whose collection it joins.
fn point_to(write: &mut Write, table: &Table, lookup: &Column, row: EntityRef) -> Result<()> {
    let name = &lookup.logical_name;
    let set = write.values.iter().any(|(given, value)| given == name && !value.is_null());
    let made = write.related.iter().any(|r| matches!(r, Related::Parent { column, .. } if column == name));
    if set || made {
        let message = format!("'{name}' of '{}' is bound more than once.", table.logical_name);
        return Err(ODataError::bad_payload(message));
    }
    write.values.retain(|(given, _)| given != name);
    write.values.push((name.clone(), Value::Lookup(row)));
    Ok(())
}
