//! Requests that write several rows at once, offline, and what the server has of them afterwards.

use crate::support::{Device, Fault, Server};
use flette::api::{self, Answer, Door};
use flette::model::Change;
use flette_odata::{Method, Request, Response, Uuid};
use serde_json::Value as Json;

/// Asks at the front door of a device that is cut off.
pub fn ask(device: &Device, method: &str, path: &str, body: &str) -> Response {
    let door = Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
    let url = format!("/api/data/v9.2/{}", path.replace(' ', "%20").replace('\'', "%27"));
    let mut request = Request::new(Method::parse(method).unwrap(), url);
    if !body.is_empty() {
        request = request.json(body.as_bytes().to_vec());
    }
    match pollster::block_on(api::answer(&device.replica, &request, door)) {
        Answer::Here(response) => response,
        Answer::Elsewhere(response) => panic!("{method} {path}: not answered here: {}", response.status),
    }
}

/// A request that must be taken.
#[track_caller]
pub fn tell(device: &Device, method: &str, path: &str, body: &str) {
    let answer = ask(device, method, path, body);
    assert!(answer.is_success(), "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
}

/// What the device shows.
#[track_caller]
pub fn shown(device: &Device, path: &str) -> Json {
    let answer = ask(device, "GET", path, "");
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    stripped(serde_json::from_slice(&answer.body).unwrap())
}

/// The values of an answer, without what each side has of its own.
pub fn stripped(mut answer: Json) -> Json {
    fn strip(json: &mut Json) {
        match json {
            Json::Array(items) => items.iter_mut().for_each(strip),
            Json::Object(members) => {
                members.retain(|name, _| {
                    !name.starts_with("@odata")
                        && !["versionnumber", "createdon", "modifiedon"].contains(&name.as_str())
                });
                members.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    strip(&mut answer);
    answer
}

fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Writes of each kind; what they touch is read by `PATHS`.
fn write_all(device: &Device) {
    let (account, contact, second, third) = (id(1), id(2), id(3), id(4));
    tell(
        device,
        "POST",
        "accounts",
        &format!(
            r#"{{"accountid":"{account}","name":"Deep","primarycontactid":{{"contactid":"{contact}","firstname":"A","lastname":"First"}},
            "contact_customer_accounts":[{{"contactid":"{second}","lastname":"Second","Contact_Tasks":[{{"activityid":"{}","subject":"Third level"}}]}}]}}"#,
            id(10)
        ),
    );
    tell(
        device,
        "PATCH",
        "accounts(tickersymbol='X')",
        &format!(r#"{{"accountid":"{third}","name":"By key"}}"#),
    );
    tell(device, "PATCH", "accounts(tickersymbol='x')", r#"{"telephone1":"1"}"#);
    tell(
        device,
        "POST",
        "tasks",
        &format!(
            r#"{{"activityid":"{}","subject":"Bound","regardingobjectid_account_task@odata.bind":"accounts(tickersymbol='X')"}}"#,
            id(11)
        ),
    );
    let kind = "Microsoft.Dynamics.CRM.account";
    tell(
        device,
        "POST",
        "accounts/Microsoft.Dynamics.CRM.UpsertMultiple",
        &format!(
            r#"{{"Targets":[{{"@odata.type":"{kind}","accountid":"{}","name":"One of two"}},{{"@odata.type":"{kind}","accountid":"{third}","revenue":5}}]}}"#,
            id(5)
        ),
    );
}

const PATHS: [&str; 3] =
    ["accounts?$orderby=accountid", "contacts?$orderby=contactid", "tasks?$orderby=activityid"];

pub fn keyed() -> Server {
    let server = Server::start();
    let label = r#"{"LocalizedLabels":[{"Label":"Ticker","LanguageCode":1033}]}"#;
    let body =
        format!(r#"{{"SchemaName":"round_Ticker","DisplayName":{label},"KeyAttributes":["tickersymbol"]}}"#);
    let path = "EntityDefinitions(LogicalName='account')/Keys";
    assert_eq!(server.user("admin").ask(Method::Post, path, &body).status, 204);
    server
}

fn on_server(server: &Server, path: &str) -> Json {
    stripped(server.user("admin").json(&path.replace(' ', "%20")))
}

#[test]
fn writes_of_several_rows_arrive_as_they_were_shown() {
    let server = keyed();
    let device = Device::synced(&server, "demo");
    write_all(&device);
    let before = PATHS.map(|path| shown(&device, path));
    device.wire.log.borrow_mut().clear();
    let report = device.sync();
    assert_eq!((report.parked, report.conflicts), (0, 0), "{report:?}");
    assert!(device.entries().is_empty());
    for (path, before) in PATHS.iter().zip(before) {
        assert_eq!(on_server(&server, path), before, "{path}");
        assert_eq!(shown(&device, path), before, "{path}");
    }
    // What came together went together.
    let log = device.wire.log.borrow();
    let batch = log.iter().find(|line| line.contains(&id(10))).unwrap();
    assert!(batch.contains("changeset_") && batch.contains(&id(1)) && batch.contains(&id(2)));
}

#[test]
fn what_was_cut_off_in_the_middle_is_made_once() {
    for fault in [|| Fault::LoseAnswer, || Fault::LoseRequest] {
        let server = keyed();
        let mut device = Device::synced(&server, "demo");
        write_all(&device);
        let before = PATHS.map(|path| shown(&device, path));
        let pushes =
            |r: &Request| r.url.ends_with("$batch") && String::from_utf8_lossy(&r.body).contains("PATCH ");
        device.wire.fail(move |request| pushes(request).then(fault));
        device.round();
        assert!(!device.entries().is_empty());
        device.restart();
        for (path, before) in PATHS.iter().zip(&before) {
            assert_eq!(shown(&device, path), *before, "{path}");
        }
        device.wire.heal();
        device.sync();
        assert!(device.entries().is_empty() && device.conflicts().is_empty());
        for (path, before) in PATHS.iter().zip(before) {
            assert_eq!(on_server(&server, path), before, "{path}");
        }
    }
}

#[test]
fn a_deep_insert_that_is_refused_is_parked_whole_and_given_up_with_its_parent() {
    let server = keyed();
    let device = Device::synced(&server, "demo");
    let online = server.user("admin");
    tell(
        &device,
        "POST",
        "accounts",
        &format!(
            r#"{{"accountid":"{}","name":"Mine","tickersymbol":"T","contact_customer_accounts":[{{"contactid":"{}","lastname":"Waits"}}]}}"#,
            id(1),
            id(2)
        ),
    );
    online.create("accounts", r#"{"name":"Theirs","tickersymbol":"t"}"#);
    let report = device.round();
    assert_eq!((report.pushed, report.parked), (0, 2), "{report:?}");
    assert_eq!(online.ask(Method::Get, &format!("contacts({})", id(2)), "").status, 404);
    let keys = |device: &Device| -> Vec<Uuid> { device.entries().iter().map(|e| e.key.id).collect() };
    assert_eq!(keys(&device).len(), 2);
    assert!(device.entries().iter().all(|e| e.is_parked() && matches!(e.change, Change::Create(_))));
    // Rows that point to a new one that is given up go with it, as they would with one that is deleted.
    let parent = device.entries().into_iter().find(|entry| entry.key.id.to_string() == id(1)).unwrap();
    device.change(|draft| draft.discard(parent.op).unwrap());
    assert!(device.entries().is_empty());
}
