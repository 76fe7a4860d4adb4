//! What cannot be read keeps nothing else back: metadata, and the parties of activities.

use crate::support::{text, Device, Fault, Server};
use flette::model::Key;
use flette_odata::{Request, Response};

fn is_metadata(request: &Request) -> bool {
    request.url.ends_with("$batch") && String::from_utf8_lossy(&request.body).contains("EntityDefinitions")
}

/// A device on which a change waits when the schema is due and cannot be read.
fn without_metadata(server: &Server) -> (Device, flette_odata::Uuid) {
    let id = server.user("admin").create("accounts", r#"{"name":"A"}"#);
    let device = Device::synced(server, "demo");
    device.edit("account", id, &[("telephone1", text("here"))]);
    device.change(|draft| draft.record.schema_checked = None);
    device.wire.fail(|r| is_metadata(r).then(|| Fault::Answer(Response::empty(500))));
    (device, id)
}

#[test]
fn where_metadata_cannot_be_read_changes_go_out_by_the_schema_known_here() {
    let server = Server::start();
    let (device, id) = without_metadata(&server);
    let online = server.user("admin");
    online.patch("accounts", id, r#"{"fax":"there"}"#);
    let report = device.round();
    assert!(!report.ok && report.problem.is_some() && report.pushed == 1, "{report:?}");
    assert!(device.entries().is_empty());
    assert_eq!(device.text("account", id, "fax"), "there");
    assert_eq!(online.json(&format!("accounts({id})"))["telephone1"], "here");
    // It stays due.
    device.wire.heal();
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert!(device.wire.log.borrow().iter().any(|line| line.contains("EntityDefinitions")));
}

#[test]
fn where_metadata_cannot_be_read_nothing_goes_to_a_database_that_was_replaced() {
    let server = Server::start();
    let (device, _) = without_metadata(&server);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.foreign = true;
        draft.set_cursor("contact", cursor);
    });
    let report = device.round();
    assert_eq!((report.ok, report.pushed, device.entries().len()), (false, 0, 1));
}

#[test]
fn where_metadata_cannot_be_read_nothing_goes_by_a_profile_that_was_not_taken_over() {
    let server = Server::start();
    let (mut device, _) = without_metadata(&server);
    device.set_profile(r#"{"account":{"fields":{"telephone1":{"direction":"down"}}}}"#);
    let report = device.round();
    assert_eq!((report.ok, report.pushed, device.entries().len()), (false, 0, 1));
}

#[test]
fn metadata_is_asked_for_in_small_lots() {
    let server = Server::start();
    let device = Device::with_all_tables(&server, "demo");
    let log = device.wire.log.borrow();
    let lots: Vec<usize> = log
        .iter()
        .filter(|line| line.contains("EntityDefinitions"))
        .map(|line| line.matches("\r\nGET ").count())
        .collect();
    assert!(lots.len() > 1 && lots.iter().all(|parts| (1..=50).contains(parts)), "{lots:?}");
}

#[test]
fn parties_that_cannot_be_read_keep_activities_back_and_no_other_table() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let device = Device::with_all_tables(&server, "demo");
    online.patch("accounts", account, r#"{"fax":"there"}"#);
    let email = online.create("emails", r#"{"subject":"E"}"#);
    device.wire.fail(|r| r.url.contains("/activityparties?").then(|| Fault::Answer(Response::empty(500))));
    let has_email = || {
        pollster::block_on(device.replica.load(&["email"])).unwrap();
        device.replica.state().row(&Key::new("email", email)).is_some()
    };
    let report = device.round();
    assert!(!report.ok && report.problem.is_some(), "{report:?}");
    assert_eq!(device.text("account", account, "fax"), "there");
    assert!(!has_email());
    device.wire.heal();
    device.sync();
    assert!(has_email());
}
