//! Rows that change while all rows of their table are read, and writes that overtake a page.

use crate::station::Station;
use crate::support::{chance, text, tick, Device, Fault, Server, Wire, TABLES};
use flette::model::Clash;
use flette::platform::{Transport, TransportError};
use flette::sync::{round, Outside, Progress};
use flette_odata::{Request, Response, Uuid};
use std::cell::Cell;

/// Rows of more than one page, by age.
fn contacts(online: &Wire) -> Vec<Uuid> {
    (0..120).map(|n| online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#))).collect()
}

/// Rows of the last page are edited by somebody else as soon as the second one is asked for.
fn edit_behind(device: &Device, online: Wire, ids: Vec<Uuid>) {
    let done = Cell::new(false);
    device.wire.fail(move |request| {
        if request.url.contains("/contacts?") && request.url.contains("skiptoken") && !done.replace(true) {
            tick();
            ids.iter().for_each(|id| online.patch("contacts", *id, r#"{"telephone1":"there"}"#));
        }
        None
    });
}

#[test]
fn a_row_that_changes_during_the_first_pull_is_there_when_the_table_is_said_to_be_complete() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = contacts(&online);
    let device = Device::new(&server, "demo");
    edit_behind(&device, online, vec![ids[110]]);
    device.sync();
    assert_eq!(device.count("contact"), 120);
    assert_eq!(device.text("contact", ids[110], "telephone1"), "there");
}

#[test]
fn a_row_that_changes_during_a_full_pull_is_not_taken_for_a_deleted_one() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = contacts(&online);
    let device = Device::synced(&server, "demo");
    device.delete("contact", ids[110]);
    device.edit("contact", ids[111], &[("jobtitle", text("here"))]);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.delta_link = cursor.delta_link.map(|link| link.replace("deltatoken=", "deltatoken=99999"));
        draft.set_cursor("contact", cursor);
        // The pull comes before the push.
        draft.record.last_sync = None;
    });
    edit_behind(&device, server.user("admin"), vec![ids[110], ids[111], ids[112]]);
    device.sync();
    // The deletion is older than the edit there: the row stays, and the log says so.
    let clashes: Vec<Clash> = device.conflicts().into_iter().map(|conflict| conflict.clash).collect();
    assert_eq!(clashes, [Clash::DeletedHere]);
    assert!(device.entries().is_empty());
    assert_eq!(device.count("contact"), 120);
    for (id, title) in [(ids[110], ""), (ids[111], "here"), (ids[112], "")] {
        assert_eq!(device.text("contact", id, "telephone1"), "there");
        assert_eq!(device.text("contact", id, "jobtitle"), title);
        assert_eq!(online.json(&format!("contacts({id})"))["jobtitle"].as_str().unwrap_or_default(), title);
    }
}

/// Another profile drops what was filled so far; the profile of before comes back ere anything was read.
#[test]
fn a_full_pull_that_was_dropped_is_not_gone_on_with_in_what_is_read() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = contacts(&online);
    let mut device = Device::synced(&server, "demo");
    online.delete("contacts", ids[3]);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.delta_link = cursor.delta_link.map(|link| link.replace("deltatoken=", "deltatoken=99999"));
        draft.set_cursor("contact", cursor);
    });
    device.wire.fail(|request| {
        let later = request.url.contains("/contacts?") && request.url.contains("skiptoken");
        later.then_some(Fault::LoseRequest)
    });
    device.round();
    assert!(device.replica.state().tables["contact"].cursor.shadow.is_some());
    device.set_profile(r#"{"contact":{"rows":"lastname eq 'C7'"}}"#);
    device.wire.fail(|request| request.url.contains("/contacts?").then_some(Fault::LoseRequest));
    device.round();
    device.set_profile("{}");
    device.wire.heal();
    device.sync();
    assert!(device.row("contact", ids[3]).is_none());
    assert_eq!(device.count("contact"), 119);
}

