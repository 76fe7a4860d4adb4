//! Of two edits of one field the one that was made later wins, whichever reaches the server first.

use crate::support::{text, tick, Device, Fault, Server};
use flette::model::Side;
use flette_odata::batch::{parse_batch_response, write_batch_response, BatchAnswer};
use flette_odata::{Method, Request, Response, Uuid};
use std::cell::Cell;

/// Two devices that know a contact.
struct Pair {
    server: Server,
    devices: [Device; 2],
    id: Uuid,
}

impl Pair {
    fn new() -> Pair {
        let server = Server::start();
        let id = server.user("admin").create("contacts", r#"{"lastname":"X","telephone1":"0"}"#);
        let devices = ["demo", "admin"].map(|user| Device::synced(&server, user));
        Pair { server, devices, id }
    }

    /// The first device's edit is the older one.
    fn edited() -> Pair {
        let pair = Pair::new();
        for (device, value) in pair.devices.iter().zip(["older", "newer"]) {
            device.edit("contact", pair.id, &[("telephone1", text(value))]);
            tick();
        }
        pair
    }

    #[track_caller]
    fn check(&self, expected: &str, winners: [&[Side]; 2]) {
        self.devices.iter().for_each(|device| drop(device.sync()));
        let shown = self.server.user("admin").json(&format!("contacts({})", self.id));
        assert_eq!(shown["telephone1"], expected);
        for (device, winners) in self.devices.iter().zip(winners) {
            assert!(device.entries().is_empty());
            let row = device.row("contact", self.id).unwrap();
            assert_eq!(row["telephone1"], text(expected));
            let logged: Vec<Side> = device.conflicts().iter().map(|conflict| conflict.winner).collect();
            assert_eq!(logged, winners);
        }
    }
}

#[test]
fn an_older_edit_that_arrives_first_loses() {
    let pair = Pair::edited();
    pair.devices[0].sync();
    pair.devices[1].sync();
    pair.check("newer", [&[], &[Side::Local]]);
}

#[test]
fn an_older_edit_that_arrives_last_loses() {
    let pair = Pair::edited();
    pair.devices[1].sync();
    pair.devices[0].sync();
    pair.check("newer", [&[Side::Server], &[]]);
}

#[test]
fn a_later_edit_of_another_field_does_not_count() {
    let pair = Pair::edited();
    pair.devices[0].sync();
    pair.server.user("admin").patch("contacts", pair.id, r#"{"jobtitle":"latest"}"#);
    pair.devices[1].sync();
    pair.check("newer", [&[], &[Side::Local]]);
}

#[test]
fn a_full_resync_knows_when_fields_were_edited() {
    let pair = Pair::edited();
    pair.devices[0].sync();
    let is_delta = |request: &Request| request.url.contains("deltatoken") || request.url.ends_with("$batch");
    let gone = || Fault::Answer(Response::empty(410));
    pair.devices[1].wire.fail(move |request| is_delta(request).then(gone));
    pair.devices[1].round();
    pair.devices[1].wire.heal();
    pair.devices[1].sync();
    pair.check("newer", [&[], &[Side::Local]]);
}

#[test]
fn a_full_resync_asks_again_when_fields_were_edited_if_the_answer_is_of_no_use() {
    let pair = Pair::edited();
    pair.devices[0].sync();
    let device = &pair.devices[1];
    let (line, useless) = (device.wire.twin(), Cell::new(2));
    device.wire.fail(move |request| {
        if request.url.contains("deltatoken") {
            return Some(Fault::Answer(Response::empty(410)));
        }
        if !request.url.ends_with("$batch") || useless.get() == 0 {
            return None;
        }
        useless.set(useless.get() - 1);
        let answer = line.forward(request.clone());
        let kind = answer.headers.get("Content-Type").unwrap();
        let mut answers = parse_batch_response(kind, &answer.body).unwrap();
        answers.iter_mut().for_each(|answer| *answer = BatchAnswer::Single(Response::empty(500)));
        Some(Fault::Answer(write_batch_response(&answers, Uuid::from_u128(1), 200)))
    });
    device.round();
    device.wire.heal();
    device.sync();
    pair.check("newer", [&[], &[Side::Local]]);
}

#[test]
fn the_first_pull_of_another_database_knows_when_fields_were_edited() {
    let (before, restored) = (Server::start(), Server::start());
    let id = before.user("admin").create("contacts", r#"{"lastname":"X","telephone1":"0"}"#);
    let online = restored.user("admin");
    let body = format!(r#"{{"contactid":"{id}","lastname":"X","telephone1":"older"}}"#);
    assert_eq!(online.ask(Method::Post, "contacts", &body).status, 204);
    let mut device = Device::synced(&before, "demo");
    tick();
    device.edit("contact", id, &[("telephone1", text("newer"))]);
    tick();
    online.patch("contacts", id, r#"{"jobtitle":"latest"}"#);
    // Sent without an answer, so that the pull comes first.
    device.wire.fail(|request| {
        let push = String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
        push.then_some(Fault::LoseRequest)
    });
    device.round();
    (device.wire, device.config.root) = (restored.user("demo"), restored.root());
    device.sync();
    assert_eq!(online.json(&format!("contacts({id})"))["telephone1"], "newer");
    let winners: Vec<Side> = device.conflicts().iter().map(|conflict| conflict.winner).collect();
    assert_eq!(winners, [Side::Local]);
}

#[test]
fn what_is_corrected_after_a_refusal_makes_nothing_else_newer() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("contacts", r#"{"lastname":"X","telephone1":"0"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("contact", id, &[("lastname", text(&"x".repeat(500))), ("telephone1", text("older"))]);
    device.sync();
    assert!(device.entries().iter().all(|entry| entry.is_parked()));
    tick();
    online.patch("contacts", id, r#"{"telephone1":"newer"}"#);
    tick();
    device.edit("contact", id, &[("lastname", text("Corrected"))]);
    device.sync();
    assert!(device.entries().is_empty());
    let row = online.json(&format!("contacts({id})"));
    assert_eq!((row["lastname"].as_str(), row["telephone1"].as_str()), (Some("Corrected"), Some("newer")));
    let winners: Vec<Side> = device.conflicts().iter().map(|conflict| conflict.winner).collect();
    assert_eq!(winners, [Side::Server]);
}

#[test]
fn a_deletion_meets_an_older_edit_that_arrives_before_it() {
    let pair = Pair::new();
    pair.devices[0].edit("contact", pair.id, &[("telephone1", text("older"))]);
    tick();
    pair.devices[1].delete("contact", pair.id);
    pair.devices[0].sync();
    pair.devices[1].sync();
    let answer = pair.server.user("admin").ask(Method::Get, &format!("contacts({})", pair.id), "");
    assert_eq!(answer.status, 404);
    assert!(pair.devices[1].entries().is_empty() && pair.devices[1].conflicts().is_empty());
}

#[test]
fn a_server_without_field_stamps_is_told_none_and_its_rows_time_counts() {
    let pair = Pair::edited();
    for device in &pair.devices {
        let mut who = device.wire.ask(Method::Get, "WhoAmI", "");
        who.headers.remove("Flette-Extensions");
        let asks_who = |request: &Request| request.url.ends_with("WhoAmI");
        device.wire.fail(move |request| asks_who(request).then(|| Fault::Answer(who.clone())));
    }
    pair.devices[0].sync();
    pair.devices[1].sync();
    // What arrived last was changed last, as far as anybody knows.
    pair.check("older", [&[], &[Side::Server]]);
    let told =
        |device: &Device| device.wire.log.borrow().iter().any(|line| line.contains("Flette.ModifiedOn"));
    assert!(!pair.devices.iter().any(told));
}
