//! What a profile takes offline of a table: some rows, some columns; and what becomes of the rest when it changes.

use crate::faults::is_push;
use crate::station::Station;
use crate::support::{text, tick, Device, Fault, Server, Wire, TABLES};
use flette::api::{self, Answer, Door};
use flette::model::{Clash, Side};
use flette_odata::{Method, Request, Response, Uuid};
use flette_server::api::Profile as Kind;
use serde_json::Value;

const SALES: &str = r#"{"contact":{"rows":"jobtitle eq 'Sales & more'"}}"#;
const SOLD: &str = r#"{"jobtitle":"Sales & more"}"#;
const MOVED: &str = r#"{"jobtitle":"Buyer","telephone1":"moved"}"#;

fn create(online: &Wire, name: &str, title: &str) -> Uuid {
    online.create("contacts", &format!(r#"{{"lastname":"{name}","jobtitle":"{title}","telephone1":"0"}}"#))
}

/// A server with one contact in sales and one elsewhere.
fn world(kind: Kind) -> (Server, Wire, [Uuid; 2]) {
    let server = Server::with_profile(kind);
    let online = server.user("admin");
    let rows = [create(&online, "Inside", "Sales & more"), create(&online, "Outside", "Buyer")];
    (server, online, rows)
}

fn has(device: &Device, id: Uuid) -> bool {
    device.row("contact", id).is_some()
}

fn outside(device: &Device) -> usize {
    device.replica.state().tables["contact"].cursor.outside.len()
}

fn has_swept(device: &Device) -> bool {
    let log = device.wire.log.borrow();
    log.iter().any(|line| line.contains("contacts?") && line.contains("$filter=modifiedon%20ge%20"))
}

fn door(device: &Device, method: &str, path: &str, body: &str) -> Answer {
    let door = Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
    let mut request = Request::new(Method::parse(method).unwrap(), format!("/api/data/v9.2/{path}"));
    if !body.is_empty() {
        request = request.json(body.as_bytes().to_vec());
    }
    pollster::block_on(api::answer(&device.replica, &request, door))
}

#[track_caller]
fn only_there(device: &Device, method: &str, path: &str, body: &str) -> Response {
    match door(device, method, path, body) {
        Answer::Elsewhere(response) => response,
        Answer::Here(response) => panic!("{method} {path}: answered here: {}", response.status),
    }
}

#[track_caller]
fn here(device: &Device, method: &str, path: &str, body: &str) -> Response {
    match door(device, method, path, body) {
        Answer::Here(response) => response,
        Answer::Elsewhere(response) => panic!("{method} {path}: {}", String::from_utf8_lossy(&response.body)),
    }
}

#[test]
fn rows_come_and_go_with_the_filter() {
    for kind in [Kind::Open, Kind::Dataverse] {
        let (server, online, [inside, elsewhere]) = world(kind);
        let device = Device::with_profile(&server, "admin", SALES);
        assert_eq!((has(&device, inside), has(&device, elsewhere)), (true, false), "{kind:?}");
        // One enters, and one is made in it.
        online.patch("contacts", elsewhere, SOLD);
        let made = create(&online, "New", "Sales & more");
        online.patch("contacts", inside, r#"{"telephone1":"1"}"#);
        device.sync();
        assert_eq!((has(&device, elsewhere), has(&device, made)), (true, true), "{kind:?}");
        assert_eq!(device.text("contact", inside, "telephone1"), "1");
        let swept = has_swept(&device);
        assert_eq!(swept, kind == Kind::Dataverse);
        online.patch("contacts", inside, MOVED);
        online.delete("contacts", made);
        // A sweep finds what left only when it compares everything, every so often.
        for _ in 0..if swept { 25 } else { 1 } {
            device.sync();
        }
        assert_eq!(
            (has(&device, inside), has(&device, made), has(&device, elsewhere)),
            (false, false, true),
            "{kind:?}"
        );
    }
}

#[test]
fn the_user_and_his_unit_have_names_in_a_filter() {
    let server = Server::start();
    let (mine, others) = (server.user("demo"), server.user("admin"));
    let (own, foreign) = (create(&mine, "Mine", "x"), create(&others, "Theirs", "x"));
    for filter in ["_ownerid_value eq {me}", "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')"] {
        let profile = format!(r#"{{"contact":{{"rows":"{filter}"}}}}"#);
        let device = Device::with_profile(&server, "demo", &profile);
        assert_eq!((has(&device, own), has(&device, foreign)), (true, false), "{filter}");
        device.sync();
        assert_eq!((has(&device, own), has(&device, foreign)), (true, false), "{filter}");
    }
    let device = Device::with_profile(
        &server,
        "demo",
        r#"{"contact":{"rows":"_owningbusinessunit_value eq {my-business-unit}"}}"#,
    );
    assert!(has(&device, own));
}

#[test]
fn rows_follow_the_user_into_another_business_unit() {
    let server = Server::start();
    let (mine, others) = (server.user("demo"), server.user("anna"));
    let (own, foreign) = (create(&mine, "Mine", "x"), create(&others, "Theirs", "x"));
    let profile = r#"{"contact":{"rows":"_owningbusinessunit_value eq {my-business-unit}"}}"#;
    let device = Device::with_profile(&server, "demo", profile);
    assert_eq!((has(&device, own), has(&device, foreign)), (true, false));
    let unit = |who: &crate::support::Wire| who.json("WhoAmI")["BusinessUnitId"].as_str().unwrap().to_owned();
    let (before, after) = (unit(&mine), unit(&others));
    let told = after.clone();
    device.wire.fail(move |request| {
        request.url.ends_with("WhoAmI").then(|| {
            let answer = mine.forward(request.clone());
            let body = String::from_utf8_lossy(&answer.body).replace(&before, &told).into_bytes();
            Fault::Answer(Response { body, ..answer })
        })
    });
    device.sync();
    assert_eq!((has(&device, own), has(&device, foreign)), (false, true));
    let here: serde_json::Value =
        serde_json::from_slice(&only_there(&device, "GET", "WhoAmI", "").body).unwrap();
    assert_eq!(here["BusinessUnitId"], after);
}

#[test]
fn a_narrower_profile_takes_rows_away_at_once_and_leaves_those_that_wait() {
    let (server, online, [inside, elsewhere]) = world(Kind::Open);
    let waits = create(&online, "Waits", "Buyer");
    let mut device = Device::synced(&server, "demo");
    // The server will not take this: longer than the column.
    device.edit("contact", waits, &[("telephone1", text(&"9".repeat(200)))]);
    assert_eq!(device.round().parked, 1);
    device.restart();
    device.set_profile(SALES);
    device.round();
    assert_eq!((has(&device, inside), has(&device, elsewhere), has(&device, waits)), (true, false, true));
    assert_eq!((outside(&device), device.entries().len(), device.conflicts().len()), (1, 1, 0));
    assert_eq!(device.text("contact", waits, "telephone1").len(), 200);
    // It stays, round after round and over a restart, until nothing waits any more.
    device.restart();
    device.round();
    assert!(has(&device, waits) && device.entries()[0].is_parked());
    let op = device.entries()[0].op;
    device.change(|draft| draft.discard(op).unwrap());
    device.sync();
    assert_eq!((has(&device, waits), outside(&device)), (false, 0));
    // Wider again: everything comes back.
    device.set_profile("{}");
    device.sync();
    assert_eq!((has(&device, waits), has(&device, elsewhere)), (true, true));
    assert!(device.replica.state().is_complete("contact"));
}

#[test]
fn a_row_that_waits_and_is_gone_counts_as_outside_no_longer_than_it_takes_to_learn_that() {
    let (server, online, _) = world(Kind::Open);
    let waits = create(&online, "Waits", "Buyer");
    let mut device = Device::synced(&server, "demo");
    device.edit("contact", waits, &[("telephone1", text(&"9".repeat(200)))]);
    assert_eq!(device.round().parked, 1);
    online.delete("contacts", waits);
    device.restart();
    device.set_profile(SALES);
    // Read anew under the filter, it is not told; read by its id, it is gone. No further pull is needed to tell that nothing waits.
    assert!(device.round().ok);
    assert_eq!((has(&device, waits), device.entries().len(), device.conflicts().len()), (false, 0, 1));
    assert_eq!(outside(&device), 0);
}

/// An edit of the row in sales whose first sending was lost on the way.
fn edited_once(server: &Server, inside: Uuid) -> Device {
    let device = Device::with_profile(server, "demo", SALES);
    device.edit("contact", inside, &[("fax", text("mine"))]);
    let pushes =
        |r: &Request| r.url.ends_with("$batch") && String::from_utf8_lossy(&r.body).contains("PATCH ");
    device.wire.fail(move |request| pushes(request).then_some(Fault::LoseRequest));
    assert!(!device.round().ok);
    device.wire.heal();
    device
}

#[test]
fn an_edit_of_a_row_that_left_the_filter_arrives_and_then_the_row_goes() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let mut device = edited_once(&server, inside);
    online.patch("contacts", inside, MOVED);
    device.restart();
    device.sync();
    let row = online.json(&format!("contacts({inside})"));
    assert_eq!((row["fax"].as_str(), row["telephone1"].as_str()), (Some("mine"), Some("moved")));
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!((has(&device, inside), outside(&device)), (false, 0));
}

#[test]
fn an_edit_of_a_row_that_is_gone_is_told_from_one_that_left() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let device = edited_once(&server, inside);
    online.delete("contacts", inside);
    device.sync();
    assert!(device.entries().is_empty() && !has(&device, inside));
    let [conflict] = device.conflicts().try_into().unwrap();
    assert!(matches!(conflict.clash, Clash::DeletedThere { .. }));
    assert_eq!(conflict.winner, Side::Server);
    assert_eq!(outside(&device), 0);
}

#[test]
fn a_deletion_of_a_row_that_left_the_filter_is_carried_out_if_it_is_the_later_one() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let device = Device::with_profile(&server, "demo", SALES);
    online.patch("contacts", inside, MOVED);
    tick();
    device.delete("contact", inside);
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("contacts({inside})"), "").status, 404);
    assert!(device.entries().is_empty() && !has(&device, inside));
}

