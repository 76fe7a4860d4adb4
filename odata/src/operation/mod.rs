//! What a request asks for: verb, URL, headers and body read together, once, for the engine and the server
//! alike.

mod collection;
mod parse;
mod read;

use crate::batch::BatchItem;
use crate::condition::Condition;
use crate::http::Method;
use crate::path::DefinitionPath;
use crate::payload::{Target, Write, WriteKind};
use crate::prefer::Prefer;
use crate::query::Query;
use crate::value::{EntityRef, Value};
pub use parse::parse;
use uuid::Uuid;

/// A request that is well formed and fits the schema. Whether rows exist, and whether the caller may, is
/// still open.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// `GET` of the root.
    Service,
    /// `GET $metadata`
    Metadata,
    /// `GET WhoAmI`
    WhoAmI,
    /// `GET EntityDefinitions…`
    Definitions {
        /// Which definitions.
        path: DefinitionPath,
        /// Query options, not looked at yet.
        options: Vec<(String, String)>,
    },
    /// `POST $batch`. [`Prefer::continue_on_error`] of the request applies.
    Batch(Vec<BatchItem>),
    /// `GET accounts`
    ReadCollection {
        /// Logical name.
        table: String,
        /// What of it.
        query: Query,
        /// Page size, annotations, change tracking.
        prefer: Prefer,
    },
    /// `GET accounts/$count`; only `filter` and `delta_token` of the query can be set.
    Count {
        /// Logical name.
        table: String,
        /// Which rows.
        query: Query,
    },
    /// `GET accounts(id)`; only `select` and `expand` of the query can be set.
    ReadRow {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// What of it.
        query: Query,
        /// Annotations.
        prefer: Prefer,
        /// See [`Condition::not_modified`].
        condition: Condition,
    },
    /// `GET accounts(id)/name`, or `…/$value`
    ReadProperty {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// Logical name.
        column: String,
        /// Whether the bare value is asked for (`$value`).
        raw: bool,
    },
    /// `GET contacts(id)/parentcustomerid_account`: the row behind a single-valued navigation property; only
    /// `select` and `expand` of the query can be set.
    ReadNavigation {
        /// Logical name of the table that has the property.
        table: String,
        /// The row that has it.
        id: Uuid,
        /// Single-valued navigation property.
        navigation: String,
        /// What of the row behind it.
        query: Query,
        /// Annotations.
        prefer: Prefer,
        /// See [`Condition::not_modified`].
        condition: Condition,
    },
    /// `GET contacts(id)/parentcustomerid_account/$ref`
    ReadReference {
        /// Logical name of the table that has the property.
        table: String,
        /// The row that has it.
        id: Uuid,
        /// Single-valued navigation property.
        navigation: String,
    },
    /// `GET accounts(id)/contact_customer_accounts`, or `…/$ref`
    ReadRelated {
        /// Logical name of the table that has the collection.
        table: String,
        /// The row that has it.
        id: Uuid,
        /// Collection-valued navigation property.
        collection: String,
        /// What of the collection; about its own table.
        query: Query,
        /// Page size, annotations.
        prefer: Prefer,
        /// Whether only references are asked for (`$ref`).
        reference_only: bool,
    },
    /// `GET accounts(id)/contact_customer_accounts/$count`; only `filter` of the query can be set.
    CountRelated {
        /// Logical name of the table that has the collection.
        table: String,
        /// The row that has it.
        id: Uuid,
        /// Collection-valued navigation property.
        collection: String,
        /// Which rows; about the collection's own table.
        query: Query,
    },
    /// `POST accounts`; also `PATCH` of an alternate key that no row has, whose values stand in the write then, and `POST`
    /// to a collection below a row, which the new row's lookup points to then.
    Create {
        /// Logical name.
        table: String,
        /// The alternate key of the URL, as it stands between the parentheses: it names the row in the answer.
        url_key: Option<String>,
        /// The new row.
        write: Write,
        /// `select` and `expand` of the answer under `return=representation`.
        query: Query,
        /// Whether to answer with the row.
        prefer: Prefer,
    },
    /// `PATCH accounts(id)`: creates the row where there is none, unless the condition forbids it. The values
    /// are then checked as [`crate::payload::WriteKind::Upsert`]: call [`crate::payload::check_write`]
    /// when it is known whether the row exists.
    Update {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// As for [`Operation::Create`].
        url_key: Option<String>,
        /// What changes.
        write: Write,
        /// What must hold.
        condition: Condition,
        /// Whether to answer with the row.
        prefer: Prefer,
        /// `select` and `expand` of the answer under `return=representation`.
        query: Query,
    },
    /// `PUT accounts(id)/name`, or `DELETE` of it, which sets it to null.
    SetProperty {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// Logical name; never a lookup.
        column: String,
        /// The new value.
        value: Value,
        /// What must hold; the row must exist in any case.
        condition: Condition,
    },
    /// `DELETE accounts(id)`
    Delete {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// What must hold; the row must exist in any case.
        condition: Condition,
    },
    /// `PUT contacts(id)/nav/$ref` or `DELETE` of it; also `POST` and `DELETE` of a collection's `$ref`, told
    /// from the side of the row that holds the lookup.
    SetReference {
        /// Logical name of the table that holds the lookup.
        table: String,
        /// The row that holds the lookup.
        id: Uuid,
        /// Single-valued navigation property of that table.
        navigation: String,
        /// Where it points now; `None` = nowhere.
        target: Option<EntityRef>,
        /// The row out of whose collection the link is taken: a lookup that points elsewhere keeps pointing there.
        taken_from: Option<EntityRef>,
    },
    /// `POST` or `DELETE` of the `$ref` of a collection whose rows are paired (N:N).
    Pair {
        /// Logical name of the table that has the collection.
        table: String,
        /// The row that has the collection.
        id: Uuid,
        /// Collection-valued navigation property of that table.
        collection: String,
        /// The row at the other end.
        other: EntityRef,
        /// What happens to the pair.
        change: PairChange,
    },
    /// `PUT emails(id)/email_activity_parties`: new rows in place of all that are in a collection.
    ReplaceSet {
        /// Logical name of the table that has the collection.
        table: String,
        /// The row that has the collection.
        id: Uuid,
        /// Collection-valued navigation property of that table.
        collection: String,
        /// The new rows.
        writes: Vec<Write>,
        /// What must hold; the row must exist in any case.
        condition: Condition,
    },
    /// `POST accounts/Microsoft.Dynamics.CRM.CreateMultiple`, `…UpdateMultiple` or `…UpsertMultiple`: all rows or none.
    Multiple {
        /// Logical name.
        table: String,
        /// Which of the three.
        kind: WriteKind,
        /// The rows, in order.
        targets: Vec<Target>,
    },
    /// `POST`, `PUT`, `PATCH` or `DELETE` of definitions.
    Define {
        /// Which definition, or below which.
        path: DefinitionPath,
        /// The verb; never `GET`.
        method: Method,
        /// The definition as JSON; empty for `DELETE`.
        body: Vec<u8>,
    },
    /// `POST Name`: an unbound action.
    Action {
        /// Name without namespace.
        name: String,
        /// Parameters as JSON.
        body: Vec<u8>,
    },
    /// `GET Name(…)`
    Function {
        /// Name without namespace.
        name: String,
        /// Name and text of each value.
        parameters: Vec<(String, String)>,
    },
}

