//! Rows that come along with a row, rows by alternate keys, several rows at once.

use super::support::{location, Server};
use flette_odata::edm::AlternateKey;
use flette_odata::Schema;
use flette_server::api::Profile;
use flette_server::db::Database;
use flette_server::{people, schema, web};
use std::sync::Arc;

/// The standard schema; accounts are also known by number, and by name and town; tasks by whom they regard.
fn keyed() -> Schema {
    let mut schema = schema::schema();
    let key = |name: &str, columns: &[&str]| AlternateKey {
        name: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        ..AlternateKey::default()
    };
    for table in &mut schema.tables {
        match table.logical_name.as_str() {
            "account" => {
                table.keys = vec![
                    key("by_number", &["accountnumber"]),
                    key("by_place", &["name", "address1_city"]),
                    key("by_contact", &["primarycontactid"]),
                ];
            }
            "contact" => table.keys = vec![key("by_name", &["lastname"])],
            _ => {}
        }
    }
    schema
}

async fn server() -> Server {
    let database = Database::open(&location(), Arc::new(keyed()), "Test").unwrap();
    people::found(&database, web::now()).unwrap();
    people::add_demo_people(&database, web::now()).unwrap();
    Server::over(database, Profile::Open, None).sign_in("demo").await
}

const ANNOTATED: [(&str, &str); 1] = [("Prefer", "return=representation")];

