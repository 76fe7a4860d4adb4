//! Who may come in, and who sees what.

use super::support::{Server, HOST};
use flette_server::api::Profile;
use flette_server::people;

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn tokens_are_given_for_a_password_and_for_a_refresh_token() {
    let server = Server::with_rows(0, Profile::Open);
    async fn check(server: &Server, form: &str, expected: Result<(), &str>) {
        let answer = server.bare("POST", "/oauth2/v2.0/token", &[FORM], form).await;
        match expected {
            Ok(()) => {
                assert_eq!(answer.status, 200, "{form}: {}", answer.body);
                assert_eq!(answer.json()["token_type"], "Bearer");
            }
            Err(error) => {
                assert_eq!(answer.status, 400);
                assert_eq!(answer.json()["error"], error, "{form}");
            }
        }
    }
    check(&server, "grant_type=password&username=demo&password=flette", Ok(())).await;
    check(&server, "grant_type=password&username=DEMO&password=flette&scope=x%20y", Ok(())).await;
    check(&server, "grant_type=password&username=demo&password=wrong", Err("invalid_grant")).await;
    check(&server, "grant_type=password&username=nobody&password=flette", Err("invalid_grant")).await;
    check(&server, "grant_type=refresh_token&refresh_token=x", Err("invalid_grant")).await;
    check(&server, "grant_type=magic", Err("unsupported_grant_type")).await;
    check(&server, "", Err("unsupported_grant_type")).await;

    let form = "grant_type=password&username=anna&password=flette";
    let tokens = server.bare("POST", "/oauth2/v2.0/token", &[FORM], form).await.json();
    let form =
        format!("grant_type=refresh_token&refresh_token={}", tokens["refresh_token"].as_str().unwrap());
    let fresh = server.bare("POST", "/oauth2/v2.0/token", &[FORM], &form).await.json();
    for token in [&tokens["access_token"], &fresh["access_token"]] {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        let who = server.bare("GET", "/auth/who", &[("Authorization", &bearer)], "").await;
        assert_eq!(who.json()["fullname"], "Anna Åsen");
    }
    let refresh = format!("Bearer {}", tokens["refresh_token"].as_str().unwrap());
    let answer = server.bare("GET", "/auth/who", &[("Authorization", &refresh)], "").await;
    assert_eq!(answer.status, 401, "a refresh token is no bearer token");
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_its_user() {
    let server = Server::with_rows(0, Profile::Open);
    let mut given = Vec::new();
    for user in ["anna", "ola"] {
        let form = format!("grant_type=password&username={user}&password=flette");
        given.push(server.bare("POST", "/oauth2/v2.0/token", &[FORM], &form).await.json());
    }
    people::set_password(server.database(), "anna", "another").unwrap();
    for (tokens, refreshed, seen) in [(&given[0], 400, 401), (&given[1], 200, 200)] {
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let form = format!("grant_type=refresh_token&refresh_token={}", token("refresh_token"));
        assert_eq!(server.bare("POST", "/oauth2/v2.0/token", &[FORM], &form).await.status, refreshed);
        let bearer = format!("Bearer {}", token("access_token"));
        assert_eq!(server.bare("GET", "/auth/who", &[("Authorization", &bearer)], "").await.status, seen);
    }
}

#[tokio::test]
async fn nobody_gets_in_without_signing_in() {
    let server = Server::with_rows(1, Profile::Open);
    for (method, url) in [
        ("GET", "/api/data/v9.2/accounts"),
        ("GET", "/api/data/v9.2/WhoAmI"),
        ("GET", "/api/data/v9.2/$metadata"),
        ("POST", "/api/data/v9.2/$batch"),
        ("DELETE", "/api/data/v9.2/accounts(00000000-0000-4000-8000-000000000009)"),
        ("GET", "/auth/who"),
    ] {
        for headers in [vec![], vec![("Authorization", "Bearer x")], vec![("Cookie", "flette_session=x")]] {
            let answer = server.bare(method, url, &headers, "").await;
            assert_eq!(answer.status, 401, "{method} {url}");
            assert_eq!(answer.header("Location"), None);
            assert!(answer.code().starts_with("0x800"), "{}", answer.body);
        }
    }
    assert_eq!(server.bare("GET", "/healthz", &[], "").await.body, "ok\n");
}

#[tokio::test]
async fn the_page_signs_in_by_cookie_which_foreign_pages_cannot_use() {
    let server = Server::with_rows(0, Profile::Open);
    let body = r#"{"username":"demo","password":"flette"}"#;
    for headers in
        [vec![FORM], vec![("Content-Type", "text/plain")], vec![JSON, ("Sec-Fetch-Site", "cross-site")]]
    {
        assert_eq!(server.bare("POST", "/auth/sign-in", &headers, body).await.status, 403, "{headers:?}");
    }
    let wrong = r#"{"username":"demo","password":"no"}"#;
    assert_eq!(server.bare("POST", "/auth/sign-in", &[JSON], wrong).await.status, 401);
    assert_eq!(server.bare("POST", "/auth/sign-in", &[JSON], "{").await.status, 400);
    let answer = server.bare("POST", "/auth/sign-in", &[JSON], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let set = answer.header("Set-Cookie").unwrap().to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let cookie = ("Cookie", cookie.as_str());
    let who = server.bare("GET", "/auth/who", &[cookie], "").await.json();
    for member in ["userid", "fullname", "organizationid", "businessunitid"] {
        assert_eq!(who[member], answer.json()[member], "{member}");
    }
    let origin = format!("http://{HOST}");
    let row = r#"{"name":"By cookie"}"#;
    for (headers, status) in [
        (vec![JSON], 204),
        (vec![JSON, ("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")], 204),
        (vec![("Content-Type", "text/plain")], 403),
        (vec![], 403),
        (vec![JSON, ("Sec-Fetch-Site", "cross-site")], 403),
        (vec![JSON, ("Origin", "http://evil.example")], 403),
    ] {
        let all: Vec<_> = headers.iter().copied().chain([cookie]).collect();
        let answer = server.bare("POST", "/api/data/v9.2/accounts", &all, row).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
    }
    assert_eq!(server.bare("POST", "/auth/sign-out", &[cookie], "").await.status, 403);
    let out = server.bare("POST", "/auth/sign-out", &[cookie, JSON], "").await;
    assert_eq!(out.status, 204);
    assert!(out.header("Set-Cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(server.bare("GET", "/auth/who", &[cookie], "").await.status, 401);
}

#[tokio::test]
async fn a_row_out_of_sight_is_not_there_whatever_is_asked() {
    let server = Server::with_rows(60, Profile::Open);
    let (demo, anna, ola) =
        (server.sign_in("demo").await, server.sign_in("anna").await, server.sign_in("ola").await);
    let rows =
        |server: Server| async move { server.list("contacts?$select=fullname").await.column("contactid") };
    let (all, annas, olas) = (rows(demo.clone()).await, rows(anna.clone()).await, rows(ola.clone()).await);
    assert!(!annas.is_empty() && !olas.is_empty() && annas.len() + olas.len() < all.len());
    assert!(annas.iter().all(|id| !olas.contains(id)));
    assert_eq!(anna.get("contacts/$count").await.body, annas.len().to_string());
    let counted =
        anna.list("contacts?$select=fullname&$count=true&$top=1").await.json()["@odata.count"].clone();
    assert_eq!(counted, annas.len());
    let hidden = format!("contacts({})", olas[0]);
    for (method, url, body) in [
        ("GET", hidden.clone(), ""),
        ("PATCH", hidden.clone(), r#"{"lastname":"x"}"#),
        ("DELETE", hidden.clone(), ""),
        ("PUT", format!("{hidden}/lastname"), r#"{"value":"x"}"#),
        ("DELETE", format!("{hidden}/parentcustomerid_account/$ref"), ""),
    ] {
        for headers in [vec![], vec![("If-Match", "*")]] {
            let answer = anna.send(method, &url, &headers, body).await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "0x80040217"), "{method} {url}");
        }
    }
    let bind = format!(r#"{{"subject":"x","regardingobjectid_contact_task@odata.bind":"{hidden}"}}"#);
    assert_eq!(anna.send("POST", "tasks", &[], &bind).await.status, 404);
    assert_eq!(ola.get(&hidden).await.status, 200);
    // A lookup to a row out of sight shows its id and no name.
    let mine = anna.create("contacts", r#"{"lastname":"Min"}"#).await;
    let body = format!(r#"{{"parentcustomerid_contact@odata.bind":"{hidden}"}}"#);
    assert_eq!(demo.send("PATCH", &format!("contacts({mine})"), &[], &body).await.status, 204);
    let url = format!(
        "contacts({mine})?$select=_parentcustomerid_value&$expand=parentcustomerid_contact($select=fullname)"
    );
    let row = anna.send("GET", &url, &[("Prefer", "odata.include-annotations=\"*\"")], "").await.json();
    assert_eq!(row["_parentcustomerid_value"], olas[0].as_str());
    assert!(row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"].is_null());
    assert!(row["parentcustomerid_contact"].is_null());
}
