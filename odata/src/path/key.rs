//! How a URL names one row: by id, or by an alternate key.

use super::encoding::encode_key;
use super::query_syntax;
use crate::edm::{Column, ColumnKind, Schema, Table};
use crate::error::{ODataError, Result};
use crate::filter::{parse_filter, parse_guid, CompareOp, Filter};
use crate::query::split_outside;
use crate::value::{EntityRef, Value};
use uuid::Uuid;

/// The key of a row in a URL.
#[derive(Debug, Clone, PartialEq)]
pub enum RowKey {
    /// `accounts(id)` or `accounts(accountid=id)`.
    Id(Uuid),
    /// `accounts(accountnumber='A1')`
    Alternate(AlternateName),
    /// `contacts(id)/parentcustomerid_account/…`: the row behind a single-valued navigation property.
    Behind {
        /// Logical name of the table that has the property.
        table: String,
        /// The row that has it.
        key: Box<RowKey>,
        /// Navigation property, as in the schema.
        navigation: String,
    },
    /// `accounts(id)/contact_customer_accounts(id)`: a row of a collection of another row.
    Within {
        /// Logical name of the table that has the collection.
        table: String,
        /// The row that has it.
        key: Box<RowKey>,
        /// Collection-valued navigation property.
        collection: String,
        /// Which row of it.
        child: Box<RowKey>,
    },
}

impl RowKey {
    /// How many rows lie before this one on the path to it.
    pub fn steps(&self) -> usize {
        match self {
            RowKey::Id(_) | RowKey::Alternate(_) => 0,
            RowKey::Behind { key, .. } | RowKey::Within { key, .. } => key.steps() + 1,
        }
    }
}

/// The values of an alternate key that a table declares.
#[derive(Debug, Clone, PartialEq)]
pub struct AlternateName {
    /// Every column of the key, in the order of the URL, with its value; never null.
    pub values: Vec<(String, Value)>,
    /// What stands between the parentheses, percent-encoded.
    pub text: String,
}

/// Reads what stands between the parentheses, percent-decoded.
///
/// # Errors
/// 400 `0x80060888`: malformed, or columns that are no key of the table.
pub(crate) fn row_key(key: &str, table: &Table) -> Result<RowKey> {
    let Some((name, value)) = key.split_once('=') else {
        return parse_guid(key.trim()).map(RowKey::Id).ok_or_else(query_syntax);
    };
    if name.trim() == named_key(table) {
        return parse_guid(value.trim()).map(RowKey::Id).ok_or_else(query_syntax);
    }
    let mut parts = Vec::new();
    for part in split_outside(key, ',') {
        let (name, literal) = part.split_once('=').ok_or_else(query_syntax)?;
        let column = table.column_by_property(name.trim()).ok_or_else(|| not_a_key(table))?;
        parts.push((column, literal.trim()));
    }
    let declared = table.keys.iter().any(|key| {
        let named = |name: &String| parts.iter().any(|(column, _)| column.logical_name == *name);
        key.columns.len() == parts.len() && key.columns.iter().all(named)
    });
    if !declared {
        return Err(not_a_key(table));
    }
    let values = parts.into_iter().map(|(column, literal)| value_of(column, literal, table));
    Ok(RowKey::Alternate(AlternateName { values: values.collect::<Result<_>>()?, text: encode_key(key) }))
}

/// The primary key as URLs name it: users and teams inherit theirs from `principal`.
fn named_key(table: &Table) -> &str {
    match table.logical_name.as_str() {
        "systemuser" | "team" => "ownerid",
        _ => &table.primary_id,
    }
}

/// A literal as value of its column. Read as the filter `column eq literal` would be.
fn value_of(column: &Column, literal: &str, table: &Table) -> Result<(String, Value)> {
    // A key names columns of its own table only, so the filter needs no other.
    let alone = Schema::default();
    let filter = parse_filter(&format!("{} eq {literal}", column.property()), table, &alone)?;
    let value = match filter {
        Filter::Compare { column: name, op: CompareOp::Equal, value } if name == column.logical_name => value,
        _ => return Err(query_syntax()),
    };
    let value = match (value, &column.kind) {
        (Value::Null, _) => return Err(query_syntax()),
        (Value::Guid(id), ColumnKind::Lookup { targets }) => match targets.as_slice() {
            [first, rest @ ..] if rest.iter().all(|target| target.table == first.table) => {
                Value::Lookup(EntityRef { table: first.table.clone(), id })
            }
            _ => return Err(not_a_key(table)),
        },
        (value, _) => value,
    };
    Ok((column.logical_name.clone(), value))
}

fn not_a_key(table: &Table) -> ODataError {
    ODataError::bad_request(format!(
        "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.{}'. Ensure that the names \
         and number of key properties match the declared or alternate key properties for the resource.",
        table.logical_name
    ))
}
