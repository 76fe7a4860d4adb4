//! Updates that the server answers with what they changed.

use crate::support::{link, text, Device, Fault, Server, Wire};
use flette::model::{ETag, Key, Row, Value};
use flette::replica::decode_row;
use flette_odata::{Method, Request};
use std::rc::Rc;

const ASKED: &str = "flette.changes-only";
const LOOKUPS: &str = "odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"";

/// Nothing but pushing works.
fn only_push(device: &Device) {
    let pushes = |request: &Request| request.url.ends_with("$batch") || request.url.ends_with("WhoAmI");
    device.wire.fail(move |request| (!pushes(request)).then_some(Fault::LoseRequest));
}

/// Whether the last push asked for changes, and was answered with them.
fn told(wire: &Wire) -> (bool, bool) {
    let of = |lines: &[String], mark: &str| lines.iter().rfind(|line| line.contains(mark)).cloned();
    let asked = of(&wire.log.borrow(), "\r\nPATCH ").unwrap();
    let answered = of(&wire.answers.borrow(), "--batchresponse").unwrap();
    (asked.contains(ASKED), answered.contains(ASKED))
}

/// What is known of a row, as the server told it.
fn known(device: &Device, key: &Key) -> (Row, ETag) {
    pollster::block_on(device.replica.load(&[&key.table])).unwrap();
    let state = device.replica.state();
    state.mirror_row(key).unwrap()
}

/// The row as the server tells it now.
fn on_server(device: &Device, key: &Key) -> (Row, ETag) {
    let schema = device.replica.state().schema.clone();
    let table = schema.table(&key.table).unwrap();
    let request = Request::new(Method::Get, format!("{}{}({})", device.wire.root(), table.set_name, key.id));
    let answer = device.wire.forward(request.header("Prefer", LOOKUPS));
    let page = decode_row(&answer.body, table).unwrap();
    (page.row(0), ETag(page.etag(0).unwrap()))
}

fn is_push(request: &Request) -> bool {
    request.url.ends_with("$batch") && String::from_utf8_lossy(&request.body).contains("\r\nPATCH ")
}

