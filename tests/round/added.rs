//! Tables whose rows get their ids from the server.

use crate::schema::add_column;
use crate::station::Station;
use crate::support::{Fault, Server, Wire};
use flette_odata::{Method, Request, Response, Uuid};

const TABLES: [&str; 4] = ["account", "contact", "systemuser", "businessunit"];

/// From here on the server gives the rows of a table their ids, or takes again what clients choose.
fn assign(online: &Wire, table: &str, assigns: bool) {
    let path = format!("EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{table}id')");
    let changed = online.ask(Method::Put, &path, &format!(r#"{{"IsValidForCreate":{}}}"#, !assigns));
    assert!(changed.is_success(), "{changed:?}");
}

/// A server that gives ids to rows of these tables, its administrator, and a user who has synchronised.
fn world(server: &Server, tables: &[&str]) -> (Wire, Station) {
    let online = server.user("admin");
    tables.iter().for_each(|table| assign(&online, table, true));
    let station = Station::new(server, "demo", &TABLES);
    station.sync();
    (online, station)
}

/// Nothing waits.
const NOTHING: Vec<(String, String, String)> = Vec::new();

/// Table, kind and state of what waits.
fn waiting(station: &Station) -> Vec<(String, String, String)> {
    let text = |entry: &serde_json::Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let journal = station.journal();
    journal.iter().map(|entry| (text(entry, "table"), text(entry, "kind"), text(entry, "state"))).collect()
}

fn is_add(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    request.url.ends_with("$batch") && (body.contains("\r\nPOST /") || body.contains("\r\nPOST http"))
}

/// Ids of the rows of a set that have this value, in no order.
fn ids(online: &Wire, set: &str, column: &str, value: &str) -> Vec<Uuid> {
    let found = online.json(&format!("{set}?$filter={column}%20eq%20'{value}'&$select={column}"));
    let id = format!("{}id", set.trim_end_matches('s'));
    found["value"].as_array().unwrap().iter().map(|row| row[&id].as_str().unwrap().parse().unwrap()).collect()
}

fn only(online: &Wire, set: &str, column: &str, value: &str) -> Uuid {
    let found = ids(online, set, column, value);
    assert_eq!(found.len(), 1, "{set} named {value}");
    found[0]
}

fn child(account: Uuid, lastname: &str) -> String {
    format!(r#"{{"lastname":"{lastname}","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#)
}

#[test]
fn a_new_row_gets_the_servers_id_and_both_ids_mean_it() {
    let server = Server::start();
    let (online, mut station) = world(&server, &["account"]);
    let here = station.create("accounts", r#"{"name":"Here","telephone1":"1"}"#);
    let contact = station.create("contacts", &child(here, "Child"));
    station.patch(&format!("accounts({here})"), r#"{"telephone2":"2"}"#);
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    let there = only(&online, "accounts", "name", "Here");
    assert_ne!(there, here);
    assert_eq!(online.ask(Method::Get, &format!("accounts({here})"), "").status, 404);
    assert_eq!(online.json(&format!("contacts({contact})"))["_parentcustomerid_value"], there.to_string());
    let sent = station.wire.log.borrow().iter().any(|request| {
        let told = request.split_once("$batch").map_or("", |(_, body)| body);
        told.contains(&here.to_string())
    });
    assert!(!sent, "the server never hears of the id that only this device knows");

    for reopened in [false, true] {
        if reopened {
            station.restart();
        }
        for id in [here, there] {
            let row = station.get(&format!("accounts({id})?$select=name,telephone2"));
            assert_eq!((&row["accountid"], &row["telephone2"]), (&there.to_string().into(), &"2".into()));
            let children =
                station.get(&format!("contacts?$filter=_parentcustomerid_value eq {id}&$select=contactid"));
            assert_eq!(children["value"][0]["contactid"], contact.to_string());
        }
        assert_eq!(station.get("accounts?$select=name")["value"].as_array().unwrap().len(), 1);
    }
    station.patch(&format!("accounts({here})"), r#"{"websiteurl":"http://x"}"#);
    station.create("contacts", &child(here, "Second"));
    station.sync();
    assert_eq!(online.json(&format!("accounts({there})"))["websiteurl"], "http://x");
    let second = online.json("contacts?$filter=lastname%20eq%20'Second'");
    assert_eq!(second["value"][0]["_parentcustomerid_value"], there.to_string());
    let deleted = station.ask(Method::Delete, &format!("accounts({here})"), "");
    assert_eq!(deleted.status, 204);
    station.sync();
    assert_eq!(online.ask(Method::Get, &format!("accounts({there})"), "").status, 404);
}

/// An account and its contact in one change set.
fn deep(station: &Station, name: &str) -> Uuid {
    station.create(
        "accounts",
        &format!(r#"{{"name":"{name}","primarycontactid":{{"lastname":"{name}","jobtitle":"Boss"}}}}"#),
    )
}

#[test]
fn rows_of_one_change_set_mean_each_other_before_anybody_knows_their_ids() {
    for tables in [&["account"][..], &["contact"], &["account", "contact"]] {
        let server = Server::start();
        let (online, station) = world(&server, tables);
        deep(&station, "Deep");
        let pushes = station.wire.log.borrow().len();
        station.sync();
        assert_eq!(waiting(&station), NOTHING);
        let (account, contact) =
            (only(&online, "accounts", "name", "Deep"), only(&online, "contacts", "lastname", "Deep"));
        assert_eq!(
            online.json(&format!("accounts({account})"))["_primarycontactid_value"],
            contact.to_string()
        );
        let log = station.wire.log.borrow();
        let told = log[pushes..].iter().filter(|request| request.contains("\"Boss\"")).count();
        assert_eq!(told, 1, "both are told at once");
        drop(log);
        let row = station.get("accounts?$select=name&$expand=primarycontactid($select=jobtitle)");
        assert_eq!(row["value"][0]["primarycontactid"]["jobtitle"], "Boss");
    }
}

#[test]
fn a_row_whose_answer_was_lost_is_made_once() {
    let server = Server::start();
    let (online, mut station) = world(&server, &["account", "contact"]);
    let here = station.create("accounts", r#"{"name":"Here","telephone1":"1"}"#);
    deep(&station, "Deep");
    let twice = |station: &Station| {
        station.wire.fail(|request| is_add(request).then_some(Fault::LoseAnswer));
        station.post("/flette/sync", "");
        station.wire.heal();
    };
    twice(&station);
    let there = only(&online, "accounts", "name", "Here");
    station.patch(&format!("accounts({here})"), r#"{"telephone2":"2"}"#);
    station.create("contacts", &child(here, "Child"));
    online.patch("accounts", there, r#"{"telephone1":"theirs"}"#);
    twice(&station);
    station.restart();
    station.sync();
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    let row = online.json(&format!("accounts({there})"));
    assert_eq!((&row["telephone1"], &row["telephone2"]), (&"theirs".into(), &"2".into()));
    only(&online, "accounts", "name", "Here");
    let account = only(&online, "accounts", "name", "Deep");
    let contact = only(&online, "contacts", "lastname", "Deep");
    assert_eq!(online.json(&format!("accounts({account})"))["_primarycontactid_value"], contact.to_string());
    for id in [here, there] {
        let row = station.get(&format!("accounts({id})?$select=telephone1,telephone2"));
        assert_eq!((&row["telephone1"], &row["telephone2"]), (&"theirs".into(), &"2".into()));
    }
    assert_eq!(station.get("accounts?$select=name")["value"].as_array().unwrap().len(), 2);
}

#[test]
fn what_became_of_a_row_since_it_was_made_is_read() {
    let server = Server::start();
    let (online, station) = world(&server, &["account"]);
    let lose = || station.wire.fail(|request| is_add(request).then_some(Fault::LoseAnswer));
    let gone = station.create("accounts", r#"{"name":"Gone"}"#);
    lose();
    station.post("/flette/sync", "");
    // The feed tells of it twice, before its receipt does.
    online.delete("accounts", only(&online, "accounts", "name", "Gone"));
    station.post("/flette/sync", "");
    station.wire.heal();
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    assert_eq!(station.ask(Method::Get, &format!("accounts({gone})"), "").status, 404);
    assert_eq!(station.get("accounts?$select=name")["value"].as_array().unwrap().len(), 0);

    // Deleted here while nobody knows whether it stands.
    let unwanted = station.create("accounts", r#"{"name":"Unwanted"}"#);
    lose();
    station.post("/flette/sync", "");
    station.wire.heal();
    assert_eq!(station.ask(Method::Delete, &format!("accounts({unwanted})"), "").status, 204);
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    assert!(ids(&online, "accounts", "name", "Unwanted").is_empty());
    assert_eq!(station.ask(Method::Get, &format!("accounts({unwanted})"), "").status, 404);
}

#[test]
fn what_the_receipt_tells_is_kept_while_the_row_cannot_be_read() {
    let server = Server::start();
    let (online, mut station) = world(&server, &["account", "contact"]);
    deep(&station, "Deep");
    station.wire.fail(|request| is_add(request).then_some(Fault::LoseAnswer));
    station.post("/flette/sync", "");
    // The receipts are read, the rows are not.
    station.wire.fail(|request| {
        let reads = request.url.ends_with("$batch") && !is_add(request);
        reads.then_some(Fault::LoseRequest)
    });
    station.post("/flette/sync", "");
    station.wire.heal();
    station.restart();
    let adds =
        |station: &Station| station.wire.log.borrow().iter().filter(|r| r.contains("\"Boss\"")).count();
    let before = adds(&station);
    station.sync();
    assert_eq!(adds(&station), before, "nothing is asked for that is known");
    assert_eq!(waiting(&station), NOTHING);
    let account = only(&online, "accounts", "name", "Deep");
    let contact = only(&online, "contacts", "lastname", "Deep");
    assert_eq!(online.json(&format!("accounts({account})"))["_primarycontactid_value"], contact.to_string());
    let row = station.get("accounts?$select=name&$expand=primarycontactid($select=jobtitle)");
    assert_eq!(row["value"][0]["primarycontactid"]["jobtitle"], "Boss");
}

#[test]
fn without_receipts_a_human_decides_what_became_of_a_row_whose_answer_was_lost() {
    let server = Server::bare();
    let (online, station) = world(&server, &["account"]);
    let here = station.create("accounts", r#"{"name":"Here","telephone2":"2"}"#);
    let again = station.create("accounts", r#"{"name":"Again"}"#);
    let waits = station.create("contacts", &child(here, "Waits"));
    station.wire.fail(|request| is_add(request).then_some(Fault::LoseAnswer));
    station.post("/flette/sync", "");
    station.wire.heal();
    station.create("contacts", r#"{"lastname":"Free"}"#);
    station.sync();
    station.sync();
    only(&online, "contacts", "lastname", "Free");
    let there = only(&online, "accounts", "name", "Here");
    let journal = station.journal();
    let entry = |id: Uuid| journal.iter().find(|entry| entry["id"] == id.to_string()).unwrap();
    assert_eq!(
        (entry(here)["state"].as_str(), entry(again)["state"].as_str()),
        (Some("parked"), Some("parked"))
    );
    assert!(entry(here)["reason"]["message"].as_str().unwrap().contains("gives the row its id"));
    assert!(ids(&online, "contacts", "lastname", "Waits").is_empty());

    // It is the row that came in since.
    let op = |id: Uuid| entry(id)["op"].as_str().unwrap().to_owned();
    station.post(&format!("/flette/journal/{}/merge", op(here)), &format!(r#"{{"id":"{there}"}}"#));
    station.post(&format!("/flette/journal/{}/retry", op(again)), "");
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    only(&online, "accounts", "name", "Here");
    assert_eq!(ids(&online, "accounts", "name", "Again").len(), 2, "as it was asked for");
    assert_eq!(online.json(&format!("contacts({waits})"))["_parentcustomerid_value"], there.to_string());
}

#[test]
fn a_refused_row_is_corrected_and_nothing_else_waits_for_it() {
    let server = Server::start();
    let (online, station) = world(&server, &["account"]);
    online.create("accounts", r#"{"name":"There","accountnumber":"7"}"#);
    let here = station.create("accounts", r#"{"name":"Here","accountnumber":"7"}"#);
    station.create("contacts", &child(here, "Child"));
    station.create("accounts", r#"{"name":"Other"}"#);
    station.sync();
    only(&online, "accounts", "name", "Other");
    let parked = station.journal().iter().filter(|entry| entry["state"] == "parked").count();
    assert_eq!((parked, station.journal().len()), (1, 2));
    station.patch(&format!("accounts({here})"), r#"{"accountnumber":"8"}"#);
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    let there = only(&online, "accounts", "name", "Here");
    let contact = only(&online, "contacts", "lastname", "Child");
    assert_eq!(online.json(&format!("contacts({contact})"))["_parentcustomerid_value"], there.to_string());
}

#[test]
fn a_pair_of_a_new_row_follows_when_its_id_is_known() {
    let server = Server::start();
    let online = server.user("admin");
    assign(&online, "account", true);
    let station =
        Station::new(&server, "demo", &["account", "lead", "accountleads", "systemuser", "businessunit"]);
    let lead = online.create("leads", r#"{"subject":"S","lastname":"L"}"#);
    station.sync();
    let body = format!(r#"{{"name":"Paired","accountleads_association@odata.bind":["leads({lead})"]}}"#);
    station.create("accounts", &body);
    station.sync();
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    let there = only(&online, "accounts", "name", "Paired");
    let pairs = online.json(&format!("accounts({there})/accountleads_association?$select=leadid"));
    assert_eq!(pairs["value"][0]["leadid"], lead.to_string());
    let row = station
        .get(&format!("accounts({there})?$select=name&$expand=accountleads_association($select=subject)"));
    assert_eq!(row["accountleads_association"][0]["subject"], "S");
}

/// The table is switched while a request is unanswered: it is asked for as it was.
#[test]
fn an_unanswered_row_is_asked_for_as_before_when_the_table_is_switched() {
    for assigns in [false, true] {
        let server = Server::start();
        let online = server.user("admin");
        assign(&online, "account", assigns);
        let station = Station::new(&server, "demo", &TABLES);
        station.sync();
        let here = station.create("accounts", r#"{"name":"Here"}"#);
        let pushed = |request: &Request| String::from_utf8_lossy(&request.body).contains("\"Here\"");
        station.wire.fail(move |request| pushed(request).then_some(Fault::LoseAnswer));
        station.post("/flette/sync", "");
        station.wire.heal();
        assign(&online, "account", !assigns);
        let after = station.create("accounts", r#"{"name":"After"}"#);
        station.sync();
        station.sync();
        assert_eq!(waiting(&station), NOTHING);
        let (there, since) =
            (only(&online, "accounts", "name", "Here"), only(&online, "accounts", "name", "After"));
        // Where it is switched off, the device has yet to hear of that.
        assert_eq!((there != here, since != after), (assigns, true));
        for id in [here, there, after, since] {
            assert!(station.get(&format!("accounts({id})?$select=name"))["accountid"].is_string());
        }
        assert_eq!(station.get("accounts?$select=name")["value"].as_array().unwrap().len(), 2);
    }
}

/// Requests, each of a line and a body, that an app makes as one.
fn change_set(station: &Station, requests: &[(&str, &str)]) {
    let part = |(nth, (line, body)): (usize, &(&str, &str))| {
        let head = format!("--c\r\nContent-Type: application/http\r\nContent-ID: {}\r\n\r\n", nth + 1);
        format!("{head}{line} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n")
    };
    let parts: String = requests.iter().enumerate().map(part).collect();
    let batch = format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{parts}--c--\r\n--b--\r\n");
    let mut request = Request::new(Method::Post, format!("{}$batch", station.wire.root()));
    request.body = batch.into_bytes();
    let request = request.header("Content-Type", "multipart/mixed; boundary=b");
    assert_eq!(pollster::block_on(station.engine.handle(request)).status, 200);
}

/// The set was refused as a whole, for a row that is gone: that says nothing of its new rows.
#[test]
fn a_new_row_is_made_though_another_row_of_its_change_set_is_gone() {
    let server = Server::start();
    let online = server.user("admin");
    assign(&online, "account", true);
    let [gone, other] = ["Gone", "Other"].map(|name| {
        let body = format!(r#"{{"lastname":"{name}"}}"#);
        online.create("contacts", &body)
    });
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let [first, second] = [gone, other].map(|id| format!("PATCH contacts({id})"));
    let edit = r#"{"jobtitle":"here"}"#;
    change_set(&station, &[("POST accounts", r#"{"name":"Made"}"#), (&first, edit), (&second, edit)]);
    online.delete("contacts", gone);
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    only(&online, "accounts", "name", "Made");
    assert_eq!(online.json(&format!("contacts({other})"))["jobtitle"], "here");
    assert_eq!(station.get("/flette/conflicts")["conflicts"].as_array().map(Vec::len), Some(1));
}

/// What was refused by its own id is asked for anew, as the set that it is, also where it has to leave out a column that went.
#[test]
fn a_refused_set_goes_again_when_the_device_hears_that_ids_are_given() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let other = online.create("accounts", r#"{"name":"Other"}"#);
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let edit = format!("PATCH accounts({other})");
    change_set(&station, &[("POST contacts", r#"{"lastname":"Made"}"#), (&edit, r#"{"telephone1":"1"}"#)]);
    assign(&online, "contact", true);
    let column = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='new_memo')";
    assert_eq!(online.ask(Method::Delete, column, "").status, 204);
    (0..4).for_each(|_| drop(station.post("/flette/sync", "")));
    assert_eq!(waiting(&station), NOTHING);
    only(&online, "contacts", "lastname", "Made");
    assert_eq!(online.json(&format!("accounts({other})"))["telephone1"], "1");
}

/// Nobody can tell whether it was made: a further edit does not send it again, of whatever row of its change set. A human does.
#[test]
fn what_may_have_been_made_waits_for_a_human_though_it_is_edited() {
    for arrives in [true, false] {
        let server = Server::bare();
        let (online, station) = world(&server, &["account"]);
        let other = online.create("contacts", r#"{"lastname":"Other"}"#);
        station.sync();
        let edit = format!("PATCH contacts({other})");
        change_set(&station, &[("POST accounts", r#"{"name":"Here"}"#), (&edit, r#"{"jobtitle":"1"}"#)]);
        let rows = station.get("accounts?$select=name");
        let here: Uuid = rows["value"][0]["accountid"].as_str().unwrap().parse().unwrap();
        let lost = move || if arrives { Fault::LoseAnswer } else { Fault::LoseRequest };
        station.wire.fail(move |request| is_add(request).then(lost));
        station.post("/flette/sync", "");
        station.wire.heal();
        station.patch(&format!("accounts({here})"), r#"{"telephone1":"0"}"#);
        station.sync();
        let made = || ids(&online, "accounts", "name", "Here").len();
        let parked = || waiting(&station).iter().filter(|(_, _, state)| state == "parked").count();
        // The edit is known to have been carried out, or not.
        let before = (usize::from(arrives), if arrives { 1 } else { 2 });
        assert_eq!((made(), parked()), before);
        for nth in ["1", "2"] {
            station.patch(&format!("accounts({here})"), &format!(r#"{{"telephone2":"{nth}"}}"#));
            station.patch(&format!("contacts({other})"), &format!(r#"{{"department":"{nth}"}}"#));
            station.sync();
            station.sync();
            assert_eq!(made(), before.0, "after edit {nth}");
            assert!(parked() >= before.1, "after edit {nth}");
        }
        let op = station.journal()[0]["op"].as_str().unwrap().to_owned();
        station.post(&format!("/flette/journal/{op}/retry"), "");
        station.sync();
        assert_eq!(waiting(&station), NOTHING);
        assert_eq!(made(), before.0 + 1, "as it was asked for");
        let told = online.json(&format!("contacts({other})"));
        assert_eq!((&told["jobtitle"], &told["department"]), (&"1".into(), &"2".into()));
    }
}

/// A set that never arrived is sent by ids of ours once more, as it was: what the server gives ids to by now goes without, and the
/// rest of the set with it.
#[test]
fn a_set_that_is_refused_for_an_id_of_ours_goes_again_as_a_whole() {
    for bare in [false, true] {
        let server = if bare { Server::bare() } else { Server::start() };
        let online = server.user("admin");
        let other = online.create("accounts", r#"{"name":"Other"}"#);
        let station = Station::new(&server, "demo", &TABLES);
        station.sync();
        let edit = format!("PATCH accounts({other})");
        let new = ("POST accounts", r#"{"name":"Made"}"#);
        change_set(
            &station,
            &[new, ("POST contacts", r#"{"lastname":"Made"}"#), (&edit, r#"{"telephone1":"1"}"#)],
        );
        let pushed = |request: &Request| String::from_utf8_lossy(&request.body).contains("\"Made\"");
        station.wire.fail(move |request| pushed(request).then_some(Fault::LoseRequest));
        station.post("/flette/sync", "");
        assign(&online, "contact", true);
        // The device hears of it, and is not heard.
        (0..2).for_each(|_| drop(station.post("/flette/sync", "")));
        station.wire.heal();
        (0..3).for_each(|_| drop(station.post("/flette/sync", "")));
        assert_eq!(waiting(&station), NOTHING, "bare {bare}");
        only(&online, "accounts", "name", "Made");
        only(&online, "contacts", "lastname", "Made");
        assert_eq!(online.json(&format!("accounts({other})"))["telephone1"], "1");
    }
}

/// What was logged of a row before it had its id is about the same row.
#[test]
fn a_conflict_goes_with_its_row_when_that_gets_its_id() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    assign(&online, "contact", true);
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    station.create("contacts", r#"{"lastname":"Made","new_memo":"gone"}"#);
    let column = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='new_memo')";
    assert_eq!(online.ask(Method::Delete, column, "").status, 204);
    (0..4).for_each(|_| drop(station.post("/flette/sync", "")));
    // It was refused for that column, before the device heard that it is gone.
    let op = station.journal()[0]["op"].as_str().unwrap().to_owned();
    station.post(&format!("/flette/journal/{op}/retry"), "");
    station.sync();
    assert_eq!(waiting(&station), NOTHING);
    let there = only(&online, "contacts", "lastname", "Made");
    let log = station.get("/flette/conflicts");
    let rows: Vec<&str> = log["conflicts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|conflict| conflict["row"].as_str().unwrap())
        .collect();
    assert_eq!(rows, [there.to_string()]);
}

/// A server that gives two rows one id has told nothing of the second one.
#[test]
fn an_id_that_another_row_has_is_no_answer() {
    let server = Server::start();
    let (online, station) = world(&server, &["account"]);
    let first = station.create("accounts", r#"{"name":"First"}"#);
    station.sync();
    let there = only(&online, "accounts", "name", "First");
    station.create("accounts", r#"{"name":"Second"}"#);
    station.wire.fail(move |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let op = body.split("Content-ID: ").nth(1)?.split("\r\n").next()?.to_owned();
        let part = format!(
            "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\
             Content-ID: {op}\r\n\r\nHTTP/1.1 204 No Content\r\nOData-EntityId: http://x/accounts({there})\r\n\r\n\r\n\
             --c--\r\n--b--\r\n"
        );
        let headers = [("Content-Type", "multipart/mixed; boundary=b")].into_iter().collect();
        is_add(request).then(|| Fault::Answer(Response { status: 200, headers, body: part.into_bytes() }))
    });
    station.post("/flette/sync", "");
    station.wire.heal();
    assert_eq!(station.journal()[0]["state"], "parked");
    assert_eq!(station.get(&format!("accounts({first})?$select=name"))["name"], "First");
}
