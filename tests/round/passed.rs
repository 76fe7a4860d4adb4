//! Writes that go to the server past the replica, since their row is not here, and changes of that row that another context
//! makes meanwhile.

use crate::schema::{add_column, retype_column};
use crate::station::Station;
use crate::support::{link, text, Device, Fault, Server, Wire, TABLES};
use flette_odata::{Method, Request, Uuid};
use serde_json::Value;
use std::cell::Cell;
use std::rc::Rc;

/// Two contexts on one store that lacks a row.
fn two_contexts(server: &Server) -> (Rc<Station>, Station, Uuid) {
    let id = server.user("admin").create("contacts", r#"{"lastname":"C"}"#);
    let station = Station::new(server, "demo", &TABLES);
    station.wire.fail(|request| request.url.contains("/contacts?").then_some(Fault::LoseRequest));
    station.post("/flette/sync", "");
    station.wire.heal();
    let other = station.twin();
    (Rc::new(station), other, id)
}

/// Writes in the second context. When that is about to be sent, the first one reads the row, and goes on as told; what it
/// pushes then is carried out and not answered.
fn pass(
    stations: (&Rc<Station>, &Station),
    write: (Method, Uuid, &str),
    meanwhile: impl Fn(&Station) + 'static,
) {
    pass_losing(|| Fault::LoseAnswer, stations, write, meanwhile);
}

/// [`pass`], with what becomes of what is pushed then.
fn pass_losing(
    fault: fn() -> Fault,
    (station, other): (&Rc<Station>, &Station),
    (method, id, body): (Method, Uuid, &str),
    meanwhile: impl Fn(&Station) + 'static,
) {
    let (first, done, lost) = (station.clone(), Cell::new(false), Cell::new(false));
    station.wire.fail(move |request| {
        if request.method == method && !done.replace(true) {
            first.sync();
            lost.set(true);
            meanwhile(&first);
            lost.set(false);
        }
        (lost.get() && request.url.ends_with("$batch")).then(fault)
    });
    let answer = other.ask(method, &format!("contacts({id})"), body);
    station.wire.heal();
    assert_eq!((answer.status, answer.headers.get("Flette-Source")), (204, Some("network")));
}

fn names(row: &Value) -> (&str, &str) {
    (row["lastname"].as_str().unwrap_or_default(), row["jobtitle"].as_str().unwrap_or_default())
}

/// What a context shows without the server.
fn shown(station: &Station, id: Uuid) -> Value {
    let answer = station.alone(&format!("contacts({id})?$select=lastname,jobtitle"));
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).unwrap()
}

fn conflicts(station: &Station) -> Vec<Value> {
    station.get("/flette/conflicts")["conflicts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_write_that_is_passed_on_shows_where_another_change_of_the_row_waits() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    pass((&station, &other), (Method::Patch, id, r#"{"lastname":"passed on"}"#), move |station| {
        station.patch(&format!("contacts({id})"), r#"{"jobtitle":"waits"}"#);
    });
    assert_eq!(names(&shown(&other, id)), ("passed on", "waits"));
    assert_eq!(other.journal().len(), 1);
    other.sync();
    assert_eq!(names(&server.user("admin").json(&format!("contacts({id})"))), ("passed on", "waits"));
    assert_eq!(conflicts(&other).len(), 0);
}

#[test]
fn a_waiting_change_of_the_same_column_gives_way_to_the_later_write_and_is_logged() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    pass((&station, &other), (Method::Patch, id, r#"{"lastname":"passed on"}"#), move |station| {
        station.patch(&format!("contacts({id})"), r#"{"lastname":"waits"}"#);
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    });
    assert_eq!(names(&shown(&other, id)).0, "passed on");
    assert!(other.journal().is_empty());
    let log = conflicts(&other);
    assert_eq!((log.len(), &log[0]["local"]), (1, &"waits".into()), "{log:?}");
}

#[test]
fn a_waiting_change_of_a_row_that_is_deleted_past_the_replica_is_logged() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    pass((&station, &other), (Method::Delete, id, ""), move |station| {
        station.patch(&format!("contacts({id})"), r#"{"jobtitle":"waits"}"#);
    });
    assert_eq!(other.alone(&format!("contacts({id})")).status, 404);
    assert!(other.journal().is_empty());
    assert_eq!(conflicts(&other).len(), 1);
}

