//! Acting for another user: `CallerObjectId` and `MSCRMCallerID`.
//!
//! A request that names another user is carried out in that user's name, by the rights that both have, or refused. It is
//! never carried out as if it had named nobody.

use super::callers::Callers;
use crate::db::rights::Sight;
use crate::db::sessions::Caller;
use crate::db::Reader;
use crate::rights::ACT_FOR_OTHERS;
use flette_odata::error::Result;
use flette_odata::{Headers, ODataError, Uuid, ACT_FOR_OBJECT, ACT_FOR_USER};
use std::sync::Arc;

/// In whose name a request shall be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActFor {
    /// In the name of whoever signed in.
    Oneself,
    /// A user by `systemuserid`.
    User(Uuid),
    /// A user by the id in the directory.
    Object(Uuid),
}

impl ActFor {
    /// Reads the headers of a request, or of a part of a batch.
    ///
    /// # Errors
    /// 400 when a value is no GUID, or more than one user is named.
    pub(super) fn read(headers: &Headers) -> Result<ActFor> {
        let by_object =
            headers.all(ACT_FOR_OBJECT).map(|value| (value, ActFor::Object as fn(Uuid) -> ActFor));
        let by_user = headers.all(ACT_FOR_USER).map(|value| (value, ActFor::User as fn(Uuid) -> ActFor));
        let mut named = by_object.chain(by_user);
        let Some((value, of)) = named.next() else { return Ok(ActFor::Oneself) };
        let id = Uuid::try_parse(value.trim()).ok().filter(|_| named.next().is_none());
        id.map(of).ok_or_else(|| {
            ODataError::bad_request(format!("One GUID in {ACT_FOR_OBJECT} or {ACT_FOR_USER} names a user."))
        })
    }

    /// The same for a part of a batch, whose own headers count before those of the batch.
    pub(super) fn of_part(self, headers: &Headers) -> Result<ActFor> {
        match ActFor::read(headers)? {
            ActFor::Oneself => Ok(self),
            other @ (ActFor::User(_) | ActFor::Object(_)) => Ok(other),
        }
    }

    /// The user, when there is one.
    fn user(self, reader: &Reader, oneself: Uuid) -> Result<Option<Uuid>> {
        match self {
            ActFor::Oneself => Ok(Some(oneself)),
            ActFor::User(user) => Ok(Some(user)),
            ActFor::Object(object) => reader.user_by_object_id(object),
        }
    }
}

/// Who asks, with the rights of this snapshot: whoever signed in, or the user that is acted for.
///
/// # Errors
/// 401 when whoever signed in is no user any more; 403 when the right to act for others is missing, or there is no such
/// user, or it is disabled.
pub(super) fn caller(reader: &Reader, callers: &Callers, user: Uuid, act_for: ActFor) -> Result<Arc<Caller>> {
    let actor = callers.get(reader, user)?;
    let named = act_for.user(reader, user)?;
    if named == Some(user) {
        return Ok(actor);
    }
    let Sight::Of(rights) = &actor.sight else { return Err(denied(user)) };
    if !rights.may_act_for_others() {
        return Err(denied(user));
    }
    let named = named.ok_or_else(not_active)?;
    callers.acting(reader, user, rights, named)?.ok_or_else(not_active)
}

fn denied(user: Uuid) -> ODataError {
    let message = format!("Principal user (Id={user}, type=8) is missing {ACT_FOR_OTHERS} privilege.");
    ODataError::new(403, "0x80040220", message)
}

/// One answer for both: who may not see users is not told which there are.
fn not_active() -> ODataError {
    ODataError::new(403, "0x80040225", "The user to act for does not exist, or is disabled.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    #[test]
    fn one_header_names_one_user_and_anything_else_is_refused() {
        fn check(headers: &[(&str, &str)], expected: std::result::Result<ActFor, u16>) {
            let headers: Headers = headers.iter().copied().collect();
            assert_eq!(ActFor::read(&headers).map_err(|error| error.status), expected, "{headers:?}");
        }
        let (one, two) = (ONE.to_string(), TWO.to_string());
        check(&[], Ok(ActFor::Oneself));
        check(&[("Prefer", "x")], Ok(ActFor::Oneself));
        check(&[("CallerObjectId", &one)], Ok(ActFor::Object(ONE)));
        check(&[("mscrmcallerid", &one.to_uppercase())], Ok(ActFor::User(ONE)));
        check(&[("MSCRMCallerID", &format!(" {{{one}}} "))], Ok(ActFor::User(ONE)));
        for wrong in ["", "null", "anna", "1"] {
            check(&[("CallerObjectId", wrong)], Err(400));
            check(&[("MSCRMCallerID", wrong)], Err(400));
        }
        check(&[("MSCRMCallerID", &one), ("MSCRMCallerID", &two)], Err(400));
        check(&[("MSCRMCallerID", &one), ("CallerObjectId", &one)], Err(400));
        check(&[("MSCRMCallerID", ""), ("CallerObjectId", &one)], Err(400));
    }

    #[test]
    fn the_headers_of_a_part_count_before_those_of_its_batch() {
        let part = |value: &str| Headers::from_iter([("MSCRMCallerID", value)]);
        assert_eq!(ActFor::Object(ONE).of_part(&Headers::new()), Ok(ActFor::Object(ONE)));
        assert_eq!(ActFor::Object(ONE).of_part(&part(&TWO.to_string())), Ok(ActFor::User(TWO)));
        assert_eq!(ActFor::Oneself.of_part(&part(&TWO.to_string())), Ok(ActFor::User(TWO)));
        assert!(ActFor::Object(ONE).of_part(&part("x")).is_err());
    }
}