/// What happens to a pair of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairChange {
    /// It is made, unless it is there.
    Join,
    /// It goes, if it is there.
    Part,
}

impl Operation {
    /// The query options, where some are understood.
    pub fn query(&self) -> Option<&Query> {
        match self {
            Operation::ReadCollection { query, .. }
            | Operation::Count { query, .. }
            | Operation::ReadRow { query, .. }
            | Operation::ReadNavigation { query, .. }
            | Operation::ReadRelated { query, .. }
            | Operation::CountRelated { query, .. }
            | Operation::Create { query, .. }
            | Operation::Update { query, .. } => Some(query),
            Operation::Service
            | Operation::Metadata
            | Operation::WhoAmI
            | Operation::Definitions { .. }
            | Operation::Batch(_)
            | Operation::ReadProperty { .. }
            | Operation::ReadReference { .. }
            | Operation::SetProperty { .. }
            | Operation::Delete { .. }
            | Operation::SetReference { .. }
            | Operation::Define { .. }
            | Operation::Action { .. }
            | Operation::Pair { .. }
            | Operation::ReplaceSet { .. }
            | Operation::Multiple { .. }
            | Operation::Function { .. } => None,
        }
    }

    /// Whether the operation changes rows. A batch does not by itself: its parts may.
    pub fn is_write(&self) -> bool {
        match self {
            Operation::Create { .. }
            | Operation::Update { .. }
            | Operation::SetProperty { .. }
            | Operation::Delete { .. }
            | Operation::SetReference { .. }
            | Operation::Define { .. }
            | Operation::Action { .. }
            | Operation::Pair { .. }
            | Operation::ReplaceSet { .. }
            | Operation::Multiple { .. } => true,
            Operation::Service
            | Operation::Metadata
            | Operation::WhoAmI
            | Operation::Definitions { .. }
            | Operation::Batch(_)
            | Operation::ReadCollection { .. }
            | Operation::Count { .. }
            | Operation::ReadRow { .. }
            | Operation::ReadProperty { .. }
            | Operation::ReadNavigation { .. }
            | Operation::ReadReference { .. }
            | Operation::ReadRelated { .. }
            | Operation::CountRelated { .. }
            | Operation::Function { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
