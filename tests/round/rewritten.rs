//! Links that were written over, and rows that were deleted, before anything of it was told.

use crate::station::Station;
use crate::support::{edit, link, text, Device, Server, Wire, TABLES};
use flette::model::{Key, Value};
use flette_odata::{Method, Uuid};

const PARENT: &str = "parentcustomerid";

fn account(online: &Wire, name: &str) -> Uuid {
    online.create("accounts", &format!(r#"{{"name":"{name}"}}"#))
}

fn contact_of(online: &Wire, account: Uuid) -> Uuid {
    let body =
        format!(r#"{{"lastname":"Kept","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#);
    online.create("contacts", &body)
}

fn status(online: &Wire, path: &str) -> u16 {
    online.ask(Method::Get, path, "").status
}

/// The account that a contact belongs to.
fn parent(online: &Wire, contact: Uuid) -> String {
    online.json(&format!("contacts({contact})"))["_parentcustomerid_value"].to_string()
}

#[test]
fn a_row_that_was_moved_away_stands_though_the_other_one_was_edited_before_it_was_deleted() {
    for in_set in [false, true] {
        let server = Server::start();
        let online = server.user("admin");
        let (old, new) = (account(&online, "Old"), account(&online, "New"));
        let contact = contact_of(&online, old);
        let device = Device::synced(&server, "demo");
        device.edit("account", old, &[("telephone1", text("1"))]);
        device.change(|draft| {
            if in_set {
                draft.begin_change_set();
            }
            edit(draft, &Key::new("contact", contact), &[(PARENT, link("account", new))]);
            draft.delete(&Key::new("account", old));
            draft.end_change_set();
        });
        let report = device.sync();
        assert_eq!((report.parked, report.conflicts), (0, 0), "{in_set}: {report:?}");
        assert!(device.entries().is_empty());
        assert_eq!(status(&online, &format!("accounts({old})")), 404);
        assert_eq!(parent(&online, contact), format!("\"{new}\""));
    }
}

#[test]
fn a_row_that_was_made_under_another_one_goes_with_it_though_that_was_edited_before() {
    let server = Server::start();
    let online = server.user("admin");
    let old = account(&online, "Old");
    let device = Device::synced(&server, "demo");
    device.edit("account", old, &[("telephone1", text("1"))]);
    let contact = device.create("contact", &[("lastname", text("New")), (PARENT, link("account", old))]);
    device.delete("account", old);
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert_eq!((status(&online, &format!("contacts({contact})")), device.entries().len()), (404, 0));
}

/// A station with a new account that was refused, a new contact that was made under it and moved to another account since, and one
/// that was there before and was moved to it, and then deleted.
struct Refused {
    station: Station,
    account: Uuid,
    moved: Uuid,
    deleted: Uuid,
    other: Uuid,
}

fn refused(server: &Server) -> Refused {
    let online = server.user("admin");
    let other = account(&online, "Other");
    let deleted = contact_of(&online, other);
    let station = Station::new(server, "demo", &TABLES);
    station.sync();
    online.create("accounts", r#"{"name":"There","accountnumber":"7"}"#);
    let account = station.create("accounts", r#"{"name":"Here","accountnumber":"7"}"#);
    let bind = |account: Uuid| format!(r#""parentcustomerid_account@odata.bind":"/accounts({account})""#);
    let moved = station.create("contacts", &format!(r#"{{"lastname":"Moved",{}}}"#, bind(account)));
    station.patch(&format!("contacts({deleted})"), &format!("{{{}}}", bind(account)));
    station.post("/flette/sync", "");
    station.patch(&format!("contacts({moved})"), &format!("{{{}}}", bind(other)));
    assert_eq!(station.ask(Method::Delete, &format!("contacts({deleted})"), "").status, 204);
    Refused { station, account, moved, deleted, other }
}

#[test]
fn rows_that_do_not_depend_on_a_refused_one_any_more_are_told() {
    let server = Server::start();
    let Refused { station, moved, deleted, other, .. } = refused(&server);
    station.post("/flette/sync", "");
    let online = server.user("admin");
    assert_eq!(parent(&online, moved), format!("\"{other}\""));
    assert_eq!(status(&online, &format!("contacts({deleted})")), 404);
    let left = station.journal();
    assert_eq!(
        (left.len(), left[0]["table"].as_str(), left[0]["state"].as_str()),
        (1, Some("account"), Some("parked"))
    );
}

#[test]
fn what_was_moved_away_from_a_refused_row_stays_when_that_is_given_up() {
    let server = Server::start();
    let Refused { station, account, moved, other, .. } = refused(&server);
    let entry = station.journal().into_iter().find(|entry| entry["table"] == "account").unwrap();
    station.post(&format!("/flette/journal/{}/discard", entry["op"].as_str().unwrap()), "");
    assert_eq!(station.ask(Method::Get, &format!("accounts({account})"), "").status, 404);
    assert_eq!(station.get(&format!("contacts({moved})"))["lastname"], "Moved");
    station.sync();
    assert!(station.journal().is_empty());
    assert_eq!(parent(&server.user("admin"), moved), format!("\"{other}\""));
}

#[test]
fn a_link_that_is_cleared_while_its_row_is_being_deleted_stays_cleared_when_that_is_given_up() {
    let server = Server::start();
    let online = server.user("admin");
    let (old, new) = (account(&online, "Old"), account(&online, "New"));
    let child = |name: &str| {
        let body = format!(r#"{{"name":"{name}","parentaccountid@odata.bind":"/accounts({old})"}}"#);
        online.create("accounts", &body)
    };
    let (cleared, moved) = (child("Cleared"), child("Moved"));
    let device = Device::synced(&server, "demo");
    device.delete("account", old);
    assert_eq!(device.row("account", cleared).unwrap()["parentaccountid"], Value::Null);
    let before = device.entries().len();
    crate::several::tell(
        &device,
        "PATCH",
        &format!("accounts({cleared})"),
        r#"{"parentaccountid@odata.bind":null}"#,
    );
    assert_eq!(device.entries().len(), before + 1);
    let bind = format!(r#"{{"parentaccountid@odata.bind":"/accounts({new})"}}"#);
    crate::several::tell(&device, "PATCH", &format!("accounts({moved})"), &bind);
    // Somebody else edits them: no conflict with what was here.
    [cleared, moved].into_iter().for_each(|child| online.patch("accounts", child, r#"{"telephone1":"1"}"#));
    let deletion = device.entries().iter().find(|entry| entry.change.is_delete()).unwrap().op;
    device.change(|draft| draft.discard(deletion).unwrap());
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    let parent = |child: Uuid| online.json(&format!("accounts({child})"))["_parentaccountid_value"].clone();
    assert_eq!((parent(cleared), parent(moved)), (serde_json::Value::Null, new.to_string().into()));
}
