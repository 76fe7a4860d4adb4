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