/// A contact and an account of the server, and a device that knows them.
fn place() -> (Server, Device, Key, Key) {
    let server = Server::start();
    let online = server.user("admin");
    let account = Key::new("account", online.create("accounts", r#"{"name":"A","revenue":10}"#));
    let contact = Key::new("contact", online.create("contacts", r#"{"lastname":"X","telephone1":"0"}"#));
    let device = Device::synced(&server, "demo");
    (server, device, account, contact)
}

#[test]
fn what_is_known_and_what_is_told_make_the_row_that_the_server_has() {
    let (_server, device, account, contact) = place();
    only_push(&device);
    let customer = link("account", account.id);
    for (key, edits) in [
        (&contact, vec![("telephone1", text("1"))]),
        (&contact, vec![("parentcustomerid", customer), ("firstname", text("F"))]),
        (&contact, vec![("parentcustomerid", Value::Null), ("telephone1", Value::Null)]),
        (&account, vec![("revenue", Value::Null), ("address1_city", text("Oslo"))]),
        (&account, vec![("statecode", Value::Int(1)), ("statuscode", Value::Int(2))]),
    ] {
        device.edit(&key.table, key.id, &edits);
        device.round();
        assert_eq!(told(&device.wire), (true, true), "{edits:?}");
        assert!(device.entries().is_empty(), "{edits:?}");
        assert_eq!(known(&device, key), on_server(&device, key), "{edits:?}");
    }
    device.wire.heal();
    device.sync();
    assert_eq!(known(&device, &contact), on_server(&device, &contact));
}

#[test]
fn an_edit_made_meanwhile_stays_upon_the_row_that_changes_made() {
    let (server, device, _, contact) = place();
    device.edit("contact", contact.id, &[("telephone1", text("1"))]);
    // The answer is lost; the repeat gets the same one.
    device.wire.fail(|request| {
        (is_push(request)).then_some(Fault::LoseAnswer).or_else(|| {
            let pushes = request.url.ends_with("$batch") || request.url.ends_with("WhoAmI");
            (!pushes).then_some(Fault::LoseRequest)
        })
    });
    device.round();
    device.edit("contact", contact.id, &[("jobtitle", text("Boss"))]);
    device.wire.heal();
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    assert_eq!(known(&device, &contact), on_server(&device, &contact));
    let row = server.user("admin").json(&format!("contacts({})", contact.id));
    assert_eq!((row["telephone1"].as_str(), row["jobtitle"].as_str()), (Some("1"), Some("Boss")));
}

#[test]
fn rows_that_are_not_in_memory_are_told_whole() {
    let (_server, mut device, _, contact) = place();
    device.edit("contact", contact.id, &[("telephone1", text("1"))]);
    device.restart();
    only_push(&device);
    device.round();
    assert_eq!(told(&device.wire), (false, false));
    assert!(device.entries().is_empty());
    assert_eq!(known(&device, &contact), on_server(&device, &contact));
}

#[test]
fn columns_that_only_go_up_are_told_whole() {
    let server = Server::start();
    let id = server.user("admin").create("contacts", r#"{"lastname":"X","jobtitle":"theirs"}"#);
    let profile = r#"{"contact":{"fields":{"jobtitle":{"direction":"up"}}}}"#;
    let device = Device::with_profile(&server, "demo", profile);
    device.edit("contact", id, &[("telephone1", text("1"))]);
    only_push(&device);
    device.round();
    assert_eq!(told(&device.wire), (false, false));
    assert!(device.entries().is_empty());
}

/// Another context pulls the change before the answer to it is taken over.
#[test]
fn changes_of_a_version_that_is_not_here_any_more_are_not_believed() {
    let (server, device, _, contact) = place();
    let online = server.user("admin");
    device.edit("contact", contact.id, &[("telephone1", text("1"))]);
    let (line, key) = (device.wire.twin(), contact.clone());
    let other = Rc::new(device.another(&server, "demo"));
    device.wire.fail(move |request| {
        is_push(request).then(|| {
            let answer = line.forward(request.clone());
            online.patch("contacts", key.id, r#"{"jobtitle":"theirs"}"#);
            other.sync();
            Fault::Answer(answer)
        })
    });
    let report = device.round();
    device.wire.heal();
    assert!(report.problem.is_none() || report.ok, "{report:?}");
    device.sync();
    assert!(device.entries().is_empty() && device.conflicts().is_empty());
    let (row, _) = known(&device, &contact);
    assert_eq!((&row["telephone1"], &row["jobtitle"]), (&text("1"), &text("theirs")));
    assert_eq!(known(&device, &contact), on_server(&device, &contact));
}

/// A column comes into scope while what is known of the row lacks it.
#[test]
fn a_column_that_is_not_here_yet_is_not_taken_for_empty() {
    let server = Server::start();
    let id = server.user("admin").create("contacts", r#"{"lastname":"X","jobtitle":"theirs"}"#);
    let key = Key::new("contact", id);
    let narrow = r#"{"contact":{"fields":{"jobtitle":{"direction":"none"}}}}"#;
    let mut device = Device::with_profile(&server, "demo", narrow);
    device.edit("contact", id, &[("telephone1", text("1"))]);
    device.set_profile("{}");
    // Its columns are read, its rows are not.
    device.wire.fail(|request| request.url.contains("/contacts").then_some(Fault::LoseRequest));
    device.round();
    assert_eq!(told(&device.wire), (false, false));
    assert!(device.entries().is_empty());
    assert_eq!(known(&device, &key), on_server(&device, &key));
    device.wire.heal();
    device.sync();
    assert_eq!(known(&device, &key), on_server(&device, &key));
}
