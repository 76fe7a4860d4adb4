//! Signing in and out: tokens for programs, a cookie for the page.

use super::routes::{forged, only};
use super::{now, App, Asked};
use crate::auth::{self, Proof, Tokens, BEARER_SECONDS, SESSION_SECONDS};
use crate::db::meta::Fact;
use flette_odata::error::Result;
use flette_odata::{ODataError, Response, Uuid};
use serde::Deserialize;

#[derive(Deserialize)]
struct SignIn {
    username: String,
    password: String,
}

/// `POST /oauth2/v2.0/token`, a form with `grant_type` `password` or `refresh_token`. Errors are OAuth's
/// (RFC 6749 §5.2).
pub(super) fn token(app: &App, asked: &Asked) -> Result<Response> {
    only(asked, "POST")?;
    let form = read_form(&asked.body);
    let field = |name: &str| form.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    let database = app.service.database();
    let tokens = match field("grant_type") {
        "password" => match attempt(app, asked, field("username"), field("password"))? {
            Attempt::In(user) => auth::start_tokens(database, user, now()),
            Attempt::Wait(response) => return Ok(response),
            Attempt::Wrong(error) => Err(error),
        },
        "refresh_token" => auth::refresh_tokens(database, field("refresh_token"), now()),
        _ => return Ok(oauth_error("unsupported_grant_type", "Use grant_type password or refresh_token.")),
    };
    match tokens {
        Ok(tokens) => Ok(token_answer(&tokens)),
        Err(error) if error.status == 401 => Ok(oauth_error("invalid_grant", &error.message)),
        Err(error) => Err(error),
    }
}

/// What came of a name and a password.
enum Attempt {
    In(Uuid),
    Wrong(ODataError),
    /// 429: too many failed before.
    Wait(Response),
}

/// Checks a password, unless too many failed before.
fn attempt(app: &App, asked: &Asked, user_name: &str, password: &str) -> Result<Attempt> {
    let from = asked.source();
    if let Err(seconds) = app.attempts.check(user_name, from, now()) {
        let response = auth::too_many_attempts().to_response();
        return Ok(Attempt::Wait(response.header("Retry-After", seconds.to_string())));
    }
    match auth::check_password(app.service.database(), user_name, password) {
        Ok(user) => {
            app.attempts.succeeded(user_name, from);
            Ok(Attempt::In(user))
        }
        Err(error) if error.status == 401 => {
            app.attempts.failed(user_name, from, now());
            Ok(Attempt::Wrong(error))
        }
        Err(error) => Err(error),
    }
}

fn token_answer(tokens: &Tokens) -> Response {
    let body = serde_json::json!({
        "token_type": "Bearer",
        "expires_in": BEARER_SECONDS,
        "access_token": tokens.bearer,
        "refresh_token": tokens.refresh,
    });
    plain_json(200, &body)
}

fn oauth_error(error: &str, description: &str) -> Response {
    plain_json(400, &serde_json::json!({"error": error, "error_description": description}))
}

fn plain_json(status: u16, body: &serde_json::Value) -> Response {
    let response = Response::json(status, body.to_string().into_bytes());
    response.header("Content-Type", "application/json; charset=utf-8")
}

fn read_form(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

/// `POST /auth/sign-in`
pub(super) fn sign_in(app: &App, asked: &Asked) -> Result<Response> {
    only(asked, "POST")?;
    if !auth::allows_sign_in(&asked.headers) {
        return Err(forged());
    }
    let body: SignIn = serde_json::from_slice(&asked.body)
        .map_err(|_| ODataError::bad_payload("Send JSON with username and password."))?;
    let database = app.service.database();
    let user = match attempt(app, asked, &body.username, &body.password)? {
        Attempt::In(user) => user,
        Attempt::Wait(response) => return Ok(response),
        Attempt::Wrong(error) => return Err(error),
    };
    let token = auth::start_session(database, user, now())?;
    Ok(identity(app, user)?.header("Set-Cookie", cookie(asked, &token, SESSION_SECONDS)))
}

/// `POST /auth/sign-out`: the session ends, here and in the browser. Nobody signed in is no error.
pub(super) fn sign_out(app: &App, asked: &Asked) -> Result<Response> {
    only(asked, "POST")?;
    if !auth::allows_write(&asked.headers) && !auth::allows_sign_in(&asked.headers) {
        return Err(forged());
    }
    if let Proof::Bearer(token) | Proof::Cookie(token) = Proof::of(&asked.headers) {
        let hash = auth::token_hash(token);
        app.service.database().write(|writer| writer.end_session(&hash))?;
    }
    Ok(Response::empty(204).header("Set-Cookie", cookie(asked, "", 0)))
}

/// `GET /auth/who`: who is signed in, or 401.
pub(super) fn who(app: &App, asked: &Asked) -> Result<Response> {
    only(asked, "GET")?;
    let user = auth::authenticate(app.service.database(), Proof::of(&asked.headers), now())?;
    identity(app, user)
}

fn identity(app: &App, user: Uuid) -> Result<Response> {
    let caller = app.service.caller(user)?;
    let organization = app.service.database().read(|reader| reader.fact_id(Fact::OrganizationId))?;
    let body = serde_json::json!({
        "userid": caller.user,
        "fullname": caller.full_name,
        "organizationid": organization,
        "businessunitid": caller.unit,
    });
    Ok(plain_json(200, &body))
}

fn cookie(asked: &Asked, token: &str, seconds: i64) -> String {
    // Without TLS a browser would not keep a `Secure` cookie, except on localhost.
    let secure = if auth::scheme(&asked.headers) == "https" { "; Secure" } else { "" };
    let name = auth::cookie_name(&asked.headers);
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}
