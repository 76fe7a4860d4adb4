//! Paths, lambdas, expanded rows and collections, groups.

use super::support::Server;
use serde_json::{json, Value};

/// Two accounts and four contacts: Ann and Bob at the first, which Ann stands for; Cid at the second; Dan
/// nowhere. Ids in that order.
async fn world() -> (Server, Vec<String>) {
    let server = Server::empty().await;
    let mut ids = Vec::new();
    for body in
        [r#"{"name":"First","numberofemployees":7,"revenue":10.5}"#, r#"{"name":"Second","revenue":0.25}"#]
    {
        ids.push(server.create("accounts", body).await);
    }
    for (name, account) in [("Ann", Some(0)), ("Bob", Some(0)), ("Cid", Some(1)), ("Dan", None)] {
        let bind = account
            .map(|at: usize| format!(r#","parentcustomerid_account@odata.bind":"accounts({})""#, ids[at]));
        let body = format!(r#"{{"firstname":"{name}","lastname":"X"{}}}"#, bind.unwrap_or_default());
        ids.push(server.create("contacts", &body).await);
    }
    let body = format!(r#"{{"primarycontactid@odata.bind":"contacts({})"}}"#, ids[2]);
    assert_eq!(server.send("PATCH", &format!("accounts({})", ids[0]), &[], &body).await.status, 204);
    (server, ids)
}

#[tokio::test]
async fn filters_and_orders_follow_paths_and_lambdas() {
    let (server, ids) = world().await;
    async fn check(server: &Server, set: &str, column: &str, options: &str, expected: &[&str]) {
        let answer = server.list(&format!("{set}?$select={column}&{options}")).await;
        assert_eq!(answer.column(column), expected, "{options}");
    }
    let contacts = |options: &'static str, expected: &'static [&'static str]| {
        check(&server, "contacts", "firstname", options, expected)
    };
    contacts("$filter=parentcustomerid_account/name eq 'first'&$orderby=firstname", &["Ann", "Bob"]).await;
    contacts("$filter=parentcustomerid_account/name eq null", &["Dan"]).await;
    contacts("$filter=parentcustomerid_account/name ne 'first'&$orderby=firstname", &["Cid", "Dan"]).await;
    contacts(
        "$filter=not (parentcustomerid_account/numberofemployees gt 6)&$orderby=firstname",
        &["Cid", "Dan"],
    )
    .await;
    contacts(
        "$filter=parentcustomerid_account/primarycontactid/firstname eq 'ann'&$orderby=firstname desc",
        &["Bob", "Ann"],
    )
    .await;
    contacts("$orderby=parentcustomerid_account/name desc,firstname", &["Cid", "Ann", "Bob", "Dan"]).await;
    let accounts = |options: &'static str, expected: &'static [&'static str]| {
        check(&server, "accounts", "name", options, expected)
    };
    accounts("$filter=contact_customer_accounts/any(c:c/firstname eq 'cid')", &["Second"]).await;
    accounts("$filter=contact_customer_accounts/all(c:c/firstname lt 'c')", &["First"]).await;
    accounts("$filter=contact_customer_accounts/any()&$orderby=name desc", &["Second", "First"]).await;
    let url = format!("contacts?$select=firstname&$filter=parentcustomerid_account/accountid eq {}", ids[1]);
    assert_eq!(server.list(&url).await.column("firstname"), ["Cid"]);
    let mine = "Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')";
    let url = format!("accounts?$select=name&$orderby=name&$filter={mine}");
    assert_eq!(server.list(&url).await.column("name"), ["First", "Second"]);
    let today = "Microsoft.Dynamics.CRM.Today(PropertyName='createdon')";
    assert_eq!(server.list(&format!("accounts?$filter={today}")).await.rows().len(), 2);
}

#[tokio::test]
async fn pages_follow_an_order_along_a_path_while_rows_change() {
    let (server, ids) = world().await;
    let url = "contacts?$select=firstname&$orderby=parentcustomerid_account/name desc,firstname";
    for size in 1..=4 {
        let prefer = format!("odata.maxpagesize={size}");
        let (rows, _) = server.drain(url, &[("Prefer", &prefer)]).await;
        let names: Vec<&str> = rows.iter().filter_map(|row| row["firstname"].as_str()).collect();
        assert_eq!(names, ["Cid", "Ann", "Bob", "Dan"], "{size}");
    }
    let first = server.send("GET", url, &[("Prefer", "odata.maxpagesize=2")], "").await;
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    // Cid was given and goes; Dan, still to come, moves behind Bob.
    server.send("DELETE", &format!("contacts({})", ids[4]), &[], "").await;
    let rest = server.list(&next).await;
    assert_eq!(rest.column("firstname"), ["Bob", "Dan"]);
}

#[tokio::test]
async fn rows_and_collections_are_expanded_in_several_levels() {
    let (server, ids) = world().await;
    let url = "accounts?$select=name&$orderby=name\
        &$expand=primarycontactid($select=firstname;$expand=parentcustomerid_account($select=name)),\
        contact_customer_accounts($select=firstname;$filter=lastname eq 'x')";
    let answer = server.list(url).await;
    let rows = answer.rows();
    assert_eq!(rows[0]["primarycontactid"]["firstname"], "Ann");
    assert_eq!(rows[0]["primarycontactid"]["parentcustomerid_account"]["name"], "First");
    assert!(rows[1]["primarycontactid"].is_null());
    let names = |row: &Value, collection: &str| -> Vec<String> {
        let rows = row[collection].as_array().unwrap().clone();
        rows.iter().map(|row| row["firstname"].as_str().unwrap().to_owned()).collect()
    };
    let mut first = names(&rows[0], "contact_customer_accounts");
    first.sort();
    assert_eq!(first, ["Ann", "Bob"]);
    assert_eq!(names(&rows[1], "contact_customer_accounts"), ["Cid"]);
    assert!(rows[0]["contact_customer_accounts"][0]["@odata.etag"].is_string());
    assert_eq!(
        answer.json()["@odata.context"],
        "http://crm.example/api/data/v9.2/$metadata#accounts(name,primarycontactid(firstname,\
         parentcustomerid_account(name)),contact_customer_accounts(firstname))"
    );
    let url = format!(
        "accounts({})?$select=name&$expand=contact_customer_accounts($select=firstname;$orderby=firstname desc;\
         $top=1;$count=true),primarycontactid/$ref",
        ids[0]
    );
    let row = server.list(&url).await.json();
    assert_eq!(names(&row, "contact_customer_accounts"), ["Bob"]);
    assert_eq!(row["contact_customer_accounts@odata.count"], 2);
    assert!(row["contact_customer_accounts@odata.nextLink"].is_null());
    let reference = format!("http://crm.example/api/data/v9.2/contacts({})", ids[2]);
    assert_eq!(row["primarycontactid"], json!({"@odata.id": reference}));
}

#[tokio::test]
async fn a_long_collection_goes_on_behind_its_own_link() {
    let (server, ids) = world().await;
    let url = format!(
        "accounts?$select=name&$filter=accountid eq {}\
         &$expand=contact_customer_accounts($select=firstname;$orderby=firstname;$filter=lastname ne 'a %26 b')",
        ids[0]
    );
    let prefer = [("Prefer", "odata.maxpagesize=1")];
    let answer = server.send("GET", &url, &prefer, "").await;
    let row = answer.rows().remove(0);
    assert_eq!(row["contact_customer_accounts"][0]["firstname"], "Ann");
    let next = row["contact_customer_accounts@odata.nextLink"].as_str().unwrap().to_owned();
    assert!(next.contains(&format!("accounts({})/contact_customer_accounts?$select=firstname", ids[0])));
    let (rest, _) = server.drain(&next, &prefer).await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["firstname"], "Bob");
    assert!(rest[0]["lastname"].is_null(), "{rest:?}");
}

#[tokio::test]
async fn references_and_counts_of_a_collection_are_read() {
    let (server, ids) = world().await;
    let url = format!("accounts({})/contact_customer_accounts", ids[0]);
    let answer = server.list(&format!("{url}/$ref?$orderby=firstname")).await;
    let reference =
        |at: usize| json!({"@odata.id": format!("http://crm.example/api/data/v9.2/contacts({})", ids[at])});
    assert_eq!(answer.rows(), [reference(2), reference(3)]);
    assert_eq!(server.get(&format!("{url}/$count")).await.body, "2");
    assert_eq!(server.get(&format!("{url}/$count?$filter=firstname eq 'bob'")).await.body, "1");
}

#[tokio::test]
async fn groups_are_reckoned_exactly() {
    let (server, _) = world().await;
    for (revenue, name) in [("0.1", "a"), ("0.2", "A"), ("99999999999.9999", "b")] {
        server.create("accounts", &format!(r#"{{"name":"{name}","revenue":{revenue}}}"#)).await;
    }
    let answer = server
        .list("accounts?$apply=groupby((name),aggregate(revenue with sum as total,$count as number))")
        .await;
    let rows = answer.rows();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(names[1..], ["b", "First", "Second"]);
    assert_eq!(rows[0]["number"], 2);
    assert!(answer.body.contains("\"total\":0.3000,"), "{}", answer.body);
    assert_eq!(answer.json()["@odata.context"], "http://crm.example/api/data/v9.2/$metadata#accounts");
    let answer = server
        .list(
            "accounts?$apply=filter(revenue lt 1)/aggregate(revenue with average as mean,revenue with max as most,\
             name with countdistinct as names)",
        )
        .await;
    assert_eq!(answer.rows().len(), 1);
    assert!(answer.body.contains("\"mean\":0.1833"), "{}", answer.body);
    assert!(
        answer.body.contains("\"most\":0.2500") && answer.body.contains("\"names\":2"),
        "{}",
        answer.body
    );
    let prefer = [("Prefer", "odata.include-annotations=\"*\"")];
    let url =
        "contacts?$apply=groupby((parentcustomerid_account/name,statecode),aggregate($count as number))";
    let answer = server.send("GET", url, &prefer, "").await;
    let rows = answer.rows();
    assert_eq!(rows.len(), 3, "{}", answer.body);
    assert!(rows[0]["parentcustomerid_account_name"].is_null());
    assert_eq!(rows[1]["parentcustomerid_account_name"], "First");
    assert_eq!(rows[1]["number"], 2);
    assert_eq!(rows[1]["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
    assert_eq!(rows[1]["number@OData.Community.Display.V1.FormattedValue"], "2");
    let nothing = "accounts?$apply=filter(name eq 'nobody')/aggregate($count as n,revenue with sum as s)";
    assert_eq!(server.list(nothing).await.rows(), [json!({"n": 0, "s": null})]);
}
