//! One function per kind of resource: which verbs it takes, and what its body and options say.

use super::Operation;
use crate::batch::parse_batch;
use crate::condition::Condition;
use crate::edm::{Column, Required, Schema, Table};
use crate::error::{ODataError, Result};
use crate::http::{Method, Request};
use crate::path;
use crate::payload::{
    check_writable, parse_property, parse_reference, parse_write, required_missing, resolve_bind, Write,
    WriteKind,
};
use crate::prefer::Prefer;
use crate::query::{parse_query, Query};
use crate::value::{EntityRef, Value};
use serde::Deserialize;
use uuid::Uuid;

/// Query options that a resource understands beside `$select` and `$expand`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Options {
    /// None: one row.
    OfRow,
    /// `$filter` and `$deltatoken`, but neither `$select` nor `$expand`.
    OfCount,
    /// No option at all.
    Nothing,
}

/// A request while it is read.
pub(super) struct Reader<'a> {
    pub(super) request: &'a Request,
    pub(super) root: &'a str,
    pub(super) schema: &'a Schema,
    pub(super) references: &'a dyn Fn(&str) -> Option<EntityRef>,
    pub(super) options: &'a [(String, String)],
}

impl Reader<'_> {
    pub(super) fn only_get(&self, resource: &str, operation: Operation) -> Result<Operation> {
        match self.request.method {
            Method::Get => Ok(operation),
            Method::Post | Method::Patch | Method::Put | Method::Delete => Err(self.wrong_verb(resource)),
        }
    }

    pub(super) fn batch(&self) -> Result<Operation> {
        if self.request.method != Method::Post {
            return Err(self.wrong_verb("$batch"));
        }
        let content_type = self.request.headers.get("Content-Type").unwrap_or_default();
        parse_batch(content_type, &self.request.body).map(Operation::Batch)
    }

    pub(super) fn collection(&self, table: &Table) -> Result<Operation> {
        let name = table.logical_name.clone();
        match self.request.method {
            Method::Get => {
                let query = parse_query(self.options, table, self.schema)?;
                Ok(Operation::ReadCollection { table: name, query, prefer: self.prefer() })
            }
            Method::Post => {
                self.check_table_writable(table)?;
                let query = self.query(table, Options::OfRow)?;
                let write = self.write(table, WriteKind::Create)?;
                Ok(Operation::Create { table: name, write, query, prefer: self.prefer() })
            }
            Method::Patch | Method::Put | Method::Delete => Err(self.wrong_verb(&table.set_name)),
        }
    }

    pub(super) fn count(&self, table: &Table) -> Result<Operation> {
        let query = self.query(table, Options::OfCount)?;
        self.only_get("$count", Operation::Count { table: table.logical_name.clone(), query })
    }

    pub(super) fn row(&self, table: &Table, id: Uuid) -> Result<Operation> {
        let name = table.logical_name.clone();
        let condition = Condition::parse(&self.request.headers)?;
        let prefer = self.prefer();
        match self.request.method {
            Method::Get => {
                let query = self.query(table, Options::OfRow)?;
                Ok(Operation::ReadRow { table: name, id, query, prefer, condition })
            }
            Method::Patch => {
                self.check_table_writable(table)?;
                let query = self.query(table, Options::OfRow)?;
                let write = self.write(table, patch_kind(&condition))?;
                Ok(Operation::Update { table: name, id, write, condition, prefer, query })
            }
            Method::Delete => {
                self.check_table_writable(table)?;
                self.query(table, Options::Nothing)?;
                Ok(Operation::Delete { table: name, id, condition })
            }
            Method::Post | Method::Put => Err(self.wrong_verb(&format!("a row of {}", table.set_name))),
        }
    }

    pub(super) fn property(&self, table: &Table, id: Uuid, column: &str) -> Result<Operation> {
        let column = table.column(column).ok_or_else(|| ODataError::segment_not_found(column))?;
        let value = match self.request.method {
            Method::Get => {
                self.query(table, Options::Nothing)?;
                return Ok(read_property(table, id, &column.logical_name, Form::Json));
            }
            Method::Put => parse_property(&self.request.body, table, column)?,
            Method::Delete if column.is_lookup() || column.logical_name == table.primary_id => {
                return Err(ODataError::bad_request(format!(
                    "The property '{}' of '{}' cannot be set.",
                    column.property(),
                    table.logical_name
                )))
            }
            Method::Delete => {
                check_nullable(table, column)?;
                Value::Null
            }
            Method::Post | Method::Patch => return Err(self.wrong_verb("a property")),
        };
        self.check_table_writable(table)?;
        self.query(table, Options::Nothing)?;
        Ok(Operation::SetProperty {
            table: table.logical_name.clone(),
            id,
            column: column.logical_name.clone(),
            value,
            condition: Condition::parse(&self.request.headers)?,
        })
    }

    pub(super) fn reference(&self, table: &Table, id: Uuid, navigation: String) -> Result<Operation> {
        let target = match self.request.method {
            Method::Get => {
                self.query(table, Options::Nothing)?;
                return Ok(Operation::ReadReference { table: table.logical_name.clone(), id, navigation });
            }
            Method::Put => {
                let (body, root) = (&self.request.body, self.root);
                Some(parse_reference(body, table, &navigation, self.schema, root, self.references)?)
            }
            Method::Delete => {
                let (column, _) = table
                    .navigation(&navigation)
                    .ok_or_else(|| ODataError::segment_not_found(&navigation))?;
                check_nullable(table, column)?;
                None
            }
            Method::Post | Method::Patch => return Err(self.wrong_verb("a reference")),
        };
        self.check_table_writable(table)?;
        self.query(table, Options::Nothing)?;
        Ok(Operation::SetReference { table: table.logical_name.clone(), id, navigation, target })
    }

    pub(super) fn property_value(&self, table: &Table, id: Uuid, column: String) -> Result<Operation> {
        self.query(table, Options::Nothing)?;
        self.only_get("a property's value", read_property(table, id, &column, Form::Bare))
    }

    /// The row behind a single-valued navigation property.
    pub(super) fn navigation(&self, table: &Table, id: Uuid, navigation: String) -> Result<Operation> {
        let target = table
            .navigation(&navigation)
            .and_then(|(_, targets)| targets.iter().find_map(|target| self.schema.table(&target.table)));
        let target = target.ok_or_else(|| ODataError::segment_not_found(&navigation))?;
        let operation = Operation::ReadNavigation {
            table: table.logical_name.clone(),
            id,
            navigation,
            query: self.query(target, Options::OfRow)?,
            prefer: self.prefer(),
            condition: Condition::parse(&self.request.headers)?,
        };
        self.only_get("the row behind a property", operation)
    }

    /// Rows of a collection-valued navigation property.
    pub(super) fn related(&self, table: &Table, id: Uuid, collection: String) -> Result<Operation> {
        self.read_related(table, id, collection, Wanted::Rows)
    }

    fn read_related(&self, table: &Table, id: Uuid, collection: String, wanted: Wanted) -> Result<Operation> {
        let rows = self.rows_of(table, &collection)?;
        let query = parse_query(self.options, rows, self.schema)?;
        let operation = Operation::ReadRelated {
            table: table.logical_name.clone(),
            id,
            collection,
            query,
            prefer: self.prefer(),
            reference_only: matches!(wanted, Wanted::References),
        };
        self.only_get("a collection below a row", operation)
    }

    pub(super) fn related_count(&self, table: &Table, id: Uuid, collection: String) -> Result<Operation> {
        let query = self.query(self.rows_of(table, &collection)?, Options::OfCount)?;
        let table = table.logical_name.clone();
        self.only_get("$count", Operation::CountRelated { table, id, collection, query })
    }

    /// The table whose rows a collection holds.
    fn rows_of(&self, table: &Table, collection: &str) -> Result<&Table> {
        path::collection_table(self.schema, table, collection)
            .ok_or_else(|| ODataError::segment_not_found(collection))
    }

    /// `POST accounts(a)/contact_customer_accounts/$ref` sets the lookup of the contact in the body; `DELETE`
    /// of `…(contact)/$ref` or `…/$ref?$id=contacts(…)` clears it.
    pub(super) fn collection_reference(
        &self,
        table: &Table,
        id: Uuid,
        collection: &str,
        child: Option<Uuid>,
    ) -> Result<Operation> {
        let (holder, lookup, target) = path::collection(self.schema, table, collection)
            .ok_or_else(|| ODataError::segment_not_found(collection))?;
        let named = |url: &str| {
            let row = resolve_bind(url, self.schema, self.root, self.references)?;
            match row.table == holder.logical_name {
                true => Ok(row.id),
                false => Err(ODataError::bad_request(format!("'{collection}' holds no rows of that table."))),
            }
        };
        let (child, target_row) = match (self.request.method, child) {
            (Method::Post, None) => {
                check_writable(holder, &[(lookup.logical_name.clone(), Value::Null)], WriteKind::Update)?;
                let link: Link = serde_json::from_slice(&self.request.body)
                    .map_err(|_| ODataError::bad_payload("The body must be {\"@odata.id\":\"…\"}."))?;
                (named(&link.id)?, Some(EntityRef { table: table.logical_name.clone(), id }))
            }
            (Method::Delete, child) => {
                check_nullable(holder, lookup)?;
                let by_option = self.options.iter().find(|(name, _)| name == "$id");
                let child = match (child, by_option) {
                    (Some(child), None) => child,
                    (None, Some((_, url))) => named(url)?,
                    _ => return Err(ODataError::bad_request("The URL must name one row to take out.")),
                };
                (child, None)
            }
            (Method::Get, None) => {
                return self.read_related(table, id, collection.to_owned(), Wanted::References)
            }
            (Method::Get, Some(_)) => return Err(self.wrong_verb("a reference")),
            (Method::Post | Method::Patch | Method::Put, _) => return Err(self.wrong_verb("a reference")),
        };
        self.check_table_writable(holder)?;
        Ok(Operation::SetReference {
            table: holder.logical_name.clone(),
            id: child,
            navigation: target.navigation.clone(),
            target: target_row,
        })
    }

    fn write(&self, table: &Table, kind: WriteKind) -> Result<Write> {
        parse_write(&self.request.body, table, self.schema, kind, self.root, self.references)
    }

    fn prefer(&self) -> Prefer {
        Prefer::parse(&self.request.headers)
    }

    /// The query options, of which only some make sense here.
    fn query(&self, table: &Table, allowed: Options) -> Result<Query> {
        let foreign = self.options.iter().find(|(name, _)| match (name.as_str(), allowed) {
            ("$filter" | "$deltatoken", options) => options != Options::OfCount,
            ("$select" | "$expand", options) => options != Options::OfRow,
            ("$orderby" | "$top" | "$count" | "$skiptoken" | "$apply", _) => true,
            ("savedQuery" | "userQuery" | "fetchXml", _) => true,
            _ => false,
        });
        match foreign {
            Some((name, _)) => {
                Err(ODataError::bad_request(format!("The query parameter {name} is not supported here.")))
            }
            None => parse_query(self.options, table, self.schema),
        }
    }

    fn check_table_writable(&self, table: &Table) -> Result<()> {
        match table.writable {
            true => Ok(()),
            false => Err(self.wrong_verb(&table.set_name)),
        }
    }

    pub(super) fn wrong_verb(&self, resource: &str) -> ODataError {
        ODataError::method_not_allowed(self.request.method.as_str(), resource)
    }
}

