//! FetchXML over HTTP: what is answered, in which pages, to whom; and views.

use super::support::{Answer, Server};
use serde_json::{json, Value};

const ALL: [(&str, &str); 1] = [("Prefer", "odata.include-annotations=\"*\"")];

/// Everything but letters and digits as bytes in hexadecimal.
fn encoded(text: &str) -> String {
    let byte = |b: u8| match b {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

async fn ask(server: &Server, set: &str, fetch: &str, headers: &[(&str, &str)]) -> Answer {
    server.send("GET", &format!("{set}?fetchXml={}", encoded(fetch)), headers, "").await
}

async fn rows(server: &Server, set: &str, fetch: &str) -> Vec<Value> {
    let answer = ask(server, set, fetch, &[]).await;
    assert_eq!(answer.status, 200, "{fetch}\n{}", answer.body);
    answer.rows()
}

/// The values of one property, parted by blanks; `-` where it is absent.
async fn shown(server: &Server, set: &str, fetch: &str, name: &str) -> String {
    let text = |row: &Value| match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    rows(server, set, fetch).await.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// Accounts `Alpha` (two contacts), `beta` (one contact, who is its first one) and `Gamma` (none).
async fn with_rows() -> (Server, [String; 3]) {
    let server = Server::empty().await;
    let mut ids = Vec::new();
    for (name, revenue) in [("Alpha", Some(10.5)), ("beta", Some(20.0)), ("Gamma", None)] {
        let body = json!({"name": name, "revenue": revenue, "numberofemployees": 3}).to_string();
        ids.push(server.create("accounts", &body).await);
    }
    for (name, account) in [("Ann", 0), ("Bob", 0), ("Cid", 1)] {
        let bind = format!("/accounts({})", ids[account]);
        let body = json!({"lastname": name, "parentcustomerid_account@odata.bind": bind}).to_string();
        let id = server.create("contacts", &body).await;
        if name == "Cid" {
            let body = json!({"primarycontactid@odata.bind": format!("/contacts({id})")}).to_string();
            let answer = server.send("PATCH", &format!("accounts({})", ids[1]), &[], &body).await;
            assert_eq!(answer.status, 204, "{}", answer.body);
        }
    }
    (server, ids.try_into().unwrap())
}

#[tokio::test]
async fn rows_come_with_names_of_the_query_and_without_nulls() {
    let (server, ids) = with_rows().await;
    let fetch = "<fetch><entity name='account'><attribute name='name'/><attribute name='revenue' alias='money'/>\
        <attribute name='primarycontactid'/><attribute name='numberofemployees'/><order attribute='name'/>\
        <link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='c'>\
        <attribute name='lastname'/><attribute name='parentcustomerid'/><attribute name='statecode' alias='state'/>\
        </link-entity></entity></fetch>";
    let answer = ask(&server, "accounts", fetch, &ALL).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("Preference-Applied"), Some("odata.include-annotations=\"*\""));
    let json = answer.json();
    assert!(json["@odata.context"]
        .as_str()
        .unwrap()
        .contains("$metadata#accounts(name,money,_primarycontactid_value"));
    assert!(json.get("@Microsoft.Dynamics.CRM.morerecords").is_none());
    let rows = answer.rows();
    let formatted = "OData.Community.Display.V1.FormattedValue";
    let beta = &rows[1];
    assert_eq!(beta["name"], "beta");
    assert_eq!(beta["accountid"], ids[1]);
    assert!(beta["@odata.etag"].as_str().unwrap().starts_with("W/\""));
    assert_eq!(beta[format!("money@{formatted}")], "$20.00");
    assert_eq!(beta[format!("_primarycontactid_value@{formatted}")], "Cid");
    assert_eq!(beta["_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "contact");
    assert_eq!(
        beta["_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"],
        "primarycontactid"
    );
    assert_eq!(beta["c_x002e_lastname"], "Cid");
    assert_eq!(beta["c_x002e_parentcustomerid"], ids[1]);
    assert_eq!(beta["c_x002e_parentcustomerid@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
    assert_eq!(beta[format!("c_x002e_parentcustomerid@{formatted}")], "beta");
    assert_eq!(beta["state"], 0);
    assert_eq!(beta[format!("state@{formatted}")], "Active");
    let gamma = rows[2].as_object().unwrap();
    let names: Vec<&str> = gamma.keys().map(String::as_str).filter(|name| !name.contains('@')).collect();
    assert_eq!(names, ["accountid", "name", "numberofemployees"]);
    let plain = ask(&server, "accounts", fetch, &[]).await;
    assert!(!plain.body.contains("FormattedValue"), "{}", plain.body);
}

#[tokio::test]
async fn links_conditions_and_orders_are_carried_out() {
    let (server, _) = with_rows().await;
    let check = |inside: &'static str, expected: &'static str| {
        let server = server.clone();
        async move {
            let fetch =
                format!("<fetch><entity name='account'><attribute name='name'/>{inside}</entity></fetch>");
            assert_eq!(shown(&server, "accounts", &fetch, "name").await, expected, "{inside}");
        }
    };
    check("<order attribute='name' descending='true'/>", "Gamma beta Alpha").await;
    check(
        "<filter><condition attribute='name' operator='like' value='%A'/></filter><order attribute='name'/>",
        "Alpha beta Gamma",
    )
    .await;
    check("<filter><condition attribute='name' operator='like' value='[a-b]%t_'/></filter>", "beta").await;
    check(
        "<filter><condition attribute='revenue' operator='ne' value='20'/></filter><order attribute='name'/>",
        "Alpha Gamma",
    )
    .await;
    check(
        "<link-entity name='contact' from='parentcustomerid' to='accountid'/><order attribute='name'/>",
        "Alpha Alpha beta",
    )
    .await;
    check(
        "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='exists'/>\
           <order attribute='name'/>",
        "Alpha beta",
    )
    .await;
    check(
        "<link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'/>\
           <filter><condition entityname='c' attribute='contactid' operator='null'/></filter>",
        "Gamma",
    )
    .await;
    check("<filter><link-entity name='contact' from='parentcustomerid' to='accountid' link-type='not any'/></filter>",
        "Gamma").await;
    check(
        "<link-entity name='contact' from='parentcustomerid' to='accountid' alias='c'>\
           <order attribute='lastname' descending='true'/></link-entity>",
        "beta Alpha Alpha",
    )
    .await;
    check(
        "<filter><condition attribute='createdby' operator='eq-userid'/>\
           <condition attribute='createdon' operator='today'/></filter><order attribute='name'/>",
        "Alpha beta Gamma",
    )
    .await;
    check("<filter><condition attribute='createdon' operator='olderthan-x-days' value='1'/></filter>", "")
        .await;
}

#[tokio::test]
async fn aggregates_are_rows_of_groups_and_figures() {
    let (server, _) = with_rows().await;
    let fetch = "<fetch aggregate='true'><entity name='account'>\
        <attribute name='revenue' alias='total' aggregate='sum'/><attribute name='revenue' alias='mean' aggregate='avg'/>\
        <attribute name='accountid' alias='n' aggregate='count'/>\
        <attribute name='createdon' alias='month' groupby='true' dategrouping='month'/>\
        <attribute name='statecode' alias='state' groupby='true'/></entity></fetch>";
    let answer = ask(&server, "accounts", fetch, &ALL).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let row = &answer.rows()[0];
    assert_eq!((&row["n"], &row["state"]), (&json!(3), &json!(0)));
    assert_eq!(row["total"].to_string(), "30.5");
    assert!(answer.body.contains("\"total\":30.5000"), "{}", answer.body);
    assert_eq!(row["mean"].to_string(), "15.25");
    assert_eq!(row["state@OData.Community.Display.V1.FormattedValue"], "Active");
    assert_eq!(row["total@OData.Community.Display.V1.FormattedValue"], "$30.50");
    assert!(row.get("@odata.etag").is_none() && row.get("accountid").is_none());
    let limited = fetch.replace("<fetch ", "<fetch aggregatelimit='2' ");
    let answer = ask(&server, "accounts", &limited, &[]).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x8004e023"));
}

/// The next page as `dynamics-web-api` asks for it: the cookie decoded twice, and escaped into the attribute.
fn next_page(fetch: &str, answer: &Answer) -> Option<String> {
    let json = answer.json();
    let annotation = json["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"].as_str()?.to_owned();
    assert_eq!(json["@Microsoft.Dynamics.CRM.morerecords"], true);
    let twice = decoded(&decoded(&annotation));
    let (_, rest) = twice.split_once("pagingcookie=\"").unwrap();
    let (cookie, _) = rest.split_once("</cookie>").unwrap();
    let page: u32 = cookie.split('"').nth(1).unwrap().parse().unwrap();
    let cookie = format!("{cookie}</cookie>");
    let escaped =
        cookie.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let attributes = format!("<fetch page='{}' paging-cookie=\"{escaped}\"", page + 1);
    Some(fetch.replacen("<fetch", &attributes, 1))
}

#[tokio::test]
async fn cookies_lead_through_all_pages_whatever_changes_meanwhile() {
    let server = Server::empty().await;
    for name in ["a", "b", "B", "c", "d <&>\"'", "e", "f"] {
        server.create("accounts", &json!({"name": name, "description": "x"}).to_string()).await;
    }
    let fetch = "<fetch count='2'><entity name='account'><attribute name='name'/><order attribute='name'/>\
                 <filter><condition attribute='description' operator='eq' value='x'/></filter></entity></fetch>";
    let (mut asked, mut seen) = (fetch.to_owned(), Vec::new());
    for page in 1.. {
        let answer = ask(&server, "accounts", &asked, &ALL).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        seen.extend(answer.column("name"));
        if page == 2 {
            // Before the place where the reader is, and at it: neither may shift what follows.
            server.create("accounts", &json!({"name": "aa", "description": "x"}).to_string()).await;
            let gone = answer.column("accountid")[1].clone();
            assert_eq!(server.send("DELETE", &format!("accounts({gone})"), &[], "").await.status, 204);
        }
        match next_page(fetch, &answer) {
            Some(next) => asked = next,
            None => break,
        }
    }
    let lower: Vec<String> = seen.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower, ["a", "b", "b", "c", "d <&>\"'", "e", "f"]);
    // Without a cookie pages go by number.
    let second = fetch.replacen("<fetch", "<fetch page='2'", 1);
    assert_eq!(shown(&server, "accounts", &second, "name").await.to_lowercase(), "b b");
    let last = fetch.replacen("<fetch", "<fetch page='4'", 1);
    assert_eq!(shown(&server, "accounts", &last, "name").await, "f");
}

#[tokio::test]
async fn joined_distinct_and_grouped_rows_have_pages_too() {
    let (server, _) = with_rows().await;
    let joined = "<fetch count='1'><entity name='account'><attribute name='name'/>\
        <link-entity name='contact' from='parentcustomerid' to='accountid' link-type='outer' alias='c'>\
        <attribute name='lastname' alias='x'/><order attribute='lastname'/></link-entity></entity></fetch>";
    let distinct =
        "<fetch count='1' distinct='true'><entity name='account'><attribute name='name' alias='x'/>\
        <order attribute='name' descending='true'/>\
        <link-entity name='contact' from='parentcustomerid' to='accountid'/></entity></fetch>";
    let grouped = "<fetch count='1' aggregate='true'><entity name='contact'>\
        <attribute name='lastname' groupby='true' alias='x'/><order alias='x' descending='true'/></entity></fetch>";
    for (set, fetch, expected) in [
        ("accounts", joined, "- Ann Bob Cid"),
        ("accounts", distinct, "beta Alpha"),
        ("contacts", grouped, "Cid Bob Ann"),
    ] {
        let (mut asked, mut seen) = (fetch.to_owned(), Vec::new());
        loop {
            let answer = ask(&server, set, &asked, &ALL).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let text = |row: &Value| row["x"].as_str().unwrap_or("-").to_owned();
            seen.extend(answer.rows().iter().map(text));
            match next_page(fetch, &answer) {
                Some(next) => asked = next,
                None => break,
            }
        }
        assert_eq!(seen.join(" "), expected, "{fetch}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_with_its_code() {
    let (server, _) = with_rows().await;
    let check = |fetch: &'static str, code: &'static str| {
        let server = server.clone();
        async move {
            let answer = ask(&server, "accounts", fetch, &[]).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, code), "{fetch}: {}", answer.body);
        }
    };
    check("", "0x80041124").await;
    check("<fetch", "0x80041101").await;
    check("<fetch><entity name='contact'/></fetch>", "0x80041128").await;
    check("<fetch><entity name='nothing'/></fetch>", "0x80041102").await;
    check("<fetch><entity name='account'><attribute name='nothing'/></entity></fetch>", "0x80041103").await;
    check("<fetch page='2' paging-cookie='x'><entity name='account'/></fetch>", "0x8004112a").await;
    check(
        "<fetch page='2' paging-cookie='&lt;cookie page=\"1\"&gt;&lt;name last=\"a\"/&gt;&lt;/cookie&gt;'>\
         <entity name='account'/></fetch>",
        "0x80041129",
    )
    .await;
    check("<fetch page='11' count='5000'><entity name='account'/></fetch>", "0x8004430a").await;
    let last = "<fetch page='10' count='5000'><entity name='account'/></fetch>";
    assert_eq!(ask(&server, "accounts", last, &[]).await.status, 200);
    for option in ["$select=name", "$top=1", "$count=true", "$filter=name eq 'x'"] {
        let fetch = encoded("<fetch><entity name='account'/></fetch>");
        let answer = server.get(&format!("accounts?fetchXml={fetch}&{option}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "0x80060888"), "{option}");
    }
}

#[tokio::test]
async fn totals_are_told_when_asked_for() {
    let (server, _) = with_rows().await;
    let fetch = "<fetch count='1' returntotalrecordcount='true'><entity name='account'/></fetch>";
    let json = ask(&server, "accounts", fetch, &ALL).await.json();
    assert_eq!(json["@Microsoft.Dynamics.CRM.totalrecordcount"], 3);
    assert_eq!(json["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"], false);
    let json = ask(&server, "accounts", fetch, &[]).await.json();
    assert!(json.get("@Microsoft.Dynamics.CRM.totalrecordcount").is_none());
}

#[tokio::test]
async fn long_queries_go_inside_a_batch() {
    let (server, _) = with_rows().await;
    let values: String = (0..1200).map(|n| format!("<value>name number {n}</value>")).collect();
    let fetch = format!(
        "<fetch><entity name='account'><attribute name='name'/><filter>\
         <condition attribute='name' operator='in'>{values}<value>Gamma</value></condition></filter></entity></fetch>"
    );
    let url = format!("/api/data/v9.2/accounts?fetchXml={}", encoded(&fetch));
    assert!(url.len() > 32_768 && url.len() < 65_536, "{}", url.len());
    assert_eq!(server.send("GET", &url[14..], &[], "").await.status, 414);
    let body = format!(
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
         GET {url} HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n--b--\r\n"
    );
    let answer =
        server.send("POST", "$batch", &[("Content-Type", "multipart/mixed;boundary=b")], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("\"name\":\"Gamma\"") && !answer.body.contains("Alpha"), "{}", answer.body);
}

#[tokio::test]
async fn everybody_gets_what_they_see_and_nothing_of_the_rest() {
    let server = Server::empty().await;
    let (anna, ola) = (server.sign_in("anna").await, server.sign_in("ola").await);
    let account = anna.create("accounts", "{\"name\":\"Oslo Ltd\"}").await;
    let contact = ola.create("contacts", "{\"lastname\":\"Bergen\"}").await;
    let demo = server.sign_in("demo").await;
    let bind = json!({"primarycontactid@odata.bind": format!("/contacts({contact})")}).to_string();
    assert_eq!(demo.send("PATCH", &format!("accounts({account})"), &[], &bind).await.status, 204);
    let outer = "<fetch><entity name='account'><attribute name='name'/>\
        <link-entity name='contact' from='contactid' to='primarycontactid' link-type='outer' alias='c'>\
        <attribute name='lastname'/></link-entity></entity></fetch>";
    let name = "c_x002e_lastname";
    assert_eq!(shown(&demo, "accounts", outer, name).await, "Bergen");
    assert_eq!(shown(&anna, "accounts", outer, name).await, "-");
    assert_eq!(shown(&ola, "accounts", outer, name).await, "");
    let inner = outer.replace("outer", "inner");
    assert_eq!(shown(&anna, "accounts", &inner, name).await, "");
    let none = "<fetch><entity name='account'><attribute name='name'/><filter><link-entity name='contact' \
        from='contactid' to='primarycontactid' link-type='not any'/></filter></entity></fetch>";
    assert_eq!(shown(&anna, "accounts", none, "name").await, "Oslo Ltd");
    assert_eq!(shown(&demo, "accounts", none, "name").await, "");
    let count = "<fetch aggregate='true'><entity name='account'>\
        <attribute name='accountid' aggregate='count' alias='n'/></entity></fetch>";
    assert_eq!(shown(&anna, "accounts", count, "n").await, "1");
    assert_eq!(shown(&ola, "accounts", count, "n").await, "0");
}

fn view(table: &str, fetch: &str) -> String {
    json!({"name": "A view", "returnedtypecode": table, "querytype": 0, "fetchxml": fetch}).to_string()
}

#[tokio::test]
async fn views_are_run_in_pages_with_further_conditions() {
    let (server, ids) = with_rows().await;
    let fetch = "<fetch><entity name='account'><attribute name='name'/><order attribute='name'/>\
                 <filter><condition attribute='revenue' operator='not-null'/></filter></entity></fetch>";
    let id = server.create("savedqueries", &view("account", fetch)).await;
    let url = format!("accounts?savedQuery={id}");
    let answer = server.list(&url).await;
    assert_eq!(answer.column("name"), ["Alpha", "beta"]);
    let (rows, _) = server.drain(&url, &[("Prefer", "odata.maxpagesize=1")]).await;
    assert_eq!(rows.len(), 2);
    let names = |url: String| {
        let server = server.clone();
        async move { server.list(&url).await.column("name").join(" ") }
    };
    assert_eq!(names(format!("{url}&$top=1")).await, "Alpha");
    assert_eq!(names(format!("{url}&$filter=revenue gt 15")).await, "beta");
    let counted = server.list(&format!("{url}&$count=true")).await.json();
    assert_eq!(counted["@odata.count"], 2);
    for option in ["$select=name", "$orderby=name", "$expand=primarycontactid"] {
        assert_eq!(server.get(&format!("{url}&{option}")).await.status, 400, "{option}");
    }
    let answer = server.get(&format!("contacts?savedQuery={id}")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x80041128"));
    let answer = server.get(&format!("accounts?savedQuery={}", ids[0])).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "0x80040217"));
    let answer = server.get("accounts?savedQuery=x").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn collections_of_a_row_are_asked_the_same_way() {
    let (server, ids) = with_rows().await;
    let fetch = "<fetch><entity name='contact'><attribute name='lastname'/><order attribute='lastname'/></entity></fetch>";
    let view = server.create("savedqueries", &view("contact", fetch)).await;
    for (id, expected) in [(&ids[0], "Ann Bob"), (&ids[1], "Cid"), (&ids[2], "")] {
        let set = format!("accounts({id})/contact_customer_accounts");
        assert_eq!(shown(&server, &set, fetch, "lastname").await, expected);
        let answer = server.list(&format!("{set}?savedQuery={view}")).await;
        assert_eq!(answer.column("lastname").join(" "), expected);
    }
    let absent = format!("accounts({view})/contact_customer_accounts");
    assert_eq!(ask(&server, &absent, fetch, &[]).await.status, 404);
}

#[tokio::test]
async fn views_of_ones_own_are_for_those_who_see_them() {
    let server = Server::empty().await;
    let (anna, ola) = (server.sign_in("anna").await, server.sign_in("ola").await);
    for (user, name) in [(&anna, "Oslo"), (&ola, "Bergen")] {
        user.create("accounts", &json!({"name": name}).to_string()).await;
    }
    // A filter for offline data: what somebody owns.
    let fetch = "<fetch><entity name='account'><attribute name='name'/><filter>\
                 <condition attribute='ownerid' operator='eq-userid'/></filter></entity></fetch>";
    let body = json!({"name": "Mine", "returnedtypecode": "account", "querytype": 16, "fetchxml": fetch})
        .to_string();
    let own = anna.create("userqueries", &body).await;
    assert_eq!(anna.list(&format!("accounts?userQuery={own}")).await.column("name"), ["Oslo"]);
    assert_eq!(ola.get(&format!("accounts?userQuery={own}")).await.status, 404);
    let unit = fetch.replace("ownerid", "owningbusinessunit").replace("eq-userid", "eq-businessid");
    let shared = server.create("savedqueries", &view("account", &unit)).await;
    assert_eq!(anna.list(&format!("accounts?savedQuery={shared}")).await.column("name"), ["Oslo"]);
    assert_eq!(ola.list(&format!("accounts?savedQuery={shared}")).await.column("name"), ["Bergen"]);
}
