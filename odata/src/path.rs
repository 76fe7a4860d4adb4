//! URLs: which resource a request means, and its query options, percent-decoded.

use crate::edm::Schema;
use crate::error::{ODataError, Result};
use uuid::Uuid;

/// What a URL names. Tables and columns are logical names, checked against the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The root: the service document.
    Service,
    /// `$metadata`
    Metadata,
    /// `WhoAmI`
    WhoAmI,
    /// `$batch`
    Batch,
    /// `accounts`
    Collection {
        /// Logical name.
        table: String,
    },
    /// `accounts/$count`
    Count {
        /// Logical name.
        table: String,
    },
    /// `accounts(id)`
    Row {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
    },
    /// `accounts(id)/name`
    Property {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// Logical name; `parentcustomerid` for `_parentcustomerid_value`.
        column: String,
    },
    /// `contacts(id)/parentcustomerid_account/$ref`: a single-valued navigation property's link.
    Reference {
        /// Logical name.
        table: String,
        /// The row's id.
        id: Uuid,
        /// Navigation property, as in the schema.
        navigation: String,
    },
    /// `EntityDefinitions…`
    Definitions(DefinitionPath),
    /// `Name(parameter=value,…)`: an unbound function.
    Function {
        /// Name without namespace.
        name: String,
        /// Parameters in order: name and the text of the value, aliases (`@p`) resolved from the query options.
        parameters: Vec<(String, String)>,
    },
}

/// Path below `EntityDefinitions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefinitionPath {
    /// Which definition; `None` = all.
    pub entity: Option<Selector>,
    /// What of it; `None` = the definition itself. Never without `entity`.
    pub part: Option<DefinitionPart>,
}

/// How a definition is named: `(LogicalName='account')`, `(MetadataId=…)` or `(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Selector {
    LogicalName(String),
    MetadataId(Uuid),
}

/// Part of an entity definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinitionPart {
    /// `Attributes`, `Attributes(LogicalName='x')`, each with or without a cast.
    Attributes {
        /// Which attribute; `None` = all.
        attribute: Option<Selector>,
        /// Type name without namespace, such as `PicklistAttributeMetadata`. With `attribute: None` it keeps only the
        /// attributes of that type.
        cast: Option<String>,
    },
    /// `ManyToOneRelationships`
    ManyToOneRelationships,
    /// `OneToManyRelationships`
    OneToManyRelationships,
    /// `ManyToManyRelationships`
    ManyToManyRelationships,
    /// `Keys`
    Keys,
}

/// A resource and the query options, in order and percent-decoded, `$` kept in the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What the path names.
    pub resource: Resource,
    /// Name and value of each option.
    pub options: Vec<(String, String)>,
}

/// Reads a URL. `url` is absolute or a path; `root` is the API's root, absolute or a path, ending in `/`. Scheme and
/// host are not compared: behind a proxy they differ.
///
/// # Errors
/// 404 when the URL is not below the root or names an unknown resource; 400 when a key or the encoding is malformed;
/// 414 when it is longer than [`URL_LENGTH_MAX`]; 501 for what Dataverse knows and this crate does not.
pub fn parse_url(_url: &str, _root: &str, _schema: &Schema) -> Result<Target> {
    Err(ODataError::not_implemented("URLs are not read yet."))
}

/// Longest URL, bytes: that of a GET inside a batch.
pub const URL_LENGTH_MAX: usize = 65_536;
