//! Paths below `EntityDefinitions`, `RelationshipDefinitions` and `GlobalOptionSetDefinitions`.

use super::{name_and_key, not_found, query_syntax, shown, NAMESPACE};
use crate::error::{ODataError, Result};
use crate::filter::parse_guid;
use uuid::Uuid;

/// Path of definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefinitionPath {
    /// Definitions of what.
    pub kind: DefinitionKind,
    /// Which definition; `None` = all.
    pub entity: Option<Selector>,
    /// What of it; `None` = the definition itself. Never without `entity`, and of tables only.
    pub part: Option<DefinitionPart>,
    /// Type name without namespace that a path of relationships or option sets ends in.
    pub cast: Option<String>,
}

/// What is defined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DefinitionKind {
    /// `EntityDefinitions`
    #[default]
    Entities,
    /// `RelationshipDefinitions`
    Relationships,
    /// `GlobalOptionSetDefinitions`
    OptionSets,
}

impl DefinitionKind {
    /// The first segment of the path.
    pub fn segment(self) -> &'static str {
        match self {
            DefinitionKind::Entities => "EntityDefinitions",
            DefinitionKind::Relationships => "RelationshipDefinitions",
            DefinitionKind::OptionSets => "GlobalOptionSetDefinitions",
        }
    }
}

/// How a definition is named: `(LogicalName='account')`, `(MetadataId=…)` or `(…)`; relationships by `SchemaName`,
/// option sets by `Name`.
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
        /// Type name without namespace, such as `PicklistAttributeMetadata`. With `attribute: None` it keeps
        /// only the attributes of that type.
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
    /// `Keys(LogicalName='x')`
    Key(Selector),
    /// `OneToManyRelationships(SchemaName='x')`, and of the other two kinds.
    Relationship(Selector),
    /// `Attributes(LogicalName='x')/Microsoft.Dynamics.CRM.PicklistAttributeMetadata/OptionSet`
    OptionSet {
        /// Which attribute.
        attribute: Selector,
        /// Type name without namespace.
        cast: String,
        /// `GlobalOptionSet`, which only choices with shared options have.
        global: bool,
    },
}

pub(super) fn definitions(name: &str, key: Option<&str>, rest: &[&str]) -> Result<DefinitionPath> {
    let kind = match name {
        "RelationshipDefinitions" => DefinitionKind::Relationships,
        "GlobalOptionSetDefinitions" => DefinitionKind::OptionSets,
        _ => DefinitionKind::Entities,
    };
    let called = match kind {
        DefinitionKind::Entities => "LogicalName",
        DefinitionKind::Relationships => "SchemaName",
        DefinitionKind::OptionSets => "Name",
    };
    let entity = key.map(|key| selector(key, called)).transpose()?;
    let mut path = DefinitionPath { kind, entity, ..DefinitionPath::default() };
    match (kind, rest) {
        (_, []) => {}
        (DefinitionKind::Entities, [first, ..]) if path.entity.is_none() => {
            return Err(unsupported_or_not_found(first))
        }
        (DefinitionKind::Entities, [first, rest @ ..]) => path.part = Some(definition_part(first, rest)?),
        (DefinitionKind::Relationships | DefinitionKind::OptionSets, [cast]) => {
            path.cast = Some(cast.strip_prefix(NAMESPACE).ok_or_else(|| not_found(cast))?.to_owned());
        }
        (DefinitionKind::Relationships | DefinitionKind::OptionSets, [_, other, ..]) => {
            return Err(unsupported_or_not_found(other))
        }
    }
    Ok(path)
}

fn definition_part(first: &str, rest: &[&str]) -> Result<DefinitionPart> {
    let (name, key) = name_and_key(first)?;
    match (name, key, rest) {
        ("Attributes", key, []) => {
            Ok(DefinitionPart::Attributes { attribute: key.map(logical).transpose()?, cast: None })
        }
        ("Attributes", key, [cast]) => {
            let attribute = key.map(logical).transpose()?;
            let type_name = cast.strip_prefix(NAMESPACE).ok_or_else(|| not_found(cast))?;
            Ok(DefinitionPart::Attributes { attribute, cast: Some(type_name.to_owned()) })
        }
        ("Attributes", Some(key), [cast, set @ ("OptionSet" | "GlobalOptionSet")]) => {
            let cast = cast.strip_prefix(NAMESPACE).ok_or_else(|| not_found(cast))?.to_owned();
            Ok(DefinitionPart::OptionSet { attribute: logical(key)?, cast, global: *set != "OptionSet" })
        }
        ("ManyToOneRelationships", None, []) => Ok(DefinitionPart::ManyToOneRelationships),
        ("OneToManyRelationships", None, []) => Ok(DefinitionPart::OneToManyRelationships),
        ("ManyToManyRelationships", None, []) => Ok(DefinitionPart::ManyToManyRelationships),
        ("Keys", None, []) => Ok(DefinitionPart::Keys),
        ("Keys", Some(key), []) => logical(key).map(DefinitionPart::Key),
        ("ManyToOneRelationships" | "OneToManyRelationships" | "ManyToManyRelationships", Some(key), []) => {
            selector(key, "SchemaName").map(DefinitionPart::Relationship)
        }
        (
            "Attributes"
            | "ManyToOneRelationships"
            | "OneToManyRelationships"
            | "ManyToManyRelationships"
            | "Keys",
            _,
            _,
        ) => Err(ODataError::not_implemented(format!("This path below {name} is not supported."))),
        _ => Err(unsupported_or_not_found(first)),
    }
}

fn logical(key: &str) -> Result<Selector> {
    selector(key, "LogicalName")
}

/// An id, or a name by the property that names such definitions.
fn selector(key: &str, called: &str) -> Result<Selector> {
    let (name, value) = key.split_once('=').map_or(("MetadataId", key), |(name, value)| (name.trim(), value));
    let value = value.trim();
    match name {
        _ if name == called => {
            let quoted = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
            quoted.map(|v| Selector::LogicalName(v.to_owned())).ok_or_else(query_syntax)
        }
        "MetadataId" => parse_guid(value).map(Selector::MetadataId).ok_or_else(query_syntax),
        _ => Err(query_syntax()),
    }
}

/// Casts and functions of definitions exist in Dataverse; anything else does not.
fn unsupported_or_not_found(segment: &str) -> ODataError {
    match segment.starts_with(NAMESPACE) {
        true => ODataError::not_implemented(format!("'{}' is not supported.", shown(segment))),
        false => not_found(segment),
    }
}
