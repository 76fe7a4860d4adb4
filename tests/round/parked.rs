//! What a human does with changes that the server refused: corrects, retries, discards, exports or merges them.

use crate::station::Station;
use crate::support::{Server, TABLES};
use flette_odata::{Method, Request, Uuid};
use serde_json::Value;

/// A station whose new account was refused, as another one has its number. Gives both ids.
fn refused(server: &Server) -> (Station, Uuid, Uuid) {
    let station = Station::new(server, "demo", &TABLES);
    station.sync();
    let there =
        server.user("admin").create("accounts", r#"{"name":"There","accountnumber":"7","telephone1":"1"}"#);
    let body = r#"{"name":"Here","accountnumber":"7","telephone2":"2"}"#;
    let here = station.create("accounts", body);
    station.post("/flette/sync", "");
    assert_eq!(states(&station), [("create".to_owned(), "parked".to_owned())]);
    (station, here, there)
}

fn states(station: &Station) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    station.journal().iter().map(|entry| (text(entry, "kind"), text(entry, "state"))).collect()
}

fn op(station: &Station, table: &str) -> String {
    let entry = station.journal().into_iter().find(|entry| entry["table"] == table).unwrap();
    entry["op"].as_str().unwrap().to_owned()
}

fn error(station: &Station, path: &str, body: &str) -> u16 {
    station.ask(Method::Post, path, body).status
}