#[test]
fn where_a_request_about_the_row_is_unanswered_the_write_shows_and_the_next_round_settles_the_rest() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    pass((&station, &other), (Method::Patch, id, r#"{"lastname":"passed on"}"#), move |station| {
        station.patch(&format!("contacts({id})"), r#"{"jobtitle":"sent"}"#);
        station.post("/flette/sync", "");
    });
    assert_eq!(names(&shown(&other, id)), ("passed on", "sent"));
    assert_eq!(other.journal().len(), 1);
    other.sync();
    assert!(other.journal().is_empty());
    assert_eq!(names(&server.user("admin").json(&format!("contacts({id})"))), ("passed on", "sent"));
    assert_eq!(conflicts(&other).len(), 0);
}

/// Lines of an address are one value, also where the answer to another write told of somebody's line before the edit met it.
#[test]
fn a_group_is_not_mixed_though_a_write_that_is_passed_on_tells_of_it_first() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    let online = server.user("admin");
    let write = (Method::Patch, id, r#"{"lastname":"passed on"}"#);
    pass_losing(
        || Fault::LoseRequest,
        (&station, &other),
        write,
        move |station| {
            station.patch(&format!("contacts({id})"), r#"{"address1_line1":"my line"}"#);
            station.post("/flette/sync", "");
            std::thread::sleep(std::time::Duration::from_millis(1_100));
            online.patch("contacts", id, r#"{"address1_city":"their city"}"#);
        },
    );
    other.sync();
    let row = server.user("admin").json(&format!("contacts({id})"));
    let address = (row["address1_line1"].as_str(), row["address1_city"].as_str());
    assert_eq!((address, names(&row).0), ((None, Some("their city")), "passed on"));
    assert_eq!((other.journal().len(), conflicts(&other).len()), (0, 1));
}

#[test]
fn a_column_that_only_the_server_knows_is_here_after_the_next_round_where_a_write_of_it_was_passed_on() {
    let server = Server::start();
    let (station, other, id) = two_contexts(&server);
    let second = server.user("admin").create("contacts", r#"{"lastname":"D"}"#);
    add_column(&server.user("admin"));
    let part = |id: Uuid, body: &str| {
        let head =
            "--s\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: ";
        let url = format!("/api/data/v9.2/contacts({id})");
        format!("{head}{id}\r\n\r\nPATCH {url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n")
    };
    let parts = part(id, r#"{"new_memo":"noted"}"#) + &part(second, r#"{"lastname":"E"}"#);
    let set = format!("--b\r\nContent-Type: multipart/mixed; boundary=s\r\n\r\n{parts}--s--\r\n--b--\r\n");
    let mut request = Request::new(Method::Post, format!("{}$batch", station.wire.root()))
        .header("Content-Type", "multipart/mixed; boundary=b");
    request.body = set.into_bytes();
    // The rows come in while the write is on its way.
    let (first, done) = (station.clone(), Cell::new(false));
    station.wire.fail(move |request| {
        if request.body.starts_with(b"--b\r\n") && !done.replace(true) {
            first.sync();
        }
        None
    });
    let answer = pollster::block_on(other.engine.handle(request));
    station.wire.heal();
    assert_eq!((answer.status, answer.headers.get("Flette-Source")), (200, Some("network")));
    assert_eq!(names(&shown(&other, second)).0, "E");
    other.sync();
    let row = other.alone(&format!("contacts({id})"));
    let row: Value = serde_json::from_slice(&row.body).unwrap();
    assert_eq!(row["new_memo"], "noted");
}

/// The schema known here is read again by the next round only.
#[test]
fn a_write_that_is_passed_on_shows_where_a_column_of_its_row_has_another_type_by_now() {
    let server = Server::start();
    let online = server.user("admin");
    add_column(&online);
    let (station, other, id) = two_contexts(&server);
    online.patch("contacts", id, r#"{"new_memo":"note"}"#);
    pass((&station, &other), (Method::Patch, id, r#"{"lastname":"passed on"}"#), move |_| {
        retype_column(&online);
        online.patch("contacts", id, r#"{"new_memo":7}"#);
    });
    assert_eq!(names(&shown(&other, id)).0, "passed on");
    other.sync();
    let row = other.alone(&format!("contacts({id})"));
    let row: Value = serde_json::from_slice(&row.body).unwrap();
    assert_eq!((&row["new_memo"], names(&row).0), (&Value::from(7), "passed on"));
}

/// Whoever may see a row between two pulls only sees it here until the next one, which has nothing to tell of it.
#[test]
fn a_row_that_was_written_past_the_replica_goes_where_it_went_out_of_sight_before_a_page_told_of_it() {
    for stays in [true, false] {
        let server = Server::start();
        let (online, reader) = (server.user("admin"), server.user("anna"));
        let me = reader.json("WhoAmI")["UserId"].as_str().unwrap().to_owned();
        let root = online.json("WhoAmI")["BusinessUnitId"].as_str().unwrap().to_owned();
        let elsewhere =
            format!(r#"{{"name":"Elsewhere","parentbusinessunitid@odata.bind":"/businessunits({root})"}}"#);
        let (team, members) = partners(&online, &online.create("businessunits", &elsewhere).to_string());
        let refer = |target: String| format!(r#"{{"@odata.id":"{}{target}"}}"#, online.root());
        let row =
            online.create("accounts", &format!(r#"{{"name":"A","ownerid@odata.bind":"/teams({team})"}}"#));
        // What is written needs a column that is not kept here, so it goes to the server.
        let profile = r#"{"account":{"fields":{"telephone1":{"direction":"none"}}}}"#;
        let station = Station::with_profile(&server, "anna", &TABLES, profile);
        station.sync();
        let member = refer(format!("systemusers({me})"));
        assert_eq!(online.ask(Method::Post, &format!("{members}/$ref"), &member).status, 204);
        let answer = station.ask(Method::Patch, &format!("accounts({row})"), r#"{"telephone1":"1"}"#);
        assert_eq!((answer.status, answer.headers.get("Flette-Source")), (204, Some("network")));
        assert_eq!(station.alone(&format!("accounts({row})?$select=name")).status, 200);
        if !stays {
            assert_eq!(online.ask(Method::Delete, &format!("{members}({me})/$ref"), "").status, 204);
        }
        station.sync();
        let found = station.alone(&format!("accounts({row})?$select=name")).status;
        assert_eq!(found, if stays { 200 } else { 404 }, "stays in the team: {stays}");
    }
}

/// The same of a row that was made here in the name of a team, and of one that was made in the user's own, of which the feed tells.
#[test]
fn a_row_that_was_made_for_others_goes_where_it_went_out_of_sight_before_a_page_told_of_it() {
    for (for_team, stays) in [(true, true), (true, false), (false, false)] {
        let server = Server::start();
        let (online, reader) = (server.user("admin"), server.user("anna"));
        let id = |of: &Wire, what: &str| of.json("WhoAmI")[what].as_str().unwrap().to_owned();
        let (me, root, admin) = (id(&reader, "UserId"), id(&online, "BusinessUnitId"), id(&online, "UserId"));
        let elsewhere =
            format!(r#"{{"name":"Elsewhere","parentbusinessunitid@odata.bind":"/businessunits({root})"}}"#);
        let (team, members) = partners(&online, &online.create("businessunits", &elsewhere).to_string());
        let mut device = Device::new(&server, "anna");
        device.config.tables.push("team".to_owned());
        device.sync();
        let member = format!(r#"{{"@odata.id":"{}systemusers({me})"}}"#, online.root());
        assert_eq!(online.ask(Method::Post, &format!("{members}/$ref"), &member).status, 204);
        let owner = if for_team { link("team", team) } else { link("systemuser", me.parse().unwrap()) };
        let row = device.create("account", &[("name", text("Ours")), ("ownerid", owner)]);
        // The answer arrives; what is pulled afterwards does not.
        device.wire.fail(|request| {
            (request.method == Method::Get && !request.url.ends_with("WhoAmI")).then_some(Fault::LoseRequest)
        });
        device.round();
        device.wire.heal();
        assert!(device.entries().is_empty() && device.row("account", row).is_some());
        match (for_team, stays) {
            (_, true) => {}
            (true, false) => {
                assert_eq!(online.ask(Method::Delete, &format!("{members}({me})/$ref"), "").status, 204);
            }
            (false, false) => {
                online.patch("accounts", row, &format!(r#"{{"ownerid@odata.bind":"/systemusers({admin})"}}"#))
            }
        }
        device.sync();
        assert_eq!(device.row("account", row).is_some(), stays, "for a team: {for_team}, stays: {stays}");
    }
}

/// A team of a business unit whose members may read and write what it owns; its id, and where its members are.
pub(crate) fn partners(online: &Wire, unit: &str) -> (Uuid, String) {
    let body =
        format!(r#"{{"name":"Partners","teamtype":0,"businessunitid@odata.bind":"/businessunits({unit})"}}"#);
    let team = online.create("teams", &body);
    let role = flette_server::people::Role::Salesperson.id();
    let body = format!(r#"{{"@odata.id":"{}roles({role})"}}"#, online.root());
    assert_eq!(
        online.ask(Method::Post, &format!("teams({team})/teamroles_association/$ref"), &body).status,
        204
    );
    (team, format!("teams({team})/teammembership_association"))
}
