//! What is made offline arrives: rows that point to each other, change sets, what is refused.

use crate::station::Station;
use crate::support::{create, link, text, Device, Server, TABLES};
use flette::model::{Key, Value};
use flette_odata::{Method, Uuid};

#[test]
fn rows_made_offline_arrive_parents_first_whatever_the_order() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = Uuid::now_v7();
    let contact = device
        .create("contact", &[("lastname", text("Child")), ("parentcustomerid", link("account", account))]);
    let task =
        device.create("task", &[("subject", text("Call")), ("regardingobjectid", link("contact", contact))]);
    device.create_with_id("account", account, &[("name", text("Parent"))]);
    device.edit("contact", contact, &[("telephone1", text("7"))]);
    let report = device.sync();
    assert_eq!((report.pushed, report.parked, report.conflicts), (3, 0, 0));
    assert!(device.entries().is_empty());
    let online = server.user("admin");
    let row = online.json(&format!("contacts({contact})"));
    assert_eq!(row["_parentcustomerid_value"], account.to_string());
    assert_eq!(row["telephone1"], "7");
    assert_eq!(online.json(&format!("tasks({task})"))["_regardingobjectid_value"], contact.to_string());
}

#[test]
fn a_circle_of_new_rows_is_closed_once_all_of_them_stand() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = Uuid::now_v7();
    let contact = device
        .create("contact", &[("lastname", text("Boss")), ("parentcustomerid", link("account", account))]);
    device.create_with_id(
        "account",
        account,
        &[("name", text("Firm")), ("primarycontactid", link("contact", contact))],
    );
    let own = Uuid::now_v7();
    device.create_with_id(
        "account",
        own,
        &[("name", text("Own")), ("parentaccountid", link("account", own))],
    );
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    let online = server.user("admin");
    let row = online.json(&format!("accounts({account})"));
    assert_eq!(row["_primarycontactid_value"], contact.to_string());
    assert_eq!(online.json(&format!("contacts({contact})"))["_parentcustomerid_value"], account.to_string());
    let parent = online.json(&format!("accounts({own})"))["_parentaccountid_value"].clone();
    // A server may refuse a row that is its own parent; then the user is told.
    assert!(parent == own.to_string() || device.entries().iter().all(|e| e.is_parked()));
}

#[test]
fn a_change_set_arrives_whole_or_not_at_all() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let (good, bad) = (Uuid::now_v7(), Uuid::now_v7());
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("account", good), &[("name", text("Good"))], who.0, who.1);
        create(draft, ("account", bad), &[("name", text(&"x".repeat(500)))], who.0, who.1);
        draft.end_change_set();
    });
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    device.change(|draft| {
        draft.begin_change_set();
        let to = link("account", two);
        create(draft, ("contact", one), &[("lastname", text("One")), ("parentcustomerid", to)], who.0, who.1);
        create(draft, ("account", two), &[("name", text("Two"))], who.0, who.1);
        draft.end_change_set();
    });
    let report = device.round();
    assert_eq!((report.pushed, report.parked), (2, 2), "{report:?}");
    let online = server.user("admin");
    let status = |path: String| online.ask(Method::Get, &path, "").status;
    assert_eq!(status(format!("accounts({good})")), 404);
    assert_eq!(online.json(&format!("contacts({one})"))["_parentcustomerid_value"], two.to_string());
    assert!(device.entries().iter().all(|e| e.is_parked()));
}

#[test]
fn a_refused_row_blocks_itself_and_its_dependents_only() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let bad = device.create("account", &[("name", text(&"x".repeat(500)))]);
    let child =
        device.create("contact", &[("lastname", text("Waits")), ("parentcustomerid", link("account", bad))]);
    let free = device.create("account", &[("name", text("Free"))]);
    let report = device.round();
    assert_eq!((report.pushed, report.parked), (1, 1), "{report:?}");
    let online = server.user("admin");
    assert_eq!(online.json(&format!("accounts({free})"))["name"], "Free");
    let states: Vec<(Uuid, bool)> = device.entries().iter().map(|e| (e.key.id, e.is_parked())).collect();
    assert_eq!(states, [(bad, true), (child, false)]);
    // The user sees what he made, and mends it: both go out.
    assert_eq!(device.text("contact", child, "lastname"), "Waits");
    device.change(|draft| {
        for mut entry in draft.entries_of(&Key::new("account", bad)) {
            entry.state = flette::journal::EntryState::Waiting;
            draft.put(entry);
        }
        crate::support::edit(draft, &Key::new("account", bad), &[("name", text("Mended"))]);
    });
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!(online.json(&format!("contacts({child})"))["_parentcustomerid_value"], bad.to_string());
}