#[test]
fn a_full_pull_that_is_killed_before_it_has_caught_up_is_gone_on_with() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = contacts(&online);
    let mut device = Device::new(&server, "demo");
    device.wire.fail(|request| {
        let lost = request.url.contains("/contacts?") && request.url.contains("deltatoken");
        lost.then_some(Fault::LoseRequest)
    });
    assert!(!device.round().ok);
    device.restart();
    let cursor = device.replica.state().tables["contact"].cursor.clone();
    assert!(cursor.behind && !cursor.complete);
    online.patch("contacts", ids[0], r#"{"telephone1":"there"}"#);
    device.wire.heal();
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert_eq!(device.text("contact", ids[0], "telephone1"), "there");
    assert!(device.replica.state().tables["contact"].cursor.complete);
    let pages = device.wire.log.borrow().iter().filter(|line| line.starts_with("GET contacts?")).count();
    assert_eq!(pages, 1, "the delta, and no row twice");
}

/// Passes a user's write on to the server when the first page of contacts has left it and is on its way.
struct Overtaken<'a> {
    wire: &'a Wire,
    progress: &'a Progress,
    online: Wire,
    id: Uuid,
    done: Cell<bool>,
}

impl Transport for Overtaken<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let is_page = request.url.contains("/contacts?");
        let answer = self.wire.send(request).await;
        if is_page && !self.done.replace(true) {
            let _passing = self.progress.passes();
            self.online.patch("contacts", self.id, r#"{"telephone1":"passed on"}"#);
        }
        answer
    }
}

#[test]
fn a_page_that_was_overtaken_by_a_write_of_the_user_is_asked_for_again() {
    let server = Server::start();
    let online = server.user("demo");
    let id = online.create("contacts", r#"{"lastname":"C"}"#);
    let device = Device::new(&server, "demo");
    let progress = Progress::default();
    let wire = Overtaken { wire: &device.wire, progress: &progress, online, id, done: Cell::new(false) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &wire, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &progress));
    assert!(report.ok && wire.done.get(), "{report:?}");
    assert_eq!(device.text("contact", id, "telephone1"), "passed on");
}

/// The first pull has read everything and has yet to catch up: what is edited here by then is merged by the time of the
/// field, not by that of the row.
#[test]
fn an_edit_made_before_the_first_pull_has_caught_up_wins_over_an_older_one_that_arrived_later() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = contacts(&online);
    let (device, older) = (Device::new(&server, "demo"), Device::synced(&server, "admin"));
    older.edit("contact", ids[0], &[("telephone1", text("older"))]);
    tick();
    device.wire.fail(|request| {
        let lost = request.url.contains("/contacts?") && request.url.contains("deltatoken");
        lost.then_some(Fault::LoseRequest)
    });
    assert!(!device.round().ok);
    assert!(device.replica.state().tables["contact"].cursor.behind);
    device.edit("contact", ids[0], &[("telephone1", text("newer"))]);
    tick();
    older.sync();
    device.wire.heal();
    device.sync();
    assert_eq!(device.text("contact", ids[0], "telephone1"), "newer");
    assert_eq!(online.json(&format!("contacts({})", ids[0]))["telephone1"], "newer");
}

#[test]
fn of_a_row_that_the_first_pull_has_not_come_to_nobody_says_that_there_is_none() {
    let server = Server::start();
    let ids = contacts(&server.user("admin"));
    let station = Station::new(&server, "demo", &TABLES);
    station.wire.fail(|request| {
        let later = request.url.contains("/contacts?") && request.url.contains("skiptoken");
        later.then_some(Fault::LoseRequest)
    });
    station.post("/flette/sync", "");
    station.wire.heal();
    let status = |id: Uuid| station.alone(&format!("contacts({id})")).status;
    assert_eq!((status(ids[0]), status(ids[119])), (200, 501));
    station.sync();
    assert_eq!((status(ids[119]), status(Uuid::from_u128(7))), (200, 404));
}

#[test]
fn what_another_context_sent_is_told_by_the_status_of_this_one() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let other = station.twin();
    let synced = |station: &Station| station.get("/flette/status")["synced"] == true;
    assert!(synced(&station) && synced(&other));
    other.create("accounts", r#"{"name":"Made there"}"#);
    assert!(!synced(&station) && station.get("/flette/status")["pending"] == 1);
    other.sync();
    assert!(synced(&station) && synced(&other));
}
