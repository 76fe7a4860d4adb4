//! The front door beside rounds: what the app is told, and what becomes of its writes, while rows are missing, change
//! meanwhile, or turn out to be somebody else's.

use crate::support::{chance, create, edit, text, tick, Desk, Device, Fault, Server};
use flette::api::{self, Answer, Door};
use flette::engine::{Config, Engine, Identity, Profile};
use flette::model::{Change, Key, Side};
use flette::store::memory::MemoryStore;
use flette::store::{KeyRange, Store, Table};
use flette_odata::{Method, ODataError, Request, Response, Uuid};

fn ask(device: &Device, method: Method, path: &str, body: &str) -> Answer {
    let door = Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
    let mut request = Request::new(method, format!("/api/data/v9.2/{path}"));
    if !body.is_empty() {
        request = request.json(body.as_bytes().to_vec());
    }
    pollster::block_on(api::answer(&device.replica, &request, door))
}

#[track_caller]
fn here(answer: Answer) -> Response {
    match answer {
        Answer::Here(response) => response,
        Answer::Elsewhere(response) => panic!("not answered here: {}", response.status),
    }
}

#[track_caller]
fn elsewhere(answer: &Answer) {
    assert!(matches!(answer, Answer::Elsewhere(_)), "{answer:?}");
}

#[test]
fn a_create_under_an_id_that_is_taken_is_kept_for_the_user() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Theirs"}"#);
    device.create_with_id("account", id, &[("name", text("Mine"))]);
    device.round();
    assert_eq!(online.json(&format!("accounts({id})"))["name"], "Theirs");
    let entries = device.entries();
    let [entry] = entries.as_slice() else { panic!("the edit is lost: {:?}", device.conflicts()) };
    assert!(entry.is_parked());
    assert!(matches!(&entry.change, Change::Create(row) if row["name"] == text("Mine")));
    assert_eq!(device.text("account", id, "name"), "Theirs");
    device.delete("account", id);
    assert_eq!(device.row("account", id), None);
    device.sync();
    assert_eq!(online.ask(Method::Get, &format!("accounts({id})"), "").status, 404);
}

#[test]
fn a_row_of_another_hand_is_not_taken_for_a_create_whose_answer_was_lost() {
    let server = Server::start();
    let device = Device::synced(&server, "demo");
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Theirs"}"#);
    device.create_with_id("account", id, &[("name", text("Mine"))]);
    device.wire.fail(|r| r.url.ends_with("$batch").then_some(Fault::LoseRequest));
    device.round();
    device.wire.heal();
    device.round();
    let entries = device.entries();
    let [entry] = entries.as_slice() else { panic!("the edit is lost: {:?}", device.conflicts()) };
    assert!(entry.is_parked());
    assert_eq!(online.json(&format!("accounts({id})"))["name"], "Theirs");
}

