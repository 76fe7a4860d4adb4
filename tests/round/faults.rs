//! Lost answers, refusals, expired tokens, restarts.

use crate::passed::partners;
use crate::support::{link, text, tick, Device, Fault, Server, Wire};
use flette::journal::EntryState;
use flette::model::Key;
use flette::replica::Feed;
use flette::store::Durability;
use flette_odata::batch::{parse_batch_response, write_batch_response};
use flette_odata::{Method, Request, Response, Uuid};
use flette_server::api::Profile;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

pub fn is_push(request: &Request) -> bool {
    request.url.ends_with("$batch") && String::from_utf8_lossy(&request.body).contains("\r\nPATCH ")
}

#[test]
fn a_lost_answer_neither_doubles_nor_loses_anything() {
    not_heard(|| Fault::LoseAnswer);
}

/// It knows nothing of what became of the batch.
#[test]
fn a_gateway_that_gives_up_neither_doubles_nor_loses_anything() {
    for status in [408, 500, 502, 504] {
        not_heard(move || Fault::AnswerInstead(Response::empty(status)));
    }
}

/// What was pushed is carried out, and not answered.
fn not_heard(fault: impl Fn() -> Fault + 'static) {
    let server = Server::start();
    let online = server.user("admin");
    let old = online.create("contacts", r#"{"lastname":"Old","telephone1":"1"}"#);
    let mut device = Device::synced(&server, "demo");
    let account = device.create("account", &[("name", text("New"))]);
    device.edit("contact", old, &[("telephone1", text("2"))]);
    device.wire.fail(move |request| is_push(request).then(&fault));
    let report = device.round();
    assert!(!report.ok && report.problem.is_some(), "{report:?}");
    assert!(device.entries().iter().all(|e| e.state == EntryState::Sent));
    // More is done before anyone knows; the device restarts.
    device.edit("contact", old, &[("telephone1", text("3")), ("jobtitle", text("Boss"))]);
    device.edit("account", account, &[("telephone1", text("9"))]);
    device.restart();
    device.wire.heal();
    let report = device.sync();
    assert_eq!((report.conflicts, report.parked), (0, 0));
    assert!(device.entries().is_empty());
    let row = online.json(&format!("contacts({old})"));
    assert_eq!((row["telephone1"].as_str(), row["jobtitle"].as_str()), (Some("3"), Some("Boss")));
    let accounts = online.json("accounts?$select=name,telephone1");
    assert_eq!(accounts["value"].as_array().unwrap().len(), 1);
    assert_eq!(accounts["value"][0]["telephone1"], "9");
}

#[test]
fn a_table_that_cannot_be_read_keeps_no_other_table_back() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"There"}"#);
    let contact = online.create("contacts", r#"{"lastname":"There"}"#);
    let device = Device::new(&server, "demo");
    device
        .wire
        .fail(|request| request.url.contains("/contacts?").then(|| Fault::Answer(Response::empty(500))));
    let task = online.create("tasks", r#"{"subject":"New"}"#);
    let report = device.round();
    assert!(!report.ok && report.problem.is_some_and(|problem| problem.contains("500")));
    assert_eq!(device.text("account", account, "name"), "There");
    assert_eq!(device.text("task", task, "subject"), "New");
    assert_eq!(device.replica.state().record.last_sync, None, "nothing counts as whole");
    device.wire.heal();
    device.sync();
    assert_eq!(device.text("contact", contact, "lastname"), "There");
}

#[test]
fn a_lost_request_goes_again() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = device.create("account", &[("name", text("New"))]);
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    device.edit("account", account, &[("name", text("Newer"))]);
    device.wire.heal();
    device.sync();
    assert_eq!(server.user("admin").json(&format!("accounts({account})"))["name"], "Newer");
    assert!(device.entries().is_empty());
}

#[test]
fn a_create_whose_answer_was_lost_and_is_deleted_here_is_deleted_there() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let (lost, never) = (
        device.create("account", &[("name", text("Arrived"))]),
        device.create("account", &[("name", text("Too"))]),
    );
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
    device.round();
    device.wire.heal();
    device.delete("account", lost);
    device.delete("account", never);
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty(), "{:?}", device.conflicts());
    assert!(server.user("admin").json("accounts")["value"].as_array().unwrap().is_empty());
}

