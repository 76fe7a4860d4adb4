//! A server that asks for patience is left alone by rounds that nobody asked for.

use crate::station::Station;
use crate::support::{Fault, Server, TABLES};
use flette::sync::Report;
use flette_odata::Response;

fn due(station: &Station) -> Report {
    pollster::block_on(station.engine.round_if_due())
}

#[test]
fn no_round_begins_by_itself_while_the_server_wants_to_be_left_alone() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let account = station.create("accounts", r#"{"name":"Waits"}"#);
    for status in [429, 503] {
        station.wire.fail(move |_| Some(Fault::Answer(Response::empty(status).header("Retry-After", "600"))));
        assert_eq!(due(&station).retry_after_millis, Some(600_000), "{status}");
        let asked = station.wire.log.borrow().len();
        station.patch(&format!("accounts({account})"), r#"{"telephone1":"1"}"#);
        let report = due(&station);
        assert!(!report.ok && report.problem.is_some() && !report.more, "{report:?}");
        let told = station.get("/flette/status")["retry_after_millis"].as_u64().unwrap();
        for left in [report.retry_after_millis.unwrap(), told] {
            assert!((500_000..=600_000).contains(&left), "{status}: {left}");
        }
        assert_eq!(station.wire.log.borrow().len(), asked, "{status}: something was sent");
        station.wire.heal();
        // Somebody's wish goes through, and its answer ends the wait.
        station.post("/flette/sync", "");
        assert!(due(&station).ok);
        assert!(station.get("/flette/status")["retry_after_millis"].is_null());
        station.patch(&format!("accounts({account})"), &format!(r#"{{"telephone1":"{status}"}}"#));
    }
    assert!(due(&station).ok && station.journal().is_empty());
}

#[test]
fn a_server_that_is_busy_without_saying_for_how_long_is_asked_again() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.wire.fail(|_| Some(Fault::Answer(Response::empty(503))));
    assert_eq!((due(&station).ok, due(&station).retry_after_millis), (false, None));
    station.wire.heal();
    assert!(due(&station).ok);
}

#[test]
fn an_engine_that_was_stopped_meanwhile_leaves_the_server_alone_too() {
    let server = Server::start();
    let mut station = Station::new(&server, "demo", &TABLES);
    station.sync();
    station.create("accounts", r#"{"name":"Waits"}"#);
    station.wire.fail(|_| Some(Fault::Answer(Response::empty(429).header("Retry-After", "600"))));
    assert_eq!(due(&station).retry_after_millis, Some(600_000));
    station.wire.heal();
    station.restart();
    let asked = station.wire.log.borrow().len();
    let left = due(&station).retry_after_millis.unwrap_or_default();
    assert!((500_000..=600_000).contains(&left), "{left}");
    assert_eq!(station.get("/flette/status")["retry_after_millis"].as_u64().map(|left| left > 0), Some(true));
    assert_eq!(station.wire.log.borrow().len(), asked, "something was sent");
    // Somebody's wish goes through, and its answer ends the wait for good.
    station.post("/flette/sync", "");
    station.restart();
    assert!(due(&station).ok && station.journal().is_empty());
}