#[test]
fn a_row_that_is_not_here_yet_is_not_denied_and_not_made_up() {
    let server = Server::start();
    let online = server.user("admin");
    let ids: Vec<Uuid> =
        (0..60).map(|n| online.create("accounts", &format!(r#"{{"name":"A{n}"}}"#))).collect();
    let device = Device::new(&server, "demo");
    let cut = |r: &Request| r.url.contains("/accounts?") && r.url.contains("skiptoken");
    device.wire.fail(move |request| cut(request).then_some(Fault::LoseRequest));
    device.round();
    let (known, missing): (Vec<Uuid>, Vec<Uuid>) =
        ids.into_iter().partition(|id| device.row("account", *id).is_some());
    let path = format!("accounts({})", missing[0]);
    elsewhere(&ask(&device, Method::Patch, &path, r#"{"name":"x"}"#));
    elsewhere(&ask(&device, Method::Delete, &path, ""));
    elsewhere(&ask(&device, Method::Put, &format!("{path}/name"), r#"{"value":"x"}"#));
    assert!(device.entries().is_empty());
    let path = format!("accounts({})", known[0]);
    assert_eq!(here(ask(&device, Method::Patch, &path, r#"{"name":"x"}"#)).status, 204);
    assert_eq!(here(ask(&device, Method::Delete, &path, "")).status, 204);
    // What was deleted here is not asked for, nor changed, behind the journal's back.
    assert_eq!(here(ask(&device, Method::Get, &path, "")).status, 404);
    assert_eq!(here(ask(&device, Method::Delete, &path, "")).status, 404);
}

#[test]
fn an_etag_is_not_good_any_more_when_the_row_below_the_edits_has_changed() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Before"}"#);
    let device = Device::synced(&server, "demo");
    device.edit("account", id, &[("telephone1", text("1"))]);
    let is_write = |r: &Request| String::from_utf8_lossy(&r.body).contains("\r\nPATCH ");
    device.wire.fail(move |request| is_write(request).then_some(Fault::LoseRequest));
    device.round();
    let etag = || device.replica.state().row(&Key::new("account", id)).unwrap().etag;
    let before = etag();
    online.patch("accounts", id, r#"{"name":"After"}"#);
    device.round();
    assert_eq!(device.text("account", id, "name"), "After");
    assert_eq!(device.text("account", id, "telephone1"), "1");
    assert_ne!(etag(), before);
}

#[test]
fn a_context_that_stood_by_reads_what_another_has_swapped_in() {
    let server = Server::start();
    server.user("admin").create("accounts", r#"{"name":"One"}"#);
    let device = Device::synced(&server, "demo");
    let other = device.twin();
    let delta = |r: &Request| r.url.contains("/accounts") && r.url.contains("deltatoken");
    let expired = || ODataError::new(410, "0x80044352", "expired").to_response();
    device.wire.fail(move |request| delta(request).then(|| Fault::Answer(expired())));
    device.sync();
    pollster::block_on(other.load(&["account"])).unwrap();
    assert_eq!(other.state().tables["account"].mirror.as_ref().unwrap().len(), device.count("account"));
}

#[test]
fn a_damaged_segment_leaves_the_rest_of_the_table_readable() {
    let server = Server::start();
    server.user("admin").create("accounts", r#"{"name":"One"}"#);
    let mut device = Device::synced(&server, "demo");
    device.damage("account");
    device.restart();
    let made = device.create("account", &[("name", text("Made here"))]);
    let answer = here(ask(&device, Method::Get, &format!("accounts({made})"), ""));
    assert_eq!((answer.status, answer.headers.get("Flette-Incomplete")), (200, Some("account")));
    device.sync();
    assert_eq!(device.count("account"), 2);
}

#[test]
fn keeping_what_stands_changes_nothing_and_works_without_the_row() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Before"}"#);
    let device = Device::synced(&server, "demo");
    for name in ["First", "Second"] {
        device.edit("account", id, &[("name", text(&format!("Mine {name}")))]);
        tick();
        online.patch("accounts", id, &format!(r#"{{"name":"{name}"}}"#));
        device.sync();
    }
    let conflicts = device.conflicts();
    let [first, second] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    let resolve = |id, side| device.change(|draft| draft.resolve_conflict(id, side).is_ok());
    assert!(resolve(first.id, Side::Server));
    assert_eq!((device.entries().len(), device.text("account", id, "name")), (0, "Second".to_owned()));
    online.delete("accounts", id);
    device.sync();
    assert!(!resolve(second.id, Side::Local));
    assert!(resolve(second.id, Side::Server));
    assert!(device.conflicts().iter().all(|c| c.resolved == Some(Side::Server)));
}

#[test]
fn a_change_set_with_a_new_row_survives_that_another_of_its_rows_changed() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"Before"}"#);
    let device = Device::synced(&server, "demo");
    let who = (device.replica.state().record.user, device.replica.state().record.business_unit);
    let made = Uuid::now_v7();
    device.change(|draft| {
        draft.begin_change_set();
        create(draft, ("account", made), &[("name", text("Made"))], who.0, who.1);
        edit(draft, &Key::new("account", id), &[("telephone1", text("1"))]);
        draft.end_change_set();
    });
    online.patch("accounts", id, r#"{"name":"After"}"#);
    device.sync();
    assert!(device.entries().is_empty(), "{:?}", device.entries());
    assert_eq!(online.json(&format!("accounts({made})"))["name"], "Made");
    let row = online.json(&format!("accounts({id})"));
    assert_eq!((row["name"].as_str(), row["telephone1"].as_str()), (Some("After"), Some("1")));
}

#[test]
fn no_write_is_accepted_once_the_replica_may_be_deleted() {
    let server = Server::start();
    let wire = server.user("demo");
    let who = wire.json("WhoAmI");
    let id = |name: &str| who[name].as_str().unwrap().parse::<Uuid>().unwrap();
    let identity = Identity {
        user: id("UserId"),
        business_unit: id("BusinessUnitId"),
        organization: id("OrganizationId"),
    };
    let config = Config {
        root: server.root(),
        database: "test".to_owned(),
        identity,
        tables: crate::support::TABLES.map(str::to_owned).to_vec(),
        page_size: 50,
        batch_size: 100,
        profile: Profile::default(),
    };
    let engine =
        pollster::block_on(Engine::open(Desk { store: MemoryStore::new(), wire, chance: chance() }, config))
            .unwrap();
    assert!(pollster::block_on(engine.round()).ok);
    let post = |url: String, body: &str| {
        let request = Request::new(Method::Post, url).json(body.as_bytes().to_vec());
        pollster::block_on(engine.handle(request)).status
    };
    let write = || post(format!("{}accounts", server.root()), r#"{"name":"Work"}"#);
    assert_eq!(write(), 204);
    assert_eq!(post("/flette/sign-out".to_owned(), "{}"), 409);
    assert_eq!(write(), 204);
    assert_eq!(post("/flette/sign-out".to_owned(), r#"{"unsent":"discard"}"#), 204);
    assert_eq!(write(), 503);
}

#[test]
fn a_change_set_goes_to_the_server_as_a_whole_when_none_of_its_tables_is_offline() {
    let server = Server::start();
    let mut device = Device::synced(&server, "demo");
    device.config.tables.retain(|table| table != "task");
    let batch = |first: &str, second: &str| {
        let part = |id: u32, set: &str, body: &str| {
            format!(
                "--c\nContent-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: {id}\n\n\
                 POST {set} HTTP/1.1\nContent-Type: application/json\n\n{body}\n"
            )
        };
        let task = r#"{"subject":"Far away"}"#;
        let account = r#"{"name":"Near"}"#;
        let body = |set: &str| if set == "tasks" { task } else { account };
        let parts = part(1, first, body(first)) + &part(2, second, body(second));
        let text = format!("--b\nContent-Type: multipart/mixed;boundary=c\n\n{parts}--c--\n\n--b--\n");
        let mut request = Request::new(Method::Post, "/api/data/v9.2/$batch");
        request.headers.set("Content-Type", "multipart/mixed;boundary=b");
        request.body = text.into_bytes();
        let door = Door { root: "/api/data/v9.2/", scope: &device.config.tables, now: device.now() };
        pollster::block_on(api::answer(&device.replica, &request, door))
    };
    elsewhere(&batch("tasks", "tasks"));
    assert_eq!(here(batch("accounts", "accounts")).status, 200);
    // One that also writes here keeps its place behind what waits, and is refused as a whole.
    let before = device.entries().len();
    assert_eq!(here(batch("accounts", "tasks")).status, 501);
    assert_eq!(device.entries().len(), before);
}

#[test]
fn a_row_that_the_server_keeps_under_another_id_answers_to_both() {
    let server = Server::start();
    let mut device = Device::synced(&server, "demo");
    let online = server.user("admin");
    let kept = online.create("accounts", r#"{"name":"Kept"}"#);
    device.sync();
    let made = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let other = Uuid::from_u128(7);
    device.change(|draft| draft.map_id(Key::new("account", made), kept).unwrap());
    assert!(device.change(|draft| draft.map_id(Key::new("account", made), other).is_err()));
    device.restart();

    let row = here(ask(&device, Method::Get, &format!("accounts({made})"), ""));
    assert_eq!(row.status, 200);
    let bind = format!(r#"{{"lastname":"Bound","parentcustomerid_account@odata.bind":"/accounts({made})"}}"#);
    assert_eq!(here(ask(&device, Method::Post, "contacts", &bind)).status, 204);
    let edited = here(ask(&device, Method::Patch, &format!("accounts({made})"), r#"{"telephone1":"9"}"#));
    assert_eq!(edited.status, 204);
    let found =
        ask(&device, Method::Get, &format!("contacts?$filter=_parentcustomerid_value%20eq%20{made}"), "");
    let found: serde_json::Value = serde_json::from_slice(&here(found).body).unwrap();
    assert_eq!(found["value"][0]["lastname"], "Bound");

    device.sync();
    assert_eq!(online.json(&format!("accounts({kept})"))["telephone1"], "9");
    let theirs = online.json("contacts?$filter=lastname%20eq%20'Bound'");
    assert_eq!(theirs["value"][0]["_parentcustomerid_value"], kept.to_string());
}

#[test]
fn rounds_of_the_engine_leave_few_segments_in_the_store() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("accounts", r#"{"name":"A0"}"#);
    let who = online.json("WhoAmI");
    let own = |name: &str| who[name].as_str().unwrap().parse::<Uuid>().unwrap();
    let config = Config {
        root: server.root(),
        database: "few".to_owned(),
        identity: Identity {
            user: own("UserId"),
            business_unit: own("BusinessUnitId"),
            organization: own("OrganizationId"),
        },
        tables: vec!["account".to_owned()],
        page_size: 50,
        batch_size: 100,
        profile: Profile::default(),
    };
    let store = MemoryStore::new();
    let desk = Desk { store: store.clone(), wire: server.user("admin"), chance: chance() };
    let engine = pollster::block_on(Engine::open(desk, config)).unwrap();
    let name = || {
        let request = Request::new(Method::Get, format!("{}accounts({id})?$select=name", server.root()));
        let answer = pollster::block_on(engine.handle(request));
        assert_eq!(answer.headers.get("Flette-Source"), Some("replica"));
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["name"].clone()
    };
    for n in 1..30 {
        online.patch("accounts", id, &format!(r#"{{"name":"A{n}"}}"#));
        let report = pollster::block_on(engine.round());
        assert!(report.ok, "{report:?}");
        assert_eq!(name(), format!("A{n}"));
    }
    let segments = pollster::block_on(store.scan(Table::Segment, KeyRange::all(), 1000)).unwrap();
    assert!(segments.len() < 16, "{}", segments.len());
}
