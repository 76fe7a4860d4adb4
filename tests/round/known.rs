//! What was pushed does not come back with what changed.

use crate::support::{text, Device, Fault, Server};
use flette::model::{ETag, Key};
use flette_odata::known_versions::PREFERENCE;
use flette_odata::Request;
use serde_json::Value as Json;
use std::cell::RefCell;
use std::rc::Rc;

/// What pages of contacts were preferred, one after the other.
type Asked = Rc<RefCell<Vec<String>>>;

fn watch(device: &Device, fault: impl Fn(&Request) -> Option<Fault> + 'static) -> Asked {
    let asked = Asked::default();
    let heard = Rc::clone(&asked);
    device.wire.fail(move |request| {
        if request.url.contains("/contacts?") {
            heard.borrow_mut().push(request.headers.get("Prefer").unwrap_or_default().to_owned());
        }
        fault(request)
    });
    asked
}

/// Names of the contacts in the last answer that tells of some table's changes and holds any.
fn told(device: &Device) -> Vec<String> {
    let pages = device.wire.answers.borrow();
    let mut pages = pages.iter().filter_map(|answer| serde_json::from_str::<Json>(answer).ok());
    let of_contacts =
        |page: &Json| page["@odata.context"].as_str().is_some_and(|at| at.contains("#contacts("));
    let last = pages.rfind(of_contacts).unwrap();
    last["value"].as_array().unwrap().iter().map(|row| row["lastname"].as_str().unwrap().to_owned()).collect()
}

/// Three contacts of the server.
fn contacts(server: &Server) -> [Key; 3] {
    let online = server.user("admin");
    let contact = |name: &str| online.create("contacts", &format!(r#"{{"lastname":"{name}"}}"#));
    ["A", "B", "C"].map(|name| Key::new("contact", contact(name)))
}

fn edit(device: &Device, key: &Key, value: &str) {
    device.edit("contact", key.id, &[("telephone1", text(value))]);
}

/// Every contact is here as the server has it.
fn all_as_on_server(device: &Device) {
    pollster::block_on(device.replica.load(&["contact"])).unwrap();
    let page = device.wire.json("contacts?$select=contactid,telephone1");
    let rows = page["value"].as_array().unwrap();
    assert_eq!(device.count("contact"), rows.len());
    for row in rows {
        let key = Key::new("contact", row["contactid"].as_str().unwrap().parse().unwrap());
        let etag = device.replica.state().mirror_etag(&key);
        assert_eq!(etag, row["@odata.etag"].as_str().map(|etag| ETag(etag.to_owned())));
        assert_eq!(
            device.text("contact", key.id, "telephone1"),
            row["telephone1"].as_str().unwrap_or_default()
        );
    }
}

#[test]
fn only_what_others_did_is_told() {
    let server = Server::start();
    let [a, b, c] = contacts(&server);
    let device = Device::synced(&server, "demo");
    let asked = watch(&device, |_| None);
    edit(&device, &a, "1");
    edit(&device, &b, "1");
    device.create("contact", &[("lastname", text("D"))]);
    server.user("admin").patch("contacts", c.id, r#"{"telephone1":"2"}"#);
    device.sync();
    assert_eq!(told(&device), ["C"]);
    assert!(asked.borrow().iter().all(|prefer| prefer.contains(PREFERENCE)), "{asked:?}");
    all_as_on_server(&device);
    // One after the other since then, each of them told or not by what it stands at now.
    server.user("admin").patch("contacts", a.id, r#"{"telephone1":"3"}"#);
    edit(&device, &b, "4");
    device.sync();
    assert_eq!(told(&device), ["A"]);
    all_as_on_server(&device);
}

/// The row was changed once more before the page is asked for.
#[test]
fn a_row_that_has_moved_on_is_told() {
    let server = Server::start();
    let [a, ..] = contacts(&server);
    let device = Device::synced(&server, "demo");
    let (online, id) = (server.user("admin"), a.id);
    let moved = RefCell::new(false);
    watch(&device, move |request| {
        if request.url.contains("/contacts?") && !moved.replace(true) {
            online.patch("contacts", id, r#"{"telephone1":"5"}"#);
        }
        None
    });
    edit(&device, &a, "1");
    device.sync();
    assert_eq!(told(&device), ["A"]);
    all_as_on_server(&device);
}

/// The answer to the push says another version in its header than in its body, so what was named does not count.
#[test]
fn what_was_named_and_did_not_come_is_asked_for_once_more() {
    let server = Server::start();
    let [a, ..] = contacts(&server);
    let device = Device::synced(&server, "demo");
    let is_push = |request: &Request| String::from_utf8_lossy(&request.body).contains("\r\nPATCH ");
    let asked = watch(&device, move |request| {
        let other = |answer: &str| answer.replacen("ETag: W/\"", "ETag: W/\"9", 1);
        is_push(request).then_some(Fault::Told(other))
    });
    edit(&device, &a, "1");
    device.sync();
    let asked = asked.borrow();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_ne!(asked[0], asked[1]);
    assert!(told(&device).is_empty());
    all_as_on_server(&device);
}

#[test]
fn nothing_is_named_where_it_counts_that_a_page_tells_of_a_row() {
    for profile in [
        r#"{"contact":{"rows":"contains(lastname,'A')"}}"#,
        r#"{"contact":{"fields":{"jobtitle":{"direction":"up"}}}}"#,
    ] {
        let server = Server::start();
        let [a, ..] = contacts(&server);
        let device = Device::with_profile(&server, "demo", profile);
        device.sync();
        let asked = watch(&device, |_| None);
        edit(&device, &a, "1");
        device.sync();
        assert!(!asked.borrow().is_empty());
        assert!(!asked.borrow().iter().any(|prefer| prefer.contains(PREFERENCE)), "{profile}: {asked:?}");
    }
}

#[test]
fn other_servers_are_asked_as_ever() {
    let server = Server::bare();
    let [a, ..] = contacts(&server);
    let device = Device::synced(&server, "demo");
    let asked = watch(&device, |_| None);
    edit(&device, &a, "1");
    device.sync();
    assert!(!asked.borrow().is_empty());
    assert!(!asked.borrow().iter().any(|prefer| prefer.contains(PREFERENCE)), "{asked:?}");
    assert_eq!(told(&device), ["A"]);
}
