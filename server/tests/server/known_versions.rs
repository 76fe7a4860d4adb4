//! Deltas whose reader says which versions he has.

use super::support::{database, Server};
use flette_server::api::{Profile, Service};
use flette_server::people;
use flette_server::web::{self, Options};

const TRACK: [(&str, &str); 1] = [("Prefer", "odata.track-changes")];

/// Contacts `A`, `B` … and where a delta from here on begins.
async fn place(server: &Server, count: usize) -> (Vec<String>, String) {
    let mut ids = Vec::new();
    for name in ('A'..='Z').take(count) {
        ids.push(server.create("contacts", &format!(r#"{{"lastname":"{name}"}}"#)).await);
    }
    let (_, delta) = server.drain("contacts?$select=lastname,telephone1", &TRACK).await;
    (ids, delta.unwrap())
}

/// Changes a contact, and gives its version from then on.
async fn change(server: &Server, id: &str, telephone: &str) -> i64 {
    let body = format!(r#"{{"telephone1":"{telephone}"}}"#);
    let representation = [("Prefer", "return=representation"), ("If-Match", "*")];
    let answer = server.send("PATCH", &format!("contacts({id})"), &representation, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let etag = answer.json()["@odata.etag"].as_str().unwrap().to_owned();
    etag.trim_start_matches("W/\"").trim_end_matches('"').parse().unwrap()
}

/// What a delta tells whoever knows these versions: names, and ids of rows that are gone.
async fn told(server: &Server, delta: &str, known: &str, page: u32) -> Vec<String> {
    let prefer = format!("odata.maxpagesize={page},flette.known-versions=\"{known}\"");
    let (rows, _) = server.drain(delta, &[("Prefer", &prefer)]).await;
    let name = |row: &serde_json::Value| row["lastname"].as_str().or(row["id"].as_str()).unwrap().to_owned();
    rows.iter().map(name).collect()
}

#[tokio::test]
async fn versions_that_are_named_are_not_told() {
    let server = Server::empty().await;
    let (ids, delta) = place(&server, 5).await;
    let mut versions = Vec::new();
    for id in &ids[..4] {
        versions.push(change(&server, id, "1").await);
    }
    let (first, second, fourth) = (versions[0], versions[1], versions[3]);
    for page in [1, 2, 100] {
        let told = async |known: String| told(&server, &delta, &known, page).await.concat();
        assert_eq!(told(String::new()).await, "ABCD");
        assert_eq!(told(format!("{first}-{second}")).await, "CD");
        assert_eq!(told(format!("{first}-{second},{fourth}")).await, "C");
        assert_eq!(told(format!("{first},{fourth}")).await, "BC");
        assert_eq!(told(format!("{first}-{fourth}")).await, "");
        // A wish that cannot be read counts for nothing.
        assert_eq!(told(format!("{second}-{first}")).await, "ABCD");
    }
    // Whoever goes on from there is told what comes later, also of the rows that were left out.
    let known = format!("flette.known-versions=\"{first}-{fourth}\"");
    let (rows, next) = server.drain(&delta, &[("Prefer", &known)]).await;
    assert!(rows.is_empty());
    change(&server, &ids[0], "2").await;
    assert_eq!(told(&server, &next.unwrap(), &format!("{first}-{fourth}"), 100).await, ["A"]);
}

#[tokio::test]
async fn what_is_gone_is_told_whoever_knew_it() {
    let server = Server::empty().await;
    let (ids, delta) = place(&server, 2).await;
    let (first, second) = (change(&server, &ids[0], "1").await, change(&server, &ids[1], "1").await);
    assert_eq!(server.send("DELETE", &format!("contacts({})", ids[0]), &[], "").await.status, 204);
    assert_eq!(told(&server, &delta, &format!("{first}-{second}"), 100).await, [ids[0].as_str()]);
    // Nor is a row that left the filter taken for one that is known.
    let (_, delta) = server.drain("contacts?$select=lastname&$filter=telephone1 eq '1'", &TRACK).await;
    let left = change(&server, &ids[1], "2").await;
    assert_eq!(told(&server, &delta.unwrap(), &left.to_string(), 100).await, [ids[1].as_str()]);
}

#[tokio::test]
async fn a_first_read_tells_every_row() {
    let server = Server::empty().await;
    let (ids, _) = place(&server, 2).await;
    let known = change(&server, &ids[0], "1").await;
    let prefer = format!("odata.track-changes,flette.known-versions=\"{known}\"");
    let (rows, _) = server.drain("contacts?$select=lastname", &[("Prefer", &prefer)]).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(server.send("GET", "contacts", &[("Prefer", &prefer)], "").await.rows().len(), 2);
}

#[tokio::test]
async fn rows_may_look_otherwise_at_their_version_where_columns_are_secured() {
    let server = Server::empty().await;
    let (ids, delta) = place(&server, 1).await;
    let known = change(&server, &ids[0], "1").await.to_string();
    assert!(told(&server, &delta, &known, 100).await.is_empty());
    let secure = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='jobtitle')";
    let admin = server.sign_in("admin").await;
    assert_eq!(admin.send("PATCH", secure, &[], r#"{"IsSecured":true}"#).await.status, 204);
    assert_eq!(told(&server, &delta, &known, 100).await, ["A"]);
}

#[tokio::test]
async fn a_server_without_extensions_tells_every_change() {
    let database = database();
    people::add_demo_people(&database, web::now()).unwrap();
    let service = Service::new(database, Profile::Open).without_extensions();
    let server = Server::with(service, Options::default()).sign_in("demo").await;
    let (ids, delta) = place(&server, 1).await;
    let known = change(&server, &ids[0], "1").await.to_string();
    assert_eq!(told(&server, &delta, &known, 100).await, ["A"]);
}
