//! More edits than go in one batch: the next batch is under way while the answers to the one before are taken over.

use crate::support::{chance, link, text, Device, Fault, Server, Wire};
use flette::journal::EntryState;
use flette::platform::{Transport, TransportError};
use flette::replica::Replica;
use flette::store::memory::MemoryStore;
use flette::sync::{round, Outside, Progress, Report};
use flette_odata::batch::{parse_batch_response, write_batch_response, BatchAnswer};
use flette_odata::{Request, Response, Uuid};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::Poll;

const EDITS: usize = 250;
const BATCH: usize = 100;
/// So often a batch is looked at before it arrives.
const POLLS: u32 = 40;

/// What happens to a batch.
enum Fate {
    Arrives,
    Lost,
    Answered(Response),
    /// The answer to its first request is another.
    FirstAnswered(Response),
}

/// A way to the server on which a batch takes so long that others get on meanwhile.
struct Slow<'a> {
    wire: &'a Wire,
    replica: &'a Replica<MemoryStore>,
    fate: fn(u32) -> Fate,
    batches: Cell<u32>,
    /// Entries that are sent and not settled, when a batch leaves and when it arrives.
    sent: RefCell<Vec<(usize, usize)>>,
    /// How many are when a page of contacts is asked for.
    asked: RefCell<Vec<usize>>,
}

impl Slow<'_> {
    fn under_way(&self) -> usize {
        let state = self.replica.state();
        state.journal.iter().filter(|entry| entry.state == EntryState::Sent).count()
    }
}

impl Transport for Slow<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if !String::from_utf8_lossy(&request.body).contains("\r\nPATCH ") {
            if request.url.contains("/contacts?") {
                self.asked.borrow_mut().push(self.under_way());
            }
            return self.wire.send(request).await;
        }
        self.batches.set(self.batches.get() + 1);
        let (nth, leaves) = (self.batches.get(), self.under_way());
        let mut polls = 0;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            polls += 1;
            if polls > POLLS {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        self.sent.borrow_mut().push((leaves, self.under_way()));
        match (self.fate)(nth) {
            Fate::Arrives => self.wire.send(request).await,
            Fate::Lost => Err(TransportError::Unreachable("the cable is out".to_owned())),
            Fate::Answered(response) => Ok(response),
            Fate::FirstAnswered(response) => {
                let answer = self.wire.send(request).await?;
                let kind = answer.headers.get("Content-Type").unwrap();
                let mut answers = parse_batch_response(kind, &answer.body).unwrap();
                answers[0] = BatchAnswer::Single(response);
                Ok(write_batch_response(&answers, Uuid::from_u128(1), 200))
            }
        }
    }
}

/// A round; what was under way at each batch.
fn slow_round(device: &Device, fate: fn(u32) -> Fate) -> (Report, Vec<(usize, usize)>) {
    let (report, sent, _) = slow_round_asking(device, fate);
    (report, sent)
}

/// The same, and what was under way whenever a page of contacts was asked for.
fn slow_round_asking(device: &Device, fate: fn(u32) -> Fate) -> (Report, Vec<(usize, usize)>, Vec<usize>) {
    let (batches, sent, asked) = (Cell::new(0), RefCell::default(), RefCell::default());
    let slow = Slow { wire: &device.wire, replica: &device.replica, fate, batches, sent, asked };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &slow, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    (report, slow.sent.take(), slow.asked.take())
}

/// A device that has edited more contacts than go in two batches.
fn edited(server: &Server) -> Device {
    let device = Device::synced(server, "demo");
    let made: Vec<Uuid> =
        (0..EDITS).map(|n| device.create("contact", &[("lastname", text(&format!("C{n}")))])).collect();
    device.sync();
    made.iter().for_each(|id| device.edit("contact", *id, &[("telephone1", text("edited"))]));
    assert_eq!(device.entries().len(), EDITS);
    device
}

fn stand(server: &Server) -> usize {
    let rows = server.user("admin").json("contacts?$filter=telephone1%20eq%20'edited'&$select=telephone1");
    rows["value"].as_array().unwrap().len()
}

