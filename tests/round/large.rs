//! Change sets that are more than a batch takes: refused where they are written, since nobody could send them.

use crate::station::Station;
use crate::support::{all_tables, Server, TABLES};
use flette_odata::batch::BATCH_PARTS_MAX;
use flette_odata::{Method, Request, Response};
use serde_json::{json, Value};

/// An account with so many contacts in one body.
fn account(name: &str, contacts: usize) -> String {
    let contacts: Vec<Value> = (0..contacts).map(|n| json!({"lastname": format!("{name} {n}")})).collect();
    json!({"name": name, "contact_customer_accounts": contacts}).to_string()
}

/// So many e-mails, each with a sender, by one action.
fn emails(count: usize) -> String {
    let party = json!({"participationtypemask": 1, "addressused": "a@b.c"});
    let email = |n| {
        json!({
            "@odata.type": "Microsoft.Dynamics.CRM.email",
            "subject": format!("E{n}"),
            "email_activity_parties": [party],
        })
    };
    json!({"Targets": (0..count).map(email).collect::<Vec<Value>>()}).to_string()
}

/// So many accounts, each with a contact, by one action.
fn accounts(count: usize) -> String {
    let account = |n| {
        json!({
            "@odata.type": "Microsoft.Dynamics.CRM.account",
            "name": format!("A{n}"),
            "contact_customer_accounts": [{"lastname": "C"}],
        })
    };
    json!({"Targets": (0..count).map(account).collect::<Vec<Value>>()}).to_string()
}

fn action(set: &str) -> String {
    format!("{set}/Microsoft.Dynamics.CRM.CreateMultiple")
}

fn is_refused(answer: &Response) {
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = error["error"]["message"].as_str().unwrap_or_default();
    assert_eq!((answer.status, error["error"]["code"].as_str()), (400, Some("0x80048d19")), "{error}");
    assert!(message.contains("more than 1000 requests"), "{message}");
}

/// Names of accounts, and how many contacts there are.
fn shown(station: &Station) -> (Vec<String>, u64) {
    let accounts = station.get("accounts?$select=name&$orderby=name");
    let names = accounts["value"].as_array().unwrap().iter();
    let contacts = station.get("contacts?$apply=aggregate($count as n)");
    let names = names.map(|account| account["name"].as_str().unwrap().to_owned()).collect();
    (names, contacts["value"][0]["n"].as_u64().unwrap_or_default())
}

#[test]
fn a_row_with_more_nested_ones_than_a_batch_takes_is_refused_and_nothing_of_it_is_made() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    is_refused(&station.ask(Method::Post, "accounts", &account("Large", BATCH_PARTS_MAX)));
    assert!(station.journal().is_empty());
    assert_eq!(shown(&station), (Vec::new(), 0));
    // One less goes, and goes through.
    station.post("accounts", &account("Full", BATCH_PARTS_MAX - 1));
    assert_eq!(station.journal().len(), BATCH_PARTS_MAX);
    // A slow machine needs more than one round.
    let report = || serde_json::from_slice::<Value>(&station.post("/flette/sync", "").body).unwrap();
    while report()["more"] == true {}
    assert!(station.journal().is_empty());
    assert_eq!(shown(&station), (vec!["Full".to_owned()], 999));
}

#[test]
fn a_change_set_of_a_batch_that_is_too_large_is_refused_and_what_stands_before_it_is_not() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let part = |boundary: &str, id: usize, body: &str| {
        format!(
            "--{boundary}\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: {id}\n\n\
             POST accounts HTTP/1.1\nContent-Type: application/json; type=entry\n\n{body}\n"
        )
    };
    let half = BATCH_PARTS_MAX / 2;
    let set = [part("s", 1, &account("One", half)), part("s", 2, &account("Two", half))].concat();
    let single = part("b", 3, &account("Single", 1));
    let mut request = Request::new(Method::Post, format!("{}$batch", station.wire.root()))
        .header("Content-Type", "multipart/mixed;boundary=b")
        .header("Prefer", "odata.continue-on-error");
    let set = format!("--b\nContent-Type: multipart/mixed;boundary=s\n\n{set}--s--\n\n");
    request.body = format!("{single}{set}--b--\n").into_bytes();
    let answer = pollster::block_on(station.engine.handle(request));
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("HTTP/1.1 400") && text.contains("more than 1000 requests"), "{text}");
    assert_eq!(station.journal().len(), 2);
    assert_eq!(shown(&station), (vec!["Single".to_owned()], 1));
}

/// The parties of a new e-mail stand in its body.
#[test]
fn what_is_told_along_with_a_row_is_no_request() {
    let server = Server::start();
    let tables = all_tables();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    let station = Station::new(&server, "demo", &tables);
    station.sync();
    is_refused(&station.ask(Method::Post, &action("accounts"), &accounts(BATCH_PARTS_MAX / 2 + 1)));
    assert!(station.journal().is_empty());
    station.post(&action("emails"), &emails(BATCH_PARTS_MAX));
    assert!(station.journal().len() > BATCH_PARTS_MAX);
}