#[test]
fn what_was_made_and_unmade_offline_is_never_told() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let id = device.create("account", &[("name", text("Brief"))]);
    device.delete("account", id);
    let old = server.user("admin").create("accounts", r#"{"name":"Old"}"#);
    device.sync();
    device.edit("account", old, &[("name", text("New"))]);
    device.edit("account", old, &[("name", text("Old"))]);
    assert_eq!(device.sync().pushed, 0);
    assert!(device.entries().is_empty());
}

#[test]
fn what_hung_on_a_row_unmade_offline_goes_with_it_or_lets_it_go() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = device.create("account", &[("name", text("Brief"))]);
    let contact = device
        .create("contact", &[("lastname", text("Brief")), ("parentcustomerid", link("account", account))]);
    let task =
        device.create("task", &[("subject", text("Brief")), ("regardingobjectid", link("contact", contact))]);
    let child =
        device.create("account", &[("name", text("Stays")), ("parentaccountid", link("account", account))]);
    device.delete("account", account);
    assert!(device.row("contact", contact).is_none() && device.row("task", task).is_none());
    assert!(device.row("account", child).unwrap()["parentaccountid"].is_null());
    let report = device.sync();
    assert_eq!((report.pushed, report.parked), (1, 0), "{report:?}");
    assert!(device.entries().is_empty());
}

/// What comes together is one change set, and its rows are kept for it until it is known that there is nothing to tell.
#[test]
fn what_was_made_with_a_row_in_one_set_goes_with_it_when_that_is_unmade() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let body = r#"{"name":"Brief","contact_customer_accounts":[{"lastname":"Brief","Contact_Tasks":[{"subject":"Brief"}]}]}"#;
    for deletion in ["given up", "not given up"] {
        let account = station.create("accounts", body);
        let later =
            format!(r#"{{"lastname":"Later","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#);
        station.create("contacts", &later);
        let child = format!(r#"{{"name":"Stays","parentaccountid@odata.bind":"/accounts({account})"}}"#);
        let child = station.create("accounts", &child);
        assert_eq!(station.ask(Method::Delete, &format!("accounts({account})"), "").status, 204);
        assert_eq!(station.get("contacts?$select=lastname")["value"].as_array().unwrap().len(), 0);
        if deletion == "given up" {
            let entry = station.journal().into_iter().find(|entry| entry["kind"] == "delete").unwrap();
            let op = entry["op"].as_str().unwrap().to_owned();
            station.post(&format!("/flette/journal/{op}/discard"), "");
            assert_eq!(station.get("contacts?$select=lastname")["value"].as_array().unwrap().len(), 2);
            assert_eq!(station.ask(Method::Delete, &format!("accounts({account})"), "").status, 204);
        }
        station.sync();
        assert!(station.journal().is_empty(), "{deletion}: {:?}", station.journal());
        let stays = server.user("admin").json(&format!("accounts({child})"));
        assert!(stays["_parentaccountid_value"].is_null(), "{deletion}");
        for set in ["contacts", "tasks"] {
            let rows = server.user("admin").json(set);
            assert_eq!(rows["value"].as_array().unwrap().len(), 0, "{deletion}: {set}");
        }
    }
}

/// A round may be the first thing that a worker does: no row is in memory then.
#[test]
fn what_was_led_to_a_row_unmade_offline_goes_with_it_after_a_restart() {
    let server = Server::start();
    let online = server.user("admin");
    let contact = online.create("contacts", r#"{"lastname":"Known"}"#);
    let mut device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let account = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("account", account), &[("name", text("Brief"))], who.0, who.1);
        create(draft, ("contact", Uuid::now_v7()), &[("lastname", text("Stays"))], who.0, who.1);
        draft.end_change_set();
    });
    device.edit("contact", contact, &[("parentcustomerid", link("account", account))]);
    device.delete("account", account);
    assert!(device.row("contact", contact).is_none());
    device.restart();
    let report = device.sync();
    assert_eq!((report.parked, device.entries().len()), (0, 0), "{report:?}");
    assert!(device.row("contact", contact).is_none());
}

