//! What rows hold, changed more than once before all of it was told, and in change sets with other rows.

use crate::held::{id, online_pairs, online_parties, party, shown_pairs, shown_parties, with_rows};
use crate::several::tell;
use crate::support::{edit, text, Device, Fault, Server};
use flette::model::{Key, Value};
use flette_odata::{Method, Request, Uuid};

struct Both {
    server: Server,
    device: Device,
}

fn both() -> Both {
    let server = Server::start();
    with_rows(&server);
    let device = Device::with_all_tables(&server, "demo");
    Both { server, device }
}

fn uuid(n: u32) -> Uuid {
    id(n).parse().unwrap()
}

fn pair_path() -> String {
    format!("accounts({})/accountleads_association", id(2))
}

fn join(device: &Device) {
    tell(
        device,
        "POST",
        &format!("{}/$ref", pair_path()),
        &format!(r#"{{"@odata.id":"leads({})"}}"#, id(12)),
    );
}

fn part(device: &Device) {
    tell(device, "DELETE", &format!("{}({})/$ref", pair_path(), id(12)), "");
}

fn says(request: &Request, what: &str) -> bool {
    request.url.ends_with("$batch") && String::from_utf8_lossy(&request.body).contains(what)
}

fn joins(request: &Request) -> bool {
    says(request, "/accountleads_association/$ref ")
}

fn parts(request: &Request) -> bool {
    says(request, "DELETE ")
}

#[test]
fn a_pair_that_is_made_taken_away_and_made_again_stands() {
    for (pulls, receipts) in [(false, true), (true, true), (true, false)] {
        let server = if receipts { Server::start() } else { Server::bare() };
        with_rows(&server);
        let device = Device::with_all_tables(&server, "demo");
        let before = online_pairs(&server).len();
        join(&device);
        device.wire.fail(|request| joins(request).then_some(Fault::LoseAnswer));
        device.round();
        device.wire.heal();
        assert_eq!(online_pairs(&server).len(), before + 1);
        part(&device);
        join(&device);
        assert_eq!(shown_pairs(&device).len(), before + 1);
        if pulls {
            // What was sent goes again in vain, so that a page tells of the pair.
            device.wire.fail(|request| joins(request).then_some(Fault::LoseAnswer));
            device.round();
            device.wire.heal();
            assert_eq!(shown_pairs(&device).len(), before + 1);
        }
        device.sync();
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert_eq!(online_pairs(&server).len(), before + 1);
        assert_eq!(shown_pairs(&device), online_pairs(&server));
    }
}

#[test]
fn a_pair_that_is_taken_away_while_it_is_made_is_not_shown() {
    let Both { server, device } = both();
    let before = online_pairs(&server);
    join(&device);
    device.wire.fail(|request| joins(request).then_some(Fault::LoseAnswer));
    device.round();
    part(&device);
    // Its making is settled, and taking it away fails.
    device.wire.fail(|request| parts(request).then_some(Fault::LoseRequest));
    device.round();
    device.wire.heal();
    assert_eq!(online_pairs(&server).len(), before.len() + 1);
    assert_eq!(shown_pairs(&device), before);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!((shown_pairs(&device), online_pairs(&server)), (before.clone(), before));
}

#[test]
fn a_set_that_is_replaced_between_opening_its_activity_and_closing_it_again_arrives() {
    let Both { server, device } = both();
    let online = server.user("admin");
    online.patch("emails", uuid(30), r#"{"statecode":1,"statuscode":2}"#);
    device.sync();
    let mail = format!("emails({})", id(30));
    tell(&device, "PATCH", &mail, r#"{"statecode":0,"statuscode":1}"#);
    let only = format!(r#"{{"value":[{}]}}"#, party("partyid_contact", &format!("contacts({})", id(22)), 1));
    tell(&device, "PUT", &format!("{mail}/email_activity_parties"), &only);
    tell(&device, "PATCH", &mail, r#"{"statecode":1,"statuscode":2}"#);
    let shown = shown_parties(&device, &id(30));
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!((online_parties(&server, &id(30)), shown.len()), (shown, 1));
    assert_eq!(online.json(&mail)["statecode"], 1);
}

/// In one change set: a lead gets another subject, and is no matter to what else there is: a pair, and the set of a mail.
fn change_as_one(device: &Device) {
    device.change(|draft| {
        draft.begin_change_set();
        edit(draft, &Key::new("lead", uuid(11)), &[("subject", text("Ours"))]);
        let ends = [("accountid", uuid(2)), ("leadid", uuid(12))];
        let pair = ends.map(|(name, id)| (name.to_owned(), Value::Guid(id)));
        draft.create(Key::new("accountleads", uuid(77)), pair.into());
        let parties: Vec<Key> = draft.state().tables["activityparty"]
            .mirror
            .iter()
            .flat_map(|m| m.ids())
            .map(|id| Key::new("activityparty", id))
            .collect();
        draft.delete(&parties[0]);
        draft.end_change_set();
    });
}

#[test]
fn what_rows_hold_goes_on_where_another_row_of_the_change_set_was_deleted_there() {
    let Both { server, device } = both();
    change_as_one(&device);
    server.user("admin").delete("leads", uuid(11));
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 1), "{report:?}");
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    let link = format!("\"{}\" \"{}\"", id(2), id(12));
    assert_eq!((online_pairs(&server), shown_pairs(&device)), (vec![link.clone()], vec![link]));
    assert_eq!(online_parties(&server, &id(30)).len(), 1);
    assert_eq!(shown_parties(&device, &id(30)), online_parties(&server, &id(30)));
}

#[test]
fn a_change_set_is_parked_where_what_it_pairs_was_deleted_there() {
    for gone in [("leads", 12), ("accounts", 2)] {
        let Both { server, device } = both();
        change_as_one(&device);
        server.user("admin").delete(gone.0, uuid(gone.1));
        let report = device.round();
        assert!(report.parked > 0, "{report:?}");
        assert!(device.entries().iter().all(flette::journal::Entry::is_parked), "{:?}", device.entries());
        // It can be tried again once the row is back, or given up.
        let ops: Vec<_> = device.entries().iter().map(|entry| entry.op).collect();
        ops.into_iter().for_each(|op| device.change(|draft| draft.discard(op).unwrap_or(())));
        device.sync();
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert_eq!(shown_pairs(&device), online_pairs(&server));
        assert_eq!(server.user("admin").json(&format!("leads({})", id(11)))["subject"], "L1");
    }
}

#[test]
fn a_pair_with_a_row_that_was_deleted_there_is_parked() {
    for gone in [("leads", 12), ("accounts", 2)] {
        let Both { server, device } = both();
        join(&device);
        assert_eq!(
            server.user("admin").ask(Method::Delete, &format!("{}({})", gone.0, id(gone.1)), "").status,
            204
        );
        let report = device.round();
        assert_eq!(report.parked, 1, "{report:?}");
        assert!(device.entries().iter().all(flette::journal::Entry::is_parked), "{:?}", device.entries());
    }
}

/// A set is replaced and its mail closed, by requests of their own; the mail may have been edited before, or be new.
#[test]
fn an_activity_is_closed_after_its_set_was_replaced_whatever_fails() {
    for (edited, fails) in [(false, false), (true, false), (true, true), (false, true)] {
        let Both { server, device } = both();
        let mail = format!("emails({})", id(30));
        if edited {
            tell(&device, "PATCH", &mail, r#"{"subject":"Edited"}"#);
        }
        let only =
            format!(r#"{{"value":[{}]}}"#, party("partyid_contact", &format!("contacts({})", id(22)), 1));
        tell(&device, "PUT", &format!("{mail}/email_activity_parties"), &only);
        tell(&device, "PATCH", &mail, r#"{"statecode":1,"statuscode":2}"#);
        if fails {
            let broken =
                |body: &str| body.replace("/email_activity_parties HTTP", "/none_activity_parties HTTP");
            let wire = server.user("demo");
            device.wire.fail(move |request| {
                says(request, "PUT ").then(|| {
                    let body = broken(&String::from_utf8_lossy(&request.body)).into_bytes();
                    let answer = wire.forward(Request { body, ..request.clone() });
                    let text = String::from_utf8_lossy(&answer.body).replace("HTTP/1.1 404", "HTTP/1.1 503");
                    Fault::Answer(flette_odata::Response { body: text.into_bytes(), ..answer })
                })
            });
            device.round();
            device.wire.heal();
            assert_eq!(server.user("admin").json(&mail)["statecode"], 0);
        }
        let report = device.sync();
        assert_eq!((report.parked, report.conflicts), (0, 0), "{edited} {fails}: {report:?}");
        assert!(device.entries().is_empty(), "{:?}", device.entries());
        assert_eq!(online_parties(&server, &id(30)).len(), 1);
        assert_eq!(server.user("admin").json(&mail)["statecode"], 1);
    }
}

#[test]
fn a_new_activity_is_closed_after_its_set_was_replaced() {
    let Both { server, device } = both();
    let mail = format!("emails({})", id(31));
    let set = |n: u32| party("partyid_contact", &format!("contacts({})", id(n)), 1);
    let body =
        format!(r#"{{"activityid":"{}","subject":"New","email_activity_parties":[{}]}}"#, id(31), set(21));
    tell(&device, "POST", "emails", &body);
    tell(&device, "PUT", &format!("{mail}/email_activity_parties"), &format!(r#"{{"value":[{}]}}"#, set(22)));
    tell(&device, "PATCH", &mail, r#"{"statecode":1,"statuscode":2}"#);
    let shown = shown_parties(&device, &id(31));
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!(online_parties(&server, &id(31)), shown);
    assert_eq!(server.user("admin").json(&mail)["statecode"], 1);
}
