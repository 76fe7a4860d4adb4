//! Change sets: what becomes of the others when the server cannot take one of the changes.

use crate::support::{create, edit, link, text, Device, Server};
use flette::model::Key;
use flette_odata::Uuid;

#[test]
fn what_is_left_of_a_change_set_goes_on_when_a_row_of_it_was_deleted() {
    let server = Server::start();
    let online = server.user("admin");
    let ids: Vec<Uuid> =
        (0..2).map(|n| online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#))).collect();
    let device = Device::synced(&server, "demo");
    device.change(|draft| {
        draft.begin_change_set();
        for id in &ids {
            edit(draft, &Key::new("account", *id), &[("telephone1", text("1"))]);
        }
        draft.end_change_set();
    });
    online.delete("accounts", ids[1]);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!(device.conflicts().len(), 1);
    assert_eq!(online.json(&format!("accounts({})", ids[0]))["telephone1"], "1");
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
