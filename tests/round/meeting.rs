//! Two sides change the same rows.

use crate::support::{text, tick, Device, Fault, Server};
use flette::model::{Clash, Side, Value};

#[test]
fn telephone_here_and_address_there_both_arrive_everywhere() {
    let server = Server::start();
    let id = server.user("admin").create("contacts", r#"{"lastname":"Berg","telephone1":"1"}"#);
    let (first, second) = (Device::synced(&server, "demo"), Device::synced(&server, "demo"));
    first.edit("contact", id, &[("telephone1", text("555"))]);
    second.edit("contact", id, &[("address1_city", text("Oslo")), ("address1_line1", text("Gate 1"))]);
    assert_eq!(first.sync().pushed, 1);
    assert_eq!(second.sync().pushed, 1);
    first.sync();
    for device in [&first, &second] {
        assert_eq!(device.text("contact", id, "telephone1"), "555");
        assert_eq!(device.text("contact", id, "address1_city"), "Oslo");
        assert!(device.entries().is_empty());
        assert!(device.conflicts().is_empty());
    }
    let row = server.user("admin").json(&format!("contacts({id})"));
    assert_eq!((row["telephone1"].as_str(), row["address1_city"].as_str()), (Some("555"), Some("Oslo")));
}

#[test]
fn the_newer_value_of_one_field_wins_and_the_other_is_kept_in_the_log() {
    let server = Server::start();
    let online = server.user("admin");
    let older = online.create("contacts", r#"{"lastname":"Older"}"#);
    let newer = online.create("contacts", r#"{"lastname":"Newer"}"#);
    let device = Device::synced(&server, "demo");
    tick();
    device.edit("contact", older, &[("jobtitle", text("here"))]);
    online.patch("contacts", newer, r#"{"jobtitle":"there"}"#);
    tick();
    online.patch("contacts", older, r#"{"jobtitle":"there"}"#);
    device.edit("contact", newer, &[("jobtitle", text("here"))]);
    let report = device.sync();
    assert_eq!((report.conflicts, report.parked), (2, 0));
    assert_eq!(device.text("contact", older, "jobtitle"), "there");
    assert_eq!(device.text("contact", newer, "jobtitle"), "here");
    assert_eq!(online.json(&format!("contacts({newer})"))["jobtitle"], "here");
    assert_eq!(online.json(&format!("contacts({older})"))["jobtitle"], "there");
    let mut winners = Vec::new();
    for conflict in device.conflicts() {
        let Clash::Field { name, local, server } = &conflict.clash else { panic!("{conflict:?}") };
        assert_eq!((name.as_str(), local, server), ("jobtitle", &text("here"), &text("there")));
        assert!(conflict.server_at.is_some() && conflict.server_author.is_some());
        winners.push((conflict.key.id, conflict.winner));
    }
    winners.sort_by_key(|(id, _)| *id != older);
    assert_eq!(winners, [(older, Side::Server), (newer, Side::Local)]);
    assert!(device.entries().is_empty());
}

#[test]
fn a_wrong_clock_does_not_make_an_old_edit_win() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"A"}"#);
    let device = Device::new(&server, "demo");
    device.clock_error_millis.set(10 * 365 * 86_400_000);
    device.sync();
    device.edit("account", id, &[("name", text("early"))]);
    tick();
    tick();
    online.patch("accounts", id, r#"{"name":"late"}"#);
    device.sync();
    assert_eq!(device.text("account", id, "name"), "late");
    assert_eq!(device.conflicts().len(), 1);
}

#[test]
fn what_was_stamped_by_a_clock_that_ran_ahead_is_not_done_again_over_a_newer_edit() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"A","telephone1":"0"}"#);
    let device = Device::synced(&server, "demo");
    device.clock_error_millis.set(86_400_000);
    device.edit("account", id, &[("name", text("early"))]);
    device.edit("account", id, &[("telephone1", text("1"))]);
    device.clock_error_millis.set(0);
    device.wire.fail(|request| request.url.contains("$batch").then_some(Fault::LoseAnswer));
    device.round();
    device.wire.heal();
    assert_eq!(online.json(&format!("accounts({id})"))["name"], "early");
    tick();
    tick();
    online.patch("accounts", id, r#"{"name":"late"}"#);
    device.sync();
    assert_eq!(device.text("account", id, "name"), "late");
    assert_eq!(online.json(&format!("accounts({id})"))["name"], "late");
    assert!(device.entries().is_empty());
}

#[test]
fn an_edit_of_a_row_deleted_there_goes_to_the_log_and_the_row_stays_gone() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("contacts", r#"{"lastname":"Gone","telephone1":"1"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("contact", id, &[("telephone1", text("2"))]);
    online.delete("contacts", id);
    let report = device.sync();
    assert_eq!((report.conflicts, report.parked), (1, 0));
    assert!(device.row("contact", id).is_none());
    assert!(device.entries().is_empty());
    let Clash::DeletedThere { row, edits } = &device.conflicts()[0].clash else { panic!() };
    assert_eq!((row["telephone1"].clone(), row["lastname"].clone()), (text("2"), text("Gone")));
    assert_eq!(edits.len(), 1);
    assert_eq!(online.ask(flette_odata::Method::Get, &format!("contacts({id})"), "").status, 404);
}

#[test]
fn of_a_deletion_here_and_an_edit_there_the_newer_wins() {
    let server = Server::start();
    let online = server.user("admin");
    let edited_later = online.create("contacts", r#"{"lastname":"Later"}"#);
    let edited_before = online.create("contacts", r#"{"lastname":"Before"}"#);
    let device = Device::synced(&server, "demo");
    tick();
    device.delete("contact", edited_later);
    online.patch("contacts", edited_before, r#"{"jobtitle":"there"}"#);
    tick();
    device.delete("contact", edited_before);
    online.patch("contacts", edited_later, r#"{"jobtitle":"there"}"#);
    device.sync();
    assert_eq!(device.text("contact", edited_later, "jobtitle"), "there");
    assert!(device.row("contact", edited_before).is_none());
    let status = |id| online.ask(flette_odata::Method::Get, &format!("contacts({id})"), "").status;
    assert_eq!((status(edited_later), status(edited_before)), (200, 404));
    let conflicts = device.conflicts();
    assert_eq!(conflicts.len(), 1);
    assert_eq!((&conflicts[0].clash, conflicts[0].key.id), (&Clash::DeletedHere, edited_later));
    assert!(device.entries().is_empty());
}

#[test]
fn deleted_on_both_sides_is_done() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("contacts", r#"{"lastname":"Both"}"#);
    let device = Device::synced(&server, "demo");
    device.delete("contact", id);
    online.delete("contacts", id);
    device.sync();
    assert!(device.conflicts().is_empty() && device.entries().is_empty());
}

#[test]
fn cleared_fields_lookups_and_money_travel_exactly() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let id = online.create(
        "contacts",
        &format!(r#"{{"lastname":"B","telephone1":"1","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#),
    );
    let device = Device::synced(&server, "demo");
    let amount = Value::Decimal(flette_odata::Decimal::parse("90071992547.09").unwrap());
    device.edit("contact", id, &[("telephone1", Value::Null), ("parentcustomerid", Value::Null)]);
    device.edit("account", account, &[("revenue", amount.clone())]);
    device.sync();
    let row = online.json(&format!("contacts({id})"));
    assert!(row["telephone1"].is_null() && row["_parentcustomerid_value"].is_null(), "{row}");
    let body =
        online.ask(flette_odata::Method::Get, &format!("accounts({account})?$select=revenue"), "").body;
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("90071992547.0900"), "{body} {:?}", device.entries());
    assert_eq!(device.row("account", account).unwrap()["revenue"], amount);
}
