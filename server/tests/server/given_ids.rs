//! Tables whose rows get their ids from the service.

use super::support::{self, Answer, Server};
use flette_odata::time::format_http_date;
use flette_server::api::Profile;
use flette_server::db::{Database, Location};
use flette_server::{people, schema, web};
use serde_json::json;
use std::sync::Arc;

/// An id of the client's own.
const OWN: &str = "c0000000-0000-4000-8000-00000000000a";
/// A `Content-ID` that is one of its operation ids.
const PARENT: &str = "5f000000-0000-7000-8000-00000000000a";

fn id_column(table: &str) -> String {
    format!("EntityDefinitions(LogicalName='{table}')/Attributes(LogicalName='{table}id')")
}

async fn set(admin: &Server, table: &str, on_create: bool) -> Answer {
    admin.send("PUT", &id_column(table), &[], &json!({ "IsValidForCreate": on_create }).to_string()).await
}

/// A server that gives contacts their ids, on which `demo` is signed in.
async fn server() -> Server {
    let server = Server::empty().await;
    let answer = set(&server.sign_in("admin").await, "contact", false).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    server
}

fn refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {}", answer.body);
}

#[tokio::test]
async fn an_administrator_decides_who_gives_ids() {
    let admin = Server::empty().await.sign_in("admin").await;
    let is_valid = |answer: Answer| answer.json()["IsValidForCreate"].clone();
    let version = || async { admin.get("RetrieveTimestamp()").await.json()["Timestamp"].clone() };
    let query = json!({"Properties": {"AllProperties": false, "PropertyNames": ["LogicalName", "Attributes"]},
        "AttributeQuery": {"Properties":
            {"AllProperties": false, "PropertyNames": ["LogicalName", "IsValidForCreate"]}}});
    let changes = |stamp: String| {
        let url =
            format!("RetrieveMetadataChanges(Query=@p1,ClientVersionStamp=@p2)?@p1={query}&@p2={stamp}");
        let admin = &admin;
        async move { admin.get(&url).await.json() }
    };
    let mut stamp = changes("null".to_owned()).await["ServerVersionStamp"].as_str().unwrap().to_owned();
    for (method, on_create) in [("PUT", false), ("PATCH", true), ("PATCH", false)] {
        let before = version().await;
        let body = json!({ "IsValidForCreate": on_create }).to_string();
        assert_eq!(admin.send(method, &id_column("contact"), &[], &body).await.status, 204);
        assert_eq!(is_valid(admin.get(&id_column("contact")).await), json!(on_create));
        assert_ne!(version().await, before);
        let told = changes(format!("'{stamp}'")).await;
        let columns = &told["EntityMetadata"][0]["Attributes"];
        assert_eq!(columns.as_array().unwrap().len(), 1, "{told}");
        assert_eq!(columns[0]["LogicalName"], "contactid");
        assert_eq!(columns[0]["IsValidForCreate"], json!(on_create));
        told["ServerVersionStamp"].as_str().unwrap().clone_into(&mut stamp);
    }
    // A definition that is read and written back says what is so already.
    let version_before = version().await;
    for column in [id_column("contact"), id_column("contact").replace("'contactid'", "'versionnumber'")] {
        let whole = admin.get(&column).await.body;
        let answer = admin.send("PUT", &column, &[], &whole).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    assert_eq!(version().await, version_before);
    let demo = admin.sign_in("demo").await;
    refused(&set(&demo, "account", false).await, 403, "0x80040220", "no administrator");
}

#[tokio::test]
async fn only_ordinary_tables_and_only_their_ids() {
    let admin = Server::empty().await.sign_in("admin").await;
    for table in ["systemuser", "team", "businessunit", "transactioncurrency", "role", "savedquery"] {
        refused(&set(&admin, table, false).await, 400, "0x80040203", table);
    }
    for (table, column, on_create) in [
        ("task", "activityid", false),
        ("activitypointer", "activityid", true),
        ("activityparty", "activitypartyid", false),
        ("teammembership", "teammembershipid", true),
        ("contact", "lastname", false),
        ("contact", "fullname", true),
        ("contact", "versionnumber", true),
        ("contact", "parentcustomerid", false),
    ] {
        let url = id_column(table).replace(&format!("'{table}id'"), &format!("'{column}'"));
        let body = json!({ "IsValidForCreate": on_create }).to_string();
        refused(&admin.send("PATCH", &url, &[], &body).await, 400, "0x80040203", &url);
    }
    let custom = json!({"SchemaName": "new_Thing", "Attributes": [{"SchemaName": "new_Name", "MaxLength": 10,
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "IsPrimaryName": true}]});
    assert_eq!(admin.send("POST", "EntityDefinitions", &[], &custom.to_string()).await.status, 204);
    for table in ["account", "contact", "lead", "opportunity", "annotation", "new_thing"] {
        let answer = set(&admin, table, false).await;
        assert_eq!(answer.status, 204, "{table}: {}", answer.body);
    }
    let row = json!({"new_thingid": OWN, "new_name": "x"}).to_string();
    refused(&admin.send("POST", "new_things", &[], &row).await, 400, "0x80060888", "a custom table");
    admin.create("new_things", r#"{"new_name":"x"}"#).await;
}

#[tokio::test]
async fn a_new_row_takes_no_id_of_the_clients_own() {
    let server = server().await;
    let typed = |more: &str| {
        format!(r#"{{"Targets":[{{"@odata.type":"Microsoft.Dynamics.CRM.contact","lastname":"x"{more}}}]}}"#)
    };
    let create_multiple = "contacts/Microsoft.Dynamics.CRM.CreateMultiple";
    let upsert_multiple = "contacts/Microsoft.Dynamics.CRM.UpsertMultiple";
    let own = format!(r#","contactid":"{OWN}""#);
    let linked = format!(r#","@odata.id":"contacts({OWN})""#);
    let own_row = format!(r#"{{"lastname":"x"{own}}}"#);
    let children = format!(r#"{{"name":"A","contact_customer_accounts":[{own_row}]}}"#);
    let parent = format!(r#"{{"name":"A","primarycontactid":{own_row}}}"#);
    let account = server.create("accounts", r#"{"name":"before"}"#).await;
    let new_account = "accounts(a0000000-0000-4000-8000-00000000000a)";
    for (method, url, body, status, code) in [
        ("POST", "contacts", own_row.clone(), 400, "0x80060888"),
        ("POST", create_multiple, typed(&own), 400, "0x80060888"),
        ("POST", create_multiple, typed(&linked), 400, "0x80060888"),
        ("POST", "accounts", children.clone(), 400, "0x80060888"),
        ("POST", "accounts", parent, 400, "0x80060888"),
        ("PATCH", new_account, children, 400, "0x80060888"),
        ("POST", upsert_multiple, typed(&own), 404, "0x80040217"),
        ("POST", upsert_multiple, typed(&linked), 404, "0x80040217"),
        ("PATCH", &format!("contacts({OWN})"), own_row.clone(), 404, "0x80040217"),
        ("PUT", &format!("contacts({OWN})/lastname"), r#"{"value":"x"}"#.to_owned(), 404, "0x80040217"),
    ] {
        refused(&server.send(method, url, &[], &body).await, status, code, &format!("{method} {url}"));
    }
    for condition in [("If-None-Match", "*"), ("If-None-Match", "W/\"1\""), ("If-Match", "*")] {
        let url = format!("contacts({OWN})");
        let answer = server.send("PATCH", &url, &[condition], r#"{"lastname":"x"}"#).await;
        refused(&answer, 404, "0x80040217", condition.0);
    }
    assert!(server.list("contacts").await.rows().is_empty());
    assert_eq!(server.list("accounts").await.column("accountid"), [account]);
}

#[tokio::test]
async fn rows_without_ids_are_made_and_changed_as_ever() {
    let server = server().await;
    let represented = [("Prefer", "return=representation")];
    let first = server.send("POST", "contacts", &represented, r#"{"lastname":"First"}"#).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let id = first.json()["contactid"].as_str().unwrap().to_owned();
    let url = format!("contacts({id})");
    for (headers, body, status) in [
        (&[][..], r#"{"telephone1":"1"}"#.to_owned(), 204),
        (&[("If-Match", "*")], format!(r#"{{"contactid":"{id}","telephone1":"2"}}"#), 204),
        (&[("If-None-Match", "*")], r#"{"telephone1":"3"}"#.to_owned(), 412),
    ] {
        assert_eq!(server.send("PATCH", &url, headers, &body).await.status, status, "{headers:?}");
    }
    assert_eq!(server.get(&url).await.json()["telephone1"], "2");
    let targets = |first: &str| {
        format!(
            r#"{{"Targets":[{{"@odata.type":"Microsoft.Dynamics.CRM.contact","lastname":"Second"{first}}},
            {{"@odata.type":"Microsoft.Dynamics.CRM.contact","lastname":"Third"}}]}}"#
        )
    };
    let own = format!(r#","contactid":"{id}""#);
    let actions = "contacts/Microsoft.Dynamics.CRM.";
    let both = server.send("POST", &format!("{actions}CreateMultiple"), &[], &targets("")).await;
    assert_eq!(both.json()["Ids"].as_array().unwrap().len(), 2, "{}", both.body);
    let both = server.send("POST", &format!("{actions}UpsertMultiple"), &[], &targets(&own)).await;
    assert_eq!(both.status, 204, "{}", both.body);
    let deep = r#"{"name":"A","contact_customer_accounts":[{"lastname":"Fifth"}]}"#;
    server.create("accounts", deep).await;
    let names = server.list("contacts?$orderby=lastname").await.column("lastname");
    assert_eq!(names, ["Fifth", "Second", "Second", "Third", "Third"]);
    // What is given back is as it was.
    let admin = server.sign_in("admin").await;
    assert_eq!(set(&admin, "contact", true).await.status, 204);
    let url = format!("contacts({OWN})");
    let made = server.send("PATCH", &url, &[("If-None-Match", "*")], r#"{"lastname":"x"}"#).await;
    assert_eq!(made.status, 204, "{}", made.body);
}

#[tokio::test]
async fn an_upsert_by_an_alternate_key_makes_a_row_of_the_services_id() {
    let server = Server::empty().await;
    let admin = server.sign_in("admin").await;
    assert_eq!(set(&admin, "account", false).await.status, 204);
    let url = "accounts(accountnumber='7')";
    let own = format!(r#"{{"accountid":"{OWN}","name":"x"}}"#);
    refused(&server.send("PATCH", url, &[], &own).await, 400, "0x80060888", "an id of its own");
    for status in [201, 200] {
        let answer =
            server.send("PATCH", url, &[("Prefer", "return=representation")], r#"{"name":"x"}"#).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    assert_eq!(server.list("accounts").await.column("accountnumber"), ["7"]);
}

#[tokio::test]
async fn it_is_remembered_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let location = match support::location() {
        Location::Memory => Location::File(folder.path().join("crm.sqlite")),
        other => other,
    };
    let open = || Database::open(&location, Arc::new(schema::schema()), "Test").unwrap();
    let database = open();
    people::found(&database, web::now()).unwrap();
    people::add_demo_people(&database, web::now()).unwrap();
    let first = Server::over(database, Profile::Open, None).sign_in("admin").await;
    assert_eq!(set(&first, "contact", false).await.status, 204);
    drop(first);
    let second = Server::over(open(), Profile::Open, None).sign_in("admin").await;
    assert_eq!(second.get(&id_column("contact")).await.json()["IsValidForCreate"], false);
    let own = format!(r#"{{"contactid":"{OWN}","lastname":"x"}}"#);
    refused(&second.send("POST", "contacts", &[], &own).await, 400, "0x80060888", "after a restart");
}

/// A change set of a new contact and a task about it, which names it by a `Content-ID` that is a GUID.
fn change_set(sent: &str) -> String {
    let part = |content_id: &str, request: &str, body: &str| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\
             Content-ID: {content_id}\r\n\r\n{request} HTTP/1.1\r\nContent-Type: application/json\r\n\
             Prefer: return=representation\r\nRepeatability-Request-ID: {content_id}\r\n\
             Repeatability-First-Sent: {sent}\r\n\r\n{body}\r\n"
        )
    };
    let task = json!({"subject": "Call", "regardingobjectid_contact_task@odata.bind": format!("${PARENT}")});
    let parts = [
        part(PARENT, "POST /api/data/v9.2/contacts", r#"{"lastname":"New"}"#),
        part("5f000000-0000-7000-8000-00000000000b", "POST /api/data/v9.2/tasks", &task.to_string()),
        part(
            "5f000000-0000-7000-8000-00000000000c",
            &format!("PATCH ${PARENT}?$select=telephone1"),
            r#"{"telephone1":"5"}"#,
        ),
    ];
    format!("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{}--c--\r\n--b--\r\n", parts.concat())
}

#[tokio::test]
async fn a_create_is_repeated_with_its_answer_also_when_the_row_is_gone() {
    let server = server().await;
    let body = change_set(&format_http_date(web::now()));
    let headers = [("Content-Type", "multipart/mixed; boundary=b")];
    let first = server.send("POST", "$batch", &headers, &body).await;
    assert_eq!(first.body.matches("HTTP/1.1 201 Created").count(), 2, "{}", first.body);
    assert_eq!(first.body.matches("HTTP/1.1 200 OK").count(), 1, "{}", first.body);
    let ids = server.list("contacts").await.column("contactid");
    assert_eq!(ids.len(), 1);
    let task = server.list("tasks?$select=_regardingobjectid_value").await;
    assert_eq!(task.column("_regardingobjectid_value"), ids);
    // But for the boundaries, word by word.
    let told = |answer: &Answer| {
        let lines = answer.body.lines().filter(|line| !line.contains("response_"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let again = server.send("POST", "$batch", &headers, &body).await;
    assert_eq!(told(&again), told(&first));
    assert_eq!(server.list("contacts").await.column("contactid"), ids);
    let url = format!("contacts({})", ids[0]);
    assert_eq!(server.send("DELETE", &url, &[], "").await.status, 204);
    let after = server.send("POST", "$batch", &headers, &body).await;
    assert_eq!(told(&after), told(&first));
    assert!(server.list("contacts").await.rows().is_empty());
}
