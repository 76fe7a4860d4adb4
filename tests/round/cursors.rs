//! Answers that do not belong to the place in the feed at which their table stands, and answers that are none.

use crate::support::{chance, text, tick, Device, Fault, Server, Wire};
use flette::model::{Key, Millis, Value};
use flette::platform::{Transport, TransportError};
use flette::replica::Feed;
use flette::sync::{learn, round, Outside, Progress, Written};
use flette_odata::{ODataError, Request, Response, Uuid};
use flette_server::api::Profile;
use std::cell::Cell;

fn accounts(online: &Wire, rows: usize) -> Vec<Uuid> {
    (0..rows).map(|n| online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#))).collect()
}

fn empty_object() -> Response {
    let headers = [("Content-Type", "application/json")].into_iter().collect();
    Response { status: 200, headers, body: b"{}".to_vec() }
}

fn expired() -> Response {
    ODataError::new(410, "0x80044352", "expired").to_response()
}

fn is_delta(request: &Request, set: &str) -> bool {
    request.url.contains(&format!("/{set}?")) && request.url.contains("deltatoken")
}

#[test]
fn a_table_with_a_damaged_segment_is_read_anew_though_a_delta_was_asked_for_before_that_was_seen() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = accounts(&online, 3);
    let mut device = Device::synced(&server, "demo");
    // A change waits for the row that the delta tells of, so that the table is loaded when the page is taken over.
    device.edit("account", ids[0], &[("telephone1", text("here"))]);
    device.change(|draft| draft.record.last_sync = None);
    online.patch("accounts", ids[0], r#"{"fax":"there"}"#);
    device.damage("account");
    device.restart();
    device.sync();
    assert!(device.replica.state().tables["account"].cursor.complete);
    assert_eq!(device.count("account"), 3);
    let row = online.json(&format!("accounts({})", ids[0]));
    assert_eq!((&row["telephone1"], &row["fax"]), (&"here".into(), &"there".into()));
}

/// Does something once, when an answer is there and not told yet.
struct Between<'a, D: Fn()> {
    wire: &'a Wire,
    when: fn(&Request) -> bool,
    what: D,
    done: Cell<bool>,
}

impl<D: Fn()> Transport for Between<'_, D> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let now = (self.when)(&request);
        let answer = self.wire.send(request).await;
        if now && !self.done.replace(true) {
            (self.what)();
        }
        answer
    }
}

