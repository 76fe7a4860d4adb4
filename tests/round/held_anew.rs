//! Rows that others hold, whose tables tell no changes: what is known of them may be older than what is known of their holders.

use crate::held::{id, online_pairs, online_parties, party, shown_pairs, shown_parties, with_rows};
use crate::several::tell;
use crate::support::{all_tables, Device, Fault, Server};
use flette_odata::{Method, Request};
use std::cell::Cell;

/// A device that may not follow the changes of what rows hold.
fn device_without_changes(server: &Server) -> Device {
    let mut device = Device::new(server, "demo");
    device.config.tables = all_tables();
    device.wire.fail(|request| is_tracked(request).then(denied));
    device.sync();
    device
}

fn is_tracked(request: &Request) -> bool {
    let held = ["/activityparties?", "/accountleadscollection?"].iter().any(|set| request.url.contains(set));
    held && request.headers.all("Prefer").any(|prefer| prefer.contains("track-changes"))
}

fn denied() -> Fault {
    Fault::Answer(flette_odata::ODataError::new(403, "0x80040220", "no").to_response())
}

/// The two parties of the activity, and another one.
fn set_with(another: &str) -> String {
    let stays =
        [(21, 1), (22, 2)].map(|(n, part)| party("partyid_contact", &format!("contacts({})", id(n)), part));
    format!(r#"{{"value":[{},{},{another}]}}"#, stays[0], stays[1])
}

const THEIRS: &str = r#"{"addressused":"there@example.org","participationtypemask":4}"#;
const OURS: &str = r#"{"addressused":"here@example.org","participationtypemask":3}"#;

/// The activity is here as it is on the server, its parties are as they were before: somebody else has replaced them
/// after they were read.
fn device_with_older_parties(server: &Server) -> Device {
    let device = device_without_changes(server);
    let (other, done) = (server.user("admin"), Cell::new(false));
    device.wire.fail(move |request| {
        if request.url.contains("/emails?") && !done.replace(true) {
            let path = format!("emails({})/email_activity_parties", id(30));
            assert_eq!(other.ask(Method::Put, &path, &set_with(THEIRS)).status, 204);
        }
        is_tracked(request).then(denied)
    });
    device.sync();
    assert_eq!((shown_parties(&device, &id(30)).len(), online_parties(server, &id(30)).len()), (2, 3));
    device
}

#[test]
fn parties_that_came_after_they_were_read_are_not_replaced_unseen() {
    let server = Server::start();
    with_rows(&server);
    let device = device_with_older_parties(&server);
    tell(&device, "PUT", &format!("emails({})/email_activity_parties", id(30)), &set_with(OURS));
    device.sync();
    assert!(device.entries().is_empty());
    let all = online_parties(&server, &id(30));
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(shown_parties(&device, &id(30)), all);
}

#[test]
fn the_same_where_the_activity_is_edited_before() {
    let server = Server::start();
    with_rows(&server);
    let device = device_with_older_parties(&server);
    tell(&device, "PATCH", &format!("emails({})", id(30)), r#"{"subject":"Edited mail"}"#);
    tell(&device, "PUT", &format!("emails({})/email_activity_parties", id(30)), &set_with(OURS));
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!(online_parties(&server, &id(30)).len(), 4);
    let email = server.user("admin").json(&format!("emails({})", id(30)));
    assert_eq!(email["subject"], "Edited mail");
}

#[test]
fn parties_whose_answer_was_lost_are_told_once_whatever_was_read_since() {
    for (receipts, lost) in [(true, 1), (true, 2), (false, 1), (false, 2)] {
        let server = if receipts { Server::start() } else { Server::bare() };
        with_rows(&server);
        let device = device_with_older_parties(&server);
        tell(&device, "PUT", &format!("emails({})/email_activity_parties", id(30)), &set_with(OURS));
        let pushes = |r: &Request| {
            let body = String::from_utf8_lossy(&r.body);
            r.url.ends_with("$batch") && body.contains("PUT ")
        };
        // Lost once more, the table of the activity is pulled with the set still on its way.
        device.wire.fail(move |r| match pushes(r) {
            true => Some(Fault::LoseAnswer),
            false => is_tracked(r).then(denied),
        });
        (0..lost).for_each(|_| drop(device.round()));
        device.wire.heal();
        while device.round().more {}
        device.sync();
        assert!(device.entries().is_empty(), "{receipts}: {:?}", device.entries());
        let all = online_parties(&server, &id(30));
        assert_eq!(all.len(), 4, "{receipts}: {all:?}");
        assert_eq!(shown_parties(&device, &id(30)), all);
    }
}

#[test]
fn a_pair_that_was_taken_away_and_made_again_stands() {
    let server = Server::start();
    with_rows(&server);
    let device = device_without_changes(&server);
    let before = online_pairs(&server);
    let pair = format!("accounts({})/accountleads_association", id(1));
    tell(&device, "DELETE", &format!("{pair}({})/$ref", id(11)), "");
    tell(&device, "POST", &format!("{pair}/$ref"), &format!(r#"{{"@odata.id":"leads({})"}}"#, id(11)));
    assert_eq!(shown_pairs(&device), before);
    // All pairs are read before anything is sent.
    device.change(|draft| draft.record.last_sync = None);
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!((shown_pairs(&device), online_pairs(&server)), (before.clone(), before));
}

#[test]
fn pairs_of_one_row_go_together() {
    const PAIRS: u32 = 300;
    let server = Server::start();
    with_rows(&server);
    let online = server.user("admin");
    for n in 0..PAIRS {
        let body = format!(r#"{{"leadid":"{}","subject":"L","lastname":"L"}}"#, id(1000 + n));
        online.create("leads", &body);
    }
    let device = Device::with_all_tables(&server, "demo");
    let path = format!("accounts({})/accountleads_association/$ref", id(2));
    for n in 0..PAIRS {
        tell(&device, "POST", &path, &format!(r#"{{"@odata.id":"leads({})"}}"#, id(1000 + n)));
    }
    device.wire.log.borrow_mut().clear();
    let began = std::time::Instant::now();
    let mut rounds = 1;
    while device.round().more {
        rounds += 1;
    }
    let log = device.wire.log.borrow();
    let batches =
        log.iter().filter(|line| line.starts_with("POST $batch") && line.contains("/$ref ")).count();
    eprintln!("{PAIRS} pairs: {batches} batches, {rounds} rounds, {} ms", began.elapsed().as_millis());
    assert!(device.entries().is_empty());
    assert_eq!(online_pairs(&server).len(), 301);
    assert_eq!(batches, 3);
}

#[test]
fn what_was_made_long_ago_and_is_first_sent_now_arrives() {
    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let pair = format!("accounts({})/accountleads_association", id(2));
    tell(&device, "POST", &format!("{pair}/$ref"), &format!(r#"{{"@odata.id":"leads({})"}}"#, id(12)));
    device.change(|draft| {
        for mut entry in draft.state().journal.iter().cloned().collect::<Vec<_>>() {
            entry.at.wall.0 -= 100 * DAY_MILLIS;
            draft.put(entry);
        }
    });
    let before = shown_pairs(&device);
    // Its answer is lost: it goes again as what was first sent then.
    let pushes =
        |r: &Request| r.url.ends_with("$batch") && String::from_utf8_lossy(&r.body).contains("/$ref ");
    device.wire.fail(move |r| pushes(r).then_some(Fault::LoseAnswer));
    device.round();
    let [sent] = device.entries().try_into().unwrap();
    assert!((0..DAY_MILLIS).contains(&(device.now().0 - sent.first_sent.unwrap().0)));
    assert_eq!(online_pairs(&server), before);
    device.wire.heal();
    let report = device.round();
    assert_eq!(report.parked, 0, "{report:?}");
    assert!(device.entries().is_empty());
    assert_eq!((shown_pairs(&device), online_pairs(&server)), (before.clone(), before));
}