#[tokio::test]
async fn a_row_is_made_with_all_that_hangs_on_it() {
    let server = Server::empty().await;
    let there = server.create("contacts", r#"{"lastname":"There"}"#).await;
    let body = format!(
        r#"{{"name":"Parent","primarycontactid":{{"firstname":"First","lastname":"Contact",
            "Contact_Tasks":[{{"subject":"Of the contact"}}]}},
            "Account_Tasks":[{{"subject":"One"}},{{"subject":"Two","statecode":1,"statuscode":5}}],
            "contact_customer_accounts@odata.bind":["contacts({there})"]}}"#
    );
    let expand = "accounts?$select=name&$expand=primarycontactid($select=fullname)";
    let made = server.send("POST", expand, &ANNOTATED, &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json()["primarycontactid"]["fullname"], "First Contact");
    let id = made.json()["accountid"].as_str().unwrap().to_owned();
    let tasks = server.list(&format!("accounts({id})/Account_Tasks?$orderby=subject")).await;
    assert_eq!(tasks.column("subject"), ["One", "Two"]);
    assert_eq!(tasks.column("statecode"), ["0", "1"]);
    let contacts = server.list(&format!("accounts({id})/contact_customer_accounts")).await;
    assert_eq!(contacts.column("contactid"), [there]);
    assert_eq!(server.list("tasks?$filter=subject eq 'Of the contact'").await.rows().len(), 1);

    // Nothing of it stays when one row is refused.
    for (set, body, status, code) in [
        (
            "accounts",
            r#"{"name":"x","Account_Tasks":[{"subject":"y"},{"subject":"z","statecode":0,"statuscode":5}]}"#,
            400,
            "0x80048408",
        ),
        ("accounts", r#"{"name":"x","primarycontactid":{"lastname":"y","donotphone":5}}"#, 400, "0x80048d19"),
        (
            "accounts",
            r#"{"name":"x","Account_Tasks@odata.bind":["tasks(00000000-0000-4000-8000-000000000009)"]}"#,
            404,
            "0x80040217",
        ),
        ("accounts", r#"{"name":"x","owninguser":{"fullname":"y"}}"#, 400, "0x80060888"),
    ] {
        let before = server.list("accounts?$count=true&$top=1").await.json()["@odata.count"].clone();
        let refused = server.send("POST", set, &[], body).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{body}: {}", refused.body);
        assert_eq!(server.list("accounts?$count=true&$top=1").await.json()["@odata.count"], before);
    }
    // An update changes one row only.
    let deep =
        server.send("PATCH", &format!("accounts({id})"), &[], r#"{"Account_Tasks":[{"subject":"y"}]}"#).await;
    assert_eq!((deep.status, deep.code().as_str()), (400, "0x80060888"), "{}", deep.body);
    // A PATCH that makes the row may bring others.
    let upsert = "accounts(a0000000-0000-4000-8000-00000000000d)";
    let made = server.send("PATCH", upsert, &[], r#"{"name":"n","Account_Tasks":[{"subject":"y"}]}"#).await;
    assert_eq!(made.status, 204, "{}", made.body);
    assert_eq!(server.list(&format!("{upsert}/Account_Tasks")).await.column("subject"), ["y"]);
}

#[tokio::test]
async fn a_row_is_made_below_another() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let made = server
        .create(&format!("accounts({account})/contact_customer_accounts"), r#"{"lastname":"Below"}"#)
        .await;
    let row = server.get(&format!("contacts({made})")).await.json();
    assert_eq!(row["_parentcustomerid_value"], account.as_str());
    let twice = format!(r#"{{"lastname":"x","parentcustomerid_account@odata.bind":"accounts({account})"}}"#);
    let refused =
        server.send("POST", &format!("accounts({account})/contact_customer_accounts"), &[], &twice).await;
    assert_eq!((refused.status, refused.code().as_str()), (400, "0x80048d19"));
    let gone = "accounts(00000000-0000-4000-8000-000000000009)/contact_customer_accounts";
    assert_eq!(server.send("POST", gone, &[], r#"{"lastname":"x"}"#).await.status, 404);
}

#[tokio::test]
async fn a_link_is_taken_out_of_the_collection_that_holds_it_only() {
    let server = Server::empty().await;
    let (a, b) = (
        server.create("accounts", r#"{"name":"A"}"#).await,
        server.create("accounts", r#"{"name":"B"}"#).await,
    );
    let body = format!(r#"{{"lastname":"C","parentcustomerid_account@odata.bind":"accounts({a})"}}"#);
    let contact = server.create("contacts", &body).await;
    let parent = || async {
        server.get(&format!("contacts({contact})")).await.json()["_parentcustomerid_value"].clone()
    };
    for (url, expected) in [
        (format!("accounts({b})/contact_customer_accounts({contact})/$ref"), Some(a.as_str())),
        (format!("accounts({b})/contact_customer_accounts/$ref?$id=contacts({contact})"), Some(a.as_str())),
        (format!("accounts({a})/contact_customer_accounts({contact})/$ref"), None),
    ] {
        let answer = server.send("DELETE", &url, &[], "").await;
        assert_eq!(answer.status, 204, "{url}: {}", answer.body);
        assert_eq!(parent().await.as_str(), expected, "{url}");
    }
    let link = format!(r#"{{"@odata.id":"http://crm.example/api/data/v9.2/contacts({contact})"}}"#);
    let answer =
        server.send("POST", &format!("accounts({b})/contact_customer_accounts/$ref"), &[], &link).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    assert_eq!(parent().await, b.as_str());
}

#[tokio::test]
async fn a_link_is_not_changed_under_a_version() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let body = format!(r#"{{"lastname":"C","parentcustomerid_account@odata.bind":"accounts({account})"}}"#);
    let contact = server.create("contacts", &body).await;
    let etag = server.get(&format!("contacts({contact})")).await.header("ETag").unwrap().to_owned();
    let single = format!("contacts({contact})/parentcustomerid_account/$ref");
    let one = format!("accounts({account})/contact_customer_accounts({contact})/$ref");
    let all = format!("accounts({account})/contact_customer_accounts/$ref");
    let link = |row: &str| format!(r#"{{"@odata.id":"http://crm.example/api/data/v9.2/{row}"}}"#);
    let to_account = link(&format!("accounts({account})"));
    let to_contact = link(&format!("contacts({contact})"));
    for condition in [("If-Match", etag.as_str()), ("If-Match", "W/\"1\""), ("If-None-Match", "*")] {
        for (method, url, body) in [
            ("PUT", &single, to_account.as_str()),
            ("DELETE", &single, ""),
            ("DELETE", &one, ""),
            ("POST", &all, &to_contact),
        ] {
            let refused = server.send(method, url, &[condition], body).await;
            assert_eq!(refused.status, 400, "{method} {url} {condition:?}");
            let row = server.get(&format!("contacts({contact})")).await;
            assert_eq!(row.header("ETag"), Some(etag.as_str()), "{method} {url} {condition:?}");
        }
    }
    assert_eq!(server.get(&single).await.status, 200);
    assert_eq!(server.send("DELETE", &single, &[("If-Match", "*")], "").await.status, 204);
}

#[tokio::test]
async fn alternate_keys_name_rows_in_urls_and_bodies() {
    let server = server().await;
    let id =
        server.create("accounts", r#"{"name":"O'Key","accountnumber":"N/1 å","address1_city":"Oslo"}"#).await;
    for key in [
        "accountnumber='N%2F1%20å'",
        "accountnumber='n%2F1 Å'",
        "name='O''Key',address1_city='oslo'",
        "address1_city='Oslo',name='o''key'",
    ] {
        let row = server.get(&format!("accounts({key})?$select=name")).await;
        assert_eq!(
            (row.status, row.json()["accountid"].as_str()),
            (200, Some(id.as_str())),
            "{key}: {}",
            row.body
        );
    }
    let bound = server.create("contacts", r#"{"lastname":"K","parentcustomerid_account@odata.bind":"/accounts(accountnumber='N%2F1%20%C3%A5')"}"#).await;
    assert_eq!(
        server.get(&format!("contacts({bound})")).await.json()["_parentcustomerid_value"],
        id.as_str()
    );
    let link = r#"{"@odata.id":"contacts(lastname='k')"}"#;
    let put =
        server.send("PUT", "accounts(accountnumber='N%2F1%20å')/primarycontactid/$ref", &[], link).await;
    assert_eq!(put.status, 204, "{}", put.body);
    let by_lookup = format!("accounts(_primarycontactid_value={bound})");
    assert_eq!(server.get(&by_lookup).await.json()["accountid"], id.as_str());
    let put = server.send("PUT", &format!("{by_lookup}/telephone1"), &[], r#"{"value":"7"}"#).await;
    assert_eq!(put.status, 204, "{}", put.body);
    for (method, url, body, status, code) in [
        ("GET", "accounts(accountnumber='none')", "", 404, "0x80060891"),
        ("DELETE", "accounts(accountnumber='none')", "", 404, "0x80060891"),
        ("GET", "accounts(telephone1='7')", "", 400, "0x80060888"),
        ("GET", "accounts(name='O''Key')", "", 400, "0x80060888"),
        (
            "POST",
            "contacts",
            r#"{"lastname":"z","parentcustomerid_account@odata.bind":"accounts(accountnumber='none')"}"#,
            404,
            "0x80060891",
        ),
        ("POST", "accounts", r#"{"name":"other","accountnumber":"n/1 å"}"#, 412, "0x80060892"),
        ("POST", "accounts", r#"{"name":"o'key","address1_city":"OSLO"}"#, 412, "0x80060892"),
        ("POST", "contacts", r#"{"lastname":"K"}"#, 412, "0x80060892"),
    ] {
        let refused = server.send(method, url, &[], body).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{method} {url} {body}: {}",
            refused.body
        );
    }
    // A key with a hole in it names nothing, so it may occur twice.
    server.create("accounts", r#"{"name":"O'Key"}"#).await;
    server.create("accounts", r#"{"name":"O'Key"}"#).await;
    // A row keeps its own key.
    let kept = server
        .send("PATCH", "accounts(accountnumber='N%2F1%20å')", &[], r#"{"name":"O'Key","telephone1":"8"}"#)
        .await;
    assert_eq!(kept.status, 204, "{}", kept.body);
    assert_eq!(server.send("DELETE", &by_lookup, &[], "").await.status, 204);
    assert_eq!(server.get(&format!("accounts({id})")).await.status, 404);
}

#[tokio::test]
async fn an_upsert_by_key_makes_or_changes_one_row() {
    let server = server().await;
    let url = "accounts(accountnumber='A 1')";
    let echoed = "http://crm.example/api/data/v9.2/accounts(accountnumber='A%201')";
    for (body, name) in
        [(r#"{"name":"Made"}"#, "Made"), (r#"{"name":"Changed","accountnumber":"ignored"}"#, "Changed")]
    {
        let answer = server.send("PATCH", url, &[], body).await;
        assert_eq!((answer.status, answer.header("OData-EntityId")), (204, Some(echoed)), "{}", answer.body);
        let row = server.get(url).await.json();
        assert_eq!((row["name"].as_str(), row["accountnumber"].as_str()), (Some(name), Some("A 1")));
    }
    for (condition, present, expected, code) in [
        (("If-None-Match", "*"), true, 412, "0x80040237"),
        (("If-Match", "*"), true, 204, ""),
        (("If-Match", "W/\"1\""), true, 412, "0x80060882"),
        (("If-Match", "*"), false, 404, "0x80060891"),
        (("If-None-Match", "*"), false, 204, ""),
        (("If-None-Match", "null"), true, 204, ""),
    ] {
        let url = if present { url } else { "accounts(accountnumber='B')" };
        let answer = server.send("PATCH", url, &[condition], r#"{"telephone1":"1"}"#).await;
        assert_eq!(answer.status, expected, "{condition:?} {present}: {}", answer.body);
        if !code.is_empty() {
            assert_eq!(answer.code(), code, "{condition:?}");
        }
    }
    let made =
        server.send("PATCH", "accounts(accountnumber='C')?$select=accountnumber", &ANNOTATED, "{}").await;
    assert_eq!((made.status, made.json()["accountnumber"].as_str()), (201, Some("C")));
    let again = server.send("PATCH", "accounts(accountnumber='C')", &ANNOTATED, "{}").await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn a_deletion_by_key_is_repeated_though_the_key_names_nothing_any_more() {
    let server = server().await;
    server.create("accounts", r#"{"name":"A","accountnumber":"1"}"#).await;
    let sent = flette_odata::time::format_http_date(web::now());
    let id = "5f000000-0000-4000-8000-000000000001";
    let headers = [("Repeatability-Request-ID", id), ("Repeatability-First-Sent", sent.as_str())];
    for _ in 0..2 {
        let answer = server.send("DELETE", "accounts(accountnumber='1')", &headers, "").await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    assert_eq!(server.send("DELETE", "accounts(accountnumber='1')", &[], "").await.status, 404);
}

fn targets(rows: &[String]) -> String {
    let typed = rows.iter().map(|row| format!(r#"{{"@odata.type":"Microsoft.Dynamics.CRM.account",{row}}}"#));
    format!(r#"{{"Targets":[{}]}}"#, typed.collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn several_rows_are_written_together_or_not_at_all() {
    let server = server().await;
    let send = |action: &str, rows: &[String]| {
        let (url, body) = (format!("accounts/Microsoft.Dynamics.CRM.{action}"), targets(rows));
        let server = server.clone();
        async move { server.send("POST", &url, &[], &body).await }
    };
    let own = "a0000000-0000-4000-8000-0000000000aa";
    let made = send(
        "CreateMultiple",
        &[
            r#""name":"One","accountnumber":"1""#.to_owned(),
            format!(r#""name":"Two","accountid":"{own}""#),
            r#""name":"Three","Account_Tasks":[{"subject":"deep"}]"#.to_owned(),
        ],
    )
    .await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(
        made.json()["@odata.context"],
        "http://crm.example/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
    );
    let ids: Vec<String> =
        made.json()["Ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), ids[1].as_str()), (3, own));
    let names = || async { server.list("accounts?$select=name&$orderby=name").await.column("name") };
    assert_eq!(names().await, ["One", "Three", "Two"]);

    let changed = send(
        "UpdateMultiple",
        &[
            format!(r#""accountid":"{}","name":"First""#, ids[0]),
            format!(r#""@odata.id":"accounts({own})","name":"Second""#),
            r#""@odata.id":"accounts(accountnumber='1')","telephone1":"5""#.to_owned(),
        ],
    )
    .await;
    assert_eq!((changed.status, changed.body.as_str()), (204, ""), "{}", changed.body);
    assert_eq!(names().await, ["First", "Second", "Three"]);

    let both = send(
        "UpsertMultiple",
        &[
            r#""@odata.id":"accounts(accountnumber='1')","name":"Again""#.to_owned(),
            r#""@odata.id":"accounts(accountnumber='2')","name":"New by key""#.to_owned(),
            r#""@odata.id":"accounts(a0000000-0000-4000-8000-0000000000bb)","name":"New by id""#.to_owned(),
            r#""name":"New""#.to_owned(),
        ],
    )
    .await;
    assert_eq!((both.status, both.body.as_str()), (204, ""));
    assert_eq!(names().await, ["Again", "New", "New by id", "New by key", "Second", "Three"]);
    assert_eq!(server.get("accounts(accountnumber='2')").await.json()["name"], "New by key");

    let before = server.list("accounts?$orderby=accountid").await.body;
    for (action, bad, status, code) in [
        ("CreateMultiple", format!(r#""accountid":"{own}""#), 412, "0x80040237"),
        ("CreateMultiple", r#""accountnumber":"1""#.to_owned(), 412, "0x80060892"),
        ("CreateMultiple", r#""nothing":"1""#.to_owned(), 400, "0x80060888"),
        (
            "UpdateMultiple",
            r#""accountid":"a0000000-0000-4000-8000-0000000000cc""#.to_owned(),
            404,
            "0x80040217",
        ),
        ("UpdateMultiple", r#""@odata.id":"accounts(accountnumber='none')""#.to_owned(), 404, "0x80060891"),
        ("UpdateMultiple", r#""name":"no key""#.to_owned(), 400, "0x80048d19"),
        ("UpsertMultiple", r#""statecode":0,"statuscode":2"#.to_owned(), 400, "0x80048408"),
    ] {
        let good = match action {
            "UpdateMultiple" => format!(r#""accountid":"{own}","name":"Never""#),
            _ => r#""name":"Never""#.to_owned(),
        };
        let refused = send(action, &[good, bad.clone()]).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{action} {bad}: {}",
            refused.body
        );
        assert_eq!(server.list("accounts?$orderby=accountid").await.body, before, "{action} {bad}");
    }
    let verb = server.get("accounts/Microsoft.Dynamics.CRM.CreateMultiple").await;
    assert_eq!(verb.status, 405);
    let read_only = server
        .send("POST", "activitypointers/Microsoft.Dynamics.CRM.CreateMultiple", &[], "{\"Targets\":[]}")
        .await;
    assert_eq!(read_only.status, 405);
}

#[tokio::test]
async fn duplicates_are_refused_for_those_who_ask() {
    let server = Server::empty().await;
    let first = server.create("accounts", r#"{"name":"Doubled","emailaddress1":"a@example.com"}"#).await;
    server
        .create("contacts", r#"{"firstname":"Same","lastname":"Name","emailaddress1":"c@example.com"}"#)
        .await;
    let other = server.create("accounts", r#"{"name":"Other"}"#).await;
    let ask = [("MSCRM.SuppressDuplicateDetection", "false")];
    let patch = format!("accounts({other})");
    let own = format!("accounts({first})");
    for (method, url, body, status) in [
        ("POST", "accounts", r#"{"name":"doubled"}"#, 412),
        ("POST", "accounts", r#"{"name":"New","emailaddress1":"A@EXAMPLE.COM"}"#, 412),
        ("POST", "contacts", r#"{"firstname":"same","lastname":"name"}"#, 412),
        ("POST", "contacts", r#"{"firstname":"x","lastname":"y","emailaddress1":"c@example.com"}"#, 412),
        ("POST", "contacts", r#"{"firstname":"same","lastname":"other"}"#, 204),
        ("POST", "contacts", r#"{"lastname":"name"}"#, 204),
        ("POST", "accounts", r#"{"name":"Not doubled"}"#, 204),
        ("PATCH", patch.as_str(), r#"{"name":"Doubled"}"#, 412),
        ("PATCH", patch.as_str(), r#"{"telephone1":"1"}"#, 204),
        ("PATCH", own.as_str(), r#"{"name":"Doubled","emailaddress1":"a@example.com"}"#, 204),
        ("POST", "tasks", r#"{"subject":"Doubled"}"#, 204),
        ("POST", "tasks", r#"{"subject":"Doubled"}"#, 204),
    ] {
        let answer = server.send(method, url, &ask, body).await;
        assert_eq!(answer.status, status, "{method} {url} {body}: {}", answer.body);
        if status == 412 {
            assert_eq!(answer.code(), "0x80040333");
        }
    }
    for header in [("MSCRM.SuppressDuplicateDetection", "true"), ("Accept", "*/*")] {
        assert_eq!(server.send("POST", "accounts", &[header], r#"{"name":"Doubled"}"#).await.status, 204);
    }
}
