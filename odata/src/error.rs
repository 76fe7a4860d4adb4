//! Errors in the shape that Dataverse gives: an HTTP status, a hexadecimal code and a message.
//!
//! The codes are those of "Web service error codes" in Microsoft's developer guide. A message may name tables, columns
//! and ids; it never holds a column's value, since a CRM holds personal data.

use crate::http::Response;
use serde::{Deserialize, Serialize};

/// An error answer: `{"error":{"code":"0x80040217","message":"…"}}` under `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ODataError {
    /// HTTP status, 400..=599.
    pub status: u16,
    /// Hexadecimal code such as `0x80040217`; empty where the service documents none.
    pub code: String,
    /// What was attempted, on which table and id.
    pub message: String,
}

/// A result whose error can be sent as an answer.
pub type Result<T> = std::result::Result<T, ODataError>;

/// No row has the values of an alternate key.
const KEY_NOT_FOUND: &str = "0x80060891";

impl ODataError {
    /// An error with any status and code.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        ODataError { status, code: code.to_owned(), message: message.into() }
    }

    /// 400 `0x80060888`: the request cannot be understood (bad query option, unknown segment or property).
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "0x80060888", message)
    }

    /// 400 `0x80048d19`: the body is not the JSON that the resource needs.
    pub fn bad_payload(message: impl Into<String>) -> Self {
        Self::new(400, "0x80048d19", message)
    }

    /// 400 `0x80044331`: a text is longer than its column allows.
    pub fn text_too_long(table: &str, column: &str, length_max: u32) -> Self {
        Self::new(
            400,
            "0x80044331",
            format!(
                "A validation error occurred. The length of the '{column}' attribute of the '{table}' entity \
                 exceeded the maximum allowed length of '{length_max}'."
            ),
        )
    }

    /// 404 `0x80040217`: no such row, or none that the caller may see.
    pub fn row_not_found(table: &str, id: uuid::Uuid) -> Self {
        Self::new(404, "0x80040217", format!("Entity '{table}' With Id = {id} Does Not Exist"))
    }

    /// 404 `0x80060891`: no row has the values of an alternate key, or none that the caller may see.
    pub fn key_not_found(table: &str) -> Self {
        let message = format!("A record with the specified key values does not exist in {table} entity");
        Self::new(404, KEY_NOT_FOUND, message)
    }

    /// Whether whoever keeps the rows says that none has the values of an alternate key: see
    /// [`ODataError::key_not_found`].
    pub fn is_key_not_found(&self) -> bool {
        self.code == KEY_NOT_FOUND
    }

    /// 412 `0x80060892`: the values of an alternate key are taken.
    pub fn key_taken(table: &str, key: &str) -> Self {
        let message =
            format!("A record that has the attribute values of the key {key} of {table} already exists.");
        Self::new(412, "0x80060892", message)
    }

    /// 404 `0x80060888`: the URL names something that is not there.
    pub fn segment_not_found(segment: &str) -> Self {
        Self::new(404, "0x80060888", format!("Resource not found for the segment '{segment}'."))
    }

    /// 400 `0x8004112a`: a `$skiptoken` that was not given out here, or for another query.
    pub fn bad_skip_token() -> Self {
        Self::new(400, "0x8004112a", "Paging cookie is malformed or does not fit the query.")
    }

    /// 405 `0x8004023b`: the verb does not fit the resource.
    pub fn method_not_allowed(method: &str, resource: &str) -> Self {
        Self::new(405, "0x8004023b", format!("The method {method} is not allowed on {resource}."))
    }

    /// 412 `0x80060882`: the row's etag is not the one in `If-Match`.
    pub fn version_mismatch() -> Self {
        Self::new(
            412,
            "0x80060882",
            "The version of the existing record doesn't match the RowVersion property provided.",
        )
    }

    /// 412 `0x80040237`: the id is taken.
    pub fn duplicate_key() -> Self {
        Self::new(412, "0x80040237", "A record with matching key values already exists.")
    }

    /// 501: a correct request that this side does not implement.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "0x80060888", message)
    }

    /// The body as sent on the wire.
    pub fn to_json(&self) -> String {
        serde_json::json!({"error": {"code": self.code, "message": self.message}}).to_string()
    }

    /// The whole answer, with the headers every Dataverse answer carries.
    pub fn to_response(&self) -> Response {
        Response::json(self.status, self.to_json().into_bytes())
    }
}

impl std::fmt::Display for ODataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for ODataError {}
