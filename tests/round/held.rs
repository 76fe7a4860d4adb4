//! Rows that others hold, changed offline and pushed: parties of activities, pairs of rows.

use crate::several::{ask, shown, stripped, tell};
use crate::support::{Device, Fault, Server};
use flette_odata::{Method, Request, Uuid};
use serde_json::Value as Json;
use std::cell::Cell;

pub fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Parties of an activity without their ids, as text.
fn parties(answer: &Json) -> Vec<String> {
    let rows = answer["value"].as_array().unwrap().iter();
    let mut told: Vec<String> = rows
        .map(|row| {
            format!("{} {} {}", row["participationtypemask"], row["_partyid_value"], row["addressused"])
        })
        .collect();
    told.sort();
    told
}

fn parties_path(activity: &str) -> String {
    format!("activityparties?$filter=_activityid_value eq {activity}")
}

pub fn online_parties(server: &Server, activity: &str) -> Vec<String> {
    parties(&server.user("admin").json(&parties_path(activity).replace(' ', "%20")))
}

pub fn shown_parties(device: &Device, activity: &str) -> Vec<String> {
    parties(&shown(device, &parties_path(activity)))
}

pub fn party(column: &str, target: &str, part: u32) -> String {
    format!(r#"{{"{column}@odata.bind":"/{target}","participationtypemask":{part}}}"#)
}

/// The pairs of accounts and leads, as text.
fn pairs(answer: &Json) -> Vec<String> {
    let rows = answer["value"].as_array().unwrap().iter();
    let mut told: Vec<String> = rows.map(|row| format!("{} {}", row["accountid"], row["leadid"])).collect();
    told.sort();
    told
}

pub fn online_pairs(server: &Server) -> Vec<String> {
    pairs(&server.user("admin").json("accountleadscollection"))
}

pub fn shown_pairs(device: &Device) -> Vec<String> {
    pairs(&shown(device, "accountleadscollection"))
}

pub fn with_rows(server: &Server) {
    let online = server.user("demo");
    for n in [1, 2] {
        online.create("accounts", &format!(r#"{{"accountid":"{}","name":"A{n}"}}"#, id(n)));
        online.create("leads", &format!(r#"{{"leadid":"{}","subject":"L{n}","lastname":"L"}}"#, id(10 + n)));
        online.create("contacts", &format!(r#"{{"contactid":"{}","lastname":"C{n}"}}"#, id(20 + n)));
    }
    let sender = party("partyid_contact", &format!("contacts({})", id(21)), 1);
    let receiver = party("partyid_contact", &format!("contacts({})", id(22)), 2);
    online.create(
        "emails",
        &format!(
            r#"{{"activityid":"{}","subject":"Old mail","email_activity_parties":[{sender},{receiver}]}}"#,
            id(30)
        ),
    );
    let link = format!(r#"{{"@odata.id":"leads({})"}}"#, id(11));
    let path = format!("accounts({})/accountleads_association/$ref", id(1));
    assert_eq!(online.ask(Method::Post, &path, &link).status, 204);
}

/// Changes of each kind.
fn change_all(device: &Device) {
    let contact = |n: u32| format!("contacts({})", id(n));
    // A new activity with its parties, one of whom is new as well.
    tell(device, "POST", "contacts", &format!(r#"{{"contactid":"{}","lastname":"New"}}"#, id(23)));
    tell(
        device,
        "POST",
        "emails",
        &format!(
            r#"{{"activityid":"{}","subject":"New mail","email_activity_parties":[{},{{"addressused":"x@example.org","participationtypemask":3}}]}}"#,
            id(31),
            party("partyid_contact", &contact(23), 2)
        ),
    );
    // A set that is replaced, and its activity edited beside it.
    tell(
        device,
        "PUT",
        &format!("emails({})/email_activity_parties", id(30)),
        &format!(
            r#"{{"value":[{},{}]}}"#,
            party("partyid_contact", &contact(22), 1),
            party("partyid_account", &format!("accounts({})", id(1)), 2)
        ),
    );
    tell(device, "PATCH", &format!("emails({})", id(30)), r#"{"subject":"Edited mail"}"#);
    // Pairs: one goes, one comes, one of rows that are new.
    tell(device, "DELETE", &format!("accounts({})/accountleads_association({})/$ref", id(1), id(11)), "");
    let link = |n: u32| format!(r#"{{"@odata.id":"leads({})"}}"#, id(n));
    tell(device, "POST", &format!("accounts({})/accountleads_association/$ref", id(2)), &link(12));
    tell(
        device,
        "POST",
        "accounts",
        &format!(
            r#"{{"accountid":"{}","name":"Deep","accountleads_association":[{{"leadid":"{}","subject":"Deep","lastname":"L"}}],"accountleads_association@odata.bind":["leads({})"]}}"#,
            id(3),
            id(13),
            id(11)
        ),
    );
}

const READS: [&str; 3] =
    ["emails?$orderby=activityid", "leads?$orderby=leadid", "accounts?$orderby=accountid"];

/// Everything that a device shows of what `change_all` touches.
fn view(device: &Device) -> (Vec<Json>, Vec<Vec<String>>, Vec<String>) {
    (
        READS.iter().map(|path| shown(device, path)).collect(),
        [30, 31].iter().map(|n| shown_parties(device, &id(*n))).collect(),
        shown_pairs(device),
    )
}

fn server_view(server: &Server) -> (Vec<Json>, Vec<Vec<String>>, Vec<String>) {
    let online = server.user("admin");
    (
        READS.iter().map(|path| stripped(online.json(path))).collect(),
        [30, 31].iter().map(|n| online_parties(server, &id(*n))).collect(),
        online_pairs(server),
    )
}

#[test]
fn what_rows_hold_arrives_as_it_was_shown() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    change_all(&device);
    let before = view(&device);
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert!(device.entries().is_empty());
    assert_eq!(server_view(&server), before);
    assert_eq!(view(&device), before);
    // The ids are those of the server.
    let ids = |answer: Json| -> Vec<String> {
        let mut ids: Vec<String> = answer["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["activitypartyid"].to_string())
            .collect();
        ids.sort();
        ids
    };
    let online = server.user("admin");
    assert_eq!(ids(online.json("activityparties")), ids(shown(&device, "activityparties")));
}

#[test]
fn what_rows_hold_is_told_once_whatever_is_lost() {
    for fault in [|| Fault::LoseAnswer, || Fault::LoseRequest] {
        let server = Server::start();
        with_rows(&server);
        let mut device = Device::with_all_tables(&server, "demo");
        change_all(&device);
        let before = view(&device);
        let pushes =
            |r: &Request| r.url.ends_with("$batch") && String::from_utf8_lossy(&r.body).contains("/$ref ");
        device.wire.fail(move |request| pushes(request).then(fault));
        device.round();
        assert!(!device.entries().is_empty());
        device.restart();
        assert_eq!(view(&device), before);
        device.wire.heal();
        device.sync();
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert_eq!(server_view(&server), before);
        assert_eq!(view(&device), before);
    }
}

#[test]
fn parties_of_two_hands_come_together() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let path = format!("emails({})/email_activity_parties", id(30));
    let (first, second) = (format!("contacts({})", id(21)), format!("contacts({})", id(22)));
    let stays = [party("partyid_contact", &first, 1), party("partyid_contact", &second, 2)];
    let set = |more: &str| format!(r#"{{"value":[{},{},{more}]}}"#, stays[0], stays[1]);
    tell(&device, "PUT", &path, &set(&party("partyid_account", &format!("accounts({})", id(1)), 3)));
    let other = server.user("admin");
    let theirs = set(r#"{"addressused":"there@example.org","participationtypemask":4}"#);
    assert_eq!(other.ask(Method::Put, &path, &theirs).status, 204);
    device.sync();
    assert!(device.entries().is_empty());
    let all = online_parties(&server, &id(30));
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(shown_parties(&device, &id(30)), all);
}

#[test]
fn a_pair_that_both_made_is_one() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let path = format!("accounts({})/accountleads_association/$ref", id(2));
    let link = format!(r#"{{"@odata.id":"leads({})"}}"#, id(12));
    tell(&device, "POST", &path, &link);
    assert_eq!(server.user("admin").ask(Method::Post, &path, &link).status, 204);
    let both = shown_pairs(&device);
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!((shown_pairs(&device), online_pairs(&server)), (both.clone(), both));
}

#[test]
fn what_a_row_held_goes_with_it_and_comes_back_with_it() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let before = shown_pairs(&device);
    tell(&device, "DELETE", &format!("leads({})", id(11)), "");
    assert_eq!(shown_pairs(&device), Vec::<String>::new());
    let deletion = device.entries().last().unwrap().op;
    device.change(|draft| draft.discard(deletion).unwrap());
    assert_eq!(shown_pairs(&device), before);
    // A pair made and its row deleted, before anything is told.
    tell(
        &device,
        "POST",
        &format!("accounts({})/accountleads_association/$ref", id(2)),
        &format!(r#"{{"@odata.id":"leads({})"}}"#, id(11)),
    );
    tell(&device, "DELETE", &format!("leads({})", id(11)), "");
    tell(&device, "DELETE", &format!("emails({})", id(30)), "");
    assert_eq!((shown_pairs(&device).len(), shown_parties(&device, &id(30)).len()), (0, 0));
    let report = device.sync();
    assert_eq!(report.parked, 0, "{report:?}");
    assert!(device.entries().is_empty());
    assert_eq!((online_pairs(&server).len(), online_parties(&server, &id(30)).len()), (0, 0));
}

#[test]
fn a_set_of_an_activity_that_is_gone_is_kept_for_the_user() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let path = format!("emails({})/email_activity_parties", id(30));
    tell(
        &device,
        "PUT",
        &path,
        r#"{"value":[{"addressused":"late@example.org","participationtypemask":2}]}"#,
    );
    let free = Uuid::from_u128(99);
    tell(&device, "POST", "accounts", &format!(r#"{{"accountid":"{free}","name":"Free"}}"#));
    server.user("admin").delete("emails", id(30).parse().unwrap());
    device.round();
    assert!(device.entries().iter().all(flette::journal::Entry::is_parked), "{:?}", device.entries());
    assert!(!device.entries().is_empty());
    assert_eq!(server.user("admin").json(&format!("accounts({free})"))["name"], "Free");
    for entry in device.entries() {
        device.change(|draft| draft.discard(entry.op).unwrap());
    }
    device.sync();
    assert!(device.entries().is_empty());
}

#[test]
fn parties_replaced_and_the_activity_closed_in_one_set_arrive_together() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let part = |at: u32, line: &str, body: &str| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {at}\r\n\r\n{line} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let close = part(1, &format!("PATCH emails({})", id(30)), r#"{"statecode":1,"statuscode":2}"#);
    let replace = part(
        2,
        &format!("PUT emails({})/email_activity_parties", id(30)),
        r#"{"value":[{"addressused":"last@example.org","participationtypemask":2}]}"#,
    );
    let body =
        format!("--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n{replace}{close}--c--\r\n--b--\r\n");
    let request = Request::new(Method::Post, "/api/data/v9.2/$batch")
        .header("Content-Type", "multipart/mixed;boundary=b");
    let request = Request { body: body.into_bytes(), ..request };
    let door = flette::api::Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
    let answer = pollster::block_on(flette::api::answer(&device.replica, &request, door));
    assert!(
        matches!(answer, flette::api::Answer::Here(ref response) if response.status == 200),
        "{answer:?}"
    );
    let before = shown_parties(&device, &id(30));
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert_eq!(online_parties(&server, &id(30)), before);
    assert_eq!(server.user("admin").json(&format!("emails({})", id(30)))["statecode"], 1);
    assert_eq!(ask(&device, "GET", &format!("emails({})", id(30)), "").status, 200);
}

#[test]
fn held_rows_that_cannot_be_followed_are_pulled_whole() {
    let server = Server::start();
    with_rows(&server);
    let mut device = Device::new(&server, "demo");
    device.config.tables = crate::support::all_tables();
    // Who may not read everything is not told what changed.
    let refused = |r: &Request| {
        let held = r.url.contains("/activityparties?") || r.url.contains("/accountleadscollection?");
        held && r.headers.all("Prefer").any(|prefer| prefer.contains("track-changes"))
    };
    let denied = || flette_odata::ODataError::new(403, "0x80040220", "no").to_response();
    device.wire.fail(move |r| refused(r).then(|| Fault::Answer(denied())));
    device.sync();
    assert_eq!(shown_pairs(&device), online_pairs(&server));
    let path = format!("emails({})/email_activity_parties", id(30));
    let online = server.user("admin");
    let one = r#"{"value":[{"addressused":"only@example.org","participationtypemask":2}]}"#;
    assert_eq!(online.ask(Method::Put, &path, one).status, 204);
    let pair = format!("accounts({})/accountleads_association", id(1));
    assert_eq!(online.ask(Method::Delete, &format!("{pair}({})/$ref", id(11)), "").status, 204);
    // Both make the same pair; here nobody hears that it was made.
    let link = format!(r#"{{"@odata.id":"leads({})"}}"#, id(12));
    tell(&device, "POST", &format!("{pair}/$ref"), &link);
    assert_eq!(online.ask(Method::Post, &format!("{pair}/$ref"), &link).status, 204);
    let pushes =
        |r: &Request| r.url.ends_with("$batch") && String::from_utf8_lossy(&r.body).contains("/$ref ");
    device.wire.fail(move |r| match (pushes(r), refused(r)) {
        (true, _) => Some(Fault::LoseAnswer),
        (_, true) => Some(Fault::Answer(denied())),
        (false, false) => None,
    });
    device.round();
    device.round();
    assert_eq!(shown_pairs(&device), online_pairs(&server));
    device.wire.heal();
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!(shown_parties(&device, &id(30)), online_parties(&server, &id(30)));
    assert_eq!((shown_pairs(&device).len(), online_pairs(&server).len()), (1, 1));
}

#[test]
fn an_activity_that_changes_during_a_pull_is_not_here_without_its_new_parties() {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    let online = server.user("demo");
    let new = format!(r#"{{"value":[{}]}}"#, party("partyid_contact", &format!("contacts({})", id(21)), 2));
    let path = format!("emails({})/email_activity_parties", id(30));
    // The parties were asked for before.
    let done = Cell::new(false);
    device.wire.fail(move |request| {
        if request.url.contains("/contacts?") && request.url.contains("deltatoken") && !done.replace(true) {
            assert_eq!(online.ask(Method::Put, &path, &new).status, 204);
        }
        None
    });
    device.sync();
    assert_eq!(shown_parties(&device, &id(30)), online_parties(&server, &id(30)));
    assert_eq!(shown_parties(&device, &id(30)).len(), 1);
}

/// The tables of a pair's near row and of an activity are missing for a while: what is told through them waits with a reason, what goes
/// beside it gets its own answers, and all of it arrives in the end.
#[test]
fn what_is_told_through_a_table_that_is_missing_waits_and_shifts_no_answer() {
    let server = Server::start();
    with_rows(&server);
    let online = server.user("admin");
    let device = Device::with_all_tables(&server, "demo");
    let link = format!(r#"{{"@odata.id":"leads({})"}}"#, id(12));
    tell(&device, "POST", &format!("accounts({})/accountleads_association/$ref", id(2)), &link);
    let body = format!(r#"{{"value":[{}]}}"#, party("partyid_contact", &format!("contacts({})", id(22)), 1));
    tell(&device, "PUT", &format!("emails({})/email_activity_parties", id(30)), &body);
    tell(&device, "DELETE", &format!("contacts({})", id(21)), "");
    tell(&device, "PATCH", &format!("contacts({})", id(22)), r#"{"telephone1":"1"}"#);
    // The server knows a newer version of the row that is deleted here: only its own answer says so.
    online.patch("contacts", id(21).parse().unwrap(), r#"{"jobtitle":"Boss"}"#);
    let wire = server.user("demo");
    device.wire.fail(move |request| {
        let body = String::from_utf8_lossy(&request.body);
        body.contains("EntityDefinitions").then(|| {
            let gone = |body: &str, table: &str| {
                body.replace(&format!("LogicalName='{table}'"), "LogicalName='none'")
            };
            let body = gone(&gone(&body, "account"), "email");
            Fault::Answer(wire.forward(Request { body: body.into_bytes(), ..request.clone() }))
        })
    });
    // All definitions are read.
    device.change(|draft| {
        (draft.record.schema_checked, draft.record.definition_stamp) = (None, None);
    });
    device.round();
    let left: Vec<(String, bool)> =
        device.entries().into_iter().map(|entry| (entry.key.table.clone(), entry.is_parked())).collect();
    assert!(left.iter().all(|(_, parked)| *parked), "{left:?}");
    assert!(left.iter().all(|(table, _)| table != "contact") && left.len() > 1, "{left:?}");
    assert_eq!(online.json(&format!("contacts({})", id(22)))["telephone1"], "1");
    device.wire.heal();
    device.change(|draft| draft.record.schema_checked = None);
    device.sync();
    assert!(device.entries().is_empty());
    assert_eq!(shown_pairs(&device), online_pairs(&server));
    assert_eq!(shown_parties(&device, &id(30)), online_parties(&server, &id(30)));
    assert_eq!(online_parties(&server, &id(30)).len(), 1);
}