#[test]
fn a_page_is_not_taken_over_where_another_context_has_gone_on_meanwhile() {
    let server = Server::start();
    let online = server.user("admin");
    let ids = accounts(&online, 2);
    let mut device = Device::synced(&server, "demo");
    let other = device.another(&server, "demo");
    // No other table's page tells it beforehand.
    device.config.tables = vec!["account".to_owned()];
    online.patch("accounts", ids[0], r#"{"fax":"older"}"#);
    let what = || {
        online.patch("accounts", ids[0], r#"{"fax":"newer"}"#);
        online.delete("accounts", ids[1]);
        other.sync();
    };
    let when = |request: &Request| is_delta(request, "accounts");
    let wire = Between { wire: &device.wire, when, what, done: Cell::new(false) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &wire, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    assert!(report.ok && wire.done.get(), "{report:?}");
    assert_eq!(device.text("account", ids[0], "fax"), "newer");
    assert!(device.row("account", ids[1]).is_none());
}

#[test]
fn an_object_without_rows_is_no_answer_to_a_first_read() {
    let server = Server::start();
    let ids = accounts(&server.user("admin"), 2);
    let device = Device::new(&server, "demo");
    device.wire.fail(|r| r.url.contains("/accounts?").then(|| Fault::Answer(empty_object())));
    assert!(!device.round().ok);
    assert!(!device.replica.state().tables.get("account").is_some_and(|table| table.cursor.complete));
    device.wire.heal();
    device.sync();
    assert_eq!(device.count("account"), ids.len());
}

#[test]
fn an_object_without_rows_empties_no_table_and_yet_says_of_a_delta_that_nothing_changed() {
    let server = Server::start();
    let ids = accounts(&server.user("admin"), 2);
    let device = Device::synced(&server, "demo");
    device.wire.fail(|r| is_delta(r, "accounts").then(|| Fault::Answer(empty_object())));
    device.sync();
    assert_eq!(device.count("account"), ids.len());
    device.wire.fail(|r| {
        let answer = if is_delta(r, "accounts") { expired() } else { empty_object() };
        r.url.contains("/accounts?").then_some(Fault::Answer(answer))
    });
    assert!(!device.round().ok);
    assert_eq!(device.count("account"), ids.len());
    device.wire.heal();
    device.sync();
    assert_eq!(device.count("account"), ids.len());
}

#[test]
fn change_tracking_that_is_lost_is_asked_for_again_after_some_sweeps() {
    let server = Server::start();
    accounts(&server.user("admin"), 2);
    let device = Device::synced(&server, "demo");
    let feed = || device.replica.state().tables["account"].cursor.feed;
    device.wire.fail(|r| {
        let refusal = ODataError::new(403, "0x80040220", "no right to that").to_response();
        is_delta(r, "accounts").then_some(Fault::Answer(refusal))
    });
    device.sync();
    assert_eq!(feed(), Feed::Sweep);
    device.wire.heal();
    for _ in 0..5 {
        device.sync();
    }
    assert_eq!(feed(), Feed::Delta);
}

/// Passes a user's write of a row on, and reads it, before the third page of contacts is told.
struct PassedOn<'a> {
    device: &'a Device,
    progress: &'a Progress,
    online: Wire,
    id: Uuid,
    pages: Cell<u32>,
}

impl Transport for PassedOn<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let is_next = request.url.contains("/contacts?") && request.url.contains("skiptoken");
        let answer = self.device.wire.send(request).await;
        if is_next {
            self.pages.set(self.pages.get() + 1);
        }
        if is_next && self.pages.get() == 2 {
            let passing = self.progress.passes();
            self.online.patch("contacts", self.id, r#"{"telephone1":"passed on"}"#);
            drop(passing);
            let written = Written {
                key: Key::new("contact", self.id),
                columns: ["telephone1".to_owned()].into_iter().collect(),
            };
            let (now, random) = (|| self.device.now(), chance());
            let outside = Outside { transport: &self.device.wire, now: &now, random: &random };
            learn(&self.device.replica, &outside, &self.device.config, self.progress, vec![written]).await;
        }
        answer
    }
}

#[test]
fn a_row_that_is_written_past_the_replica_during_the_first_pull_under_a_filter_stays() {
    let server = Server::with_profile(Profile::Dataverse);
    let online = server.user("admin");
    let ids: Vec<Uuid> =
        (0..120).map(|n| online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#))).collect();
    tick();
    let mut device = Device::new(&server, "admin");
    device.set_profile(r#"{"contact":{"rows":"lastname ne 'Nobody'"}}"#);
    let progress = Progress::default();
    let wire = PassedOn { device: &device, progress: &progress, online, id: ids[0], pages: Cell::new(0) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &wire, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &progress));
    assert!(report.ok && wire.pages.get() > 2, "{report:?}");
    assert_eq!(device.count("contact"), 120);
    let row = device.row("contact", ids[0]);
    assert_eq!(row.map(|row| row["telephone1"].clone()), Some(Value::Text("passed on".to_owned())));
    device.sync();
    assert_eq!(device.count("contact"), 120);
    assert!(device.replica.state().tables["contact"].cursor.outside.is_empty());
}

/// How many accounts a device has after one of two was deleted, when its feed tells nothing and was asked for so long ago.
fn left_after_days(server: &Server, days: i64) -> usize {
    let online = server.user("admin");
    let ids = accounts(&online, 2);
    let device = Device::synced(server, "demo");
    online.delete("accounts", ids[0]);
    device.wire.fail(|r| is_delta(r, "accounts").then(|| Fault::Answer(empty_object())));
    device.change(|draft| {
        let mut cursor = draft.cursor("account");
        cursor.asked_at = cursor.asked_at.map(|Millis(at)| Millis(at - days * 24 * 60 * 60 * 1000));
        draft.set_cursor("account", cursor);
    });
    device.sync();
    let left = device.count("account");
    online.delete("accounts", ids[1]);
    left
}

#[test]
fn a_feed_that_was_not_asked_for_a_week_is_not_trusted_where_the_server_does_not_say_so_itself() {
    let bare = Server::bare();
    assert_eq!(left_after_days(&bare, 6), 2);
    assert_eq!(left_after_days(&bare, 8), 1);
    assert_eq!(left_after_days(&Server::start(), 8), 2);
}