#[test]
fn rows_that_went_with_a_deleted_one_come_back_when_the_deletion_is_given_up() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"Old"}"#);
    let bind =
        format!(r#"{{"lastname":"Of it","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#);
    let contact = online.create("contacts", &bind);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("telephone1", text("1"))]);
    device.delete("account", account);
    assert!(device.row("contact", contact).is_none());
    let deletion = device.entries().last().unwrap().op;
    device.change(|draft| draft.discard(deletion).unwrap());
    assert_eq!(device.text("contact", contact, "telephone1"), "1");
    device.delete("account", account);
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("contacts({contact})"), "").status, 404);
    assert!(device.row("contact", contact).is_none() && device.entries().is_empty());
}

#[test]
fn more_rows_than_a_batch_holds_arrive_in_several() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let ids: Vec<Uuid> =
        (0..205).map(|n| device.create("account", &[("name", text(&format!("A{n}")))])).collect();
    let report = device.sync();
    assert_eq!(report.pushed, 205);
    let batches =
        device.wire.log.borrow().iter().filter(|l| l.contains("$batch") && l.contains("PATCH")).count();
    assert_eq!(batches, 3);
    let other = Device::synced(&server, "demo");
    assert_eq!(other.count("account"), 205);
    assert!(ids.iter().all(|id| other.row("account", *id).is_some()));
    // Another client's pages were of 50 rows each.
    assert_eq!(other.row("account", ids[0]).unwrap()["name"], text("A0"));
    assert!(TABLES.iter().all(|t| other.replica.state().tables[*t].cursor.complete));
    let _ = Value::Null;
}

#[test]
fn many_small_changes_do_not_pile_up_as_segments() {
    let server = Server::start();
    let mut device = Device::synced(&server, "demo");
    let id = device.create("account", &[("name", text("A0"))]);
    for n in 1..30 {
        device.edit("account", id, &[("name", text(&format!("A{n}")))]);
        device.sync();
    }
    let segments =
        |device: &Device| device.replica.state().tables["account"].mirror.as_ref().unwrap().numbers().len();
    assert!(segments(&device) < 16, "{}", segments(&device));
    device.restart();
    assert_eq!(device.text("account", id, "name"), "A29");
    assert!(segments(&device) < 16, "{}", segments(&device));
}

#[test]
fn a_link_taken_away_arrives_before_the_row_it_pointed_to_goes() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"Old"}"#);
    let bind =
        format!(r#"{{"lastname":"Kept","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#);
    let contact = online.create("contacts", &bind);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("parentcustomerid", Value::Null)]);
    device.delete("account", account);
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("accounts({account})"), "").status, 404);
    assert!(online.json(&format!("contacts({contact})"))["_parentcustomerid_value"].is_null());
}

#[test]
fn a_change_set_that_meets_another_edit_is_merged_and_still_arrives_whole() {
    let server = Server::start();
    let online = server.user("admin");
    let ids: Vec<Uuid> =
        (0..2).map(|n| online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#))).collect();
    let device = Device::synced(&server, "demo");
    device.change(|draft| {
        draft.begin_change_set();
        for id in &ids {
            crate::support::edit(draft, &Key::new("account", *id), &[("telephone1", text("1"))]);
        }
        draft.end_change_set();
    });
    online.patch("accounts", ids[1], r#"{"websiteurl":"http://there"}"#);
    device.wire.log.borrow_mut().clear();
    device.sync();
    for id in &ids {
        assert_eq!(online.json(&format!("accounts({id})"))["telephone1"], "1");
    }
    assert_eq!(device.text("account", ids[1], "websiteurl"), "http://there");
    let log = device.wire.log.borrow();
    let sets: Vec<usize> =
        log.iter().filter(|l| l.contains("PATCH")).map(|l| l.matches("Content-ID").count()).collect();
    assert_eq!(sets, [2, 2]);
    assert!(device.entries().is_empty());
}
