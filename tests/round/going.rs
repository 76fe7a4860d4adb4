//! Going offline: what is checked first, what is told on the way, what a kill, a cancellation and a refusal leave.

use crate::station::Station;
use crate::support::{tick, Fault, Server, TABLES};
use flette::engine::Engine;
use flette::platform::{Platform, Space};
use flette_odata::{Method, Request};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const CUSTOMIZATIONS: [&str; 3] = ["savedquery", "userquery", "systemform"];
const ACCOUNTS: u64 = 35;
const CONTACTS: u64 = 25;

fn filled() -> Server {
    let server = Server::start();
    let online = server.user("admin");
    for n in 0..ACCOUNTS {
        online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#));
    }
    for n in 0..CONTACTS {
        online.create("contacts", &format!(r#"{{"lastname":"C{n}"}}"#));
    }
    server
}

fn ask<P: Platform + 'static>(engine: &Engine<P>, method: Method, path: &str) -> Value {
    let answer = pollster::block_on(engine.handle(Request::new(method, path)));
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn status(station: &Station) -> Value {
    station.get("/flette/status")
}

fn is_offline(station: &Station) -> bool {
    status(station)["chosen"] == true
}

/// Requests for the first page of a table's rows.
fn first_pages(station: &Station, set: &str) -> usize {
    let begins = format!("GET {set}?$select");
    station
        .wire
        .log
        .borrow()
        .iter()
        .filter(|line| {
            line.starts_with(&begins) && !["skiptoken", "deltatoken"].iter().any(|token| line.contains(token))
        })
        .count()
}

#[test]
fn the_way_offline_is_told_step_by_step_with_counted_totals() {
    let server = filled();
    let station = Station::new(&server, "demo", &TABLES);
    let seen: Rc<RefCell<Vec<Value>>> = Rc::default();
    let (engine, told) = (station.engine.clone(), seen.clone());
    station.wire.fail(move |_| {
        told.borrow_mut().push(ask(&engine, Method::Get, "/flette/status")["going_offline"].clone());
        None
    });
    let report: Value = serde_json::from_slice(&station.post("/flette/go-offline", "").body).unwrap();
    station.wire.heal();
    assert_eq!((&report["ok"], is_offline(&station)), (&Value::from(true), true), "{report}");
    assert!(status(&station)["going_offline"].is_null());
    let seen = seen.borrow();
    let mut phases: Vec<&str> = seen.iter().filter_map(|going| going["phase"].as_str()).collect();
    phases.dedup();
    assert_eq!(phases, ["schema", "checks", "customizations", "data"]);
    let table = |going: &Value, name: &str| {
        going["tables"].as_array().unwrap().iter().find(|table| table["name"] == name).cloned().unwrap()
    };
    let counted: Vec<&Value> = seen.iter().filter(|going| !going["total"].is_null()).collect();
    for going in &counted {
        let account = table(going, "account");
        assert_eq!((&account["total"], &account["exact"]), (&ACCOUNTS.into(), &true.into()), "{going}");
        assert_eq!(table(going, "contact")["total"], CONTACTS);
        assert!(going["rows"].as_u64() <= going["total"].as_u64(), "{going}");
    }
    let rows: Vec<u64> = counted.iter().filter_map(|going| going["rows"].as_u64()).collect();
    assert!(rows.windows(2).all(|pair| pair[0] <= pair[1]) && rows.first() == Some(&0), "{rows:?}");
    let middle =
        counted.iter().find(|going| table(going, "account")["rows"] == 20).expect("told page by page");
    assert!(middle["bytes"].as_u64() > Some(0) && middle["millis_left"].is_u64(), "{middle}");
    // Forms and views are here, and views are answered here.
    for name in CUSTOMIZATIONS {
        let tables = status(&station)["tables"].clone();
        let table = tables.as_array().unwrap().iter().find(|table| table["name"] == name).cloned().unwrap();
        assert_eq!(table["complete"], true, "{table}");
    }
    let views =
        station.get("savedqueries?$filter=returnedtypecode eq 'account' and querytype eq 0&$select=name");
    let view = views["value"][0]["savedqueryid"].as_str().unwrap().to_owned();
    let shown = station.ask(Method::Get, &format!("accounts?savedQuery={view}"), "");
    assert_eq!((shown.status, shown.headers.get("Flette-Source")), (200, Some("replica")));
}

#[test]
fn a_kill_at_any_request_is_gone_on_from_the_last_committed_page() {
    let server = filled();
    let mut killed = 0;
    loop {
        let mut station = Station::new(&server, "demo", &TABLES);
        if !station.killed_at(killed, "/flette/go-offline") {
            assert!(is_offline(&station));
            break;
        }
        assert!(!is_offline(&station), "killed after {killed}");
        assert!(!status(&station)["going_offline"].is_null(), "killed after {killed}");
        let begun = first_pages(&station, "accounts");
        station.sync();
        assert!(is_offline(&station), "killed after {killed}");
        assert!(status(&station)["going_offline"].is_null());
        // The first page is asked for once more only where it had not become durable.
        let pages = first_pages(&station, "accounts");
        assert!(pages <= 2 && (pages == 1 || begun <= 1), "killed after {killed}: {begun} of {pages}");
        let accounts = station.get("accounts?$select=name&$count=true");
        assert_eq!(accounts["@odata.count"], ACCOUNTS);
        killed += 1;
    }
    assert!(killed > 15, "{killed} requests");
}

#[test]
fn a_cancelled_way_offline_leaves_what_was_pulled_and_the_line_open() {
    let server = filled();
    let station = Station::new(&server, "demo", &TABLES);
    let engine = station.engine.clone();
    let second = |request: &Request| request.url.contains("/accounts?") && request.url.contains("skiptoken");
    station.wire.fail(move |request| {
        if second(request) {
            ask(&engine, Method::Post, "/flette/go-offline/cancel");
        }
        None
    });
    let report: Value = serde_json::from_slice(&station.post("/flette/go-offline", "").body).unwrap();
    station.wire.heal();
    assert_eq!((&report["ok"], &report["more"]), (&false.into(), &false.into()), "{report}");
    let after = status(&station);
    assert_eq!((&after["mode"], &after["chosen"]), (&"online".into(), &false.into()));
    assert!(after["going_offline"].is_null());
    let rows = |name: &str| {
        let tables = after["tables"].as_array().unwrap();
        tables.iter().find(|table| table["name"] == name).unwrap()["rows"].as_u64().unwrap()
    };
    assert!(rows("account") >= 10 && rows("account") < ACCOUNTS, "{after}");
    assert_eq!(rows("contact"), 0, "it ended at the next slice");
    // Without a wish a cancellation says nothing, and the next round is not stopped by it.
    assert_eq!(station.ask(Method::Post, "/flette/go-offline/cancel", "").status, 204);
    station.sync();
    assert!(!is_offline(&station));
    station.post("/flette/go-offline", "");
    assert!(is_offline(&station));
    assert_eq!(first_pages(&station, "accounts"), 1);
}

#[test]
fn views_and_forms_stay_with_the_second_way_offline_and_the_third() {
    let server = filled();
    let station = Station::new(&server, "demo", &TABLES);
    for time in 1..=3 {
        station.post("/flette/go-offline", "");
        assert!(is_offline(&station));
        let after = status(&station);
        for name in CUSTOMIZATIONS {
            let table = after["tables"].as_array().unwrap().iter().find(|table| table["name"] == name);
            assert!(table.is_some_and(|table| table["complete"] == true), "{name}, time {time}: {after}");
        }
        station.post("/flette/go-online", "");
    }
}

#[test]
fn tables_that_may_not_be_read_are_named_and_nothing_is_pulled() {
    let server = filled();
    let station = Station::new(&server, "demo", &["account", "nosuchtable", "contact"]);
    let refused = station.ask(Method::Post, "/flette/go-offline", "");
    let error: Value = serde_json::from_slice(&refused.body).unwrap();
    assert_eq!((refused.status, &error["error"]["code"]), (403, &"0x80040220".into()), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains("'nosuchtable'"), "{error}");
    assert!(status(&station)["going_offline"].is_null() && !is_offline(&station));
    assert_eq!(first_pages(&station, "accounts"), 0);
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_pulled() {
    let server = filled();
    let station = Station::new(&server, "demo", &TABLES);
    station.space.set(Some(Space { quota_bytes: 16 * 1024 * 1024, used_bytes: 0 }));
    let refused = station.ask(Method::Post, "/flette/go-offline", "");
    assert_eq!(refused.status, 507, "{}", String::from_utf8_lossy(&refused.body));
    assert!(!is_offline(&station) && status(&station)["going_offline"].is_null());
    assert_eq!(first_pages(&station, "accounts"), 0);
    station.space.set(Some(Space { quota_bytes: 32 * 1024 * 1024, used_bytes: 0 }));
    station.post("/flette/go-offline", "");
    assert!(is_offline(&station));
}

#[test]
fn a_failure_that_somebody_waits_for_ends_the_wish_and_one_on_the_way_does_not() {
    let server = filled();
    let mut station = Station::new(&server, "demo", &TABLES);
    let away = |request: &Request| request.url.contains("/contacts?").then_some(Fault::LoseRequest);
    station.wire.fail(away);
    assert_eq!(station.ask(Method::Post, "/flette/go-offline", "").status, 409);
    assert!(status(&station)["going_offline"].is_null() && !is_offline(&station));
    // Killed on the way, the server out of reach at the next start, and back at the one after.
    station.wire.heal();
    assert!(station.killed_at(6, "/flette/go-offline"));
    station.wire.fail(|_| Some(Fault::LoseRequest));
    station.post("/flette/sync", "");
    assert!(!status(&station)["going_offline"].is_null() && !is_offline(&station));
    station.wire.heal();
    station.sync();
    assert!(is_offline(&station));
}

#[test]
fn going_online_says_what_became_of_the_work() {
    let server = filled();
    let online = server.user("admin");
    let rows = online.json("accounts?$top=2&$select=name");
    let ids: Vec<String> = rows["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["accountid"].as_str().unwrap().to_owned())
        .collect();
    let station = Station::new(&server, "demo", &TABLES);
    station.post("/flette/go-offline", "");
    station.patch(&format!("accounts({})", ids[0]), r#"{"telephone1":"1"}"#);
    station.patch(&format!("accounts({})", ids[1]), r#"{"name":"Here"}"#);
    station.create("accounts", r#"{"name":"New"}"#);
    station.create("accounts", r#"{"name":"Taken","accountnumber":"1"}"#);
    tick();
    online.create("accounts", r#"{"name":"Other","accountnumber":"1"}"#);
    online.patch("accounts", ids[0].parse().unwrap(), r#"{"websiteurl":"http://there"}"#);
    online.patch("accounts", ids[1].parse().unwrap(), r#"{"name":"There"}"#);
    let asked = Rc::new(Cell::new(0));
    let counts = asked.clone();
    station.wire.fail(move |_| {
        counts.set(counts.get() + 1);
        None
    });
    assert_eq!(station.ask(Method::Post, "/flette/sync", "").status, 200);
    assert_eq!(asked.get(), 0, "nothing leaves while the line is cut");
    let report: Value = serde_json::from_slice(&station.post("/flette/go-online", "").body).unwrap();
    let told = ["pushed", "merged", "conflicts", "parked"].map(|name| report[name].as_u64().unwrap());
    assert_eq!(told, [2, 1, 1, 1], "{report}");
    assert!(!is_offline(&station));
}

#[test]
fn totals_are_those_of_the_rows_that_the_profile_wants() {
    let server = filled();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"Of one contact"}"#);
    let of = format!(r#""parentcustomerid_account@odata.bind":"accounts({account})""#);
    online.create("contacts", &format!(r#"{{"lastname":"C0",{of}}}"#));
    let profile =
        r#"{"account":{"related":["contact_customer_accounts"]},"contact":{"rows":"lastname eq 'C0'"}}"#;
    let station = Station::with_profile(&server, "demo", &TABLES, profile);
    let seen: Rc<RefCell<Vec<Value>>> = Rc::default();
    let (engine, told) = (station.engine.clone(), seen.clone());
    station.wire.fail(move |_| {
        told.borrow_mut().push(ask(&engine, Method::Get, "/flette/status")["going_offline"].clone());
        None
    });
    station.post("/flette/go-offline", "");
    station.wire.heal();
    assert!(is_offline(&station));
    let seen = seen.borrow();
    let first = seen.iter().find(|going| !going["total"].is_null()).unwrap();
    let total = |name: &str| {
        let tables = first["tables"].as_array().unwrap();
        let table = tables.iter().find(|table| table["name"] == name).unwrap();
        (table["total"].as_u64().unwrap(), table["exact"].as_bool().unwrap())
    };
    assert_eq!((total("contact"), total("account")), ((2, true), (1, true)), "{first}");
}
