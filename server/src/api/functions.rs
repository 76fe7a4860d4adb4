//! Unbound functions.

use super::Call;
use crate::customize::retrieve_metadata_changes;
use crate::db::Reader;
use flette_odata::error::Result;
use flette_odata::{ODataError, Response, Table};
use serde_json::json;

/// Most tables of one `RetrieveTotalRecordCount`.
pub(crate) const COUNTED_TABLES_MAX: usize = 50;

/// Calls a function by name.
///
/// # Errors
/// 404 for one that is not known; 400 for malformed parameters.
pub(super) fn call(
    reader: &Reader,
    call: &Call,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Response> {
    match name {
        "RetrieveMetadataChanges" => {
            retrieve_metadata_changes(reader, parameters, call.root).map(|body| Response::json(200, body))
        }
        "RetrieveTimestamp" => {
            let version = reader.schema_version;
            Ok(answer(call, name, &[("Timestamp", version.to_string().into())]))
        }
        "RetrieveTotalRecordCount" => total_record_count(reader, call, name, parameters),
        _ => Err(ODataError::segment_not_found(name)),
    }
}

fn answer(call: &Call, name: &str, members: &[(&str, serde_json::Value)]) -> Response {
    let mut body = json!({
        "@odata.context": format!("{}$metadata#Microsoft.Dynamics.CRM.{name}Response", call.root),
    });
    for (member, value) in members {
        body[*member] = value.clone();
    }
    Response::json(200, body.to_string().into_bytes())
}

/// `RetrieveTotalRecordCount(EntityNames=['account'])`: rows that there are, whoever asks; no cap.
fn total_record_count(
    reader: &Reader,
    call: &Call,
    name: &str,
    parameters: &[(String, String)],
) -> Result<Response> {
    let malformed =
        || ODataError::new(400, "0x80040203", "The parameter EntityNames is missing or malformed.");
    let text =
        parameters.iter().find(|(n, _)| n == "EntityNames").map(|(_, value)| value.replace('\'', "\""));
    let names: Vec<String> = text.and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(malformed)?;
    if names.is_empty() || names.len() > COUNTED_TABLES_MAX {
        return Err(malformed());
    }
    let tables = names.iter().map(|name| {
        let missing = || {
            let message = format!("The entity with a name = '{name}' was not found.");
            ODataError::new(400, "0x80041102", message)
        };
        reader.schema.table(name).ok_or_else(missing)
    });
    let tables = tables.collect::<Result<Vec<&Table>>>()?;
    let counts = tables.iter().map(|table| reader.total(table)).collect::<Result<Vec<i64>>>()?;
    let collection = json!({
        "Count": names.len(), "IsReadOnly": false, "Keys": names, "Values": counts,
    });
    Ok(answer(call, name, &[("EntityRecordCountCollection", collection)]))
}
