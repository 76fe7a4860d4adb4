//! What happens while a request is under way: the user goes on, or the worker is killed.

use crate::faults::is_push;
use crate::support::{chance, edit, text, tick, Device, Fault, Server, Wire};
use flette::journal::Entry;
use flette::model::{Key, Millis};
use flette::platform::{Transport, TransportError};
use flette::replica::Replica;
use flette::store::memory::MemoryStore;
use flette::store::Durability;
use flette::sync::{round, Outside, Progress, Report};
use flette_odata::{Request, Response, Uuid};
use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Edits a row each time a push is on its way, before it arrives.
struct Busy<'a> {
    wire: &'a Wire,
    replica: &'a Replica<MemoryStore>,
    id: Uuid,
    now: Millis,
    edits: Cell<u32>,
}

impl Transport for Busy<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if String::from_utf8_lossy(&request.body).contains("\r\nPATCH ") && self.edits.get() < 3 {
            self.edits.set(self.edits.get() + 1);
            let (key, value) = (Key::new("account", self.id), text(&format!("edit {}", self.edits.get())));
            let change = self.replica.transact(self.now, Durability::Strict, &["account"], |draft| {
                edit(draft, &key, &[("name", value.clone()), ("telephone1", value.clone())]);
                Ok(())
            });
            change.await.unwrap();
        }
        self.wire.send(request).await
    }
}

#[test]
fn edits_made_while_their_row_is_being_sent_are_neither_lost_nor_taken_for_sent() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let id = device.create("account", &[("name", text("made"))]);
    let busy =
        Busy { wire: &device.wire, replica: &device.replica, id, now: device.now(), edits: Cell::new(0) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &busy, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    assert!(report.ok, "{report:?}");
    assert_eq!((busy.edits.get(), report.conflicts), (3, 0));
    device.sync();
    assert!(device.entries().is_empty());
    let row = server.user("admin").json(&format!("accounts({id})"));
    assert_eq!((row["name"].as_str(), row["telephone1"].as_str()), (Some("edit 3"), Some("edit 3")));
}

#[test]
fn a_refused_row_that_was_edited_meanwhile_goes_again_as_another_request() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    server.user("admin").create("accounts", r#"{"name":"There","accountnumber":"7"}"#);
    let id = device.create("account", &[("name", text("Here")), ("accountnumber", text("7"))]);
    let busy =
        Busy { wire: &device.wire, replica: &device.replica, id, now: device.now(), edits: Cell::new(2) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &busy, now: &now, random: &random };
    pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    let parked: Vec<bool> = device.entries().iter().map(Entry::is_parked).collect();
    assert_eq!(parked, [true, false]);
    let refused = device.entries()[0].op;
    device.edit("account", id, &[("accountnumber", text("8"))]);
    assert_ne!(device.entries()[0].op, refused);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!(server.user("admin").json(&format!("accounts({id})"))["accountnumber"], "8");
}

/// Stops answering at its n-th request, which arrives or does not.
struct Killed<'a> {
    wire: &'a Wire,
    left: Cell<u32>,
    arrives: bool,
}

impl Transport for Killed<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        self.left.set(self.left.get().saturating_sub(1));
        if self.left.get() > 0 {
            return self.wire.send(request).await;
        }
        if self.arrives {
            self.wire.send(request).await?;
        }
        std::future::pending().await
    }
}

/// A round that is dropped at its n-th request; `None` when it did not come so far.
fn killed_round(device: &Device, nth: u32, arrives: bool) -> Option<Report> {
    let killed = Killed { wire: &device.wire, left: Cell::new(nth), arrives };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &killed, now: &now, random: &random };
    let progress = Progress::default();
    let mut round = pin!(round(&device.replica, &outside, &device.config, &progress));
    match round.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(report) => Some(report),
        Poll::Pending => None,
    }
}