/// Its edit won over the deletion, and then it left the filter: whether it still stands, only the server can tell.
#[test]
fn a_deletion_that_lost_is_not_taken_back_silently_where_the_row_is_not_here() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let device = Device::with_profile(&server, "demo", SALES);
    device.delete("contact", inside);
    tick();
    online.patch("contacts", inside, r#"{"telephone1":"1"}"#);
    device.sync();
    let [conflict] = device.conflicts().try_into().unwrap();
    online.patch("contacts", inside, MOVED);
    device.sync();
    assert!(!has(&device, inside));
    let refused = device.change(|draft| draft.resolve_conflict(conflict.id, Side::Local));
    assert_eq!(refused.unwrap_err().to_odata().status, 501);
    assert!(device.conflicts()[0].resolved.is_none());
    // Back again, it is deleted.
    online.patch("contacts", inside, SOLD);
    device.sync();
    device.change(|draft| draft.resolve_conflict(conflict.id, Side::Local).unwrap());
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("contacts({inside})"), "").status, 404);
}

/// Under another profile all contacts are read anew, but for what changed meanwhile; what is pushed gets no answer.
fn fill_but_for_the_end(device: &mut Device) {
    device.set_profile(SALES);
    device.wire.fail(|request| {
        let all_pages = request.url.contains("contacts?") && request.url.contains("deltatoken");
        let lost = all_pages && request.url.contains("filter");
        is_push(request).then_some(Fault::LoseAnswer).or(lost.then_some(Fault::LoseRequest))
    });
    assert!(!device.round().ok && !device.round().ok);
    let shadow = device.replica.state().tables["contact"].cursor.shadow;
    assert!(shadow.is_some() && !device.entries().is_empty());
    device.wire.heal();
}

