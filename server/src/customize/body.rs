//! Bodies of requests that change definitions, as Dataverse's clients send them.

use flette_odata::error::Result;
use flette_odata::ODataError;
use serde_json::Value as Json;

/// A JSON object; an empty body is an empty one.
///
/// # Errors
/// 400 `0x80048d19`: anything else.
pub(super) fn parse(body: &[u8]) -> Result<Json> {
    if body.is_empty() {
        return Ok(Json::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(object @ Json::Object(_)) => Ok(object),
        _ => Err(ODataError::bad_payload("The body must be a JSON object.")),
    }
}

/// A text member that must be there.
///
/// # Errors
/// 400 when it is missing or empty.
pub(super) fn needed<'b>(body: &'b Json, name: &str) -> Result<&'b str> {
    let text = body.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| invalid(format!("'{name}' is missing.")))
}

/// The text of a label, in the first language it has.
pub(super) fn label<'b>(body: &'b Json, name: &str) -> Option<&'b str> {
    let label = body.get(name)?;
    let text = |label: &'b Json| label.get("Label").and_then(Json::as_str);
    let first = || label.get("LocalizedLabels").and_then(|all| all.get(0)).and_then(text);
    label.get("UserLocalizedLabel").and_then(text).or_else(first)
}

/// A truth value, plain or managed (`{"Value": true}`).
pub(super) fn flag(body: &Json, name: &str) -> Option<bool> {
    let value = body.get(name)?;
    value.as_bool().or_else(|| value.get("Value").and_then(Json::as_bool))
}

/// Type name in `@odata.type`, without namespace.
pub(super) fn type_name(body: &Json) -> &str {
    let name = body.get("@odata.type").and_then(Json::as_str).unwrap_or_default();
    name.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.")
}

/// 400 with the code for arguments that cannot be.
pub(super) fn invalid(message: impl Into<String>) -> ODataError {
    ODataError::new(400, "0x80040203", message)
}

/// 400 for a name that is taken.
pub(super) fn taken(what: &str, name: &str) -> ODataError {
    let message = format!("A {what} with the specified name {name} already exists.");
    ODataError::new(400, "0x80047013", message)
}

/// 400 for what others depend on.
pub(super) fn depended_on(what: &str, name: &str, on: &str) -> ODataError {
    let message = format!("The {what} {name} cannot be deleted because it is referenced by {on}.");
    ODataError::new(400, "0x8004f01f", message)
}

/// 403 for definitions that belong to the server.
pub(super) fn not_custom(what: &str, name: &str) -> ODataError {
    ODataError::new(403, "0x80040220", format!("The {what} {name} is not custom and cannot be deleted."))
}
