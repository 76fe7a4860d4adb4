//! Definitions are read anew where the server says that they changed, and nowhere else.

use crate::schema::{add_column, drop_column};
use crate::support::{Device, Fault, Server, Wire};
use flette_odata::{Method, Response};
use serde_json::{json, Value as Json};

const FUNCTION: &str = "RetrieveMetadataChanges";

fn make(online: &Wire, path: &str, body: &Json) -> Response {
    let made = online.ask(Method::Post, path, &body.to_string());
    assert!(made.status < 300, "{}", String::from_utf8_lossy(&made.body));
    made
}

fn attributes(table: &str) -> String {
    format!("EntityDefinitions(LogicalName='{table}')/Attributes")
}

fn drop_at(online: &Wire, path: &str) {
    let dropped = online.ask(Method::Delete, path, "");
    assert!(dropped.status < 300, "{}", String::from_utf8_lossy(&dropped.body));
}

fn label(text: &str) -> Json {
    json!({"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]})
}

/// A column that chooses among options of its own, or of a global set of that name.
fn choice(name: &str, set: Option<&str>) -> Json {
    let mut body = json!({
        "@odata.type": "Microsoft.Dynamics.CRM.PicklistAttributeMetadata",
        "SchemaName": name, "DisplayName": label(name), "RequiredLevel": {"Value": "None"},
    });
    match set {
        Some(set) => {
            body["GlobalOptionSet@odata.bind"] = json!(format!("/GlobalOptionSetDefinitions(Name='{set}')"))
        }
        None => {
            body["OptionSet"] = json!({"IsGlobal": false, "OptionSetType": "Picklist",
            "Options": [{"Value": 1, "Label": label("One")}, {"Value": 2, "Label": label("Two")}]})
        }
    }
    body
}

/// What was asked about definitions since the log was cleared: how often for changes, and which tables were read.
fn asked(device: &Device) -> (usize, Vec<String>) {
    let log = device.wire.log.borrow();
    let probes = log.iter().filter(|line| line.contains(FUNCTION)).count();
    let heads = log
        .iter()
        .flat_map(|line| line.lines())
        .filter(|line| line.contains("?$select=LogicalName,SchemaName,EntitySetName"));
    let name = |line: &str| line.split('\'').nth(1).unwrap().to_owned();
    let mut tables: Vec<String> = heads.map(name).collect();
    tables.sort();
    (probes, tables)
}

/// A round in which the definitions are due.
fn refresh(device: &Device) -> (usize, Vec<String>) {
    device.change(|draft| draft.record.schema_checked = None);
    device.wire.log.borrow_mut().clear();
    device.sync();
    asked(device)
}

/// What is known here is what a device knows that has just been set up, under the same profile.
fn is_as_fresh(device: &Device, server: &Server) {
    let mut fresh = Device::new(server, "demo");
    fresh.config = device.config.clone();
    fresh.sync();
    let (here, there) = (device.replica.state(), fresh.replica.state());
    for (known, read) in here.schema.tables.iter().zip(&there.schema.tables) {
        assert_eq!(known, read);
    }
    assert_eq!(here.schema.many_to_many, there.schema.many_to_many);
    assert!(*here.schema == *there.schema);
    assert_eq!(here.record.left_out, there.record.left_out);
    assert_eq!(here.record.wanted, there.record.wanted);
}

fn all(device: &Device) -> Vec<String> {
    let mut all = device.config.tables.clone();
    all.sort();
    all
}

#[test]
fn nothing_is_read_where_nothing_changed() {
    let server = Server::start();
    let device = Device::new(&server, "demo");
    device.sync();
    assert_eq!(asked(&device), (1, all(&device)));
    let generation = device.replica.state().record.generation;
    for _ in 0..2 {
        assert_eq!(refresh(&device), (1, vec![]));
    }
    assert_eq!(device.replica.state().record.generation, generation);
    // And nothing is asked where nothing is due.
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert_eq!(asked(&device), (0, vec![]));
    is_as_fresh(&device, &server);
}

#[test]
fn a_column_that_comes_and_goes_has_its_table_read() {
    let server = Server::start();
    let online = server.user("admin");
    let device = Device::with_all_tables(&server, "demo");
    let has = || device.replica.state().schema.table("contact").unwrap().column("new_memo").is_some();
    add_column(&online);
    assert_eq!((refresh(&device), has()), ((1, vec!["contact".to_owned()]), true));
    is_as_fresh(&device, &server);
    let changed = json!({"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "DisplayName": label("Other")});
    let path = format!("{}(LogicalName='new_memo')", attributes("contact"));
    assert!(online.ask(Method::Put, &path, &changed.to_string()).status < 300);
    assert_eq!(refresh(&device), (1, vec!["contact".to_owned()]));
    is_as_fresh(&device, &server);
    drop_column(&online);
    assert_eq!((refresh(&device), has()), ((1, vec!["contact".to_owned()]), false));
    // Dropped and made again between two looks.
    add_column(&online);
    refresh(&device);
    drop_column(&online);
    add_column(&online);
    assert_eq!(refresh(&device), (1, vec!["contact".to_owned()]));
    is_as_fresh(&device, &server);
}

#[test]
fn options_that_come_and_go_have_their_tables_read() {
    let server = Server::start();
    let online = server.user("admin");
    let set = json!({"Name": "new_colours", "DisplayName": label("Colours"), "OptionSetType": "Picklist",
        "Options": [{"Value": 1, "Label": label("Red")}]});
    make(&online, "GlobalOptionSetDefinitions", &set);
    make(&online, &attributes("task"), &choice("new_Kind", None));
    for table in ["account", "contact"] {
        make(&online, &attributes(table), &choice("new_Colour", Some("new_colours")));
    }
    let device = Device::synced(&server, "demo");
    let shared = vec!["account".to_owned(), "contact".to_owned()];
    let with_task = vec!["account".to_owned(), "contact".to_owned(), "task".to_owned()];
    assert_eq!(refresh(&device), (1, shared.clone()));
    for (action, body, read) in [
        (
            "InsertOptionValue",
            json!({"EntityLogicalName": "task", "AttributeLogicalName": "new_kind", "Value": 3, "Label": label("Three")}),
            &with_task,
        ),
        (
            "DeleteOptionValue",
            json!({"EntityLogicalName": "task", "AttributeLogicalName": "new_kind", "Value": 1}),
            &with_task,
        ),
        (
            "InsertOptionValue",
            json!({"OptionSetName": "new_colours", "Value": 2, "Label": label("Green")}),
            &shared,
        ),
        ("DeleteOptionValue", json!({"OptionSetName": "new_colours", "Value": 1}), &shared),
    ] {
        make(&online, action, &body);
        assert_eq!(refresh(&device), (1, read.clone()), "{body}");
        is_as_fresh(&device, &server);
    }
}

#[test]
fn relationships_and_keys_that_come_and_go_have_their_tables_read() {
    let server = Server::start();
    let online = server.user("admin");
    let device = Device::with_all_tables(&server, "demo");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let lookup = json!({"@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata",
        "SchemaName": "new_contact_task", "ReferencedEntity": "contact", "ReferencingEntity": "task",
        "Lookup": {"SchemaName": "new_Helper", "DisplayName": label("Helper")}});
    make(&online, "RelationshipDefinitions", &lookup);
    assert_eq!(refresh(&device), (1, names(&["task"])));
    is_as_fresh(&device, &server);
    let pairs = json!({"@odata.type": "Microsoft.Dynamics.CRM.ManyToManyRelationshipMetadata",
        "SchemaName": "new_account_task", "IntersectEntityName": "new_account_task",
        "Entity1LogicalName": "account", "Entity2LogicalName": "task"});
    make(&online, "RelationshipDefinitions", &pairs);
    assert_eq!(refresh(&device), (1, names(&["account", "task"])));
    assert!(device.replica.state().schema.many_to_many.iter().any(|p| p.relationship == "new_account_task"));
    is_as_fresh(&device, &server);
    drop_at(&online, "RelationshipDefinitions(SchemaName='new_account_task')");
    assert_eq!(refresh(&device), (1, names(&["account", "task"])));
    assert!(device.replica.state().schema.many_to_many.iter().all(|p| p.relationship != "new_account_task"));
    is_as_fresh(&device, &server);
    // Whose relationship is gone is not known here.
    drop_at(&online, "RelationshipDefinitions(SchemaName='new_contact_task')");
    assert_eq!(refresh(&device), (2, all(&device)));
    is_as_fresh(&device, &server);
    let key =
        json!({"SchemaName": "new_Phone", "DisplayName": label("Phone"), "KeyAttributes": ["telephone1"]});
    make(&online, "EntityDefinitions(LogicalName='lead')/Keys", &key);
    assert_eq!(refresh(&device), (1, names(&["lead"])));
    is_as_fresh(&device, &server);
    drop_at(&online, "EntityDefinitions(LogicalName='lead')/Keys(LogicalName='new_phone')");
    assert_eq!(refresh(&device), (1, names(&["lead"])));
    is_as_fresh(&device, &server);
}

#[test]
fn a_stamp_that_the_server_does_not_know_has_everything_read_and_another_one_taken() {
    let server = Server::start();
    let online = server.user("admin");
    let device = Device::synced(&server, "demo");
    for stamp in ["nonsense", "it's", "00000000-0000-0000-0000-000000000000!1"] {
        device.change(|draft| draft.record.definition_stamp.as_mut().unwrap().stamp = stamp.to_owned());
        add_column(&online);
        assert_eq!(refresh(&device), (2, all(&device)), "{stamp}");
        is_as_fresh(&device, &server);
        drop_column(&online);
        assert_eq!(refresh(&device), (1, vec!["contact".to_owned()]), "{stamp}");
    }
    // After a week nothing is believed unseen.
    device.change(|draft| draft.record.definition_stamp.as_mut().unwrap().read.0 -= 7 * 24 * 60 * 60 * 1000);
    assert_eq!(refresh(&device), (1, all(&device)));
    assert_eq!(refresh(&device), (1, vec![]));
}

#[test]
fn a_server_that_does_not_tell_changes_is_asked_for_everything() {
    let error = |status: u16| {
        let body = br#"{"error":{"code":"0x80040220","message":"No."}}"#.to_vec();
        Some(Fault::Answer(Response::json(status, body)))
    };
    let part = |status: u16, body: &str| {
        let text = format!(
            "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {status} X\r\n\
             Content-Type: application/json\r\n\r\n{body}\r\n--b--\r\n"
        );
        let mut answer = Response::json(200, text.into_bytes());
        answer.headers = [("Content-Type", "multipart/mixed; boundary=b")].into_iter().collect();
        Some(Fault::Answer(answer))
    };
    let page = || {
        let mut page = Response::json(200, b"<html>Sign in</html>".to_vec());
        page.headers = [("Content-Type", "text/html")].into_iter().collect();
        Some(Fault::Answer(page))
    };
    let refusals: Vec<Box<dyn Fn() -> Option<Fault>>> = vec![
        Box::new(move || error(400)),
        Box::new(move || error(403)),
        Box::new(move || error(404)),
        Box::new(move || error(501)),
        Box::new(move || error(500)),
        Box::new(|| Some(Fault::Answer(Response::empty(403)))),
        Box::new(|| Some(Fault::Answer(Response::empty(404)))),
        Box::new(page),
        Box::new(move || part(501, r#"{"error":{"code":"","message":"No."}}"#)),
        Box::new(move || part(404, "")),
        Box::new(move || part(403, "")),
        Box::new(move || part(200, "{}")),
        Box::new(move || part(200, "nonsense")),
    ];
    let server = Server::start();
    let online = server.user("admin");
    for (place, refusal) in refusals.into_iter().enumerate() {
        let device = Device::synced(&server, "demo");
        device.wire.fail(move |request| {
            String::from_utf8_lossy(&request.body).contains(FUNCTION).then(&refusal).flatten()
        });
        add_column(&online);
        assert_eq!(refresh(&device), (2, all(&device)), "{place}");
        assert_eq!(device.replica.state().record.definition_stamp, None, "{place}");
        is_as_fresh(&device, &server);
        drop_column(&online);
        assert_eq!(refresh(&device), (1, all(&device)), "{place}");
        is_as_fresh(&device, &server);
        device.wire.heal();
        assert_eq!((refresh(&device).0, refresh(&device)), (1, (1, vec![])), "{place}");
    }
}

#[test]
fn a_server_that_wants_to_wait_is_waited_for() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let stamp = device.replica.state().record.definition_stamp.clone();
    for status in [401, 429, 503] {
        device.wire.fail(move |request| {
            let asks = String::from_utf8_lossy(&request.body).contains(FUNCTION);
            asks.then(|| Fault::Answer(Response::empty(status)))
        });
        device.change(|draft| draft.record.schema_checked = None);
        device.wire.log.borrow_mut().clear();
        let report = device.round();
        assert!(!report.ok && report.signed_out == (status == 401), "{report:?}");
        assert_eq!(asked(&device), (1, vec![]), "{status}");
        assert_eq!(device.replica.state().record.definition_stamp, stamp);
        device.wire.heal();
    }
    device.sync();
}

/// What a page or the server's word for a row does not fit is read again, whether or not a change is told.
#[test]
fn a_table_in_doubt_is_read() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    device.change(|draft| draft.record.doubt_schema("task"));
    assert_eq!(refresh(&device), (1, vec!["task".to_owned()]));
    assert_eq!(refresh(&device), (1, vec![]));
}

#[test]
fn tables_of_which_a_profile_leaves_columns_out_are_read_and_the_others_are_not() {
    let server = Server::start();
    let online = server.user("admin");
    let profile = r#"{"contact":{"columns":["telephone1"]},"task":{"fields":{"description":{"direction":"down"}}},
        "account":{"rows":"name ne 'x'"}}"#;
    let mut device = Device::with_profile(&server, "demo", profile);
    assert_eq!(refresh(&device), (1, vec!["contact".to_owned()]));
    is_as_fresh(&device, &server);
    add_column(&online);
    make(&online, &attributes("task"), &choice("new_Kind", None));
    assert_eq!(refresh(&device), (1, vec!["contact".to_owned(), "task".to_owned()]));
    is_as_fresh(&device, &server);
    drop_column(&online);
    assert_eq!(refresh(&device), (1, vec!["contact".to_owned()]));
    is_as_fresh(&device, &server);
    // Under another profile all of it is looked at.
    for profile in ["{}", profile] {
        device.set_profile(profile);
        assert_eq!(refresh(&device), (1, all(&device)));
        is_as_fresh(&device, &server);
    }
}

#[test]
fn a_table_that_comes_into_scope_is_read_alone() {
    let server = Server::start();
    let mut device = Device::synced(&server, "demo");
    device.config.tables.push("lead".to_owned());
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert_eq!(asked(&device), (1, vec!["lead".to_owned()]));
    is_as_fresh(&device, &server);
    device.config.tables.retain(|name| name != "task");
    assert_eq!(refresh(&device), (1, vec![]));
    is_as_fresh(&device, &server);
}