#[test]
fn a_refused_new_row_is_corrected_by_an_edit_and_goes_again() {
    let server = Server::start();
    let (station, here, _) = refused(&server);
    let before = op(&station, "account");
    let etag = || station.get(&format!("accounts({here})?$select=name"))["@odata.etag"].clone();
    let shown = etag();
    station.patch(&format!("accounts({here})"), r#"{"accountnumber":"8"}"#);
    assert_ne!(etag(), shown, "it is another version of the row");
    assert_eq!(states(&station), [("create".to_owned(), "waiting".to_owned())]);
    assert_ne!(op(&station, "account"), before, "it is another request");
    station.sync();
    let row = server.user("admin").json(&format!("accounts({here})"));
    assert_eq!((row["accountnumber"].as_str(), row["telephone2"].as_str()), (Some("8"), Some("2")));
    assert!(station.journal().is_empty());
}

#[test]
fn a_refused_edit_is_corrected_and_nothing_is_left_when_it_is_put_back() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Mine","accountnumber":"1"}"#);
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let path = format!("accounts({id})");
    for (last, expected, entries) in [("9", "9", 1), ("1", "1", 0)] {
        online.create("accounts", &format!(r#"{{"name":"Taken","accountnumber":"7{last}"}}"#));
        station.patch(&path, &format!(r#"{{"accountnumber":"7{last}"}}"#));
        station.post("/flette/sync", "");
        assert_eq!(states(&station), [("update".to_owned(), "parked".to_owned())]);
        station.patch(&path, &format!(r#"{{"accountnumber":"{last}"}}"#));
        assert_eq!(states(&station).len(), entries);
        station.sync();
        assert_eq!(online.json(&path)["accountnumber"], expected);
        assert!(station.journal().is_empty());
        online.patch("accounts", id, r#"{"accountnumber":"1"}"#);
        station.sync();
    }
}

/// A station whose account with two contacts, made together, was refused.
fn refused_set(server: &Server) -> (Station, Uuid, Uuid) {
    let station = Station::new(server, "demo", &TABLES);
    station.sync();
    let there = server.user("admin").create("accounts", r#"{"name":"There","accountnumber":"7"}"#);
    let body = r#"{"name":"Here","accountnumber":"7",
        "contact_customer_accounts":[{"lastname":"One"},{"lastname":"Two"}]}"#;
    let here = station.create("accounts", body);
    station.post("/flette/sync", "");
    assert!(states(&station).iter().all(|(_, state)| state == "parked") && states(&station).len() == 3);
    (station, here, there)
}

#[test]
fn a_refused_set_goes_again_as_a_whole() {
    let server = Server::start();
    let online = server.user("admin");
    let (station, here, there) = refused_set(&server);
    online.patch("accounts", there, r#"{"accountnumber":"8"}"#);
    station.post(&format!("/flette/journal/{}/retry", op(&station, "contact")), "");
    assert!(states(&station).iter().all(|(_, state)| state == "waiting"), "{:?}", states(&station));
    station.sync();
    let contacts = online.json(&format!("accounts({here})/contact_customer_accounts"));
    assert_eq!(contacts["value"].as_array().unwrap().len(), 2);
}

#[test]
fn one_row_of_a_refused_set_is_given_up_by_itself_and_the_rest_waits_for_the_user() {
    let server = Server::start();
    let online = server.user("admin");
    let (station, here, there) = refused_set(&server);
    station.post(&format!("/flette/journal/{}/discard", op(&station, "contact")), "");
    assert_eq!(states(&station), vec![("create".to_owned(), "parked".to_owned()); 2]);
    online.patch("accounts", there, r#"{"accountnumber":"8"}"#);
    station.post("/flette/sync", "");
    assert_eq!(
        online.ask(Method::Get, &format!("accounts({here})"), "").status,
        404,
        "nothing goes by itself"
    );
    station.post(&format!("/flette/journal/{}/retry", op(&station, "contact")), "");
    station.sync();
    let contacts = online.json(&format!("accounts({here})/contact_customer_accounts"));
    assert_eq!(contacts["value"].as_array().unwrap().len(), 1);
}

#[test]
fn what_points_to_a_new_row_that_is_given_up_lets_it_go() {
    let server = Server::start();
    let online = server.user("admin");
    let first = online.create("accounts", r#"{"name":"First"}"#);
    let bind = |id: Uuid| {
        format!(r#"{{"lastname":"Known","parentcustomerid_account@odata.bind":"/accounts({id})"}}"#)
    };
    let known = online.create("contacts", &bind(first));
    let (station, here, _) = refused_set(&server);
    station.patch(&format!("contacts({known})"), &bind(here));
    let child = format!(r#"{{"name":"Child","parentaccountid@odata.bind":"/accounts({here})"}}"#);
    let child = station.create("accounts", &child);
    station.post(&format!("/flette/journal/{}/discard", op(&station, "account")), "");
    // The contacts made with it go with it; a known one and a firm of its own stay.
    station.sync();
    assert!(station.journal().is_empty(), "{:?}", station.journal());
    assert_eq!(online.json("contacts")["value"].as_array().unwrap().len(), 1);
    assert_eq!(online.json(&format!("contacts({known})"))["_parentcustomerid_value"], first.to_string());
    assert!(online.json(&format!("accounts({child})"))["_parentaccountid_value"].is_null());
}

#[test]
fn one_change_can_be_exported_by_itself() {
    let server = Server::start();
    let (station, here, _) = refused(&server);
    station.create("accounts", r#"{"name":"Other"}"#);
    let file = station.ask(Method::Get, &format!("/flette/journal/{}/export", op(&station, "account")), "");
    assert_eq!(file.headers.get("Content-Disposition"), Some("attachment; filename=\"flette-change.json\""));
    let one: Value = serde_json::from_slice(&file.body).unwrap();
    let all = station.get("/flette/export");
    assert_eq!((&one["entries"][0], one["entries"].as_array().unwrap().len()), (&all["entries"][0], 1));
    assert_eq!(one["entries"][0]["key"]["id"], here.to_string());
    let unknown = format!("/flette/journal/{}/export", Uuid::nil());
    assert_eq!(station.ask(Method::Get, &unknown, "").status, 404);
}

#[test]
fn a_duplicate_is_merged_into_the_row_that_the_server_has() {
    let server = Server::start();
    let online = server.user("admin");
    let (mut station, here, there) = refused(&server);
    let bind = format!(r#"{{"lastname":"Child","parentcustomerid_account@odata.bind":"/accounts({here})"}}"#);
    let child = station.create("contacts", &bind);
    let offered = station.get(&format!("/flette/journal/{}/duplicates", op(&station, "account")));
    let offered =
        (&offered["rows"][0]["id"], &offered["rows"][0]["name"], offered["rows"].as_array().unwrap().len());
    assert_eq!(offered, (&there.to_string().into(), &"There".into(), 1));
    let merge = format!("/flette/journal/{}/merge", op(&station, "account"));
    station.post(&merge, &format!(r#"{{"id":"{there}"}}"#));
    station.restart();

    // Either id means the row, wherever it stands.
    for id in [here, there] {
        let row = station.get(&format!("accounts({id})?$select=name,accountnumber,telephone1,telephone2"));
        assert_eq!(row["accountid"], there.to_string());
        let texts =
            ["name", "accountnumber", "telephone1", "telephone2"].map(|name| row[name].as_str().unwrap());
        assert_eq!(texts, ["Here", "7", "1", "2"]);
        let children =
            station.get(&format!("contacts?$filter=_parentcustomerid_value eq {id}&$select=contactid"));
        assert_eq!(children["value"][0]["contactid"], child.to_string());
    }
    assert_eq!(station.get("accounts?$select=name")["value"].as_array().unwrap().len(), 1);
    let second =
        format!(r#"{{"lastname":"Second","parentcustomerid_account@odata.bind":"/accounts({here})"}}"#);
    assert_eq!(batch(&station, "contacts", &second), 200);
    station.sync();
    assert!(station.journal().is_empty(), "{:?}", station.journal());
    let row = online.json(&format!("accounts({there})"));
    let texts = ["name", "telephone1", "telephone2"].map(|name| row[name].as_str().unwrap());
    assert_eq!(texts, ["Here", "1", "2"]);
    assert_eq!(online.ask(Method::Get, &format!("accounts({here})"), "").status, 404);
    for lastname in ["Child", "Second"] {
        let found = online.json(&format!("contacts?$filter=lastname%20eq%20'{lastname}'"));
        assert_eq!(found["value"][0]["_parentcustomerid_value"], there.to_string());
    }
    station.patch(&format!("accounts({here})"), r#"{"websiteurl":"http://x"}"#);
    station.sync();
    assert_eq!(online.json(&format!("accounts({there})"))["websiteurl"], "http://x");
}

/// A change set of one `POST`, answered with this status.
fn batch(station: &Station, set: &str, body: &str) -> u16 {
    let part = format!(
        "--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 1\n\n\
         POST {set} HTTP/1.1\nContent-Type: application/json\n\n{body}\n--c--\n"
    );
    let text = format!("--b\nContent-Type: multipart/mixed;boundary=c\n\n{part}\n--b--\n");
    let mut request = Request::new(Method::Post, format!("{}$batch", station.wire.root()));
    request.headers.set("Content-Type", "multipart/mixed;boundary=b");
    request.body = text.into_bytes();
    let answer = pollster::block_on(station.engine.handle(request));
    assert!(String::from_utf8_lossy(&answer.body).contains("HTTP/1.1 204"), "{:?}", answer.body);
    answer.status
}

#[test]
fn a_merged_row_leaves_owner_state_and_defaults_of_the_other_alone() {
    let server = Server::start();
    let online = server.user("admin");
    let (station, _, there) = refused(&server);
    let before = online.json(&format!("accounts({there})"));
    let merge = format!("/flette/journal/{}/merge", op(&station, "account"));
    station.post(&merge, &format!(r#"{{"id":"{there}"}}"#));
    let fields = station.journal()[0]["fields"].as_array().unwrap().clone();
    let names: Vec<&str> = fields.iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["name", "telephone2"]);
    station.sync();
    let after = online.json(&format!("accounts({there})"));
    for column in ["_ownerid_value", "statecode", "_transactioncurrencyid_value", "donotphone"] {
        assert_eq!(before[column], after[column], "{column}");
    }
}

#[test]
fn only_a_refused_new_row_is_merged_and_only_into_one_that_is_there() {
    let server = Server::start();
    let (station, here, there) = refused(&server);
    let merge = |op: &str| format!("/flette/journal/{op}/merge");
    let into = |id: Uuid| format!(r#"{{"id":"{id}"}}"#);
    let parked = op(&station, "account");
    assert_eq!(error(&station, &merge(&Uuid::nil().to_string()), &into(there)), 404);
    assert_eq!(error(&station, &merge(&parked), &into(Uuid::from_u128(7))), 404);
    assert_eq!(error(&station, &merge(&parked), &into(here)), 409);
    assert_eq!(error(&station, &merge(&parked), "{}"), 400);
    station.create("contacts", r#"{"lastname":"Waits"}"#);
    assert_eq!(error(&station, &merge(&op(&station, "contact")), &into(there)), 409);
    assert_eq!(states(&station).len(), 2, "nothing has changed");
    station.post(&merge(&parked), &into(there));
    station.sync();
    // The map is one-to-one.
    station.wire.log.borrow_mut().clear();
    let taken = server.user("admin").create("accounts", r#"{"name":"More","accountnumber":"70"}"#);
    station.create("accounts", r#"{"name":"Again","accountnumber":"70"}"#);
    station.post("/flette/sync", "");
    let parked = op(&station, "account");
    assert_eq!(error(&station, &merge(&parked), &into(there)), 409);
    station.post(&merge(&parked), &into(taken));
}