/// What is about to take the place of what is read is not in memory after a restart, and no later page tells of the row again.
#[test]
fn a_new_row_that_a_page_told_of_before_its_answer_came_stays_after_a_restart() {
    let (server, online, _) = world(Kind::Open);
    for n in 0..60 {
        create(&online, &format!("S{n}"), "Sales & more");
    }
    let mut device = Device::synced(&server, "demo");
    let made = device.create("contact", &[("lastname", text("Made")), ("jobtitle", text("Sales & more"))]);
    fill_but_for_the_end(&mut device);
    device.restart();
    device.sync();
    device.sync();
    assert!(device.entries().is_empty() && has(&device, made));
}

/// What is read so far has the row; what is about to take its place was filled when the row had left the filter.
#[test]
fn a_row_that_left_a_new_filter_while_it_was_filled_goes() {
    let (server, online, _) = world(Kind::Open);
    for n in 0..60 {
        create(&online, &format!("S{n}"), "Sales & more");
    }
    let left = create(&online, "L", "Sales & more");
    let mut device = Device::synced(&server, "demo");
    device.edit("contact", left, &[("jobtitle", text("Buyer"))]);
    fill_but_for_the_end(&mut device);
    device.sync();
    device.sync();
    assert!(device.entries().is_empty() && !has(&device, left));
}

