//! Requests whose answers were lost, on servers with receipts and without.

use crate::faults::is_push;
use crate::support::{create, edit, text, tick, Device, Fault, Server, Wire};
use flette::model::{Clash, Key};
use flette_odata::time::format_http_date;
use flette_odata::{Method, Request, Uuid};

/// A contact with a job title, and a device whose edit of that was carried out without an answer. Its clock is ahead: whoever writes
/// the title next is the earlier one by its time, and yet later. `whole`: the server is asked for the whole row.
fn unanswered(whole: bool) -> (Server, Wire, Uuid, Device) {
    let server = Server::start();
    let online = server.user("admin");
    let contact = online.create("contacts", r#"{"lastname":"C","jobtitle":"before"}"#);
    let mut device = Device::synced(&server, "demo");
    device.clock_error_millis.set(700);
    device.edit("contact", contact, &[("jobtitle", text("mine"))]);
    if whole {
        device.restart();
    }
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
    device.round();
    (server, online, contact, device)
}

/// An edit or a deletion.
fn is_write(request: &Request) -> bool {
    is_push(request) || String::from_utf8_lossy(&request.body).contains("\r\nDELETE ")
}

/// Nothing that is pushed arrives, but the pages do.
fn only_pull(device: &Device) {
    device.wire.fail(|request| is_write(request).then_some(Fault::LoseRequest));
    device.round();
    device.round();
    assert!(!device.entries().is_empty());
    device.wire.heal();
}

fn theirs_stands((online, contact, device): (&Wire, Uuid, &Device)) {
    assert_eq!(online.json(&format!("contacts({contact})"))["jobtitle"], "theirs");
    assert_eq!(device.text("contact", contact, "jobtitle"), "theirs");
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

const THEIRS: &str = r#"{"jobtitle":"theirs"}"#;

#[test]
fn an_unanswered_edit_that_was_carried_out_and_overwritten_is_not_asked_for_again() {
    let (_server, online, contact, device) = unanswered(false);
    device.wire.heal();
    online.patch("contacts", contact, THEIRS);
    device.sync();
    theirs_stands((&online, contact, &device));
}

/// Pages tell of the row before the server can be asked what became of the edit.
#[test]
fn what_was_overwritten_is_not_asked_for_again_though_a_page_tells_of_it_first() {
    let (_server, online, contact, device) = unanswered(false);
    online.patch("contacts", contact, THEIRS);
    only_pull(&device);
    // It still waits, upon the row as others made it.
    assert_eq!(device.text("contact", contact, "jobtitle"), "mine");
    device.sync();
    theirs_stands((&online, contact, &device));
}

/// No later page tells of the row once more.
#[test]
fn a_receipt_is_no_news_of_a_row_that_is_not_in_memory() {
    let (_server, online, contact, mut device) = unanswered(true);
    online.patch("contacts", contact, THEIRS);
    only_pull(&device);
    device.restart();
    device.sync();
    theirs_stands((&online, contact, &device));
}

#[test]
fn a_receipt_does_not_bring_back_what_a_page_has_taken_away() {
    let (_server, online, contact, device) = unanswered(true);
    online.delete("contacts", contact);
    only_pull(&device);
    device.sync();
    assert!(device.row("contact", contact).is_none());
    assert!(device.entries().is_empty());
}

/// What was not carried out is merged when the server has said so.
#[test]
fn what_was_not_carried_out_is_merged_though_a_page_tells_of_the_row_first() {
    let server = Server::start();
    let online = server.user("admin");
    let contact = online.create("contacts", r#"{"lastname":"C","jobtitle":"before"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("jobtitle", text("mine"))]);
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseRequest));
    device.round();
    online.patch("contacts", contact, r#"{"telephone1":"theirs"}"#);
    device.round();
    device.wire.heal();
    device.sync();
    let row = online.json(&format!("contacts({contact})"));
    assert_eq!((row["jobtitle"].as_str(), row["telephone1"].as_str()), (Some("mine"), Some("theirs")));
    assert_eq!(device.text("contact", contact, "telephone1"), "theirs");
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

/// A page has told of the edit before the entries could meet it: it is an edit of others all the same when they do.
#[test]
fn a_later_edit_outlives_a_deletion_though_a_page_tells_of_it_before_the_answer_comes() {
    for (is_edited, is_discarded) in [(false, false), (true, false), (true, true)] {
        let server = Server::start();
        let online = server.user("admin");
        let contact = online.create("contacts", r#"{"lastname":"C"}"#);
        let mut device = Device::synced(&server, "demo");
        if is_edited {
            device.edit("contact", contact, &[("jobtitle", text("mine"))]);
        } else {
            device.delete("contact", contact);
        }
        device.wire.fail(|request| is_write(request).then_some(Fault::LoseRequest));
        device.round();
        if is_edited {
            device.delete("contact", contact);
        }
        tick();
        online.patch("contacts", contact, r#"{"telephone1":"theirs"}"#);
        only_pull(&device);
        device.restart();
        if is_discarded {
            let edit = device.entries()[0].op;
            device.change(|draft| draft.discard(edit).unwrap());
        }
        device.sync();
        let row = online.json(&format!("contacts({contact})"));
        let title = (is_edited && !is_discarded).then_some("mine");
        assert_eq!((row["jobtitle"].as_str(), row["telephone1"].as_str()), (title, Some("theirs")));
        let clashes: Vec<Clash> = device.conflicts().into_iter().map(|conflict| conflict.clash).collect();
        assert_eq!(clashes, [Clash::DeletedHere]);
        assert!(device.entries().is_empty());
        assert_eq!(device.text("contact", contact, "telephone1"), "theirs");
    }
}

/// The edit was carried out, and what follows it is no deletion of somebody else's edit.
#[test]
fn a_deletion_stands_upon_an_unanswered_edit_that_was_carried_out() {
    let (_server, online, contact, mut device) = unanswered(false);
    device.delete("contact", contact);
    only_pull(&device);
    device.restart();
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("contacts({contact})"), "").status, 404);
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

/// Lines of an address are one value, also where a page told of another line before the answer came.
#[test]
fn a_group_is_not_mixed_though_a_page_tells_of_it_before_the_answer_comes() {
    let server = Server::start();
    let online = server.user("admin");
    let body = r#"{"lastname":"C","address1_line1":"old line","address1_city":"old city"}"#;
    let contact = online.create("contacts", body);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("address1_line1", text("my line"))]);
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseRequest));
    device.round();
    tick();
    online.patch("contacts", contact, r#"{"address1_city":"their city"}"#);
    only_pull(&device);
    device.sync();
    let row = online.json(&format!("contacts({contact})"));
    let address = (row["address1_line1"].as_str(), row["address1_city"].as_str());
    assert_eq!(address, (Some("old line"), Some("their city")));
    assert_eq!(device.conflicts().len(), 1);
    assert!(device.entries().is_empty());
}

/// What its user has seen counts as seen, though an older edit of the row has not met it.
#[test]
fn an_edit_that_was_made_upon_what_a_page_told_leaves_that_alone() {
    let server = Server::start();
    let online = server.user("admin");
    let contact = online.create("contacts", r#"{"lastname":"C","address1_line1":"old line"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("address1_city", text("my city"))]);
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseRequest));
    device.round();
    tick();
    online.patch("contacts", contact, r#"{"address1_line1":"their line"}"#);
    only_pull(&device);
    assert_eq!(device.text("contact", contact, "address1_line1"), "their line");
    device.edit("contact", contact, &[("address1_city", text("my city there"))]);
    device.sync();
    let row = online.json(&format!("contacts({contact})"));
    let address = (row["address1_line1"].as_str(), row["address1_city"].as_str());
    assert_eq!(address, (Some("their line"), Some("my city there")));
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

/// The server refuses by the version, whatever version is named.
#[test]
fn an_operation_under_which_the_server_knows_another_request_is_renewed() {
    let server = Server::start();
    let contact = server.user("admin").create("contacts", r#"{"lastname":"C"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("contact", contact, &[("jobtitle", text("mine"))]);
    let operation = device.entries()[0].op.0.to_string();
    let etag = device.wire.json(&format!("contacts({contact})"))["@odata.etag"].as_str().unwrap().to_owned();
    let other = Request::new(Method::Patch, format!("{}contacts({contact})", device.wire.root()));
    let other = other.json(br#"{"telephone1":"1"}"#.to_vec()).header("If-Match", etag);
    let other = other.header("Repeatability-Request-ID", operation);
    let sent = format_http_date(device.now().0);
    assert_eq!(device.wire.forward(other.header("Repeatability-First-Sent", sent)).status, 204);
    device.sync();
    let row = device.wire.json(&format!("contacts({contact})"));
    assert_eq!((row["jobtitle"].as_str(), row["telephone1"].as_str()), (Some("mine"), Some("1")));
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

/// In one change set with the other, which was refused, no receipt would tell that it was carried out.
#[test]
fn what_was_sent_apart_is_asked_for_apart_though_a_change_set_came_since() {
    let server = Server::start();
    let online = server.user("admin");
    let [done, refused] = ["Done", "Refused"].map(|name| {
        let body = format!(r#"{{"name":"{name}","telephone1":"before"}}"#);
        online.create("accounts", &body)
    });
    let device = Device::synced(&server, "demo");
    online.patch("accounts", refused, r#"{"telephone1":"theirs"}"#);
    device.edit("account", done, &[("telephone1", text("mine"))]);
    device.edit("account", refused, &[("telephone1", text("mine"))]);
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
    assert!(!device.round().ok);
    device.wire.heal();
    online.patch("accounts", done, r#"{"telephone1":"theirs"}"#);
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let made = Uuid::now_v7();
    crate::support::tick();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("contact", made), &[("lastname", text("Made"))], who.0, who.1);
        for account in [done, refused] {
            edit(draft, &Key::new("account", account), &[("telephone1", text("last"))]);
        }
        draft.end_change_set();
    });
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    for account in [done, refused] {
        assert_eq!(online.json(&format!("accounts({account})"))["telephone1"], "last");
    }
    assert_eq!(online.json(&format!("contacts({made})"))["lastname"], "Made");
}

/// A clock that is wrong by less than what `Date` tells. Without receipts, or when they cannot be asked for, times decide.
#[test]
fn a_clock_that_is_a_little_ahead_does_not_ask_again_for_what_was_overwritten() {
    for server in [Server::start(), Server::bare()] {
        let online = server.user("admin");
        let contacts: Vec<Uuid> =
            (0..4).map(|_| online.create("contacts", r#"{"lastname":"C","jobtitle":"before"}"#)).collect();
        let device = Device::new(&server, "demo");
        device.clock_error_millis.set(700);
        device.sync();
        for contact in &contacts {
            device.edit("contact", *contact, &[("jobtitle", text("mine"))]);
            device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
            device.round();
            online.patch("contacts", *contact, r#"{"jobtitle":"theirs"}"#);
            device.round();
            device.wire.heal();
            device.sync();
            // So that it does not depend on where in a second the server was.
            std::thread::sleep(std::time::Duration::from_millis(250));
        }
        for contact in contacts {
            assert_eq!(online.json(&format!("contacts({contact})"))["jobtitle"], "theirs");
            assert_eq!(device.text("contact", contact, "jobtitle"), "theirs");
        }
        assert!(device.entries().is_empty());
    }
}

/// Something on the way sends a request twice, and the answer that comes back is that to the second one.
#[test]
fn a_new_row_whose_request_went_twice_is_ours_where_there_are_no_receipts() {
    for server in [Server::start(), Server::bare()] {
        let device = Device::synced(&server, "demo");
        let online = server.user("admin");
        let old = online.create("contacts", r#"{"lastname":"Old"}"#);
        device.sync();
        let (account, contact) = (Uuid::now_v7(), Uuid::now_v7());
        let (user, unit) = (device.replica.state().record.user, device.replica.state().record.business_unit);
        device.change(|draft| {
            draft.begin_change_set();
            create(draft, ("account", account), &[("name", text("A"))], user, unit);
            edit(draft, &Key::new("contact", old), &[("jobtitle", text("J"))]);
            create(draft, ("contact", contact), &[("lastname", text("C"))], user, unit);
            draft.end_change_set();
        });
        let alone = device.create("contact", &[("lastname", text("Alone"))]);
        let twin = device.wire.twin();
        device.wire.fail(move |request| {
            if is_push(request) {
                twin.forward(request.clone());
            }
            None
        });
        device.sync();
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert!(device.conflicts().is_empty());
        assert_eq!(online.json(&format!("contacts({old})"))["jobtitle"], "J");
        for (set, id) in [("accounts", account), ("contacts", contact), ("contacts", alone)] {
            assert_eq!(online.ask(Method::Get, &format!("{set}({id})"), "").status, 200);
        }
    }
}

/// An import may bring ids along that somebody made long ago.
#[test]
fn a_new_row_under_the_id_of_an_old_one_of_the_same_user_is_parked_also_without_receipts() {
    let server = Server::bare();
    let online = server.user("demo");
    let old = online.create("contacts", r#"{"lastname":"Old","overriddencreatedon":"2020-01-01T00:00:00Z"}"#);
    let device = Device::new(&server, "demo");
    device.wire.fail(|request| request.url.contains("/contacts?").then_some(Fault::LoseRequest));
    device.round();
    device.create_with_id("contact", old, &[("lastname", text("New"))]);
    device.wire.heal();
    device.round();
    let entries = device.entries();
    assert!(entries.len() == 1 && entries[0].is_parked(), "{entries:?}");
    assert_eq!(online.json(&format!("contacts({old})"))["lastname"], "Old");
}

/// A batch takes too long, or what is on the way breaks at it, however often it is sent: that must not hold up the others, nor what
/// comes in. The worker may be stopped at each attempt.
#[test]
fn what_never_gets_an_answer_holds_up_nothing_else() {
    for server in [Server::start(), Server::bare()] {
        let online = server.user("admin");
        let contacts: Vec<Uuid> =
            (0..6).map(|_| online.create("contacts", r#"{"lastname":"C","jobtitle":"before"}"#)).collect();
        let mut device = Device::synced(&server, "demo");
        for contact in &contacts {
            device.edit("contact", *contact, &[("jobtitle", text("mine"))]);
        }
        let first = contacts[0].to_string();
        let is_in = move |request: &Request| {
            let body = String::from_utf8_lossy(&request.body);
            is_push(request) && body.contains(&format!("contacts({first}) HTTP"))
        };
        device.wire.fail(move |request| is_in(request).then_some(Fault::LoseRequest));
        let there = online.create("accounts", r#"{"name":"There"}"#);
        for _ in 0..6 {
            device.round();
            device.restart();
        }
        let waiting: Vec<Uuid> = device.entries().iter().map(|entry| entry.key.id).collect();
        assert_eq!(waiting, contacts[..1]);
        assert_eq!(device.text("account", there, "name"), "There");
        assert!(device.round().problem.is_some(), "it is tried in every round");
        device.wire.heal();
        device.sync();
        assert!(device.entries().is_empty() && device.conflicts().is_empty());
        for contact in contacts {
            assert_eq!(online.json(&format!("contacts({contact})"))["jobtitle"], "mine");
        }
    }
}
