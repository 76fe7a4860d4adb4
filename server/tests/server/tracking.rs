//! Change tracking.

use super::support::Server;
use flette_server::api::Profile;
use std::collections::BTreeMap;

const TRACK: &[(&str, &str)] = &[("Prefer", "odata.track-changes,odata.maxpagesize=10")];

/// What a client holds: id to name.
type Replica = BTreeMap<String, String>;

fn apply(replica: &mut Replica, rows: &[serde_json::Value]) {
    for row in rows {
        let is_tombstone = row["@odata.context"].as_str().is_some_and(|c| c.ends_with("/$deletedEntity"));
        if is_tombstone {
            replica.remove(row["id"].as_str().unwrap());
        } else {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            replica.insert(text("contactid"), text("fullname"));
        }
    }
}

async fn truth(server: &Server) -> Replica {
    let mut replica = Replica::new();
    apply(&mut replica, &server.drain("contacts?$select=fullname", &[]).await.0);
    replica
}

#[tokio::test]
async fn a_client_that_follows_the_feed_holds_what_the_server_holds() {
    let server = Server::with_rows(95, Profile::Open).sign_in("demo").await;
    let mut replica = Replica::new();
    // The first read is interrupted by writes between its pages.
    let first = server.send("GET", "contacts?$select=fullname", TRACK, "").await;
    assert_eq!(first.header("Preference-Applied"), Some("odata.track-changes,odata.maxpagesize=10"));
    apply(&mut replica, &first.rows());
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let seen = first.rows()[0]["contactid"].as_str().unwrap().to_owned();
    let all: Vec<String> = truth(&server).await.into_keys().collect();
    let unseen: Vec<&String> = all.iter().filter(|id| !replica.contains_key(*id)).collect();
    for (id, change) in
        [(seen.as_str(), "PATCH"), (unseen[0], "PATCH"), (unseen[1], "DELETE"), (unseen[2], "PATCH")]
    {
        let body = if change == "PATCH" { r#"{"firstname":"Endret"}"# } else { "" };
        assert_eq!(server.send(change, &format!("contacts({id})"), &[], body).await.status, 204);
    }
    let new = server.create("contacts", r#"{"lastname":"Ny"}"#).await;
    let (rows, delta) = server.drain(&next, TRACK).await;
    apply(&mut replica, &rows);
    let (rows, delta) = server.drain(&delta.unwrap(), TRACK).await;
    apply(&mut replica, &rows);
    assert_eq!(replica, truth(&server).await);

    // Nothing changed: an empty page with a link of its own.
    let (rows, delta) = server.drain(&delta.unwrap(), &[]).await;
    assert_eq!(rows.len(), 0);
    // Created and deleted between two polls: a tombstone all the same.
    let brief = server.create("contacts", r#"{"lastname":"Kort"}"#).await;
    for id in [&brief, &new] {
        assert_eq!(server.send("DELETE", &format!("contacts({id})"), &[], "").await.status, 204);
    }
    let count =
        delta.clone().unwrap().replace("contacts?", "contacts/$count?").replace("$select=fullname&", "");
    assert_eq!(server.get(&count).await.body, "2");
    let answer = server.get(&delta.unwrap()).await;
    let reasons: Vec<_> = answer.rows().iter().map(|r| (r["id"].clone(), r["reason"].clone())).collect();
    assert_eq!(reasons, [(brief.into(), "deleted".into()), (new.clone().into(), "deleted".into())]);
    assert!(answer.json()["@odata.context"]
        .as_str()
        .unwrap()
        .ends_with("$metadata#contacts(fullname)/$delta"));
    // A row that comes back under its id is a row again.
    let link = answer.json()["@odata.deltaLink"].as_str().unwrap().to_owned();
    server.send("PATCH", &format!("contacts({new})"), &[], r#"{"lastname":"Igjen"}"#).await;
    let rows = server.get(&link).await.rows();
    assert_eq!((rows.len(), rows[0]["fullname"].as_str()), (1, Some("Igjen")));
}

#[tokio::test]
async fn many_changes_come_in_pages_that_lose_nothing() {
    let server = Server::with_rows(60, Profile::Open).sign_in("demo").await;
    let (rows, delta) = server.drain("contacts?$select=fullname", TRACK).await;
    let mut replica = Replica::new();
    apply(&mut replica, &rows);
    for (at, id) in replica.keys().cloned().collect::<Vec<_>>().iter().enumerate() {
        let (method, body) = if at % 3 == 0 { ("DELETE", "") } else { ("PATCH", r#"{"lastname":"Ny"}"#) };
        assert_eq!(server.send(method, &format!("contacts({id})"), &[], body).await.status, 204);
    }
    let (rows, _) = server.drain(&delta.unwrap(), &[("Prefer", "odata.maxpagesize=7")]).await;
    assert_eq!(rows.len(), 60);
    apply(&mut replica, &rows);
    assert_eq!(replica, truth(&server).await);
}

#[tokio::test]
async fn what_tracking_cannot_do_is_refused() {
    let strict = Server::with_rows(5, Profile::Dataverse).sign_in("demo").await;
    let server = Server::with_rows(5, Profile::Open).sign_in("demo").await;
    let refused = ["$orderby=lastname", "$top=3", "$expand=parentcustomerid_account"];
    let refused = refused.map(|option| (&server, option));
    for (server, option) in refused.into_iter().chain([(&strict, "$filter=lastname eq 'x'")]) {
        let answer = server.send("GET", &format!("contacts?$select=fullname&{option}"), TRACK, "").await;
        assert_eq!(answer.status, 400, "{option}");
        assert!(
            answer.json()["error"]["message"].as_str().unwrap().contains("Change Tracking"),
            "{}",
            answer.body
        );
    }
    let (_, delta) = server.drain("contacts?$select=fullname", TRACK).await;
    let delta = delta.unwrap();
    let (head, token) = delta.rsplit_once("$deltatoken=").unwrap();
    let (_, other) = strict.drain("contacts?$select=fullname", TRACK).await;
    let foreign = other.unwrap().rsplit_once("$deltatoken=").unwrap().1.to_owned();
    let (body, signature) = token.split_once('.').unwrap();
    for (token, status) in [
        ("nonsense".to_owned(), 400),
        (format!("{body}.x"), 400),
        (format!("x.{signature}"), 400),
        (foreign, 410),
    ] {
        let answer = server.get(&format!("{head}$deltatoken={token}")).await;
        assert_eq!(answer.status, status, "{token}: {}", answer.body);
    }
}

#[tokio::test]
async fn the_feed_obeys_rights_in_the_open_profile_and_is_closed_in_the_other() {
    let server = Server::with_rows(40, Profile::Open);
    let (demo, anna) = (server.sign_in("demo").await, server.sign_in("anna").await);
    let (rows, delta) = anna.drain("contacts?$select=fullname", TRACK).await;
    let mut replica = Replica::new();
    apply(&mut replica, &rows);
    let before = truth(&demo).await;
    assert!(!replica.is_empty() && replica.len() < before.len());
    // One row leaves her business unit, one comes in, one in sight and one out of sight are deleted.
    let users = demo.list("systemusers?$select=fullname&$orderby=fullname").await;
    let user = |name: &str| {
        users.rows().iter().find(|r| r["fullname"] == name).unwrap()["systemuserid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mine: Vec<String> = replica.keys().cloned().collect();
    let others: Vec<String> = before.keys().filter(|id| !replica.contains_key(*id)).cloned().collect();
    let give = |to: &str| format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, user(to));
    for (method, id, body) in [
        ("PATCH", &mine[0], give("Ola Nordmann")),
        ("PATCH", &others[0], give("Anna Åsen")),
        ("DELETE", &mine[1], String::new()),
        ("DELETE", &others[1], String::new()),
    ] {
        assert_eq!(demo.send(method, &format!("contacts({id})"), &[], &body).await.status, 204);
    }
    let answer = anna.get(&delta.unwrap()).await;
    apply(&mut replica, &answer.rows());
    assert_eq!(replica, truth(&anna).await);
    let told: Vec<(String, String)> = answer
        .rows()
        .iter()
        .filter(|row| !row["reason"].is_null())
        .map(|row| (row["id"].as_str().unwrap().to_owned(), row["reason"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, [(mine[0].clone(), "changed".to_owned()), (mine[1].clone(), "deleted".to_owned())]);

    let server = Server::with_rows(5, Profile::Dataverse);
    let (demo, anna) = (server.sign_in("demo").await, server.sign_in("anna").await);
    let refused = anna.send("GET", "contacts?$select=fullname", TRACK, "").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "0x80040220"));
    assert_eq!(demo.send("GET", "contacts?$select=fullname", TRACK, "").await.status, 200);
    assert_eq!(anna.send("GET", "contacts?$select=fullname", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_falls_between_two_tokens_while_many_write() {
    let folder = tempfile::tempdir().unwrap();
    let location = super::support::lasting(&folder).parse().unwrap();
    let schema = std::sync::Arc::new(flette_server::schema::schema());
    let database = flette_server::db::Database::open(&location, schema, "Test").unwrap();
    flette_server::people::found(&database, 0).unwrap();
    flette_server::people::add_demo_people(&database, 0).unwrap();
    let server = Server::over(database, Profile::Open, None).sign_in("demo").await;
    let (rows, delta) = server.drain("contacts?$select=fullname", TRACK).await;
    assert!(rows.is_empty());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let server = server.clone();
            tokio::spawn(async move {
                for number in 0..25 {
                    let body = format!(r#"{{"lastname":"{writer}-{number}"}}"#);
                    let id = server.create("contacts", &body).await;
                    match number % 5 {
                        0 => assert_eq!(
                            server.send("DELETE", &format!("contacts({id})"), &[], "").await.status,
                            204
                        ),
                        1 => {
                            let answer = server
                                .send("PATCH", &format!("contacts({id})"), &[], r#"{"firstname":"N"}"#)
                                .await;
                            assert_eq!(answer.status, 204);
                        }
                        _ => {}
                    }
                }
            })
        })
        .collect();
    // The follower never reads anew: what one delta leaves out, no later one brings.
    let (mut replica, mut delta, mut polls) = (Replica::new(), delta.unwrap(), 0);
    loop {
        let done = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let (rows, next) = server.drain(&delta, &[("Prefer", "odata.maxpagesize=3")]).await;
        apply(&mut replica, &rows);
        (delta, polls) = (next.unwrap(), polls + 1);
        if done {
            break;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(polls > 2, "the follower was not under way while they wrote");
    assert_eq!((replica.len(), replica), (80, truth(&server).await));
}
