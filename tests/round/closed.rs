//! Rows that are closed take no edits: what was edited here while somebody else closed it, and what was opened, edited
//! and closed again here.

use crate::faults::is_push;
use crate::support::{text, Device, Fault, Server};
use flette::journal::EntryState;
use flette::model::Value;
use flette_odata::{Method, Request, Uuid};

const OPEN: [(&str, Value); 2] = [("statecode", Value::Int(0)), ("statuscode", Value::Int(2))];
const COMPLETED: [(&str, Value); 2] = [("statecode", Value::Int(1)), ("statuscode", Value::Int(5))];

fn parked(device: &Device) -> Vec<(Uuid, u16, String)> {
    let reason = |entry: flette::journal::Entry| match entry.state {
        EntryState::Parked(reason) => Some((entry.key.id, reason.status, reason.code)),
        EntryState::Waiting | EntryState::Sent => None,
    };
    device.entries().into_iter().filter_map(reason).collect()
}

#[test]
fn an_edit_of_a_row_that_was_closed_meanwhile_is_parked_and_holds_up_nothing_else() {
    let server = Server::start();
    let online = server.user("admin");
    let task = online.create("tasks", r#"{"subject":"Call"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("task", task, &[("subject", text("Call again"))]);
    let other = device.create("task", &[("subject", text("Write"))]);
    online.patch("tasks", task, r#"{"statecode":1,"statuscode":5}"#);
    let report = device.round();
    assert_eq!((report.pushed, report.parked, report.conflicts), (1, 1, 0), "{report:?}");
    assert_eq!(parked(&device), [(task, 400, "0x8004022e".to_owned())]);
    assert_eq!(online.json(&format!("tasks({other})"))["subject"], "Write");
    // Both what the server says and what the user did is seen, until he decides.
    let row = device.row("task", task).unwrap();
    assert_eq!((&row["subject"], &row["statecode"]), (&text("Call again"), &Value::Int(1)));
    let again = device.create("task", &[("subject", text("Write again"))]);
    assert_eq!(device.round().pushed, 1);
    assert_eq!(online.json(&format!("tasks({again})"))["subject"], "Write again");
    // Opened again, the row takes it.
    online.patch("tasks", task, r#"{"statecode":0,"statuscode":2}"#);
    let op = device.entries()[0].op;
    device.change(|draft| draft.retry(op).unwrap());
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(online.json(&format!("tasks({task})"))["subject"], "Call again");
}

#[test]
fn a_row_opened_edited_and_closed_again_offline_arrives_closed_with_its_edit() {
    let server = Server::start();
    let online = server.user("admin");
    let task = online.create("tasks", r#"{"subject":"Call","statecode":1}"#);
    let device = Device::synced(&server, "demo");
    device.edit("task", task, &OPEN);
    device.edit("task", task, &[("subject", text("Called"))]);
    device.edit("task", task, &COMPLETED);
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert!(device.entries().is_empty());
    let row = online.json(&format!("tasks({task})"));
    assert_eq!((&row["subject"], &row["statecode"]), (&"Called".into(), &1.into()));
    let row = device.row("task", task).unwrap();
    assert_eq!((&row["subject"], &row["statuscode"]), (&text("Called"), &Value::Int(5)));
}

#[test]
fn a_row_closed_on_both_sides_is_closed_once_and_may_be_deleted() {
    let server = Server::start();
    let online = server.user("admin");
    let task = online.create("tasks", r#"{"subject":"Call"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("task", task, &COMPLETED);
    online.patch("tasks", task, r#"{"statecode":1,"statuscode":5}"#);
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts, device.entries().len()), (0, 0, 0), "{report:?}");
    assert_eq!(online.json(&format!("tasks({task})"))["statecode"], 1);
    device.delete("task", task);
    assert_eq!(device.sync().parked, 0);
    assert_eq!(online.ask(Method::Get, &format!("tasks({task})"), "").status, 404);
}

/// As Dataverse describes its states: a create does not take them. Definitions come in batches, each on a line of its own.
fn states_for_updates(body: &str) -> String {
    let line = |line: &str| match serde_json::from_str(line) {
        Ok(mut json) => {
            state_for_updates(&mut json);
            json.to_string()
        }
        Err(_) => line.to_owned(),
    };
    body.split("\r\n").map(line).collect::<Vec<String>>().join("\r\n")
}

fn state_for_updates(json: &mut serde_json::Value) {
    if json["LogicalName"] == "statecode" {
        json["IsValidForCreate"] = false.into();
    }
    match json {
        serde_json::Value::Object(members) => members.values_mut().for_each(state_for_updates),
        serde_json::Value::Array(items) => items.iter_mut().for_each(state_for_updates),
        _ => {}
    }
}

#[test]
fn a_new_row_is_closed_once_it_stands_where_a_create_takes_no_state() {
    for (server, loses) in [(Server::start(), false), (Server::bare(), false), (Server::start(), true)] {
        let device = Device::new(&server, "demo");
        let describes = |request: &Request| {
            request.url.ends_with("$batch")
                && String::from_utf8_lossy(&request.body).contains("EntityDefinitions")
        };
        device.wire.fail(move |request| describes(request).then_some(Fault::Told(states_for_updates)));
        device.sync();
        let task = device.create("task", &[("subject", text("Call"))]);
        device.edit("task", task, &COMPLETED);
        let closed = device.row("task", task).unwrap();
        assert_eq!(closed["statecode"], Value::Int(1));
        if loses {
            device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
            device.round();
            device.wire.heal();
        }
        device.wire.log.borrow_mut().clear();
        device.sync();
        assert!(device.entries().is_empty() && device.conflicts().is_empty(), "{:?}", device.entries());
        let there = server.user("admin").json(&format!("tasks({task})"));
        assert_eq!((&there["statecode"], &there["statuscode"]), (&1.into(), &5.into()));
        let log = device.wire.log.borrow();
        let create = log.iter().find(|line| line.contains(r#""subject":"Call""#)).unwrap();
        assert!(!create.split("PATCH ").nth(1).unwrap().contains("statecode"), "{create}");
    }
}