/// How a property is read.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Bare,
}

/// What is read of a collection's rows.
#[derive(Clone, Copy)]
enum Wanted {
    Rows,
    References,
}

fn read_property(table: &Table, id: Uuid, column: &str, form: Form) -> Operation {
    Operation::ReadProperty {
        table: table.logical_name.clone(),
        id,
        column: column.to_owned(),
        raw: matches!(form, Form::Bare),
    }
}

/// Body of a `POST` to a collection's `$ref`.
#[derive(Deserialize)]
struct Link {
    #[serde(rename = "@odata.id")]
    id: String,
}

/// Whether a PATCH can create: then columns count that only a new row may have.
fn patch_kind(condition: &Condition) -> WriteKind {
    match condition {
        Condition::None | Condition::IfNoneMatchAny | Condition::IfNoneMatch(_) => WriteKind::Upsert,
        Condition::IfMatchAny | Condition::IfMatch(_) => WriteKind::Update,
    }
}

fn check_nullable(table: &Table, column: &Column) -> Result<()> {
    check_writable(table, &[(column.logical_name.clone(), Value::Null)], WriteKind::Update)?;
    match column.required {
        Required::System => Err(required_missing(table, column)),
        Required::None | Required::Recommended | Required::Application => Ok(()),
    }
}