#[test]
fn nothing_goes_out_when_another_user_signs_in_within_a_round() {
    let server = Server::start();
    let admin = server.user("admin");
    let row = admin.create("accounts", r#"{"name":"Before"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("account", row, &[("name", text("Mine"))]);
    let theirs = admin.authorization();
    device.wire.fail(move |request| (!request.url.ends_with("WhoAmI")).then(|| Fault::As(theirs.clone())));
    let report = device.round();
    assert!(!report.ok && report.signed_out, "{report:?}");
    assert_eq!(admin.json(&format!("accounts({row})"))["name"], "Before");
    assert_eq!(device.entries().len(), 1);
    device.wire.heal();
    device.sync();
    assert_eq!(admin.json(&format!("accounts({row})"))["name"], "Mine");
}

#[test]
fn a_create_that_arrives_after_its_row_was_deleted_here_makes_no_row() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = device.create("account", &[("name", text("Late"))]);
    let wandering: Rc<RefCell<Option<Request>>> = Rc::default();
    let on_its_way = wandering.clone();
    device.wire.fail(move |request| {
        is_push(request).then(|| {
            *on_its_way.borrow_mut() = Some(request.clone());
            Fault::LoseRequest
        })
    });
    device.round();
    device.wire.heal();
    device.delete("account", account);
    device.sync();
    device.wire.forward(wandering.take().unwrap());
    device.sync();
    assert!(device.row("account", account).is_none() && device.entries().is_empty());
    assert_eq!(server.user("admin").ask(Method::Get, &format!("accounts({account})"), "").status, 404);
}

#[test]
fn a_row_made_here_and_deleted_there_after_a_lost_answer_does_not_come_back() {
    // A receipt says that it was made. Without one it may as well be that the row never was: the user is told.
    for (server, conflicts) in [(Server::start(), 0), (Server::bare(), 1)] {
        let device = Device::synced(&server, "demo");
        let account = device.create("account", &[("name", text("Arrived"))]);
        device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
        device.round();
        device.wire.heal();
        let online = server.user("admin");
        online.delete("accounts", account);
        device.sync();
        assert!(device.row("account", account).is_none() && device.entries().is_empty());
        assert_eq!(online.ask(Method::Get, &format!("accounts({account})"), "").status, 404);
        assert_eq!(device.conflicts().len(), conflicts);
    }
}

#[test]
fn signed_out_and_busy_hold_everything_and_lose_nothing() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let account = device.create("account", &[("name", text("Waits"))]);
    device.wire.fail(|_| Some(Fault::Answer(Response::empty(401))));
    let report = device.round();
    assert!(report.signed_out && report.reachable && !report.ok);
    device.wire.fail(|request| {
        is_push(request).then(|| Fault::Answer(Response::empty(429).header("Retry-After", "7")))
    });
    let report = device.round();
    assert_eq!((report.retry_after_millis, report.signed_out), (Some(7000), false));
    device.wire.fail(|_| Some(Fault::LoseRequest));
    assert!(!device.round().reachable);
    let page = Response {
        status: 200,
        headers: [("Content-Type", "text/html")].into_iter().collect(),
        body: b"<html>".to_vec(),
    };
    device.wire.fail(move |_| Some(Fault::Answer(page.clone())));
    assert!(!device.round().ok);
    assert_eq!(device.entries().len(), 1);
    device.wire.heal();
    device.sync();
    assert_eq!(server.user("admin").json(&format!("accounts({account})"))["name"], "Waits");
}

#[test]
fn another_user_never_sends_the_journal_of_the_first() {
    let server = Server::start();
    let mut device = Device::synced(&server, "demo");
    device.create("account", &[("name", text("Mine"))]);
    device.wire = server.user("admin");
    let report = device.round();
    assert!(report.signed_out && !report.ok);
    assert!(server.user("admin").json("accounts")["value"].as_array().unwrap().is_empty());
    assert_eq!(device.entries().len(), 1);
}