#[test]
fn a_row_that_is_made_or_moved_outside_of_the_filter_arrives_and_goes() {
    for kind in [Kind::Open, Kind::Dataverse] {
        made_and_moved(kind);
    }
}

fn made_and_moved(kind: Kind) {
    let (server, online, _) = world(kind);
    let device = Device::with_profile(&server, "admin", SALES);
    let titled = |title| device.create("contact", &[("lastname", text("New")), ("jobtitle", text(title))]);
    let (beyond, within) = (titled("Buyer"), titled("Sales & more"));
    assert!(has(&device, beyond) && has(&device, within));
    device.sync();
    assert_eq!(online.json(&format!("contacts({beyond})"))["lastname"], "New");
    assert_eq!((has(&device, beyond), has(&device, within)), (false, true));
    device.edit("contact", within, &[("jobtitle", text("Buyer"))]);
    device.sync();
    assert_eq!(online.json(&format!("contacts({within})"))["jobtitle"], "Buyer");
    assert_eq!((has(&device, within), outside(&device), device.conflicts().len()), (false, 0, 0));
}

#[test]
fn a_row_outside_is_no_row_that_does_not_exist() {
    let (server, online, [inside, elsewhere]) = world(Kind::Open);
    let account = online.create(
        "accounts",
        &format!(r#"{{"name":"A","primarycontactid@odata.bind":"contacts({elsewhere})"}}"#),
    );
    let device = Device::with_profile(&server, "demo", SALES);
    assert_eq!(here(&device, "GET", &format!("contacts({inside})"), "").status, 200);
    // The lookup names it; the row itself is only there.
    let answer = here(&device, "GET", &format!("accounts({account})?$select=_primarycontactid_value"), "");
    assert!(String::from_utf8_lossy(&answer.body).contains(&elsewhere.to_string()));
    for path in [format!("contacts({elsewhere})"), format!("accounts({account})/primarycontactid")] {
        assert_eq!(only_there(&device, "GET", &path, "").status, 501, "{path}");
    }
    assert_eq!(only_there(&device, "PATCH", &format!("contacts({elsewhere})"), MOVED).status, 501);
    // A list is the server's while it is in reach; what is here says that it lacks rows.
    let list = only_there(&device, "GET", "contacts?$select=lastname", "");
    assert_eq!((list.status, list.headers.get("Flette-Incomplete")), (200, Some("contact")));
    assert!(!String::from_utf8_lossy(&list.body).contains("Outside"));
    // Not while the server does not know everything.
    device.edit("contact", inside, &[("fax", text("1"))]);
    let list = here(&device, "GET", "contacts?$select=lastname", "");
    assert_eq!(list.headers.get("Flette-Incomplete"), Some("contact"));
}

/// Two lists in one batch.
fn batch(device: &Device, first: &str, second: &str) -> Answer {
    let part = |url: &str| {
        format!("--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\nGET {url} HTTP/1.1\n\n\n")
    };
    let door = Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
    let mut request = Request::new(Method::Post, "/api/data/v9.2/$batch");
    request.headers.set("Content-Type", "multipart/mixed;boundary=b");
    request.body = format!("{}{}--b--\n", part(first), part(second)).into_bytes();
    pollster::block_on(api::answer(&device.replica, &request, door))
}

#[test]
fn a_batch_with_a_list_that_lacks_rows_is_the_servers_while_nothing_waits() {
    let (server, _, [inside, _]) = world(Kind::Open);
    let device = Device::with_profile(&server, "demo", SALES);
    let (accounts, contacts) = ("accounts?$select=name", "contacts?$select=lastname");
    let here = |first: &str, second: &str| match batch(&device, first, second) {
        Answer::Here(response) => (true, response),
        Answer::Elsewhere(response) => (false, response),
    };
    assert!(here(accounts, accounts).0);
    for (first, second) in [(accounts, contacts), (contacts, accounts)] {
        let (is_here, response) = here(first, second);
        // Without the server, this is what is here, and it says what it lacks.
        let body = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(
            (is_here, response.status, body.contains("Flette-Incomplete: contact")),
            (false, 200, true)
        );
        assert!(body.contains("Inside") && !body.contains("Outside"));
    }
    // A row that is here needs no server.
    assert!(here(accounts, &format!("contacts({inside})?$select=lastname")).0);
    device.create("account", &[("name", text("New"))]);
    assert!(here(accounts, contacts).0, "the server does not know of the new account");
}

#[test]
fn a_filter_that_the_server_refuses_is_told_and_other_tables_go_on() {
    let (server, online, _) = world(Kind::Open);
    let mut device = Device::new(&server, "demo");
    device.set_profile(r#"{"contact":{"rows":"colour eq 1"}}"#);
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let report = device.round();
    assert!(report.problem.is_some_and(|problem| problem.starts_with("table contact: ")));
    assert!(device.row("account", account).is_some());
}

const FEW: &str = r#"{"contact":{"columns":["jobtitle"]}}"#;

#[test]
fn columns_that_are_left_out_are_the_servers_to_tell() {
    let (server, _, [inside, _]) = world(Kind::Open);
    let device = Device::with_profile(&server, "demo", FEW);
    let row = device.row("contact", inside).unwrap();
    assert!(row.contains_key("jobtitle") && row.contains_key("fullname") && !row.contains_key("telephone1"));
    let path = format!("contacts({inside})");
    for known in [
        format!("{path}?$select=jobtitle,fullname"),
        "contacts?$select=jobtitle&$orderby=lastname".to_owned(),
        "contacts/$count".to_owned(),
        "accounts?$expand=primarycontactid($select=jobtitle)".to_owned(),
    ] {
        assert_eq!(here(&device, "GET", &known, "").status, 200, "{known}");
    }
    for beyond in [
        path.clone(),
        "contacts".to_owned(),
        format!("{path}?$select=telephone1"),
        format!("{path}/telephone1"),
        "contacts?$select=jobtitle&$filter=telephone1%20eq%20'0'".to_owned(),
        "contacts?$select=jobtitle&$orderby=telephone1".to_owned(),
        "accounts?$select=name&$expand=primarycontactid".to_owned(),
        "contacts?fetchXml=%3Cfetch%3E%3Centity%20name='contact'%3E%3Call-attributes/%3E%3C/entity%3E%3C/fetch%3E".to_owned(),
    ] {
        let answer = only_there(&device, "GET", &beyond, "");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!((answer.status, body.contains("offline profile")), (501, true), "{beyond}: {body}");
    }
    // What goes through while nothing waits is refused when something does.
    let edit = r#"{"telephone1":"1"}"#;
    assert_eq!(only_there(&device, "PATCH", &path, edit).status, 501);
    assert!(here(&device, "PATCH", &path, r#"{"jobtitle":"Boss"}"#).is_success());
    assert_eq!(here(&device, "PATCH", &path, edit).status, 501);
    device.sync();
    let there = server.user("admin").json(&path);
    assert_eq!((there["jobtitle"].as_str(), there["telephone1"].as_str()), (Some("Boss"), Some("0")));
}

#[test]
fn edits_of_a_column_that_is_left_out_from_now_on_arrive_first() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let mut device = Device::synced(&server, "demo");
    device.edit("contact", inside, &[("telephone1", text("mine"))]);
    let made = device.create("contact", &[("lastname", text("New")), ("fax", text("1"))]);
    device.restart();
    device.set_profile(FEW);
    device.sync();
    device.sync();
    for (id, column, value) in [(inside, "telephone1", "mine"), (made, "fax", "1")] {
        assert_eq!(online.json(&format!("contacts({id})"))[column], value);
        assert!(!device.row("contact", id).unwrap().contains_key(column), "{column}");
    }
    assert!(device.conflicts().is_empty() && device.entries().is_empty());
}

#[test]
fn a_column_that_is_let_in_again_is_not_shown_empty() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let mut device = Device::with_profile(&server, "demo", FEW);
    online.patch("contacts", inside, r#"{"fax":"there"}"#);
    device.set_profile("{}");
    // The definitions come; the rows do not.
    device.wire.fail(|request| request.url.contains("contacts?").then_some(Fault::LoseRequest));
    device.round();
    assert!(device.replica.state().schema.table("contact").unwrap().column("fax").is_some());
    assert!(!device.replica.state().is_complete("contact") && has(&device, inside));
    device.wire.heal();
    device.sync();
    assert_eq!(device.text("contact", inside, "fax"), "there");
    assert!(device.replica.state().is_complete("contact"));
}

#[test]
fn nothing_is_made_that_points_to_a_row_which_was_deleted_here() {
    let (server, online, _) = world(Kind::Open);
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let device = Device::with_profile(&server, "demo", r#"{"account":{"rows":"name eq 'A'"}}"#);
    device.delete("account", account);
    let child = format!(r#"{{"lastname":"C","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#);
    assert_eq!(here(&device, "POST", "contacts", &child).status, 404);
    assert_eq!(device.entries().len(), 1);
}

#[test]
fn an_unanswered_edit_of_a_row_that_leaves_as_it_was_goes_again_as_the_same_operation() {
    let (server, online, [inside, _]) = world(Kind::Open);
    let mut device = edited_once(&server, inside);
    let op = device.entries()[0].op;
    device.restart();
    device.set_profile(r#"{"contact":{"rows":"jobtitle eq 'Buyer'"}}"#);
    let pushes = |r: &Request| String::from_utf8_lossy(&r.body).contains("PATCH ");
    device.wire.fail(move |request| pushes(request).then_some(Fault::LoseRequest));
    device.round();
    device.round();
    let [entry] = device.entries().try_into().unwrap();
    assert_eq!((entry.op, outside(&device)), (op, 1));
    device.wire.heal();
    device.sync();
    assert_eq!(online.json(&format!("contacts({inside})"))["fax"], "mine");
    assert_eq!((has(&device, inside), outside(&device), device.conflicts().len()), (false, 0, 0));
}

#[test]
fn a_profile_that_is_taken_back_before_its_columns_were_gone_leaves_nothing_out() {
    let (server, _, [inside, _]) = world(Kind::Open);
    let mut device = Device::synced(&server, "demo");
    // The server will not take this: longer than the column. So the column stays, and others go.
    device.edit("contact", inside, &[("telephone1", text(&"9".repeat(200)))]);
    assert_eq!(device.round().parked, 1);
    device.restart();
    device.set_profile(FEW);
    device.round();
    // The server does not know of the edit, so what is left of the rows is shown, and said to lack something.
    let whole = here(&device, "GET", "contacts", "");
    assert_eq!((whole.status, whole.headers.get("Flette-Incomplete")), (200, Some("contact")));
    device.restart();
    device.set_profile("{}");
    device.round();
    assert_eq!(here(&device, "GET", "contacts", "").status, 200);
    assert_eq!(here(&device, "GET", &format!("contacts({inside})?$select=fax"), "").status, 200);
}

#[test]
fn who_writes_a_column_that_is_not_kept_here_reads_at_once_what_he_wrote_beside_it() {
    let (server, online, [inside, elsewhere]) = world(Kind::Open);
    let station = Station::with_profile(&server, "demo", &TABLES, FEW);
    station.sync();
    let path = format!("contacts({inside})");
    station.patch(&path, r#"{"telephone1":"2","jobtitle":"Boss"}"#);
    assert_eq!(online.json(&path)["telephone1"], "2", "it went to the server");
    let offline = |path: &str| {
        let answer = station.alone(path);
        (answer.status, String::from_utf8_lossy(&answer.body).contains("Boss"))
    };
    assert_eq!(offline(&format!("{path}?$select=jobtitle")), (200, true));
    // A row that is made so, and one that goes.
    let made = station.create("contacts", r#"{"lastname":"New","telephone1":"1","jobtitle":"Boss"}"#);
    assert_eq!(offline(&format!("contacts({made})?$select=jobtitle")), (200, true));
    assert_eq!(online.json(&format!("contacts({made})"))["telephone1"], "1");
    let lines = [inside, elsewhere].map(|id| format!("PATCH contacts({id}) HTTP/1.1\nContent-Type: application/json\n\n{{\"telephone1\":\"7\",\"jobtitle\":\"Boss\"}}\n"));
    let part = |(at, line): (usize, &String)| {
        format!("--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: {at}\n\n{line}\n")
    };
    let body = lines.iter().enumerate().map(part).collect::<String>() + "--b--\n";
    let mut batch = Request::new(Method::Post, format!("{}$batch", station.wire.root()));
    batch.headers.set("Content-Type", "multipart/mixed;boundary=b");
    batch.body = body.into_bytes();
    assert_eq!(pollster::block_on(station.engine.handle(batch)).status, 200);
    assert_eq!(offline(&format!("contacts({elsewhere})?$select=jobtitle")), (200, true));
    assert!(station.journal().is_empty());
}

#[test]
fn a_column_that_only_went_up_shows_what_the_server_has_when_it_goes_down_again() {
    for (kind, filter) in [(Kind::Open, ""), (Kind::Dataverse, r#""rows":"jobtitle eq 'Sales & more'","#)] {
        let (server, online, [inside, _]) = world(kind);
        let profile = format!(r#"{{"contact":{{{filter}"fields":{{"fax":{{"direction":"up"}}}}}}}}"#);
        let mut device = Device::with_profile(&server, "demo", &profile);
        online.patch("contacts", inside, r#"{"fax":"theirs"}"#);
        device.sync();
        let fax = |device: &Device| {
            let answer = here(device, "GET", &format!("contacts({inside})?$select=fax"), "");
            serde_json::from_slice::<Value>(&answer.body).unwrap()["fax"].clone()
        };
        assert_eq!(fax(&device), Value::Null, "{kind:?}");
        device.restart();
        device.set_profile("{}");
        device.sync();
        assert_eq!(fax(&device), "theirs", "{kind:?}");
    }
}
