//! Creates, updates, upserts, deletes, links.

use super::support::Server;

const ID: &str = "c0000000-0000-4000-8000-00000000000a";

#[tokio::test]
async fn creates_answer_with_an_id_or_with_the_row() {
    let server = Server::empty().await;
    let answer =
        server.send("POST", "contacts", &[], &format!(r#"{{"contactid":"{ID}","lastname":"Prøve"}}"#)).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let url = format!("http://crm.example/api/data/v9.2/contacts({ID})");
    assert_eq!(answer.header("OData-EntityId"), Some(url.as_str()));

    let headers = [("Prefer", "return=representation")];
    let answer = server.send("POST", "contacts?$select=lastname", &headers, r#"{"lastname":"To"}"#).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("OData-EntityId"), None);
    assert_eq!(answer.header("Preference-Applied"), Some("return=representation"));
    assert_eq!(answer.header("ETag"), answer.json()["@odata.etag"].as_str());
    assert_eq!(answer.json()["lastname"], "To");
    assert_eq!(
        answer.json()["@odata.context"],
        "http://crm.example/api/data/v9.2/$metadata#contacts(lastname)/$entity"
    );

    let taken =
        server.send("POST", "contacts", &[], &format!(r#"{{"contactid":"{ID}","lastname":"x"}}"#)).await;
    assert_eq!((taken.status, taken.code().as_str()), (412, "0x80040237"));
}

#[tokio::test]
async fn a_patch_obeys_its_condition() {
    let server = Server::empty().await;
    let url = format!("contacts({ID})");
    let stale = "W/\"1\"".to_owned();
    let mut etag = String::new();
    // Each step: condition, expected status without and with the row there.
    for (condition, absent, present) in [
        (Some(("If-Match", "*")), 404, 204),
        (Some(("If-Match", stale.as_str())), 404, 412),
        (Some(("If-Match", "current")), 404, 204),
        (Some(("If-None-Match", "*")), 204, 412),
        (Some(("If-None-Match", "null")), 204, 204),
        (None, 204, 204),
    ] {
        for (there, expected) in [(false, absent), (true, present)] {
            if there {
                server.send("PATCH", &url, &[], r#"{"lastname":"there"}"#).await;
                etag = server.get(&url).await.header("ETag").unwrap().to_owned();
            } else {
                server.send("DELETE", &url, &[], "").await;
            }
            let headers: Vec<(&str, &str)> = condition
                .map(|(n, v)| {
                    (
                        n,
                        if v == "current" && there {
                            etag.as_str()
                        } else if v == "current" {
                            "W/\"9\""
                        } else {
                            v
                        },
                    )
                })
                .into_iter()
                .collect();
            let answer = server.send("PATCH", &url, &headers, r#"{"lastname":"new"}"#).await;
            assert_eq!(answer.status, expected, "{headers:?} {there}: {}", answer.body);
            if expected == 412 {
                let code = if headers[0].0 == "If-Match" { "0x80060882" } else { "0x80040237" };
                assert_eq!(answer.code(), code);
                assert_eq!(server.get(&url).await.json()["lastname"], "there");
            }
        }
    }
    let headers = [("Prefer", "return=representation")];
    let answer = server.send("PATCH", &url, &headers, r#"{"lastname":"again"}"#).await;
    assert_eq!((answer.status, answer.json()["lastname"].as_str()), (200, Some("again")));
    assert_ne!(answer.header("ETag"), Some(etag.as_str()));
    server.send("DELETE", &url, &[], "").await;
    let answer = server.send("PATCH", &url, &headers, r#"{"lastname":"back"}"#).await;
    assert_eq!((answer.status, answer.json()["contactid"].as_str()), (201, Some(ID)));
}

#[tokio::test]
async fn only_what_was_sent_changes_and_who_and_when_are_the_servers() {
    let server = Server::empty().await;
    let id = server
        .create("contacts", r#"{"lastname":"A","firstname":"B","telephone1":"1","address1_city":"Oslo"}"#)
        .await;
    let before = server.get(&format!("contacts({id})")).await.json();
    let anna =
        server.list("systemusers?$filter=fullname eq 'Anna Åsen'").await.column("systemuserid").remove(0);
    let admin = server.sign_in("admin").await;
    let answer =
        admin.send("PATCH", &format!("contacts({id})"), &[("If-Match", "*")], r#"{"telephone1":"2"}"#).await;
    assert_eq!(answer.status, 204);
    let after = server.get(&format!("contacts({id})")).await.json();
    for (name, value) in before.as_object().unwrap() {
        let expected_change =
            ["@odata.etag", "telephone1", "versionnumber", "modifiedon", "_modifiedby_value"];
        match expected_change.contains(&name.as_str()) {
            true if name != "modifiedon" => assert_ne!(&after[name], value, "{name}"),
            true => {}
            false => assert_eq!(&after[name], value, "{name}"),
        }
    }
    assert_eq!(after["fullname"], "B A");
    assert_eq!(after["address1_composite"], "Oslo");
    assert_eq!(format!("W/\"{}\"", after["versionnumber"]), after["@odata.etag"].as_str().unwrap());
    // A new owner brings its business unit.
    let bind = format!(r#"{{"ownerid@odata.bind":"systemusers({anna})"}}"#);
    assert_eq!(server.send("PATCH", &format!("contacts({id})"), &[], &bind).await.status, 204);
    let row = server.get(&format!("contacts({id})?$expand=owningbusinessunit($select=name)")).await.json();
    assert_eq!(row["_ownerid_value"], anna.as_str());
    assert_eq!(row["_owninguser_value"], anna.as_str());
    assert_eq!(row["owningbusinessunit"]["name"], "Oslo");
}

#[tokio::test]
async fn bad_input_is_refused_and_changes_nothing() {
    let server = Server::empty().await;
    let id = server.create("contacts", r#"{"lastname":"A"}"#).await;
    let before = server.get(&format!("contacts({id})")).await.body;
    let long = format!(r#"{{"telephone1":"{}"}}"#, "1".repeat(51));
    for (body, status, code) in [
        (r#"{"nothing":1}"#, 400, "0x80060888"),
        (long.as_str(), 400, "0x80044331"),
        (r#"{"telephone1":1}"#, 400, "0x80048d19"),
        (r#"{"telephone1":"1""#, 400, "0x80048d19"),
        (r#"[]"#, 400, "0x80048d19"),
        (r#"{"telephone1":"a\u0000b"}"#, 400, "0x80048d19"),
        (r#"{"telephone1":"1","telephone1":"2"}"#, 400, "0x80048d19"),
        (r#"{"gendercode":77}"#, 400, "0x8004431a"),
        (r#"{"numberofchildren":-1}"#, 400, "0x8004432f"),
        (r#"{"statecode":0,"statuscode":2}"#, 400, "0x80048408"),
        (
            r#"{"parentcustomerid_account@odata.bind":"accounts(00000000-0000-4000-8000-000000000009)"}"#,
            404,
            "0x80040217",
        ),
        (r#"{"_parentcustomerid_value":"00000000-0000-4000-8000-000000000009"}"#, 400, "0x80048d19"),
    ] {
        let answer = server.send("PATCH", &format!("contacts({id})"), &[], body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}: {}", answer.body);
        assert_eq!(server.get(&format!("contacts({id})")).await.body, before);
    }
    let answer = server.send("PATCH", "contacts(nonsense)", &[], "{}").await;
    assert_eq!(answer.status, 400);
    let answer = server.send("POST", "contacts", &[("Content-Type", "text/plain")], "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (415, "0x80048d19"));
    let answer =
        server.send("POST", "contacts", &[], &" ".repeat(flette_server::web::BODY_BYTES_MAX + 1)).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "0x8004418a"));
    let answer = server.send("POST", "contacts", &[], &" ".repeat(flette_server::web::BODY_BYTES_MAX)).await;
    assert_eq!(answer.status, 400);
    let answer =
        server.get(&format!("contacts?$filter={}", "a".repeat(flette_server::web::URL_BYTES_MAX))).await;
    assert_eq!(answer.status, 414);
}

#[tokio::test]
async fn texts_come_back_as_they_were_sent() {
    let server = Server::empty().await;
    for text in [
        "O'Brien",
        "'; DROP TABLE contact; --",
        "Ünïcödé 漢字 🧶",
        "a\u{1}b",
        "\r\n\t\\\"",
        "%_[]",
        "<script>alert(1)</script>",
        "\u{202e}rtl",
        "null",
        "NULL",
        " ",
    ] {
        let body = serde_json::json!({"lastname": text}).to_string();
        let id = server.create("contacts", &body).await;
        let row = server.get(&format!("contacts({id})?$select=lastname")).await.json();
        assert_eq!(row["lastname"], text);
    }
}

#[tokio::test]
async fn properties_and_links_are_set_and_cleared_one_by_one() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let contact = server.create("contacts", r#"{"lastname":"C"}"#).await;
    let value = |row: serde_json::Value, name: &str| row[name].clone();
    let row = || async { server.get(&format!("contacts({contact})")).await.json() };
    let put = server.send("PUT", &format!("contacts({contact})/telephone1"), &[], r#"{"value":"7"}"#).await;
    assert_eq!(put.status, 204, "{}", put.body);
    assert_eq!(value(row().await, "telephone1"), "7");
    assert_eq!(server.send("DELETE", &format!("contacts({contact})/telephone1"), &[], "").await.status, 204);
    assert!(value(row().await, "telephone1").is_null());
    let reference = format!("contacts({contact})/parentcustomerid_account/$ref");
    let target = format!(r#"{{"@odata.id":"http://crm.example/api/data/v9.2/accounts({account})"}}"#);
    let put = server.send("PUT", &reference, &[], &target).await;
    assert_eq!(put.status, 204, "{}", put.body);
    assert_eq!(value(row().await, "_parentcustomerid_value"), account.as_str());
    let wrong = format!("contacts({contact})/parentcustomerid_contact/$ref");
    assert_eq!(server.send("DELETE", &wrong, &[], "").await.status, 204);
    assert_eq!(value(row().await, "_parentcustomerid_value"), account.as_str());
    assert_eq!(server.send("DELETE", &reference, &[], "").await.status, 204);
    assert!(value(row().await, "_parentcustomerid_value").is_null());
    let absent = "contacts(00000000-0000-4000-8000-000000000009)/telephone1";
    assert_eq!(server.send("PUT", absent, &[], r#"{"value":"7"}"#).await.status, 404);
}

#[tokio::test]
async fn a_delete_takes_along_what_belongs_to_the_row() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let bind = |nav: &str, set: &str, id: &str| format!(r#""{nav}@odata.bind":"{set}({id})""#);
    let body = format!(r#"{{"lastname":"C",{}}}"#, bind("parentcustomerid_account", "accounts", &account));
    let contact = server.create("contacts", &body).await;
    let body = format!(r#"{{"lastname":"D",{}}}"#, bind("parentcustomerid_contact", "contacts", &contact));
    let below = server.create("contacts", &body).await;
    let body = format!(r#"{{"subject":"T",{}}}"#, bind("regardingobjectid_contact_task", "contacts", &below));
    let task = server.create("tasks", &body).await;
    let body = format!(r#"{{"name":"B",{}}}"#, bind("parentaccountid", "accounts", &account));
    let child = server.create("accounts", &body).await;
    let before = server.get(&format!("accounts({child})")).await;
    assert_eq!(
        server.send("DELETE", &format!("accounts({account})"), &[("If-Match", "W/\"1\"")], "").await.status,
        412
    );
    assert_eq!(server.send("DELETE", &format!("accounts({account})"), &[], "").await.status, 204);
    for gone in [format!("contacts({contact})"), format!("contacts({below})"), format!("tasks({task})")] {
        assert_eq!(server.get(&gone).await.status, 404, "{gone}");
    }
    let after = server.get(&format!("accounts({child})")).await;
    assert!(after.json()["_parentaccountid_value"].is_null());
    assert_ne!(after.header("ETag"), before.header("ETag"));
    assert_eq!(server.send("DELETE", &format!("accounts({account})"), &[], "").await.status, 404);
}