#[test]
fn a_batch_that_is_too_large_goes_in_halves() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    for n in 0..8 {
        device.create("account", &[("name", text(&format!("A{n}")))]);
    }
    device.wire.fail(|request| {
        let parts = String::from_utf8_lossy(&request.body).matches("\r\nPATCH ").count();
        (parts > 3).then(|| Fault::Answer(Response::empty(413)))
    });
    assert_eq!(device.sync().pushed, 8);
    assert!(device.entries().is_empty());
}

#[test]
fn an_expired_token_pulls_everything_again_and_finds_deletions() {
    let server = Server::start();
    let online = server.user("admin");
    let ids: Vec<_> =
        (0..120).map(|n| online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#))).collect();
    let mut device = Device::synced(&server, "demo");
    assert_eq!(device.count("contact"), 120);
    tick();
    device.edit("contact", ids[0], &[("jobtitle", text("edited"))]);
    device.edit("contact", ids[1], &[("jobtitle", text("lost"))]);
    let made = device.create("contact", &[("lastname", text("Made"))]);
    online.delete("contacts", ids[1]);
    online.delete("contacts", ids[2]);
    online.patch("contacts", ids[0], r#"{"telephone1":"9"}"#);
    device.change(|draft| {
        let mut cursor = draft.cursor("contact");
        cursor.delta_link = cursor.delta_link.map(|link| link.replace("deltatoken=", "deltatoken=99999"));
        draft.set_cursor("contact", cursor);
    });
    // Killed in the middle: pages fail after the first of the new pull, and the device restarts.
    device.wire.fail(|request| request.url.contains("skiptoken").then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    assert_eq!(
        device.count("contact"),
        121,
        "the old rows stand until all new ones are there, and so does the new one"
    );
    device.restart();
    device.wire.heal();
    device.sync();
    assert_eq!(device.count("contact"), 119);
    assert!(device.row("contact", ids[2]).is_none());
    assert_eq!(device.text("contact", ids[0], "jobtitle"), "edited");
    assert_eq!(device.text("contact", ids[0], "telephone1"), "9");
    assert_eq!(online.json(&format!("contacts({made})"))["lastname"], "Made");
    assert_eq!(device.conflicts().len(), 1);
    device.restart();
    assert_eq!(device.count("contact"), 119);
}

#[test]
fn without_organisation_level_read_changes_come_by_sweeps() {
    let server = Server::with_profile(Profile::Dataverse);
    let online = server.user("anna");
    let id = online.create("contacts", r#"{"lastname":"Swept"}"#);
    let gone = online.create("contacts", r#"{"lastname":"Gone"}"#);
    let device = Device::synced(&server, "anna");
    assert_eq!(device.replica.state().tables["contact"].cursor.feed, Feed::Sweep);
    online.patch("contacts", id, r#"{"telephone1":"5"}"#);
    online.delete("contacts", gone);
    device.edit("contact", id, &[("jobtitle", text("Boss"))]);
    device.sync();
    assert_eq!(device.text("contact", id, "telephone1"), "5");
    assert_eq!(online.json(&format!("contacts({id})"))["jobtitle"], "Boss");
    // Deletions are found by the full pull that follows after some sweeps.
    for _ in 0..25 {
        device.sync();
    }
    assert!(device.row("contact", gone).is_none());
    assert_eq!(device.count("contact"), 1);
}

#[test]
fn who_is_granted_organisation_level_read_hears_of_deletions_soon() {
    let server = Server::with_profile(Profile::Dataverse);
    let (online, admin) = (server.user("anna"), server.user("admin"));
    let gone = online.create("contacts", r#"{"lastname":"Gone"}"#);
    let device = Device::synced(&server, "anna");
    online.delete("contacts", gone);
    for _ in 0..4 {
        device.sync();
    }
    // It was denied again, and what is here is not pulled anew for that.
    let log = || device.wire.log.borrow().iter().filter(|l| l.starts_with("GET contacts?$select")).count();
    assert_eq!(device.replica.state().tables["contact"].cursor.feed, Feed::Sweep);
    let before = log();
    device.sync();
    assert_eq!(log() - before, 1, "one sweep");
    let user = online.json("WhoAmI")["UserId"].clone();
    let role = flette_server::people::Role::Administrator.id();
    let roles = format!("systemusers({})/systemuserroles_association/$ref", user.as_str().unwrap());
    let body = format!(r#"{{"@odata.id":"{}roles({role})"}}"#, admin.root());
    assert_eq!(admin.ask(Method::Post, &roles, &body).status, 204);
    for _ in 0..9 {
        device.sync();
    }
    assert_eq!(device.replica.state().tables["contact"].cursor.feed, Feed::Delta);
    assert!(device.row("contact", gone).is_none());
}

#[test]
fn a_killed_first_pull_goes_on_from_its_last_page() {
    let server = Server::start();
    let online = server.user("admin");
    for n in 0..120 {
        online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#));
    }
    let mut device = Device::new(&server, "demo");
    device.wire.fail(|request| (request.url.contains("skiptoken")).then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    device.restart();
    assert_eq!(device.count("account"), 50);
    assert!(!device.replica.state().tables["account"].cursor.complete);
    device.wire.heal();
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert_eq!(device.count("account"), 120);
    let first_calls =
        device.wire.log.borrow().iter().filter(|l| l.starts_with("GET accounts?$select")).count();
    assert!(first_calls <= 4, "{first_calls}");
}

#[test]
fn an_edit_made_while_its_row_is_being_sent_stays_and_goes_next() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let id = device.create("account", &[("name", text("One"))]);
    // The answer of a part is lost on the way, so that the entry stays sent while the user goes on.
    device.wire.fail(|request| is_push(request).then_some(Fault::LoseAnswer));
    device.round();
    device.wire.heal();
    device.edit("account", id, &[("name", text("Two"))]);
    let contact =
        device.create("contact", &[("lastname", text("L")), ("parentcustomerid", link("account", id))]);
    device.sync();
    let online = server.user("admin");
    assert_eq!(online.json(&format!("accounts({id})"))["name"], "Two");
    assert_eq!(online.json(&format!("contacts({contact})"))["_parentcustomerid_value"], id.to_string());
    let drained = device.replica.transact(device.now(), Durability::Strict, &[], |draft| {
        Ok(draft.entries_of(&Key::new("account", id)).len())
    });
    assert_eq!(pollster::block_on(drained).unwrap(), 0);
}

#[test]
fn another_lineage_pulls_everything_again_and_keeps_the_journal() {
    let (before, restored) = (Server::start(), Server::start());
    let lost = before.user("admin").create("contacts", r#"{"lastname":"Lost"}"#);
    let edited = before.user("admin").create("contacts", r#"{"lastname":"Edited","telephone1":"1"}"#);
    let online = restored.user("admin");
    let kept = online.ask(
        Method::Post,
        "contacts",
        &format!(r#"{{"contactid":"{edited}","lastname":"Edited","telephone1":"1","jobtitle":"restored"}}"#),
    );
    assert_eq!(kept.status, 204);
    let mut device = Device::synced(&before, "demo");
    let made = device.create("account", &[("name", text("Made"))]);
    device.edit("contact", edited, &[("telephone1", text("2"))]);
    device.edit("contact", lost, &[("telephone1", text("3"))]);
    device.wire = restored.user("demo");
    device.config.root = restored.root();
    device.sync();
    assert_eq!(online.json(&format!("accounts({made})"))["name"], "Made");
    assert_eq!(online.json(&format!("contacts({edited})"))["telephone1"], "2");
    assert_eq!(device.text("contact", edited, "jobtitle"), "restored");
    assert!(device.row("contact", lost).is_none());
    assert_eq!((device.conflicts().len(), device.entries().len(), device.count("contact")), (1, 0, 1));
}

#[test]
fn an_edit_upon_a_row_of_the_former_database_overwrites_nothing_unseen() {
    let (before, restored) = (Server::start(), Server::start());
    let id = before.user("admin").create("contacts", r#"{"lastname":"C","telephone1":"1"}"#);
    let online = restored.user("admin");
    let body = format!(r#"{{"contactid":"{id}","lastname":"C","telephone1":"5"}}"#);
    assert_eq!(online.ask(Method::Post, "contacts", &body).status, 204);
    let etag = |wire: &Wire| wire.json(&format!("contacts({id})"))["@odata.etag"].to_string();
    assert_eq!(etag(&before.user("admin")), etag(&online), "one etag, two versions");
    let mut device = Device::synced(&before, "demo");
    (device.wire, device.config.root) = (restored.user("demo"), restored.root());
    device.wire.fail(|request| request.url.contains("/contacts?").then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    device.wire.heal();
    tick();
    device.edit("contact", id, &[("telephone1", text("2"))]);
    device.sync();
    assert_eq!(online.json(&format!("contacts({id})"))["telephone1"], "2");
    assert_eq!(device.conflicts().len(), 1, "what was overwritten stands in the log");
}

#[test]
fn two_thousand_waiting_rows_arrive_in_slices() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let (rows, user) = (2_000_u32, device.replica.state().record.user);
    let unit = device.replica.state().record.business_unit;
    device.change(|draft| {
        for n in 0..rows {
            let id = flette_odata::Uuid::now_v7();
            crate::support::create(draft, ("account", id), &[("name", text(&format!("A{n}")))], user, unit);
        }
    });
    let mut pushed = 0;
    loop {
        let report = device.round();
        pushed += report.pushed;
        assert!(report.ok || report.more, "{report:?}");
        if report.ok {
            break;
        }
    }
    assert_eq!((pushed, device.entries().len()), (u64::from(rows), 0));
}

#[test]
fn a_deletion_does_not_count_as_done_because_another_tables_row_was_answered_in_its_place() {
    let server = Server::start();
    let online = server.user("admin");
    let doomed = online.create("contacts", r#"{"lastname":"Doomed"}"#);
    let device = Device::synced(&server, "demo");
    online.patch("contacts", doomed, r#"{"telephone1":"1"}"#);
    tick();
    device.create("account", &[("name", text("New"))]);
    device.delete("contact", doomed);
    let line = device.wire.twin();
    device.wire.fail(move |request| {
        is_push(request).then(|| {
            let answer = line.forward(request.clone());
            let kind = answer.headers.get("Content-Type").unwrap();
            let mut answers = parse_batch_response(kind, &answer.body).unwrap();
            answers.swap(0, 1);
            Fault::Answer(write_batch_response(&answers, Uuid::from_u128(1), 200))
        })
    });
    device.round();
    device.wire.heal();
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(online.ask(Method::Get, &format!("contacts({doomed})"), "").status, 404);
    assert_eq!(online.json("accounts")["value"].as_array().unwrap().len(), 1);
}

/// A row that its reader may not see for a while: gone by its id, and there at both ends of the delta.
#[test]
fn a_row_that_is_out_of_sight_while_it_is_read_and_back_before_the_feed_is_asked_stays() {
    let server = Server::start();
    let (online, reader) = (server.user("admin"), server.user("anna"));
    let text_of = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let me = text_of(&reader.json("WhoAmI")["UserId"]);
    let unit = text_of(&online.json("WhoAmI")["BusinessUnitId"]);
    let (team, members) = partners(&online, &unit);
    let refer = |target: String| format!(r#"{{"@odata.id":"{}{target}"}}"#, online.root());
    let row =
        online.create("accounts", &format!(r#"{{"name":"Shared","ownerid@odata.bind":"/teams({team})"}}"#));
    let member = refer(format!("systemusers({me})"));
    assert_eq!(online.ask(Method::Post, &format!("{members}/$ref"), &member).status, 204);
    let device = Device::synced(&server, "anna");
    assert_eq!(device.text("account", row, "name"), "Shared");
    device.edit("account", row, &[("name", text("Edited"))]);
    let (admin, step) = (online.twin(), Cell::new(0));
    device.wire.fail(move |request| {
        let reads = String::from_utf8_lossy(&request.body).contains(&format!("accounts({row})"));
        match (step.get(), is_push(request), reads) {
            (0, true, _) => {
                assert_eq!(admin.ask(Method::Delete, &format!("{members}({me})/$ref"), "").status, 204);
                step.set(1);
            }
            (1, _, true) => step.set(2),
            (2, false, _) => {
                assert_eq!(admin.ask(Method::Post, &format!("{members}/$ref"), &member).status, 204);
                step.set(3);
            }
            _ => {}
        }
        None
    });
    device.sync();
    device.wire.heal();
    device.sync();
    assert_eq!(device.text("account", row, "name"), "Shared");
    assert_eq!((device.conflicts().len(), device.entries().len()), (1, 0), "what was written is kept");
}
