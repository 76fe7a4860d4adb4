//! Rules of merging and directions of columns, against the real server.

use crate::several::ask;
use crate::support::{text, tick, Device, Server, Wire};
use flette::model::{Clash, Conflict, Side, Value};
use flette_odata::{Method, Uuid};

/// A contact that the device and somebody online change, the device first or last.
struct Met {
    online: Wire,
    device: Device,
    id: Uuid,
    _server: Server,
}

impl Met {
    fn new(profile: &str) -> Met {
        let server = Server::start();
        let online = server.user("admin");
        let id = online.create("contacts", r#"{"lastname":"Berg","telephone1":"0","jobtitle":"old"}"#);
        let device = Device::with_profile(&server, "demo", profile);
        Met { online, device, id, _server: server }
    }

    /// Both change the telephone, and each a column of its own.
    fn edited(profile: &str, here_last: bool) -> Met {
        let met = Met::new(profile);
        if !here_last {
            met.edit_here();
        }
        tick();
        met.online.patch("contacts", met.id, r#"{"telephone1":"there","jobtitle":"new"}"#);
        tick();
        if here_last {
            met.edit_here();
        }
        met.device.sync();
        met
    }

    fn edit_here(&self) {
        self.device.edit("contact", self.id, &[("telephone1", text("here")), ("fax", text("1"))]);
    }

    fn here(&self, column: &str) -> String {
        self.device.text("contact", self.id, column)
    }

    fn there(&self, column: &str) -> String {
        let row = self.online.json(&format!("contacts({})", self.id));
        row[column].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn only_conflict(&self) -> Conflict {
        let [conflict] = self.device.conflicts().try_into().unwrap();
        conflict
    }

    fn take(&self, side: Side) {
        let id = self.only_conflict().id;
        self.device.change(|draft| draft.resolve_conflict(id, side).unwrap());
        self.device.sync();
    }
}

fn rule(rule: &str) -> String {
    format!(r#"{{"contact":{{"fields":{{"telephone1":{{"merge":"{rule}"}}}}}}}}"#)
}

#[test]
fn each_rule_decides_and_what_lost_can_be_taken_back() {
    for (name, here_last, winner) in [
        ("newest", true, Side::Local),
        ("newest", false, Side::Server),
        ("server", true, Side::Server),
        ("local", false, Side::Local),
        ("manual", true, Side::Server),
    ] {
        let met = Met::edited(&rule(name), here_last);
        let (stands, lost, loser) = match winner {
            Side::Local => ("here", "there", Side::Server),
            Side::Server => ("there", "here", Side::Local),
        };
        assert_eq!(
            (met.here("telephone1"), met.there("telephone1")),
            (stands.into(), stands.into()),
            "{name}"
        );
        assert_eq!((met.here("jobtitle"), met.there("fax")), ("new".into(), "1".into()), "{name}");
        let conflict = met.only_conflict();
        assert_eq!((conflict.winner, conflict.is_open()), (winner, name == "manual"), "{name}");
        met.take(loser);
        assert!(!met.only_conflict().is_open());
        assert_eq!((met.here("telephone1"), met.there("telephone1")), (lost.into(), lost.into()), "{name}");
    }
}

#[test]
fn what_is_left_to_a_human_is_settled_by_taking_what_stands_too() {
    let met = Met::edited(&rule("manual"), true);
    met.take(Side::Server);
    assert!(!met.only_conflict().is_open());
    assert_eq!((met.here("telephone1"), met.there("telephone1")), ("there".into(), "there".into()));
}

#[test]
fn a_deletion_meets_an_edit_by_the_rule_of_the_table() {
    for (name, here_last, gone) in [
        ("newest", true, true),
        ("newest", false, false),
        ("server", true, false),
        ("local", false, true),
        ("manual", true, false),
    ] {
        let met = Met::new(&format!(r#"{{"contact":{{"merge":"{name}"}}}}"#));
        if !here_last {
            met.device.delete("contact", met.id);
        }
        tick();
        met.online.patch("contacts", met.id, r#"{"telephone1":"there"}"#);
        tick();
        if here_last {
            met.device.delete("contact", met.id);
        }
        met.device.sync();
        let there = met.online.ask(Method::Get, &format!("contacts({})", met.id), "").status;
        assert_eq!(
            (there, met.device.row("contact", met.id).is_none()),
            (if gone { 404 } else { 200 }, gone),
            "{name}"
        );
        let open: Vec<bool> = met.device.conflicts().iter().map(Conflict::is_open).collect();
        assert_eq!(open, if gone { vec![] } else { vec![name == "manual"] }, "{name}");
    }
}

#[test]
fn a_column_that_only_comes_down_cannot_be_edited_here() {
    let met = Met::new(r#"{"contact":{"fields":{"telephone1":{"direction":"down"}}}}"#);
    let path = format!("contacts({})", met.id);
    for (method, path, body) in [
        ("PATCH", path.as_str(), r#"{"telephone1":"here"}"#),
        ("PUT", format!("{path}/telephone1").as_str(), r#"{"value":"here"}"#),
        ("POST", "contacts", r#"{"lastname":"New","telephone1":"here"}"#),
    ] {
        let answer = ask(&met.device, method, path, body);
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 400, "{method} {body}");
        assert!(body.contains("'telephone1' cannot be edited on this device"), "{method} {body}");
    }
    assert!(ask(&met.device, "PATCH", &path, r#"{"jobtitle":"mine"}"#).is_success());
    met.online.patch("contacts", met.id, r#"{"telephone1":"there"}"#);
    met.device.sync();
    assert_eq!((met.here("telephone1"), met.there("jobtitle")), ("there".into(), "mine".into()));
}

#[test]
fn edits_of_a_column_that_only_comes_down_from_now_on_are_kept_in_the_log() {
    let mut met = Met::new("{}");
    met.edit_here();
    met.device.set_profile(r#"{"contact":{"fields":{"telephone1":{"direction":"down"}}}}"#);
    met.device.sync();
    assert_eq!((met.there("telephone1"), met.there("fax")), ("0".into(), "1".into()));
    assert_eq!(met.here("telephone1"), "0");
    let Clash::Field { name, local, server } = met.only_conflict().clash else { panic!("a field") };
    assert_eq!((name.as_str(), local, server), ("telephone1", text("here"), text("0")));
    // Taking it back would be an edit: it is refused, until the column may be edited again.
    let id = met.only_conflict().id;
    met.device.change(|draft| assert!(draft.resolve_conflict(id, Side::Local).is_err()));
    met.device.set_profile("{}");
    met.device.sync();
    met.take(Side::Local);
    assert_eq!(met.there("telephone1"), "here");
}

#[test]
fn a_closed_row_takes_nothing_back() {
    let server = Server::start();
    let online = server.user("admin");
    let task = online.create("tasks", r#"{"subject":"Call"}"#);
    let device = Device::with_profile(&server, "demo", "{}");
    device.edit("task", task, &[("subject", text("here"))]);
    tick();
    online.patch("tasks", task, r#"{"subject":"there"}"#);
    device.sync();
    let id = device.conflicts()[0].id;
    let state = |state: i32| {
        online.patch("tasks", task, &format!(r#"{{"statecode":{state}}}"#));
        device.sync();
    };
    // An edit of it would be refused, and that is said at once, not when it was sent.
    state(1);
    device.change(|draft| assert!(draft.resolve_conflict(id, Side::Local).is_err()));
    assert!(device.entries().is_empty() && device.conflicts()[0].resolved.is_none());
    state(0);
    device.change(|draft| draft.resolve_conflict(id, Side::Local).unwrap());
    device.sync();
    assert_eq!(online.json(&format!("tasks({task})"))["subject"], "here");
}

#[test]
fn a_state_that_is_taken_back_brings_a_status_that_belongs_to_it() {
    let server = Server::start();
    let online = server.user("admin");
    let task = online.create("tasks", r#"{"subject":"Call"}"#);
    let device = Device::with_profile(&server, "demo", "{}");
    let state = |state, status| [("statecode", Value::Int(state)), ("statuscode", Value::Int(status))];
    device.edit("task", task, &state(1, 5));
    tick();
    online.patch("tasks", task, r#"{"statecode":2,"statuscode":6}"#);
    device.sync();
    let conflicts = device.conflicts();
    let is_state =
        |conflict: &&Conflict| matches!(&conflict.clash, Clash::Field { name, .. } if name == "statecode");
    let id = conflicts.iter().find(is_state).unwrap().id;
    device.change(|draft| draft.resolve_conflict(id, Side::Local).unwrap());
    let row = device.row("task", task).unwrap();
    assert_eq!([&row["statecode"], &row["statuscode"]], [&Value::Int(1), &Value::Int(5)]);
    device.sync();
    let there = online.json(&format!("tasks({task})"));
    assert_eq!((&there["statecode"], &there["statuscode"]), (&1.into(), &5.into()));
}

#[test]
fn a_column_that_only_goes_up_is_sent_and_never_changed_by_a_pull() {
    let met = Met::edited(r#"{"contact":{"fields":{"telephone1":{"direction":"up"}}}}"#, false);
    // The other side's later edit does not count: there is no conflict.
    assert!(met.device.conflicts().is_empty());
    assert_eq!((met.here("telephone1"), met.there("telephone1")), ("here".into(), "here".into()));
    met.online.patch("contacts", met.id, r#"{"telephone1":"again","jobtitle":"other"}"#);
    met.device.sync();
    assert_eq!((met.here("telephone1"), met.here("jobtitle")), ("here".into(), "other".into()));
    // What is edited beside it does not bring it along, in either direction.
    met.device.edit("contact", met.id, &[("fax", text("2"))]);
    met.device.sync();
    assert_eq!((met.here("telephone1"), met.there("telephone1")), ("here".into(), "again".into()));
    met.device.edit("contact", met.id, &[("telephone1", text("last"))]);
    met.device.sync();
    assert_eq!((met.here("telephone1"), met.there("telephone1")), ("last".into(), "last".into()));
    // A row that is new here brings its first value.
    let other = met.online.create("contacts", r#"{"lastname":"Lie","telephone1":"first"}"#);
    met.device.sync();
    assert_eq!(met.device.text("contact", other, "telephone1"), "first");
}

#[test]
fn a_column_that_goes_neither_way_is_not_here() {
    let met = Met::new(r#"{"contact":{"fields":{"telephone1":{"direction":"none"}}}}"#);
    assert!(!met.device.row("contact", met.id).unwrap().contains_key("telephone1"));
    let log = met.device.wire.log.borrow();
    let pulls: Vec<&String> = log.iter().filter(|line| line.starts_with("GET contacts?")).collect();
    assert!(!pulls.is_empty() && pulls.iter().all(|line| !line.contains(",telephone1,")), "{pulls:?}");
}
