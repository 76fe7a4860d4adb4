//! Updates that are answered with what they changed.

use super::support::{Answer, Server};
use flette_odata::time::format_http_date;
use flette_server::web;
use serde_json::{Map, Value};

const LOOKUPS: &str = "odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"";
const CHANGES: &str = "return=representation,flette.changes-only,odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"";

type Members = Map<String, Value>;

/// A row without what goes with the answer only.
fn members(answer: &Answer) -> Members {
    let mut row = answer.json().as_object().cloned().unwrap();
    row.remove("@odata.context");
    row
}

async fn whole(server: &Server, url: &str) -> Members {
    let answer = server.send("GET", url, &[("Prefer", LOOKUPS)], "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    members(&answer)
}

fn etag(row: &Members) -> String {
    row["@odata.etag"].as_str().unwrap().to_owned()
}

fn tells_changes(answer: &Answer) -> bool {
    let applied = answer.header("Preference-Applied").unwrap_or_default();
    applied.split(',').any(|preference| preference == "flette.changes-only")
}

async fn patch(server: &Server, url: &str, base: &str, body: &str) -> Answer {
    let answer = server.send("PATCH", url, &[("If-Match", base), ("Prefer", CHANGES)], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

/// The version before with what was told over it, as a client makes it.
fn upon(before: &Members, told: &Members) -> Members {
    let mut row = before.clone();
    for name in told.keys().filter(|name| !name.contains('@')) {
        row.retain(|member, _| member.split_once('@').is_none_or(|(property, _)| property != name));
    }
    row.extend(told.clone());
    row
}

#[tokio::test]
async fn the_version_named_and_what_is_told_make_the_row() {
    let server = Server::empty().await;
    let admin = server.sign_in("admin").await;
    let account = server.create("accounts", r#"{"name":"A","revenue":10}"#).await;
    let contact = server.create("contacts", r#"{"lastname":"X","telephone1":"0"}"#).await;
    let task = server.create("tasks", r#"{"subject":"T"}"#).await;
    let user = admin.get("WhoAmI").await.json()["UserId"].as_str().unwrap().to_owned();
    let customer = format!(r#"{{"parentcustomerid_account@odata.bind":"accounts({account})"}}"#);
    let owner = format!(r#"{{"ownerid@odata.bind":"systemusers({user})"}}"#);
    let note = format!(
        r#"{{"subject":"N","filename":"a.txt","documentbody":"YQ==","objectid_contact@odata.bind":"contacts({contact})"}}"#
    );
    let note = server.create("annotations", &note).await;
    let (accounts, contacts) = (format!("accounts({account})"), format!("contacts({contact})"));
    let (tasks, notes) = (format!("tasks({task})"), format!("annotations({note})"));
    for (url, body) in [
        (&contacts, r#"{"telephone1":"1"}"#),
        (&contacts, r#"{"telephone1":"1"}"#),
        (&contacts, r#"{"telephone1":null,"firstname":"F","gendercode":1}"#),
        (&contacts, r#"{"address1_city":"Oslo","address1_line1":"Gate 1","birthdate":"1980-02-29"}"#),
        (&contacts, &customer),
        (&contacts, &owner),
        (&contacts, r#"{"parentcustomerid_account@odata.bind":null,"creditlimit":12.5}"#),
        (&contacts, r#"{"description":"Ø \"quoted\"\n","statecode":1}"#),
        (&accounts, r#"{"revenue":1234567.891}"#),
        (&accounts, r#"{"revenue":null,"numberofemployees":3}"#),
        (&accounts, r#"{}"#),
        (&tasks, r#"{"statecode":1}"#),
        (&notes, r#"{"documentbody":null}"#),
    ] {
        let before = whole(&server, url).await;
        let answer = patch(&server, url, &etag(&before), body).await;
        assert!(tells_changes(&answer), "{url} {body}: {:?}", answer.headers);
        let (told, after) = (members(&answer), whole(&server, url).await);
        assert_eq!(answer.header("ETag"), after["@odata.etag"].as_str());
        assert_ne!(etag(&before), etag(&after));
        assert_eq!(upon(&before, &told), after, "{url} {body}: {}", answer.body);
        assert!(told.len() < after.len() / 3, "{url} {body}: {}", answer.body);
        let same =
            told.iter().filter(|(name, value)| !name.contains('@') && before.get(*name) == Some(value));
        let same: Vec<&str> = same.map(|(name, _)| name.as_str()).collect();
        let brought = ["_transactioncurrencyid_value", "address1_composite"];
        assert!(
            same.iter()
                .all(|name| url.contains(before[*name].as_str().unwrap_or(" ")) || brought.contains(name)),
            "{same:?}"
        );
    }
}

#[tokio::test]
async fn who_names_no_version_or_wants_something_else_gets_the_row() {
    let server = Server::empty().await;
    let contact = server.create("contacts", r#"{"lastname":"X"}"#).await;
    let url = format!("contacts({contact})");
    let current = etag(&whole(&server, &url).await);
    for (method, url, headers, status) in [
        ("PATCH", url.clone(), vec![("Prefer", CHANGES)], 200),
        ("PATCH", url.clone(), vec![("Prefer", CHANGES), ("If-Match", "*")], 200),
        ("PATCH", format!("contacts({})", flette_odata::Uuid::from_u128(9)), vec![("Prefer", CHANGES)], 201),
        ("POST", "contacts".to_owned(), vec![("Prefer", CHANGES)], 201),
    ] {
        let answer = server.send(method, &url, &headers, r#"{"lastname":"Y"}"#).await;
        assert_eq!((answer.status, tells_changes(&answer)), (status, false), "{method} {url}");
        assert!(members(&answer).len() > 100, "{method} {url}: {}", answer.body);
    }
    // Told without the representation it means nothing; beside a choice of columns the choice counts.
    let alone = [("Prefer", "flette.changes-only"), ("If-Match", current.as_str())];
    assert_eq!(server.send("PATCH", &url, &alone, r#"{"lastname":"Z"}"#).await.status, 412);
    let current = etag(&whole(&server, &url).await);
    let alone = [("Prefer", "flette.changes-only"), ("If-Match", current.as_str())];
    let answer = server.send("PATCH", &url, &alone, r#"{"lastname":"Z"}"#).await;
    assert_eq!((answer.status, answer.body.as_str(), tells_changes(&answer)), (204, "", false));
    let current = etag(&whole(&server, &url).await);
    let answer = patch(&server, &format!("{url}?$select=lastname"), &current, r#"{"telephone1":"1"}"#).await;
    assert!(!tells_changes(&answer) && members(&answer).contains_key("lastname"), "{}", answer.body);
    // Reads know nothing of it.
    assert!(!tells_changes(&server.send("GET", &url, &[("Prefer", CHANGES)], "").await));
}

#[tokio::test]
async fn where_a_column_is_secured_the_row_is_told() {
    let server = Server::empty().await;
    let contact = server.create("contacts", r#"{"lastname":"X"}"#).await;
    let url = format!("contacts({contact})");
    let current = etag(&whole(&server, &url).await);
    assert!(tells_changes(&patch(&server, &url, &current, r#"{"lastname":"Y"}"#).await));
    let secure = "EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='telephone1')";
    let admin = server.sign_in("admin").await;
    let answer = admin.send("PATCH", secure, &[], r#"{"IsSecured":true}"#).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    let current = etag(&whole(&server, &url).await);
    let answer = patch(&server, &url, &current, r#"{"lastname":"Z"}"#).await;
    assert!(!tells_changes(&answer) && members(&answer).len() > 100, "{}", answer.body);
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_however_it_asks() {
    let server = Server::empty().await;
    let contact = server.create("contacts", r#"{"lastname":"X"}"#).await;
    let (url, sent) = (format!("contacts({contact})"), format_http_date(web::now()));
    let whole_row = format!("return=representation,{LOOKUPS}");
    for (id, first, again) in [
        ("5f000000-0000-4000-8000-000000000001", CHANGES, CHANGES),
        ("5f000000-0000-4000-8000-000000000002", CHANGES, whole_row.as_str()),
        ("5f000000-0000-4000-8000-000000000003", whole_row.as_str(), CHANGES),
    ] {
        let base = etag(&whole(&server, &url).await);
        let ask = async |prefer: &str| {
            let headers = [
                ("Repeatability-Request-ID", id),
                ("Repeatability-First-Sent", sent.as_str()),
                ("If-Match", base.as_str()),
                ("Prefer", prefer),
            ];
            server.send("PATCH", &url, &headers, r#"{"telephone1":"5"}"#).await
        };
        let answer = ask(first).await;
        assert_eq!((answer.status, tells_changes(&answer)), (200, first == CHANGES), "{}", answer.body);
        let row = whole(&server, &url).await;
        let repeated = ask(again).await;
        assert_eq!((repeated.status, &repeated.body), (200, &answer.body));
        assert_eq!(tells_changes(&repeated), tells_changes(&answer));
        assert_eq!(whole(&server, &url).await, row);
    }
    // What else is preferred still counts.
    let base = etag(&whole(&server, &url).await);
    let headers = [
        ("Repeatability-Request-ID", "5f000000-0000-4000-8000-000000000001"),
        ("Repeatability-First-Sent", sent.as_str()),
        ("If-Match", base.as_str()),
        ("Prefer", "return=representation"),
    ];
    assert_eq!(server.send("PATCH", &url, &headers, r#"{"telephone1":"5"}"#).await.status, 412);
}
