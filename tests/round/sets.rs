//! Change sets: what becomes of the others when the server cannot take one of the changes.

use crate::faults::is_push;
use crate::support::{create, edit, link, text, Device, Fault, Server};
use flette::model::Key;
use flette_odata::{Method, Uuid};

/// A device that edited two accounts in one change set, and these.
fn with_a_set(server: &Server) -> (Device, Vec<Uuid>) {
    let online = server.user("admin");
    let make = |n| online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#));
    let ids: Vec<Uuid> = (0..2).map(make).collect();
    let device = Device::synced(server, "demo");
    device.change(|draft| {
        draft.begin_change_set();
        for id in &ids {
            edit(draft, &Key::new("account", *id), &[("telephone1", text("1"))]);
        }
        draft.end_change_set();
    });
    (device, ids)
}

/// A round whose push never arrives.
fn lose_the_push(device: &Device) {
    device.wire.fail(|request| {
        let push = String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
        push.then_some(Fault::LoseRequest)
    });
    assert!(!device.round().ok);
    device.wire.heal();
}

#[test]
fn what_is_left_of_a_change_set_goes_on_when_a_row_of_it_was_deleted() {
    let server = Server::start();
    let online = server.user("admin");
    let (device, ids) = with_a_set(&server);
    online.delete("accounts", ids[1]);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!(device.conflicts().len(), 1);
    assert_eq!(online.json(&format!("accounts({})", ids[0]))["telephone1"], "1");
}

