//! Requests that say whose they are. An extension that Dataverse does not have.
//!
//! A browser sends the cookie of whoever is signed in at that moment, so between two requests of one round the user may
//! have changed. A server that announces [`NAME`] in [`crate::stamps::EXTENSIONS_HEADER`] refuses a request that names
//! another user in [`HEADER`] than the one it would be carried out for, before anything of it is done.

use crate::error::Result;
use crate::{Headers, ODataError, Uuid};

/// The extension.
pub const NAME: &str = "same-user";
/// Header of a request: `systemuserid` of the user that it is meant for.
pub const HEADER: &str = "Flette-User";

/// Whether a request may go on as this user's.
///
/// # Errors
/// 400 when the header is no id; 401 when it names somebody else.
pub fn check(headers: &Headers, user: Uuid) -> Result<()> {
    match headers.get(HEADER).map(|named| named.trim().parse::<Uuid>()) {
        None => Ok(()),
        Some(Ok(named)) if named == user => Ok(()),
        Some(Ok(_)) => Err(ODataError::new(401, "0x80044302", "Another user is signed in.")),
        Some(Err(_)) => Err(ODataError::bad_request(format!("The header '{HEADER}' must hold a user's id."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    #[test]
    fn only_a_request_that_names_somebody_else_is_refused() {
        let (user, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let named = |text: String| check(&Request::get("/x").header(HEADER, text).headers, user);
        assert_eq!(check(&Request::get("/x").headers, user), Ok(()));
        assert_eq!(named(user.to_string()), Ok(()));
        assert_eq!(named(format!(" {} ", user.to_string().to_uppercase())), Ok(()));
        assert_eq!(named(other.to_string()).map_err(|error| error.status), Err(401));
        assert_eq!(named("me".to_owned()).map_err(|error| error.status), Err(400));
    }
}
