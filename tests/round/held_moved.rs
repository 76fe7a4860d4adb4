//! Sets that somebody else replaced meanwhile: whoever is kept in them has another id since.

use crate::held::{id, online_parties, party, shown_parties, with_rows};
use crate::several::tell;
use crate::support::{Device, Fault, Server};
use flette_odata::{Method, Request};

fn path() -> String {
    format!("emails({})/email_activity_parties", id(30))
}

fn contact(n: u32, part: u32) -> String {
    party("partyid_contact", &format!("contacts({})", id(n)), part)
}

/// The sender and the receiver of the mail, as it was at first.
fn first() -> String {
    contact(21, 1)
}

fn second() -> String {
    contact(22, 2)
}

fn address(name: &str) -> String {
    format!(r#"{{"addressused":"{name}@example.org","participationtypemask":3}}"#)
}

fn set(parties: &[String]) -> String {
    format!(r#"{{"value":[{}]}}"#, parties.join(","))
}

fn replace_here(device: &Device, parties: &[String]) {
    tell(device, "PUT", &path(), &set(parties));
}

fn replace_there(server: &Server, parties: &[String]) {
    assert_eq!(server.user("admin").ask(Method::Put, &path(), &set(parties)).status, 204);
}

fn is_push(request: &Request) -> bool {
    request.url.ends_with("$batch") && String::from_utf8_lossy(&request.body).contains("PUT ")
}

/// Reads the mail, to see its set before that is replaced.
fn reads_mail(request: &Request) -> bool {
    let body = String::from_utf8_lossy(&request.body);
    request.url.ends_with("$batch") && body.contains(&format!("emails({})/email_activity_parties", id(30)))
}

/// Pulls, while nothing can be told of the mail since it cannot be read for that.
fn pull(device: &Device) {
    let unreadable = |body: &str| body.replace("\"activityid\"", "\"other\"");
    device.wire.fail(move |request| reads_mail(request).then_some(Fault::Told(unreadable)));
    device.round();
    device.wire.heal();
}

/// Who takes part, as (server, device) tell, without what they are told as.
#[track_caller]
fn check(server: &Server, device: &Device, expected: usize, without: &[&str]) {
    let (there, here) = (online_parties(server, &id(30)), shown_parties(device, &id(30)));
    assert_eq!(there.len(), expected, "{there:?}");
    assert_eq!(here, there);
    for who in without {
        assert!(!there.iter().any(|party| party.contains(who)), "{who} is there: {there:?}");
    }
    assert!(device.entries().is_empty(), "{:?}", device.entries());
}

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

#[test]
fn who_is_taken_out_here_stays_out_though_the_set_was_replaced_there() {
    for pulls in [false, true] {
        let Both { server, device } = both();
        replace_here(&device, &[first()]);
        replace_there(&server, &[first(), second(), address("there")]);
        if pulls {
            pull(&device);
            assert_eq!(shown_parties(&device, &id(30)).len(), 2);
        }
        let report = device.sync();
        assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
        check(&server, &device, 2, &[&id(22)]);
    }
}

#[test]
fn who_is_taken_out_there_stays_out_though_the_set_was_replaced_here() {
    for pulls in [false, true] {
        let Both { server, device } = both();
        replace_here(&device, &[first(), second(), address("here")]);
        replace_there(&server, &[first(), address("there")]);
        if pulls {
            pull(&device);
        }
        device.sync();
        check(&server, &device, 3, &[&id(22)]);
    }
}

#[test]
fn who_is_kept_on_both_sides_stands_once_at_all_times() {
    let Both { server, device } = both();
    replace_here(&device, &[first(), second(), address("here"), address("both")]);
    replace_there(&server, &[first(), second(), address("there"), address("both")]);
    pull(&device);
    let shown = shown_parties(&device, &id(30));
    assert_eq!(shown.len(), 5, "{shown:?}");
    // An app saves what it is shown.
    replace_here(
        &device,
        &[first(), second(), address("here"), address("there"), address("both"), address("more")],
    );
    device.sync();
    check(&server, &device, 6, &[]);
}

#[test]
fn who_is_taken_out_while_the_set_is_under_way_stays_out() {
    for fault in [|| Fault::LoseAnswer, || Fault::LoseRequest] {
        let Both { server, device } = both();
        replace_here(&device, &[first(), address("here")]);
        device.wire.fail(move |request| is_push(request).then(fault));
        device.round();
        device.wire.heal();
        replace_here(&device, &[first()]);
        let report = device.sync();
        assert_eq!(report.parked, 0, "{report:?}");
        check(&server, &device, 1, &["here@", &id(22)]);
    }
}

#[test]
fn what_is_taken_out_of_a_set_that_is_gone_is_no_matter() {
    for left in [vec![], vec![first()]] {
        let Both { server, device } = both();
        replace_here(&device, &left);
        let mail = format!("emails({})", id(30));
        assert_eq!(server.user("admin").ask(Method::Delete, &mail, "").status, 204);
        let report = device.sync();
        assert_eq!((report.parked, device.entries().len()), (0, 0), "{report:?}");
    }
}

/// Replaces the set while nobody hears of it, so often; `arrives`: the server does.
fn replace_unheard(device: &Device, parties: &[String], (arrives, times): (bool, u32)) {
    replace_here(device, parties);
    device.wire.fail(move |request| {
        is_push(request).then_some(if arrives { Fault::LoseAnswer } else { Fault::LoseRequest })
    });
    (0..times).for_each(|_| drop(device.round()));
    device.wire.heal();
}

#[test]
fn who_is_kept_stays_in_though_the_answer_was_lost_and_the_set_was_replaced_again() {
    for (receipts, times) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
        println!("receipts: {receipts}, lost: {times}");
        let server = if receipts { Server::start() } else { Server::bare() };
        with_rows(&server);
        let device = Device::with_all_tables(&server, "demo");
        replace_unheard(&device, &[first(), address("here")], (true, times));
        replace_here(&device, &[first(), address("here"), address("more")]);
        pull(&device);
        let shown = shown_parties(&device, &id(30));
        assert!(shown.iter().any(|party| party.contains(&id(21))), "{shown:?}");
        device.sync();
        check(&server, &device, 3, &[&id(22)]);
    }
}

#[test]
fn who_is_taken_out_stays_out_though_the_request_was_lost_and_the_set_was_replaced_there() {
    for (receipts, times) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
        for here in [vec![first()], vec![first(), address("here")]] {
            println!("receipts: {receipts}, lost: {times}");
            let server = if receipts { Server::start() } else { Server::bare() };
            with_rows(&server);
            let device = Device::with_all_tables(&server, "demo");
            replace_unheard(&device, &here, (false, times));
            replace_there(&server, &[first(), second(), address("there")]);
            device.sync();
            check(&server, &device, here.len() + 1, &[&id(22)]);
        }
    }
}

#[test]
fn who_is_put_in_and_taken_out_again_stays_out_whatever_was_lost() {
    for (receipts, times) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
        for kept_there in [false, true] {
            println!("receipts: {receipts}, lost: {times}");
            let server = if receipts { Server::start() } else { Server::bare() };
            with_rows(&server);
            let device = Device::with_all_tables(&server, "demo");
            replace_unheard(&device, &[first(), address("mine")], (true, times));
            replace_here(&device, &[first()]);
            match kept_there {
                true => replace_there(&server, &[first(), address("mine"), address("there")]),
                false => replace_there(&server, &[first(), address("there")]),
            }
            device.sync();
            check(&server, &device, 2, &["mine@", &id(22)]);
        }
    }
}

#[test]
fn a_set_that_is_saved_as_it_was_is_not_told() {
    let Both { server, device } = both();
    let before = server.user("admin").json(&format!("emails({})", id(30)));
    replace_here(&device, &[first(), second()]);
    device.sync();
    check(&server, &device, 2, &[]);
    assert_eq!(server.user("admin").json(&format!("emails({})", id(30))), before);
}
