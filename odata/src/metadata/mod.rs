//! The schema on the wire: `EntityDefinitions`, the service document and `$metadata`, written; and a table read back from
//! the answers of any Dataverse.

use crate::edm::{Schema, Table};
use crate::error::{ODataError, Result};
use crate::path::DefinitionPath;

/// The answer to a `GET` below `EntityDefinitions`, as JSON.
pub fn definitions(
    _schema: &Schema,
    _path: &DefinitionPath,
    _options: &[(String, String)],
    _root: &str,
) -> Result<Vec<u8>> {
    Err(ODataError::not_implemented("metadata"))
}

/// What to ask a Dataverse for, to learn one table: URLs relative to the API's root.
pub fn definition_requests(_logical_name: &str) -> Vec<String> {
    Vec::new()
}

/// Reads a table from the answers to [`definition_requests`], in any order.
pub fn parse_definition(_answers: &[Vec<u8>]) -> Result<Table> {
    Err(ODataError::not_implemented("metadata"))
}

/// The service document: every entity set.
pub fn service_document(_schema: &Schema, _root: &str) -> Vec<u8> {
    Vec::new()
}

/// `$metadata`: the schema as CSDL XML.
pub fn metadata_xml(_schema: &Schema) -> Vec<u8> {
    Vec::new()
}
