//! Paths below `EntityDefinitions`.

use super::{name_and_key, not_found, query_syntax, unsupported_or_not_found, NAMESPACE};
use crate::error::{ODataError, Result};
use crate::filter::parse_guid;
use uuid::Uuid;

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
}

pub(super) fn definitions(key: Option<&str>, rest: &[&str]) -> Result<DefinitionPath> {
    let entity = key.map(selector).transpose()?;
    let part = match rest {
        [] => None,
        [first, ..] if entity.is_none() => return Err(unsupported_or_not_found(first)),
        [first, rest @ ..] => Some(definition_part(first, rest)?),
    };
    Ok(DefinitionPath { entity, part })
}

fn definition_part(first: &str, rest: &[&str]) -> Result<DefinitionPart> {
    let (name, key) = name_and_key(first)?;
    match (name, key, rest) {
        ("Attributes", key, []) => {
            Ok(DefinitionPart::Attributes { attribute: key.map(selector).transpose()?, cast: None })
        }
        ("Attributes", key, [cast]) => {
            let attribute = key.map(selector).transpose()?;
            let type_name = cast.strip_prefix(NAMESPACE).ok_or_else(|| not_found(cast))?;
            Ok(DefinitionPart::Attributes { attribute, cast: Some(type_name.to_owned()) })
        }
        ("ManyToOneRelationships", None, []) => Ok(DefinitionPart::ManyToOneRelationships),
        ("OneToManyRelationships", None, []) => Ok(DefinitionPart::OneToManyRelationships),
        ("ManyToManyRelationships", None, []) => Ok(DefinitionPart::ManyToManyRelationships),
        ("Keys", None, []) => Ok(DefinitionPart::Keys),
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

fn selector(key: &str) -> Result<Selector> {
    let (name, value) = key.split_once('=').map_or(("MetadataId", key), |(name, value)| (name.trim(), value));
    let value = value.trim();
    match name {
        "LogicalName" => {
            let quoted = value.strip_prefix('\'').and_then(|v| v.strip_suffix('\''));
            quoted.map(|v| Selector::LogicalName(v.to_owned())).ok_or_else(query_syntax)
        }
        "MetadataId" => parse_guid(value).map(Selector::MetadataId).ok_or_else(query_syntax),
        _ => Err(query_syntax()),
    }
}