/// The server says of the whole set that a row is missing: not the new one.
#[test]
fn a_new_row_goes_on_when_a_row_of_its_change_set_was_deleted() {
    for server in [Server::start(), Server::bare()] {
        let online = server.user("admin");
        let account = online.create("accounts", r#"{"name":"A"}"#);
        let device = Device::synced(&server, "demo");
        let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
        let made = Uuid::now_v7();
        device.change(|draft| {
            draft.begin_change_set();
            create(draft, ("contact", made), &[("lastname", text("C"))], who.0, who.1);
            edit(draft, &Key::new("account", account), &[("telephone1", text("1"))]);
            draft.end_change_set();
        });
        online.delete("accounts", account);
        device.sync();
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert_eq!(device.conflicts().len(), 1);
        assert_eq!(online.json(&format!("contacts({made})"))["lastname"], "C");
    }
}

/// The second time what the set deletes is missing: that says nothing of what it makes.
#[test]
fn a_row_of_a_set_that_went_twice_is_deleted_where_it_was_made() {
    for server in [Server::start(), Server::bare()] {
        let online = server.user("admin");
        let old = online.create("contacts", r#"{"lastname":"Old"}"#);
        let device = Device::synced(&server, "demo");
        let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
        let made = Uuid::now_v7();
        device.change(|draft| {
            draft.begin_change_set();
            draft.delete(&Key::new("contact", old));
            create(draft, ("contact", made), &[("lastname", text("New"))], who.0, who.1);
            draft.end_change_set();
        });
        let twin = device.wire.twin();
        device.wire.fail(move |request| {
            if is_push(request) {
                twin.forward(request.clone());
            }
            None
        });
        device.round();
        device.wire.heal();
        device.delete("contact", made);
        device.sync();
        for contact in [old, made] {
            assert_eq!(online.ask(Method::Get, &format!("contacts({contact})"), "").status, 404);
        }
        assert!(device.entries().is_empty(), "{:?}", device.entries());
    }
}

#[test]
fn a_change_set_is_parked_as_a_whole_and_sent_again_as_a_whole() {
    let server = Server::start();
    let online = server.user("admin");
    let [parent, edited] =
        ["Parent", "Edited"].map(|name| online.create("accounts", &format!(r#"{{"name":"{name}"}}"#)));
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let child = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        let to = link("account", parent);
        create(draft, ("contact", child), &[("lastname", text("C")), ("parentcustomerid", to)], who.0, who.1);
        edit(draft, &Key::new("account", edited), &[("telephone1", text("1"))]);
        draft.end_change_set();
    });
    online.delete("accounts", parent);
    online.patch("accounts", edited, r#"{"websiteurl":"http://there"}"#);
    device.sync();
    let states: Vec<bool> = device.entries().iter().map(|entry| entry.is_parked()).collect();
    assert_eq!(states, [true, true]);
    let op = device.entries()[1].op;
    device.change(|draft| draft.retry(op).unwrap());
    assert!(device.entries().iter().all(|entry| !entry.is_parked()));
}

#[test]
fn a_change_set_whose_request_was_lost_goes_again_as_a_whole_though_a_row_of_it_changed_there() {
    let server = Server::start();
    let online = server.user("admin");
    let (device, ids) = with_a_set(&server);
    lose_the_push(&device);
    device.edit("account", ids[0], &[("telephone2", text("2"))]);
    online.patch("accounts", ids[0], r#"{"websiteurl":"http://there"}"#);
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    for id in &ids {
        assert_eq!(online.json(&format!("accounts({id})"))["telephone1"], "1");
    }
    let first = online.json(&format!("accounts({})", ids[0]));
    assert_eq!(
        (first["telephone2"].as_str(), first["websiteurl"].as_str()),
        (Some("2"), Some("http://there"))
    );
    let log = device.wire.log.borrow();
    let sets: Vec<usize> =
        log.iter().filter(|l| l.contains("PATCH")).map(|l| l.matches("Content-ID").count()).collect();
    assert_eq!(sets.first(), Some(&2), "{sets:?}");
}

/// A row of both was changed there, so nothing was applied. The new row of the second one, of which no more was heard, is asked for
/// once more; the shared row goes with it, and so must the rest of the first one.
#[test]
fn a_change_set_that_shares_a_row_with_an_unanswered_one_is_not_torn() {
    let server = Server::start();
    let online = server.user("admin");
    let [shared, refused] =
        ["Shared", "Refused"].map(|name| online.create("accounts", &format!(r#"{{"name":"{name}"}}"#)));
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    device.change(|draft| {
        draft.begin_change_set();
        edit(draft, &Key::new("account", shared), &[("telephone1", text("1"))]);
        edit(draft, &Key::new("account", refused), &[("name", text(&"x".repeat(500)))]);
        draft.end_change_set();
    });
    let made = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("contact", made), &[("lastname", text("C"))], who.0, who.1);
        edit(draft, &Key::new("account", shared), &[("telephone2", text("2"))]);
        draft.end_change_set();
    });
    lose_the_push(&device);
    online.patch("accounts", shared, r#"{"websiteurl":"http://there"}"#);
    device.sync();
    let parked: Vec<bool> = device.entries().iter().map(|entry| entry.is_parked()).collect();
    assert_eq!(parked, [true; 4]);
    let shown = online.json(&format!("accounts({shared})"));
    assert!(shown["telephone1"].is_null() && shown["telephone2"].is_null(), "{shown}");
    assert_eq!(online.ask(Method::Get, &format!("contacts({made})"), "").status, 404);
}

#[test]
fn a_refused_edit_that_is_corrected_in_a_change_set_shares_its_fate() {
    let server = Server::start();
    let online = server.user("admin");
    let [parent, edited] =
        ["Parent", "Edited"].map(|name| online.create("accounts", &format!(r#"{{"name":"{name}"}}"#)));
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    device.edit("account", edited, &[("name", text(&"x".repeat(500)))]);
    device.sync();
    assert!(device.entries().iter().all(|entry| entry.is_parked()));
    device.change(|draft| {
        draft.begin_change_set();
        edit(draft, &Key::new("account", edited), &[("name", text("Corrected"))]);
        let (child, to) = (Uuid::now_v7(), link("account", parent));
        create(draft, ("contact", child), &[("lastname", text("C")), ("parentcustomerid", to)], who.0, who.1);
        draft.end_change_set();
    });
    online.delete("accounts", parent);
    device.sync();
    assert_eq!(online.json(&format!("accounts({edited})"))["name"], "Edited");
    let of_set: Vec<bool> =
        device.entries().iter().filter(|e| e.change_set.is_some()).map(|e| e.is_parked()).collect();
    assert_eq!(of_set, [true, true]);
    assert_eq!(device.text("account", edited, "name"), "Corrected");
}

#[test]
fn a_row_waits_for_its_new_parent_that_waits_for_an_unanswered_change_set() {
    let server = Server::start();
    let online = server.user("admin");
    let (device, ids) = with_a_set(&server);
    lose_the_push(&device);
    // The new row shares a change set with a row of the unanswered one.
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let parent = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("account", parent), &[("name", text("Parent"))], who.0, who.1);
        edit(draft, &Key::new("account", ids[0]), &[("telephone2", text("2"))]);
        draft.end_change_set();
    });
    let child = device
        .create("contact", &[("lastname", text("Child")), ("parentcustomerid", link("account", parent))]);
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    let shown = online.json(&format!("contacts({child})"));
    assert_eq!(shown["_parentcustomerid_value"], parent.to_string());
    assert_eq!(online.json(&format!("accounts({})", ids[0]))["telephone2"], "2");
}

/// Each of its rows is read after it, as it may be gone since: more requests than a batch takes.
#[test]
fn a_change_set_of_hundreds_of_new_rows_goes_again_after_its_answer_was_lost() {
    const ROWS: usize = 600;
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    device.change(|draft| {
        draft.begin_change_set();
        for n in 0..ROWS {
            create(draft, ("contact", Uuid::now_v7()), &[("lastname", text(&format!("C{n}")))], who.0, who.1);
        }
        draft.end_change_set();
    });
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
    assert!(!device.round().ok);
    device.wire.heal();
    let report = device.sync();
    assert_eq!((report.parked, device.entries().len()), (0, 0), "{report:?}");
    assert_eq!(device.count("contact"), ROWS);
}
