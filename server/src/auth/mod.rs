//! Who is calling: passwords, tokens, the page's cookie, and what keeps foreign pages from using it.

mod attempts;
mod forgery;
mod password;
mod token;

pub use attempts::{too_many_attempts, Attempts};
pub use forgery::{allows_sign_in, allows_write};
pub use password::hash_password;
pub use token::{random_token, token_hash};

use crate::db::sessions::SessionKind;
use crate::db::Database;
use flette_odata::error::Result;
use flette_odata::{Headers, ODataError, Uuid};

/// Name of the page's cookie.
pub const COOKIE: &str = "flette_session";
/// Its name where the page came by TLS: browsers take a cookie with this prefix only from this very host, so
/// that no neighbour under the same domain can plant one.
pub const COOKIE_TLS: &str = "__Host-flette_session";
/// How long a bearer token is good for.
pub const BEARER_SECONDS: i64 = 3600;
/// How long a refresh token or a page's session is good for.
pub const SESSION_SECONDS: i64 = 30 * 24 * 3600;

/// Tokens of one sign-in. They are shown once; the database keeps their hashes.
#[derive(Debug)]
pub struct Tokens {
    /// For `Authorization: Bearer`.
    pub bearer: String,
    /// For `grant_type=refresh_token`.
    pub refresh: String,
}

/// How a request proves who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof<'h> {
    /// `Authorization: Bearer …`
    Bearer(&'h str),
    /// The page's cookie, which a browser also sends for foreign pages.
    Cookie(&'h str),
    /// Nothing.
    None,
}

impl<'h> Proof<'h> {
    /// Reads the headers. A bearer token counts before a cookie.
    pub fn of(headers: &'h Headers) -> Proof<'h> {
        if let Some(value) = headers.get("Authorization") {
            let (scheme, token) = value.trim().split_once(' ').unwrap_or((value, ""));
            return match scheme.eq_ignore_ascii_case("Bearer") {
                true => Proof::Bearer(token.trim()),
                false => Proof::None,
            };
        }
        let name = cookie_name(headers);
        let cookies = headers.all("Cookie").flat_map(|line| line.split(';'));
        let mut session = cookies.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
        session.next().map_or(Proof::None, Proof::Cookie)
    }
}

/// How the caller reaches this server: a proxy in front of it may speak TLS.
pub fn scheme(headers: &Headers) -> &'static str {
    match headers.get("X-Forwarded-Proto") {
        Some("https") => "https",
        _ => "http",
    }
}

/// Name of the page's cookie for somebody who reaches this server that way.
pub fn cookie_name(headers: &Headers) -> &'static str {
    match scheme(headers) {
        "https" => COOKIE_TLS,
        _ => COOKIE,
    }
}

/// 401: nobody is signed in.
pub fn unauthenticated() -> ODataError {
    ODataError::new(401, "0x80044302", "The request is not authenticated.")
}

/// The user behind a proof. What it may do is asked when it is done. `now` in milliseconds.
///
/// # Errors
/// 401 when there is none, or it is wrong or has expired.
pub fn authenticate(database: &Database, proof: Proof, now: i64) -> Result<Uuid> {
    let (token, kind) = match proof {
        Proof::Bearer(token) => (token, SessionKind::Bearer),
        Proof::Cookie(token) => (token, SessionKind::Cookie),
        Proof::None => return Err(unauthenticated()),
    };
    let user = database.read(|reader| reader.session(&token_hash(token), kind, now))?;
    user.ok_or_else(|| ODataError::new(401, "0x8004a101", "The token is not valid or has expired."))
}

/// The user behind a name and a password.
///
/// # Errors
/// 401 when they do not fit; the answer does not say which is wrong, and takes the same time either way. 503
/// when too many wait for the same.
pub fn check_password(database: &Database, user_name: &str, password: &str) -> Result<Uuid> {
    let credential = database.read(|reader| reader.credential(user_name))?;
    let wrong = || ODataError::new(401, "0x80040204", "The user name or the password is wrong.");
    let fits = password::verify(credential.as_ref().map(|c| c.password.as_str()), password)?;
    let credential = credential.filter(|_| fits).ok_or_else(wrong)?;
    let known = database.read(|reader| reader.holdings(credential.user))?;
    known.map(|_| credential.user).ok_or_else(wrong)
}

/// Signs in a program: a bearer and a refresh token. `now` in milliseconds.
///
/// # Errors
/// 500 when the database fails.
pub fn start_tokens(database: &Database, user: Uuid, now: i64) -> Result<Tokens> {
    let (bearer, refresh) = (random_token()?, random_token()?);
    database.write(|writer| {
        let expires = now + BEARER_SECONDS * 1000;
        writer.add_session(&token_hash(&bearer), SessionKind::Bearer, user, expires)?;
        let expires = now + SESSION_SECONDS * 1000;
        writer.add_session(&token_hash(&refresh), SessionKind::Refresh, user, expires)
    })?;
    Ok(Tokens { bearer, refresh })
}

/// A new bearer token for a refresh token, which stays good: an answer may be lost. `now` in milliseconds.
///
/// # Errors
/// 401 when the token is wrong or has expired.
pub fn refresh_tokens(database: &Database, refresh: &str, now: i64) -> Result<Tokens> {
    let known = database.read(|reader| reader.session(&token_hash(refresh), SessionKind::Refresh, now))?;
    let user = known.ok_or_else(|| ODataError::new(401, "0x8004a101", "The refresh token is not valid."))?;
    let bearer = random_token()?;
    let expires = now + BEARER_SECONDS * 1000;
    database.write(|writer| writer.add_session(&token_hash(&bearer), SessionKind::Bearer, user, expires))?;
    Ok(Tokens { bearer, refresh: refresh.to_owned() })
}

/// Signs in a page: the value of its cookie. `now` in milliseconds.
///
/// # Errors
/// 500 when the database fails.
pub fn start_session(database: &Database, user: Uuid, now: i64) -> Result<String> {
    let token = random_token()?;
    let expires = now + SESSION_SECONDS * 1000;
    database.write(|writer| writer.add_session(&token_hash(&token), SessionKind::Cookie, user, expires))?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_proves_who_calls_by_bearer_or_cookie() {
        fn check(fields: &[(&str, &str)], expected: Proof) {
            let headers: Headers = fields.iter().copied().collect();
            assert_eq!(Proof::of(&headers), expected, "{fields:?}");
        }
        check(&[], Proof::None);
        check(&[("Authorization", "Bearer abc")], Proof::Bearer("abc"));
        check(&[("authorization", "bearer  abc ")], Proof::Bearer("abc"));
        check(&[("Authorization", "Basic abc"), ("Cookie", "flette_session=x")], Proof::None);
        check(&[("Cookie", "a=b; flette_session=x; c=d")], Proof::Cookie("x"));
        check(&[("Cookie", "a=b"), ("Cookie", "flette_session=x")], Proof::Cookie("x"));
        check(&[("Cookie", "not_flette_session=x")], Proof::None);
        let tls = ("X-Forwarded-Proto", "https");
        check(&[tls, ("Cookie", "flette_session=x")], Proof::None);
        check(&[tls, ("Cookie", "flette_session=y; __Host-flette_session=x")], Proof::Cookie("x"));
        check(&[("Cookie", "__Host-flette_session=x")], Proof::None);
        check(&[("Authorization", "Bearer abc"), ("Cookie", "flette_session=x")], Proof::Bearer("abc"));
    }
}
