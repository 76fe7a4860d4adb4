//! One function per kind of resource: which verbs it takes, and what its body and options say.

use super::Operation;
use crate::batch::parse_batch;
use crate::condition::Condition;
use crate::edm::{Column, Required, Schema, Table};
use crate::error::{ODataError, Result};
use crate::http::{Method, Request};
use crate::names::{id_of, RowNames};
use crate::path::RowKey;
use crate::payload::{
    check_writable, check_write, keep_key, parse_property, parse_reference, parse_write, required_missing,
    Scope, Write, WriteKind,
};
use crate::prefer::Prefer;
use crate::query::{parse_query, Query};
use crate::value::Value;
use uuid::Uuid;

/// Query options that a resource understands beside `$select` and `$expand`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Options {
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
    pub(super) names: &'a dyn RowNames,
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
                Ok(Operation::Create { table: name, url_key: None, write, query, prefer: self.prefer() })
            }
            Method::Patch | Method::Put | Method::Delete => Err(self.wrong_verb(&table.set_name)),
        }
    }

    pub(super) fn count(&self, table: &Table) -> Result<Operation> {
        let query = self.query(table, Options::OfCount)?;
        self.only_get("$count", Operation::Count { table: table.logical_name.clone(), query })
    }

    pub(super) fn row(&self, table: &Table, key: &RowKey) -> Result<Operation> {
        let name = table.logical_name.clone();
        let condition = Condition::parse(&self.request.headers)?;
        let prefer = self.prefer();
        match self.request.method {
            Method::Get => {
                let query = self.query(table, Options::OfRow)?;
                Ok(Operation::ReadRow { table: name, id: self.id(table, key)?, query, prefer, condition })
            }
            Method::Patch => {
                self.check_table_writable(table)?;
                let query = self.query(table, Options::OfRow)?;
                self.patch(table, key, condition, query)
            }
            Method::Delete => {
                self.check_table_writable(table)?;
                self.query(table, Options::Nothing)?;
                Ok(Operation::Delete { table: name, id: self.id(table, key)?, condition })
            }
            Method::Post | Method::Put => Err(self.wrong_verb(&format!("a row of {}", table.set_name))),
        }
    }

    fn patch(&self, table: &Table, key: &RowKey, condition: Condition, query: Query) -> Result<Operation> {
        let kind = patch_kind(&condition);
        let mut write = self.write(table, kind)?;
        let (name, prefer) = (table.logical_name.clone(), self.prefer());
        let (id, url_key) = match key {
            RowKey::Id(_) | RowKey::Behind { .. } | RowKey::Within { .. } => {
                (Some(self.id(table, key)?), None)
            }
            RowKey::Alternate(key) => {
                let id = self.names.by_key(table, key)?;
                keep_key(&mut write, key, id.is_some());
                (id, Some(key.text.clone()))
            }
        };
        match (id, kind) {
            (Some(id), _) => {
                Ok(Operation::Update { table: name, id, url_key, write, condition, prefer, query })
            }
            (None, WriteKind::Update) => Err(ODataError::key_not_found(&name)),
            (None, WriteKind::Create | WriteKind::Upsert) => {
                check_write(table, &write, WriteKind::Create)?;
                Ok(Operation::Create { table: name, url_key, write, query, prefer })
            }
        }
    }

    pub(super) fn property(&self, table: &Table, key: &RowKey, column: &str) -> Result<Operation> {
        let column = table.column(column).ok_or_else(|| ODataError::segment_not_found(column))?;
        let value = match self.request.method {
            Method::Get => {
                self.query(table, Options::Nothing)?;
                return Ok(read_property(table, self.id(table, key)?, &column.logical_name, Form::Json));
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
            id: self.id(table, key)?,
            column: column.logical_name.clone(),
            value,
            condition: Condition::parse(&self.request.headers)?,
        })
    }

    pub(super) fn reference(&self, table: &Table, key: &RowKey, navigation: String) -> Result<Operation> {
        let target = match self.request.method {
            Method::Get => {
                self.query(table, Options::Nothing)?;
                let (table, id) = (table.logical_name.clone(), self.id(table, key)?);
                return Ok(Operation::ReadReference { table, id, navigation });
            }
            Method::Put => Some(parse_reference(&self.request.body, table, &navigation, &self.scope())?),
            Method::Delete => {
                let (column, _) = table
                    .navigation(&navigation)
                    .ok_or_else(|| ODataError::segment_not_found(&navigation))?;
                check_nullable(table, column)?;
                None
            }
            Method::Post | Method::Patch => return Err(self.wrong_verb("a reference")),
        };
        self.check_no_version()?;
        self.check_table_writable(table)?;
        self.query(table, Options::Nothing)?;
        let id = self.id(table, key)?;
        let table = table.logical_name.clone();
        Ok(Operation::SetReference { table, id, navigation, target, taken_from: None })
    }

    pub(super) fn property_value(&self, table: &Table, key: &RowKey, column: &str) -> Result<Operation> {
        self.query(table, Options::Nothing)?;
        self.only_get("a property's value", read_property(table, self.id(table, key)?, column, Form::Bare))
    }

    /// The row behind a single-valued navigation property.
    pub(super) fn navigation(&self, table: &Table, key: &RowKey, navigation: String) -> Result<Operation> {
        let target = table
            .navigation(&navigation)
            .and_then(|(_, targets)| targets.iter().find_map(|target| self.schema.table(&target.table)));
        let target = target.ok_or_else(|| ODataError::segment_not_found(&navigation))?;
        let operation = Operation::ReadNavigation {
            table: table.logical_name.clone(),
            id: self.id(table, key)?,
            navigation,
            query: self.query(target, Options::OfRow)?,
            prefer: self.prefer(),
            condition: Condition::parse(&self.request.headers)?,
        };
        self.only_get("the row behind a property", operation)
    }

    pub(super) fn id(&self, table: &Table, key: &RowKey) -> Result<Uuid> {
        id_of(self.names, self.schema, table, key)
    }

    pub(super) fn scope(&self) -> Scope<'_> {
        Scope { schema: self.schema, root: self.root, names: self.names }
    }

    pub(super) fn write(&self, table: &Table, kind: WriteKind) -> Result<Write> {
        parse_write(&self.request.body, table, kind, &self.scope())
    }

    pub(super) fn prefer(&self) -> Prefer {
        Prefer::parse(&self.request.headers)
    }

    /// The query options, of which only some make sense here.
    pub(super) fn query(&self, table: &Table, allowed: Options) -> Result<Query> {
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

    pub(super) fn check_table_writable(&self, table: &Table) -> Result<()> {
        match table.writable {
            true => Ok(()),
            false => Err(self.wrong_verb(&table.set_name)),
        }
    }

    /// Refuses a condition on a link other than that its row is there, which it must be anyway: a condition that is
    /// not looked at must never count as one that holds.
    pub(super) fn check_no_version(&self) -> Result<()> {
        match Condition::parse(&self.request.headers)? {
            Condition::None | Condition::IfMatchAny => Ok(()),
            Condition::IfMatch(_) | Condition::IfNoneMatchAny | Condition::IfNoneMatch(_) => {
                Err(ODataError::bad_request("A condition on the version of a row is not supported for $ref."))
            }
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

fn read_property(table: &Table, id: Uuid, column: &str, form: Form) -> Operation {
    Operation::ReadProperty {
        table: table.logical_name.clone(),
        id,
        column: column.to_owned(),
        raw: matches!(form, Form::Bare),
    }
}

/// Whether a PATCH can create: then columns count that only a new row may have.
fn patch_kind(condition: &Condition) -> WriteKind {
    match condition {
        Condition::None | Condition::IfNoneMatchAny | Condition::IfNoneMatch(_) => WriteKind::Upsert,
        Condition::IfMatchAny | Condition::IfMatch(_) => WriteKind::Update,
    }
}

pub(super) fn check_nullable(table: &Table, column: &Column) -> Result<()> {
    check_writable(table, &[(column.logical_name.clone(), Value::Null)], WriteKind::Update)?;
    match column.required {
        Required::System => Err(required_missing(table, column)),
        Required::None | Required::Recommended | Required::Application => Ok(()),
    }
}