#[test]
fn a_round_killed_at_any_request_is_taken_up_by_the_next() {
    let mut nth = 0;
    loop {
        nth += 1;
        let mut ended = 0;
        for arrives in [false, true] {
            let server = Server::start();
            let online = server.user("admin");
            let old = online.create("contacts", r#"{"lastname":"Old"}"#);
            let other = online.create("contacts", r#"{"lastname":"Other"}"#);
            let mut device = Device::synced(&server, "demo");
            let made = device.create("account", &[("name", text("Made"))]);
            device.edit("contact", old, &[("jobtitle", text("here"))]);
            device.delete("contact", other);
            online.patch("contacts", old, r#"{"telephone1":"there"}"#);
            ended += u32::from(killed_round(&device, nth, arrives).is_some());
            device.restart();
            device.sync();
            assert!(device.entries().is_empty() && device.conflicts().is_empty(), "{nth} {arrives}");
            let row = online.json(&format!("contacts({old})"));
            assert_eq!((row["jobtitle"].as_str(), row["telephone1"].as_str()), (Some("here"), Some("there")));
            assert_eq!(online.json("contacts")["value"].as_array().unwrap().len(), 1);
            assert_eq!(online.json("accounts")["value"].as_array().unwrap().len(), 1);
            assert_eq!(device.text("account", made, "name"), "Made");
            assert_eq!(device.count("contact"), 1);
        }
        if ended == 2 {
            break;
        }
    }
    assert!(nth > 8, "{nth} requests");
}

#[test]
fn a_first_pull_killed_at_any_request_is_taken_up_by_the_next() {
    let server = Server::start();
    let online = server.user("admin");
    for n in 0..120 {
        online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#));
    }
    let mut device = Device::new(&server, "demo");
    device.config.page_size = 25;
    // Each life of the worker ends at its fifth request, too early for a whole round.
    let mut lives = 0;
    let complete = |device: &Device| {
        crate::support::TABLES
            .iter()
            .all(|name| device.replica.state().tables.get(*name).is_some_and(|table| table.cursor.complete))
    };
    while !complete(&device) {
        assert!(killed_round(&device, 5, lives % 2 == 0).is_none());
        device.restart();
        lives += 1;
        assert!(lives < 40, "no progress");
    }
    assert!(lives >= 3, "{lives}");
    assert_eq!(device.count("contact"), 120);
    assert_eq!(device.replica.state().tables["contact"].cursor.shadow, None);
}

/// A round that is told to stop as soon as a request goes out whose URL holds this and not that: what it asked for is
/// still taken over. What it pushes is not carried out.
fn stopped_round(device: &Device, holds: &'static str, but: &'static str) {
    let progress = Rc::new(Progress::default());
    let told = progress.clone();
    device.wire.fail(move |request| {
        if request.url.contains(holds) && !request.url.contains(but) {
            told.stop();
        }
        is_push(request).then(unavailable)
    });
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &device.wire, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &progress));
    assert!(!report.ok, "{report:?}");
    device.wire.heal();
}

#[test]
fn what_an_earlier_round_left_of_a_full_read_is_finished_and_the_table_asked_once_more_after_the_push() {
    let server = Server::start();
    let online = server.user("admin");
    let edited = online.create("accounts", r#"{"name":"Old"}"#);
    let device = Device::synced(&server, "demo");
    device.change(|draft| {
        let mut cursor = draft.cursor("account");
        cursor.delta_link = None;
        draft.set_cursor("account", cursor);
    });
    stopped_round(&device, "/accounts?", "$deltatoken");
    let cursor = device.replica.state().tables["account"].cursor.clone();
    assert!(cursor.shadow.is_some() && cursor.delta_link.is_some(), "all is read and waits for its place");
    let late = online.create("accounts", r#"{"name":"Late"}"#);
    device.edit("account", edited, &[("name", text("New"))]);
    device.sync();
    assert_eq!(device.text("account", late, "name"), "Late");
    assert_eq!(device.text("account", edited, "name"), "New");
}

#[test]
fn what_an_earlier_round_left_of_a_delta_is_finished_and_the_table_asked_once_more_after_the_push() {
    let server = Server::start();
    let online = server.user("admin");
    let edited = online.create("accounts", r#"{"name":"Old"}"#);
    let mut device = Device::synced(&server, "demo");
    device.config.page_size = 1;
    for name in ["One", "Two", "Three"] {
        online.create("accounts", &format!(r#"{{"name":"{name}"}}"#));
    }
    // When the second page is asked for the first one is being taken over.
    stopped_round(&device, "$skiptoken", "/contacts?");
    assert!(device.replica.state().tables["account"].cursor.next_link.is_some());
    let late = online.create("accounts", r#"{"name":"Late"}"#);
    device.edit("account", edited, &[("name", text("New"))]);
    device.sync();
    assert_eq!(device.text("account", late, "name"), "Late");
}

/// A round that pushes, and whose push is carried out without an answer.
fn unanswered_round(device: &Device) {
    device.wire.fail(|request| {
        let push = String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
        push.then_some(Fault::LoseAnswer)
    });
    assert!(!device.round().ok);
    device.wire.heal();
}

#[test]
fn what_is_found_to_have_been_carried_out_leaves_a_pull_to_be_done() {
    for nth in 1.. {
        let server = Server::start();
        let device = Device::synced(&server, "demo");
        device.create("account", &[("name", text("Made"))]);
        unanswered_round(&device);
        if killed_round(&device, nth, true).is_some() {
            assert!(nth > 6, "{nth} requests");
            return;
        }
        let pull_due = device.replica.state().record.pull_due;
        assert!(pull_due || !device.entries().is_empty(), "killed at request {nth}");
    }
}

#[test]
fn a_new_row_that_was_deleted_before_its_answer_was_heard_is_not_shown_again() {
    let server = Server::start();
    let online = server.user("admin");
    let device = Device::synced(&server, "demo");
    let made = device.create("account", &[("name", text("Made"))]);
    unanswered_round(&device);
    online.delete("accounts", made);
    device.change(|draft| {
        let mut cursor = draft.cursor("account");
        cursor.delta_link = None;
        draft.set_cursor("account", cursor);
    });
    device.sync();
    assert!(device.entries().is_empty());
    assert!(device.row("account", made).is_none());
}

/// An answer to a batch that nobody could carry out just now: of several requests, those behind the first get none.
fn unavailable() -> Fault {
    let part = "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
                HTTP/1.1 503 Service Unavailable\r\n\r\n\r\n--b--\r\n";
    let mut answer = Response::empty(200).header("Content-Type", "multipart/mixed; boundary=b");
    answer.body = part.into();
    Fault::Answer(answer)
}

/// A receipt tells what a row was then; what is about to take the place of all rows was read later.
#[test]
fn what_all_rows_were_read_with_is_not_undone_by_an_older_receipt() {
    let server = Server::start();
    let online = server.user("admin");
    let device = Device::synced(&server, "demo");
    let edited = online.create("contacts", r#"{"lastname":"Edited"}"#);
    device.sync();
    device.edit("contact", edited, &[("jobtitle", text("here"))]);
    let made = device.create("contact", &[("lastname", text("Made"))]);
    let gone = device.create("contact", &[("lastname", text("Gone"))]);
    unanswered_round(&device);
    tick();
    for id in [edited, made] {
        online.patch("contacts", id, r#"{"telephone1":"there"}"#);
    }
    online.delete("contacts", gone);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.delta_link = None;
        draft.set_cursor("contact", cursor);
    });
    stopped_round(&device, "/contacts?", "$deltatoken");
    let cursor = device.replica.state().tables["contact"].cursor.clone();
    assert!(cursor.shadow.is_some() && cursor.delta_link.is_some(), "all is read and waits for its place");
    assert_eq!(device.entries().len(), 3);
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(device.text("contact", edited, "jobtitle"), "here");
    for id in [edited, made] {
        assert_eq!(device.text("contact", id, "telephone1"), "there");
    }
    assert!(device.row("contact", gone).is_none());
}

#[test]
fn what_was_sent_along_with_what_stands_there_is_not_sent_again_though_it_was_taken_back_since() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Old"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("account", id, &[("name", text("New")), ("telephone1", text("1"))]);
    unanswered_round(&device);
    online.patch("accounts", id, r#"{"telephone1":null}"#);
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    let row = online.json(&format!("accounts({id})"));
    assert_eq!((row["name"].as_str(), row["telephone1"].as_str()), (Some("New"), None));
    assert_eq!(device.text("account", id, "telephone1"), "");
}

/// Answers a delta only after others had the time to be asked for, and counts how many are on their way.
struct Slow<'a> {
    wire: &'a Wire,
    on_their_way: Cell<u32>,
    most: Cell<u32>,
}

impl Transport for Slow<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if !request.url.contains("deltatoken") {
            return self.wire.send(request).await;
        }
        self.on_their_way.set(self.on_their_way.get() + 1);
        self.most.set(self.most.get().max(self.on_their_way.get()));
        let mut asked = false;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut asked, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.on_their_way.set(self.on_their_way.get() - 1);
        self.wire.send(request).await
    }
}

#[test]
fn what_changed_is_asked_of_several_tables_at_once() {
    let server = Server::start();
    let device = Device::with_all_tables(&server, "demo");
    let online = server.user("admin");
    let made: Vec<Uuid> = ["accounts", "contacts"]
        .iter()
        .zip([r#"{"name":"There"}"#, r#"{"lastname":"There"}"#])
        .map(|(set, body)| online.create(set, body))
        .collect();
    let slow = Slow { wire: &device.wire, on_their_way: Cell::new(0), most: Cell::new(0) };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &slow, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    assert!(report.ok, "{report:?}");
    assert_eq!(device.text("account", made[0], "name"), "There");
    assert_eq!(device.text("contact", made[1], "lastname"), "There");
    assert_eq!((slow.most.get(), slow.on_their_way.get()), (4, 0));
}
