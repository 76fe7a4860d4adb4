//! What hangs on a row: properties, rows behind navigation properties, references, collections.

use super::support::Server;

const NOBODY: &str = "00000000-0000-4000-8000-000000000009";

/// An account with two contacts; their ids.
async fn family(server: &Server) -> (String, String, String) {
    let account = server.create("accounts", r#"{"name":"Søn & \"Co\"","numberofemployees":7}"#).await;
    let contact = |name: &str| {
        format!(r#"{{"lastname":"{name}","parentcustomerid_account@odata.bind":"accounts({account})"}}"#)
    };
    let first = server.create("contacts", &contact("Å")).await;
    let second = server.create("contacts", &contact("B")).await;
    (account, first, second)
}

#[tokio::test]
async fn a_property_is_read_alone_and_bare() {
    let server = Server::empty().await;
    let (account, contact, _) = family(&server).await;
    let answer = server.list(&format!("accounts({account})/name")).await;
    assert_eq!(answer.json()["value"], "Søn & \"Co\"");
    let context = format!("http://crm.example/api/data/v9.2/$metadata#accounts({account})/name");
    assert_eq!(answer.json()["@odata.context"], context.as_str());
    async fn check(server: &Server, url: String, status: u16, body: &str) {
        let answer = server.get(&url).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{url}");
    }
    check(&server, format!("accounts({account})/name/$value"), 200, "Søn & \"Co\"").await;
    check(&server, format!("accounts({account})/numberofemployees/$value"), 200, "7").await;
    check(&server, format!("contacts({contact})/_parentcustomerid_value/$value"), 200, &account).await;
    check(&server, format!("accounts({account})/telephone1"), 204, "").await;
    check(&server, format!("accounts({account})/telephone1/$value"), 204, "").await;
    for (url, status) in [
        (format!("accounts({NOBODY})/name"), 404),
        (format!("accounts({account})/nothing"), 404),
        (format!("accounts({account})/name?$select=name"), 400),
    ] {
        assert_eq!(server.get(&url).await.status, status, "{url}");
    }
}

#[tokio::test]
async fn the_row_behind_a_property_is_read_like_any_row() {
    let server = Server::empty().await;
    let (account, contact, _) = family(&server).await;
    let answer = server.list(&format!("contacts({contact})/parentcustomerid_account?$select=name")).await;
    assert_eq!(answer.json()["accountid"], account.as_str());
    assert!(answer.json()["telephone1"].is_null() && !answer.body.contains("telephone1"));
    let etag = answer.header("ETag").unwrap().to_owned();
    let url = format!("contacts({contact})/parentcustomerid_account");
    assert_eq!(server.send("GET", &url, &[("If-None-Match", &etag)], "").await.status, 304);
    let answer = server.list(&format!("{url}/$ref")).await;
    let expected = format!("http://crm.example/api/data/v9.2/accounts({account})");
    assert_eq!(answer.json()["@odata.id"], expected.as_str());
    for (url, status) in [
        (format!("contacts({contact})/parentcustomerid_contact"), 204),
        (format!("contacts({contact})/parentcustomerid_contact/$ref"), 204),
        (format!("contacts({NOBODY})/parentcustomerid_account"), 404),
        (format!("contacts({contact})/parentcustomerid_nobody"), 404),
    ] {
        assert_eq!(server.get(&url).await.status, status, "{url}");
    }
}

#[tokio::test]
async fn a_collection_of_a_row_is_a_list_and_its_row_must_be_there() {
    let server = Server::empty().await;
    let (account, ..) = family(&server).await;
    server.create("contacts", r#"{"lastname":"Elsewhere"}"#).await;
    let url = format!("accounts({account})/contact_customer_accounts");
    let answer = server.list(&format!("{url}?$select=lastname&$orderby=lastname desc")).await;
    assert_eq!(answer.column("lastname"), ["Å", "B"]);
    let answer = server.list(&format!("{url}?$select=lastname&$filter=lastname eq 'b'")).await;
    assert_eq!(answer.column("lastname"), ["B"]);
    let (rows, _) = server.drain(&url, &[("Prefer", "odata.maxpagesize=1")]).await;
    assert_eq!(rows.len(), 2);
    assert_eq!(server.get(&url.replace(&account, NOBODY)).await.status, 404);
}

#[tokio::test]
async fn a_path_goes_on_behind_rows_and_below_them_as_far_as_the_caller_sees() {
    let server = Server::empty().await;
    let (account, first, second) = family(&server).await;
    let link = format!(r#"{{"primarycontactid@odata.bind":"contacts({second})"}}"#);
    assert_eq!(server.send("PATCH", &format!("accounts({account})"), &[], &link).await.status, 204);
    let other = server.create("contacts", r#"{"lastname":"Elsewhere"}"#).await;
    let (behind, below) = (
        format!("contacts({first})/parentcustomerid_account"),
        format!("accounts({account})/contact_customer_accounts"),
    );
    let name = server.list(&format!("{behind}/name")).await.json();
    let context = format!("http://crm.example/api/data/v9.2/$metadata#accounts({account})/name");
    assert_eq!((&name["value"], &name["@odata.context"]), (&"Søn & \"Co\"".into(), &context.into()));
    for (url, expected) in [
        (format!("{behind}/name/$value"), "Søn & \"Co\""),
        (format!("{behind}/contact_customer_accounts/$count"), "2"),
        (format!("{behind}/primarycontactid/lastname/$value"), "B"),
        (format!("{below}({second})/parentcustomerid_account/numberofemployees/$value"), "7"),
        (format!("{behind}/contact_customer_accounts({first})/lastname/$value"), "Å"),
        (format!("{behind}/owninguser/domainname/$value"), "demo@flette.example"),
    ] {
        assert_eq!(server.get(&url).await.body, expected, "{url}");
    }
    let row = server.list(&format!("{below}({second})?$select=lastname")).await.json();
    assert_eq!((row["lastname"].as_str(), row["contactid"].as_str()), (Some("B"), Some(second.as_str())));
    let rows = server
        .list(&format!("{behind}/contact_customer_accounts?$select=lastname&$orderby=lastname desc"))
        .await;
    assert_eq!(rows.column("lastname"), ["Å", "B"]);
    let reference = server.list(&format!("{behind}/primarycontactid/$ref")).await.json();
    assert_eq!(reference["@odata.id"], format!("http://crm.example/api/data/v9.2/contacts({second})"));
    for (url, status) in [
        // Nothing hangs on what is not there.
        (format!("contacts({other})/parentcustomerid_account/name"), 404),
        (format!("contacts({first})/parentcustomerid_contact/lastname"), 404),
        (format!("contacts({NOBODY})/parentcustomerid_account/name"), 404),
        (format!("{below}({other})"), 404),
        (format!("{below}({other})/lastname"), 404),
        (format!("{below}({NOBODY})"), 404),
        (format!("accounts({NOBODY})/contact_customer_accounts({first})"), 404),
        (format!("{behind}/parentaccountid"), 204),
        (format!("{behind}/telephone1"), 204),
        (format!("{behind}/nothing"), 404),
        (format!("contacts({first})/ownerid/fullname"), 404),
        (format!("{behind}/Microsoft.Dynamics.CRM.account"), 501),
    ] {
        assert_eq!(server.get(&url).await.status, status, "{url}");
    }
    for (method, url, body) in [
        ("PATCH", behind.clone(), r#"{"name":"x"}"#),
        ("PATCH", format!("{below}({first})"), r#"{"lastname":"x"}"#),
        ("DELETE", format!("{below}({first})"), ""),
        ("PUT", format!("{behind}/name"), r#"{"value":"x"}"#),
        ("POST", format!("{behind}/contact_customer_accounts"), r#"{"lastname":"x"}"#),
    ] {
        assert_eq!(server.send(method, &url, &[], body).await.status, 405, "{method} {url}");
    }
    // Anna does not see Demo's account, which her contact points to; nor what hangs on it.
    let anna = server.sign_in("anna").await;
    let hers = anna.create("contacts", r#"{"lastname":"Hers"}"#).await;
    let link = format!(r#"{{"parentcustomerid_account@odata.bind":"accounts({account})"}}"#);
    assert_eq!(server.send("PATCH", &format!("contacts({hers})"), &[], &link).await.status, 204);
    let behind = format!("contacts({hers})/parentcustomerid_account");
    for url in [
        format!("{behind}/name"),
        format!("{behind}/contact_customer_accounts"),
        format!("{behind}/contact_customer_accounts/$count"),
        format!("{behind}/primarycontactid/lastname"),
        format!("{below}({hers})"),
        format!("{below}({hers})/lastname"),
    ] {
        let answer = anna.get(&url).await;
        assert_eq!(answer.status, 404, "{url}");
        assert!(!answer.body.contains("Co"), "{}", answer.body);
    }
}