#[test]
fn no_more_than_two_waves_are_sent_and_not_settled() {
    let server = Server::start();
    let device = edited(&server);
    let (report, sent) = slow_round(&device, |_| Fate::Arrives);
    assert!(report.ok, "{report:?}");
    // The next one is marked when the one before is settled, and sets out while a batch is under way: the second before the
    // first has arrived.
    let last = EDITS - 2 * BATCH;
    assert_eq!(sent, [(BATCH, 2 * BATCH), (2 * BATCH, 2 * BATCH), (BATCH + last, last)]);
    assert_eq!((report.pushed, stand(&server)), (EDITS as u64, EDITS));
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

#[test]
fn what_changed_is_asked_while_the_last_answers_are_taken_over() {
    let server = Server::start();
    let device = edited(&server);
    let (report, _, asked) = slow_round_asking(&device, |_| Fate::Arrives);
    assert!(report.ok, "{report:?}");
    assert_eq!(asked, [EDITS - 2 * BATCH], "one page, before the last wave is settled");
    assert!(!device.replica.state().record.pull_due);
}

#[test]
fn what_changed_is_asked_anew_when_rows_were_read_after_the_last_answers() {
    let server = Server::start();
    let device = edited(&server);
    // As if the answer to an earlier try had been lost: the row is read, and has the edit.
    let changed = |nth| match nth {
        3 => Fate::FirstAnswered(Response::empty(412)),
        _ => Fate::Arrives,
    };
    let (report, sent, asked) = slow_round_asking(&device, changed);
    assert!(report.ok, "{report:?}");
    assert_eq!((sent.len(), stand(&server)), (3, EDITS));
    assert_eq!(asked, [EDITS - 2 * BATCH, 0], "it is asked for twice");
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

#[test]
fn what_was_answered_is_taken_over_whatever_becomes_of_the_next_batch() {
    const SECOND: [fn(u32) -> Fate; 4] = [
        |nth| if nth == 2 { Fate::Lost } else { Fate::Arrives },
        |nth| if nth == 2 { Fate::Answered(Response::empty(401)) } else { Fate::Arrives },
        |nth| if nth == 2 { Fate::Answered(Response::empty(500)) } else { Fate::Arrives },
        |nth| match nth {
            2 => Fate::Answered(Response::empty(503).header("Retry-After", "7")),
            _ => Fate::Arrives,
        },
    ];
    for (at, fate) in SECOND.into_iter().enumerate() {
        let server = Server::start();
        let mut device = edited(&server);
        let (report, sent) = slow_round(&device, fate);
        assert_eq!((report.ok, report.pushed, sent.len()), (false, BATCH as u64, 2), "{at}: {report:?}");
        let entries = device.entries();
        assert_eq!(entries.len(), EDITS - BATCH, "{at}");
        device.restart();
        device.sync();
        assert!(device.entries().is_empty() && device.conflicts().is_empty(), "{at}");
        assert_eq!(stand(&server), EDITS, "{at}");
    }
}

#[test]
fn what_set_out_is_taken_over_whatever_becomes_of_the_batch_before() {
    let server = Server::start();
    let mut device = edited(&server);
    let (report, sent) = slow_round(&device, |nth| if nth == 1 { Fate::Lost } else { Fate::Arrives });
    assert_eq!((report.ok, report.pushed, sent.len()), (false, BATCH as u64, 2), "{report:?}");
    assert_eq!(device.entries().len(), EDITS - BATCH);
    device.restart();
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(stand(&server), EDITS);
}

#[test]
fn nothing_sets_out_behind_a_batch_that_was_refused() {
    let server = Server::start();
    let device = edited(&server);
    let is_push = |request: &Request| String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
    let busy = Response::empty(429).header("Retry-After", "7");
    device.wire.fail(move |request| is_push(request).then(|| Fault::Answer(busy.clone())));
    device.wire.log.take();
    let report = device.round();
    assert_eq!((report.ok, report.retry_after_millis), (false, Some(7000)), "{report:?}");
    let log = device.wire.log.take();
    let pushes = log.iter().filter(|line| line.contains("\r\nPATCH "));
    assert_eq!(pushes.count(), 1);
    device.wire.heal();
    device.sync();
    assert_eq!(stand(&server), EDITS);
}

#[test]
fn what_may_take_from_another_row_what_it_has_waits_for_its_answer() {
    let server = Server::start();
    let device = edited(&server);
    let state = || flette::model::Value::Int(1);
    let ids: Vec<Uuid> = device.entries().iter().map(|entry| entry.key.id).collect();
    ids.iter().take(1).for_each(|id| device.edit("contact", *id, &[("statecode", state())]));
    let (report, sent) = slow_round(&device, |_| Fate::Arrives);
    assert!(report.ok, "{report:?}");
    let last = EDITS - 2 * BATCH;
    assert_eq!(sent[1].1, BATCH + last, "the second left when the first had arrived: {sent:?}");
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
}

#[test]
fn a_batch_that_is_too_large_goes_in_halves_beside_the_answers_to_the_one_before() {
    let server = Server::start();
    let device = edited(&server);
    let too_large = |nth| if nth == 2 { Fate::Answered(Response::empty(413)) } else { Fate::Arrives };
    let (report, sent) = slow_round(&device, too_large);
    assert!(report.ok, "{report:?}");
    assert_eq!((sent.len(), report.pushed, stand(&server)), (5, EDITS as u64, EDITS));
    assert!(device.entries().is_empty());
}

#[test]
fn a_wave_under_way_is_taken_over_when_an_answer_to_the_one_before_stops_the_round() {
    let server = Server::start();
    let device = edited(&server);
    let busy = |nth| match nth {
        1 => Fate::FirstAnswered(Response::empty(429).header("Retry-After", "7")),
        _ => Fate::Arrives,
    };
    let (report, sent) = slow_round(&device, busy);
    assert_eq!((report.ok, report.retry_after_millis, sent.len()), (false, Some(7000), 2), "{report:?}");
    // One waits for its answer, and the third wave was not begun.
    assert_eq!((report.pushed, device.entries().len()), (2 * BATCH as u64 - 1, EDITS - 2 * BATCH + 1));
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(stand(&server), EDITS);
}

#[test]
fn what_points_to_new_rows_waits_until_they_are_known_to_stand() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    for n in 0..BATCH {
        let account = device.create("account", &[("name", text(&format!("A{n}")))]);
        let values = [("lastname", text("C")), ("parentcustomerid", link("account", account))];
        device.create("contact", &values);
    }
    let (report, sent) = slow_round(&device, |_| Fate::Arrives);
    assert_eq!((report.ok, report.parked, report.pushed), (true, 0, 2 * BATCH as u64), "{report:?}");
    assert_eq!(sent, [(BATCH, BATCH), (BATCH, BATCH)]);
    let of_accounts = "contacts?$filter=_parentcustomerid_value%20ne%20null&$select=lastname";
    assert_eq!(server.user("admin").json(of_accounts)["value"].as_array().unwrap().len(), BATCH);
}

/// How much of the mirror is unpacked when a batch of changes leaves.
struct Measured<'a> {
    wire: &'a Wire,
    replica: &'a Replica<MemoryStore>,
    unpacked: RefCell<Vec<usize>>,
}

impl Transport for Measured<'_> {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        if String::from_utf8_lossy(&request.body).contains("\r\nPATCH ") {
            self.unpacked.borrow_mut().push(self.replica.unpacked_bytes());
        }
        self.wire.send(request).await
    }
}

#[test]
fn what_a_wave_unpacked_is_forgotten_before_the_next_one_leaves() {
    let server = Server::start();
    let online = server.user("admin");
    let ids: Vec<Uuid> =
        (0..EDITS).map(|n| online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#))).collect();
    let device = Device::synced(&server, "demo");
    ids.iter().for_each(|id| device.edit("contact", *id, &[("telephone1", text("here"))]));
    device.replica.limit_unpacked(0);
    device.replica.rest();
    let wire = Measured { wire: &device.wire, replica: &device.replica, unpacked: RefCell::default() };
    let (now, random) = (|| device.now(), chance());
    let outside = Outside { transport: &wire, now: &now, random: &random };
    let report = pollster::block_on(round(&device.replica, &outside, &device.config, &Progress::default()));
    assert!(report.ok && report.pushed == EDITS as u64, "{report:?}");
    assert_eq!(*wire.unpacked.borrow(), [0; EDITS.div_ceil(BATCH)]);
}
