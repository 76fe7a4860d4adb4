//! Lists, rows, counts, metadata.

use super::support::Server;
use flette_server::api::Profile;

/// Five accounts with what orders and filters trip over.
async fn five() -> Server {
    let server = Server::empty().await;
    for body in [
        r#"{"name":"Ærlig","telephone1":"1","numberofemployees":5,"revenue":10.5}"#,
        r#"{"name":"Bon app'","telephone1":"2","numberofemployees":50,"revenue":9.25}"#,
        r#"{"name":"alfreds","telephone1":null,"numberofemployees":null,"revenue":100}"#,
        r#"{"name":"ÄRGER","telephone1":"2","numberofemployees":7}"#,
        r#"{"name":"100% _real_","numberofemployees":7,"revenue":9.2500,"accountnumber":"A\"<&>"}"#,
    ] {
        server.create("accounts", body).await;
    }
    server
}

#[tokio::test]
async fn filters_and_orders_choose_the_rows() {
    let server = five().await;
    async fn check(server: &Server, options: &str, expected: &[&str]) {
        let answer = server.list(&format!("accounts?$select=name&{options}")).await;
        assert_eq!(answer.column("name"), expected, "{options}");
    }
    let check = |options: &'static str, expected: &'static [&'static str]| check(&server, options, expected);
    check("$orderby=name", &["100% _real_", "alfreds", "Bon app'", "ÄRGER", "Ærlig"]).await;
    check("$orderby=name desc&$top=2", &["Ærlig", "ÄRGER"]).await;
    check("$filter=name eq 'ALFREDS'", &["alfreds"]).await;
    check("$filter=name eq 'ärger'", &["ÄRGER"]).await;
    check("$filter=name eq 'Bon app'''", &["Bon app'"]).await;
    check("$filter=contains(name,'%25')", &["100% _real_"]).await;
    check("$filter=contains(name,'_')", &["100% _real_"]).await;
    check("$filter=startswith(name,'ær')", &["Ærlig"]).await;
    check("$filter=endswith(name,'DS')", &["alfreds"]).await;
    check("$filter=telephone1 eq null&$orderby=name", &["100% _real_", "alfreds"]).await;
    check("$filter=telephone1 ne '2'&$orderby=name", &["100% _real_", "alfreds", "Ærlig"]).await;
    check("$filter=not (telephone1 eq '2')&$orderby=name", &["100% _real_", "alfreds", "Ærlig"]).await;
    check(
        "$filter=numberofemployees gt 6 and numberofemployees lt 8&$orderby=name",
        &["100% _real_", "ÄRGER"],
    )
    .await;
    check("$filter=revenue eq 9.25&$orderby=name", &["100% _real_", "Bon app'"]).await;
    check("$filter=revenue gt 9.25&$orderby=revenue", &["Ærlig", "alfreds"]).await;
    check("$orderby=numberofemployees,name desc", &["alfreds", "Ærlig", "ÄRGER", "100% _real_", "Bon app'"])
        .await;
    check("$orderby=revenue desc&$top=1", &["alfreds"]).await;
    check("$filter=statecode eq 0 and (name eq 'alfreds' or name eq 'nobody')", &["alfreds"]).await;
    check("$filter=name eq 'x'' or 1 eq 1 --'", &[]).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_shape_of_dataverse() {
    let server = five().await;
    async fn check(server: &Server, method: &str, url: &str, status: u16, code: &str) {
        let answer = server.send(method, url, &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{url}: {}", answer.body);
        assert!(answer.json()["error"]["message"].as_str().is_some_and(|m| !m.is_empty()));
        assert_eq!(answer.header("OData-Version"), Some("4.0"));
        assert!(answer
            .header("Content-Type")
            .unwrap()
            .starts_with("application/json; odata.metadata=minimal"));
    }
    check(&server, "GET", "nothing", 404, "0x80060888").await;
    check(&server, "GET", "../v9.2x/accounts", 404, "0x80060888").await;
    check(&server, "GET", "accounts(1)", 400, "0x80060888").await;
    check(&server, "GET", "accounts(00000000-0000-4000-8000-000000000009)", 404, "0x80040217").await;
    check(&server, "GET", "accounts?$select=nothing", 400, "0x80060888").await;
    check(&server, "GET", "accounts?$skip=1", 400, "0x80060888").await;
    check(&server, "GET", "accounts?$top=1&$top=2", 400, "0x80060888").await;
    check(&server, "GET", "accounts?$skiptoken=nonsense", 400, "0x8004112a").await;
    check(&server, "DELETE", "accounts", 405, "0x8004023b").await;
    check(&server, "PATCH", "accounts", 405, "0x8004023b").await;
    check(&server, "OPTIONS", "accounts", 405, "0x8004023b").await;
    check(
        &server,
        "DELETE",
        "accountleadscollection(00000000-0000-4000-8000-000000000009)",
        405,
        "0x8004023b",
    )
    .await;
    let filter = server.get("accounts?$filter=lastname eq 'O'Bryan'").await;
    assert_eq!(filter.status, 400, "{}", filter.body);
}

#[tokio::test]
async fn pages_of_any_size_hold_every_row_once_in_order() {
    let server = Server::with_rows(120, Profile::Open).sign_in("demo").await;
    for (url, key) in [
        ("contacts?$select=fullname,jobtitle&$orderby=jobtitle desc,fullname", "jobtitle"),
        ("contacts?$select=telephone2&$orderby=telephone2", "telephone2"),
        ("contacts?$select=fullname&$filter=contains(fullname,'e')", "contactid"),
        ("contacts?$select=fullname&$orderby=_parentcustomerid_value", "contactid"),
        ("contacts?$select=birthdate&$orderby=birthdate desc,contactid desc", "birthdate"),
    ] {
        let whole = server.list(url).await;
        for size in ["odata.maxpagesize=1", "odata.maxpagesize=7", "odata.maxpagesize=119,return=minimal"] {
            let (rows, delta) = server.drain(url, &[("Prefer", size)]).await;
            let ids = |rows: &[serde_json::Value]| -> Vec<String> {
                rows.iter().map(|r| format!("{} {}", r["contactid"], r[key])).collect()
            };
            assert_eq!(ids(&rows), ids(&whole.rows()), "{url} {size}");
            assert_eq!(delta, None);
        }
    }
}

#[tokio::test]
async fn counts_are_capped_as_in_dataverse() {
    let server = Server::with_rows(30, Profile::Open).sign_in("demo").await;
    let answer = server.list("contacts?$select=fullname&$top=3&$count=true").await;
    assert_eq!((answer.json()["@odata.count"].as_u64(), answer.rows().len()), (Some(30), 3));
    let answer = server.get("contacts/$count").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "30"));
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
    let answer = server.get("contacts/$count?$filter=contains(fullname,'nobody')").await;
    assert_eq!(answer.body, "0");
}

#[tokio::test]
async fn a_row_is_read_with_its_etag_lookups_and_annotations() {
    let server = Server::empty().await;
    let account = server.create("accounts", r#"{"name":"Søn & Co"}"#).await;
    let body = format!(
        r#"{{"lastname":"Å","firstname":"Bo","parentcustomerid_account@odata.bind":"accounts({account})"}}"#
    );
    let contact = server.create("contacts", &body).await;
    let url = format!("contacts({contact})?$select=fullname,_parentcustomerid_value,statecode,createdon");
    let answer = server.send("GET", &url, &[("Prefer", "odata.include-annotations=\"*\"")], "").await;
    let row = answer.json();
    assert_eq!(row["fullname"], "Bo Å");
    assert_eq!(row["_parentcustomerid_value"], account.as_str());
    assert_eq!(row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
    assert_eq!(row["_parentcustomerid_value@OData.Community.Display.V1.FormattedValue"], "Søn & Co");
    assert_eq!(
        row["_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"],
        "parentcustomerid_account"
    );
    assert_eq!(row["statecode@OData.Community.Display.V1.FormattedValue"], "Active");
    assert!(row["createdon"].as_str().unwrap().len() == 20, "whole seconds");
    let etag = answer.header("ETag").unwrap().to_owned();
    assert_eq!(row["@odata.etag"], etag.as_str());

    let plain = format!("contacts({contact})");
    for (headers, status) in [
        (vec![("If-None-Match", etag.as_str())], 304),
        (vec![("If-None-Match", "null")], 200),
        (vec![("If-None-Match", "W/\"1\"")], 200),
        (vec![("If-None-Match", etag.as_str()), ("Prefer", "odata.include-annotations=\"*\"")], 200),
    ] {
        assert_eq!(server.send("GET", &plain, &headers, "").await.status, status, "{headers:?}");
    }
    let url = format!(
        "{plain}?$select=fullname\
        &$expand=parentcustomerid_account($select=name),parentcustomerid_contact($select=fullname)"
    );
    let row = server.list(&url).await.json();
    assert_eq!(row["parentcustomerid_account"]["name"], "Søn & Co");
    assert!(row["parentcustomerid_contact"].is_null());
    assert_eq!(server.send("GET", &url, &[("If-None-Match", &etag)], "").await.status, 200);
}

#[tokio::test]
async fn the_service_tells_about_itself() {
    let server = Server::empty().await;
    let service = server.list("").await;
    assert!(service.column("name").contains(&"accounts".to_owned()));
    let who = server.get("WhoAmI").await;
    let lineage = who.header("Flette-Lineage").unwrap().to_owned();
    assert_eq!(lineage.len(), 36);
    for member in ["UserId", "BusinessUnitId", "OrganizationId"] {
        assert_eq!(who.json()[member].as_str().map(str::len), Some(36));
    }
    assert_eq!(server.get("WhoAmI").await.header("Flette-Lineage"), Some(lineage.as_str()));
    let xml = server.get("$metadata").await;
    assert!(xml.body.contains("EntityType Name=\"account\""), "{}", &xml.body[..200.min(xml.body.len())]);
    let url = "EntityDefinitions(LogicalName='account')?$select=EntitySetName,ChangeTrackingEnabled\
        &$expand=Attributes($select=LogicalName)";
    let definition = server.get(url).await;
    assert_eq!(definition.json()["EntitySetName"], "accounts", "{}", definition.body);
    assert_eq!(definition.json()["ChangeTrackingEnabled"], true);
    let users = server.list("systemusers?$select=fullname,domainname&$orderby=domainname").await;
    assert_eq!(users.column("fullname"), ["Ada Admin", "Anna Åsen", "Demo User", "Ola Nordmann"]);
    assert_eq!(
        server.list("businessunits?$select=name&$orderby=name").await.column("name"),
        ["Bergen", "Oslo", "Test"]
    );
}

#[tokio::test]
async fn an_amount_brings_its_currency_and_a_part_of_an_address_the_whole() {
    let server = Server::empty().await;
    let id = server.create("accounts", r#"{"name":"A","revenue":5,"address1_city":"Oslo"}"#).await;
    let prefer = "odata.include-annotations=\"*\"";
    for url in [
        format!("accounts({id})?$select=revenue,address1_city"),
        "accounts?$select=revenue,address1_city".to_owned(),
    ] {
        let row = server.send("GET", &url, &[("Prefer", prefer)], "").await.json();
        let row = row.get("value").map_or(&row, |rows| &rows[0]);
        assert_eq!(
            row["_transactioncurrencyid_value@OData.Community.Display.V1.FormattedValue"], "US Dollar",
            "{row}"
        );
        assert_eq!(row["address1_composite"], "Oslo", "{row}");
        assert!(row.get("name").is_none(), "{row}");
    }
    for track in ["", "odata.track-changes"] {
        let rows = server.send("GET", "accounts?$select=revenue", &[("Prefer", track)], "").await;
        assert!(rows.rows()[0]["_transactioncurrencyid_value"].is_string(), "{}", rows.body);
        assert!(
            rows.json()["@odata.context"].as_str().unwrap().contains("#accounts(revenue)"),
            "{}",
            rows.body
        );
    }
}
