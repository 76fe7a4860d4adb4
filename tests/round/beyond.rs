//! What is beyond the replica and goes to the server, by way of a whole engine: which ids it goes by, and what of the changes
//! that wait here is seen meanwhile.

use crate::station::Station;
use crate::support::{Fault, Server, TABLES};
use flette_odata::{Method, ODataError, Request, Response, Uuid};
use serde_json::{json, Value};

/// Without contacts.
const FEW_TABLES: [&str; 4] = ["transactioncurrency", "businessunit", "systemuser", "account"];
/// Contacts of which most columns are not kept.
const FEW_COLUMNS: &str = r#"{"contact":{"columns":["jobtitle","parentcustomerid"]}}"#;

/// A station whose new account was merged into one that the server has. Gives both ids.
fn merged(server: &Server, profile: &str) -> (Station, Uuid, Uuid) {
    let station = Station::with_profile(server, "demo", &FEW_TABLES, profile);
    station.sync();
    let there =
        server.user("admin").create("accounts", r#"{"name":"There","accountnumber":"7","telephone1":"1"}"#);
    let here = station.create("accounts", r#"{"name":"Here","accountnumber":"7"}"#);
    station.post("/flette/sync", "");
    let op = station.journal()[0]["op"].as_str().unwrap().to_owned();
    station.post(&format!("/flette/journal/{op}/merge"), &format!(r#"{{"id":"{there}"}}"#));
    station.sync();
    (station, here, there)
}

fn source(answer: &Response) -> &str {
    answer.headers.get("Flette-Source").unwrap_or_default()
}

fn body(answer: &Response) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// A batch of requests, each with the lines that it has.
fn batch(station: &Station, parts: &[String]) -> Response {
    let part = |lines: &String| {
        format!("--b\nContent-Type: application/http\nContent-Transfer-Encoding: binary\n\n{lines}\n")
    };
    let mut request = Request::new(Method::Post, format!("{}$batch", station.wire.root()));
    request.headers.set("Content-Type", "multipart/mixed;boundary=b");
    request.body = (parts.iter().map(part).collect::<String>() + "--b--\n").into_bytes();
    pollster::block_on(station.engine.handle(request))
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\n\n")
}

/// A request with a preference.
fn preferring(station: &Station, (method, path, body): (Method, &str, &str), prefer: &str) -> Response {
    let mut request = Request::new(method, format!("{}{path}", station.wire.root())).header("Prefer", prefer);
    if !body.is_empty() {
        request = request.json(body.as_bytes().to_vec());
    }
    pollster::block_on(station.engine.handle(request))
}

#[test]
fn what_is_passed_on_names_a_merged_row_as_the_server_does() {
    let server = Server::start();
    let online = server.user("admin");
    let (station, here, there) = merged(&server, "{}");
    let child =
        format!(r#"{{"lastname":"Child","parentcustomerid_account@odata.bind":"/accounts({here})"}}"#);
    assert_eq!(source(&station.post("contacts", &child)), "network");
    let lines = format!("POST contacts HTTP/1.1\nContent-Type: application/json\n\n{child}\n");
    let answer = batch(&station, &[lines]);
    assert!(answer.is_success() && body(&answer).contains("HTTP/1.1 204"), "{}", body(&answer));
    let shouted = here.to_string().to_uppercase();
    let fetch = format!(
        "%3Cfetch%3E%3Centity%20name%3D%22contact%22%3E%3Cfilter%3E%3Ccondition%20attribute%3D%22parentcustomerid%22\
         %20operator%3D%22eq%22%20value%3D%22{shouted}%22%2F%3E%3C%2Ffilter%3E%3C%2Fentity%3E%3C%2Ffetch%3E"
    );
    for path in [
        format!("contacts?$filter=_parentcustomerid_value%20eq%20{here}"),
        format!("contacts?$filter=_parentcustomerid_value%20eq%20{shouted}"),
        format!("contacts?fetchXml={fetch}"),
    ] {
        let found = station.get(&path)["value"].clone();
        let parents: Vec<&Value> =
            found.as_array().unwrap().iter().map(|row| &row["_parentcustomerid_value"]).collect();
        assert_eq!(parents, [&json!(there.to_string()); 2], "{path}");
    }
    assert_eq!(online.json("contacts")["value"].as_array().unwrap().len(), 2);
}

#[test]
fn an_edit_of_a_merged_row_outside_of_the_profile_makes_no_second_row() {
    let server = Server::start();
    let online = server.user("admin");
    let (station, here, there) = merged(&server, r#"{"account":{"rows":"websiteurl eq null"}}"#);
    online.patch("accounts", there, r#"{"websiteurl":"http://x"}"#);
    station.sync();
    let answer = station.ask(Method::Patch, &format!("accounts({here})"), r#"{"fax":"9"}"#);
    assert_eq!((answer.status, source(&answer)), (204, "network"));
    assert_eq!(online.json(&format!("accounts({there})"))["fax"], "9");
    assert_eq!(online.json("accounts?$select=name")["value"].as_array().unwrap().len(), 1);
}

#[test]
fn whole_rows_are_shown_as_far_as_they_are_here_while_changes_of_them_wait() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let other = online.create("contacts", r#"{"lastname":"Other","telephone1":"1"}"#);
    let station = Station::with_profile(&server, "demo", &TABLES, FEW_COLUMNS);
    station.sync();
    let whole = "contacts";
    assert_eq!(source(&station.ask(Method::Get, whole, "")), "network");
    let new = station.create(
        "contacts",
        &format!(r#"{{"lastname":"New","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#),
    );
    for path in [
        whole.to_owned(),
        format!("contacts({new})"),
        format!("accounts({account})/contact_customer_accounts"),
        format!("accounts({account})?$expand=contact_customer_accounts"),
        "contacts?fetchXml=%3Cfetch%3E%3Centity%20name='contact'%3E%3Call-attributes/%3E%3C/entity%3E%3C/fetch%3E"
            .to_owned(),
    ] {
        let answer = station.ask(Method::Get, &path, "");
        let told = (answer.status, source(&answer), answer.headers.get("Flette-Incomplete"));
        assert_eq!(told, (200, "replica", Some("contact")), "{path}: {}", body(&answer));
        assert!(body(&answer).contains(&new.to_string()), "{path}");
    }
    // Of a row that no change concerns the server tells all.
    assert_eq!(station.get(&format!("contacts({other})"))["telephone1"], "1");
    station.sync();
    assert_eq!(source(&station.ask(Method::Get, &format!("contacts({new})"), "")), "network");
}

#[test]
fn a_list_that_looks_at_rows_which_wait_stays_here() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let station = Station::with_profile(&server, "demo", &TABLES, r#"{"account":{"rows":"name ne 'B'"}}"#);
    station.sync();
    let list = "accounts?$select=name&$expand=contact_customer_accounts($select=lastname)";
    assert_eq!(source(&station.ask(Method::Get, list, "")), "network");
    station.create(
        "contacts",
        &format!(r#"{{"lastname":"New","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#),
    );
    let answer = station.ask(Method::Get, list, "");
    assert_eq!((source(&answer), answer.headers.get("Flette-Incomplete")), ("replica", Some("account")));
    assert!(body(&answer).contains("New"));
}

#[test]
fn a_batch_of_reads_shows_what_waits_and_what_only_the_server_has() {
    let server = Server::start();
    server.user("admin").create("contacts", r#"{"lastname":"There"}"#);
    let station = Station::new(&server, "demo", &FEW_TABLES);
    station.sync();
    station.create("accounts", r#"{"name":"Waits"}"#);
    let parts = [get("contacts?$select=lastname"), get("accounts?$select=name")];
    let answer = batch(&station, &parts);
    let text = body(&answer);
    assert_eq!(answer.status, 200);
    assert!(text.contains("Waits") && text.contains("There"), "{text}");
    assert!(text.find("There") < text.find("Waits"), "in the order of the requests");
    station.wire.fail(|_| Some(Fault::LoseRequest));
    // Without the server the batch ends where it has no answer.
    let answer = batch(&station, &parts);
    assert_eq!(answer.status, 501);
    let answer = batch(&station, &[parts[1].clone(), parts[0].clone()]);
    assert!(body(&answer).contains("Waits") && body(&answer).contains("HTTP/1.1 501"), "{}", body(&answer));
}

#[test]
fn a_view_is_the_servers_to_run_where_views_are_not_offline() {
    let server = Server::start();
    let online = server.user("demo");
    online.create("accounts", r#"{"name":"A"}"#);
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let view = online.create(
        "userqueries",
        r#"{"name":"Mine","returnedtypecode":"account","querytype":0,
            "fetchxml":"<fetch><entity name='account'><attribute name='name'/></entity></fetch>"}"#,
    );
    let path = format!("accounts?userQuery={view}");
    assert_eq!(station.get(&path)["value"][0]["name"], "A");
    let alone = station.alone(&path);
    assert_eq!(alone.status, 501, "{}", body(&alone));
    assert!(body(&alone).contains("userquery"), "{}", body(&alone));
}

#[test]
fn where_a_lookup_leads_to_a_table_that_is_not_known_here_only_the_server_tells() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    let unit = online.json("WhoAmI")["BusinessUnitId"].as_str().unwrap().to_owned();
    let body_of =
        format!(r#"{{"name":"Team","teamtype":0,"businessunitid@odata.bind":"/businessunits({unit})"}}"#);
    let team = online.create("teams", &body_of);
    let role = flette_server::people::Role::Salesperson.id();
    let refer = format!(r#"{{"@odata.id":"{}roles({role})"}}"#, online.root());
    let roles = format!("teams({team})/teamroles_association/$ref");
    assert_eq!(online.ask(Method::Post, &roles, &refer).status, 204);
    // The owner is of a table that the replica does not have.
    let station = Station::new(&server, "demo", &TABLES);
    online.patch("accounts", account, &format!(r#"{{"ownerid@odata.bind":"/teams({team})"}}"#));
    station.sync();
    let expanded = format!("accounts({account})?$select=name&$expand=ownerid");
    for (path, in_it) in [
        (expanded.clone(), "teamid"),
        (format!("accounts({account})?$select=name&$expand=ownerid/$ref"), "teams("),
        ("accounts?$select=name&$expand=ownerid".to_owned(), "teamid"),
        (format!("accounts({account})/ownerid"), "teamid"),
        (format!("accounts({account})/ownerid/$ref"), "teams("),
    ] {
        let answer = station.ask(Method::Get, &path, "");
        assert_eq!((answer.status, source(&answer)), (200, "network"), "{path}: {}", body(&answer));
        assert!(body(&answer).contains(in_it), "{path}: {}", body(&answer));
        let alone = station.alone(&path);
        assert_eq!(alone.status, 501, "{path}: {}", body(&alone));
        assert!(body(&alone).contains("'team'"), "{path}: {}", body(&alone));
    }
    // A write stands, whether or not its row can be shown as it was asked for.
    let edit = (Method::Patch, expanded.as_str(), r#"{"name":"B"}"#);
    let answer = preferring(&station, edit, "return=representation");
    assert_eq!((answer.status, source(&answer)), (204, "replica"), "{}", body(&answer));
    assert!(answer.headers.get("OData-EntityId").is_some_and(|url| url.contains(&account.to_string())));
    assert_eq!(station.journal().len(), 1);
}

#[test]
fn a_next_link_that_only_the_server_understands_is_its_to_follow() {
    let server = Server::start();
    let station = Station::new(&server, "demo", &TABLES);
    station.sync();
    let path = "accounts?$select=name&$skiptoken=%3Ccookie%20pagenumber=%222%22%20/%3E";
    station.wire.fail(|request| {
        let answer = Response::json(200, br#"{"value":[{"name":"page two"}]}"#.to_vec());
        request.url.contains("skiptoken").then_some(Fault::Answer(answer))
    });
    assert_eq!(station.get(path)["value"][0]["name"], "page two");
    assert_eq!(source(&batch(&station, &[get(path)])), "network");
    station.wire.heal();
    let alone = station.alone(path);
    assert_eq!((alone.status, body(&alone).contains("0x8004112a")), (400, true));
}

#[test]
fn a_write_that_is_passed_on_and_not_answered_may_have_been_carried_out() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("contacts", r#"{"lastname":"C","jobtitle":"Clerk"}"#);
    let station = Station::with_profile(&server, "demo", &TABLES, FEW_COLUMNS);
    station.sync();
    let path = format!("contacts({id})");
    let edit = r#"{"telephone1":"1","jobtitle":"Boss"}"#;
    station.wire.fail(|request| (request.method == Method::Patch).then_some(Fault::LoseAnswer));
    let answer = station.ask(Method::Patch, &path, edit);
    station.wire.heal();
    let error: Value = serde_json::from_slice(&answer.body).unwrap();
    let message = error["error"]["message"].as_str().unwrap_or_default();
    assert_eq!((answer.status, message.contains("may have been carried out")), (504, true), "{error}");
    assert_eq!(online.json(&path)["telephone1"], "1");
    // What became of it is seen here at once.
    let shown = station.alone(&format!("{path}?$select=jobtitle"));
    assert!(body(&shown).contains("Boss"), "{}", body(&shown));
    // One that never went out is told as before.
    station.wire.fail(|request| (request.method == Method::Patch).then_some(Fault::LoseRequest));
    assert_eq!(station.ask(Method::Patch, &path, r#"{"telephone1":"2"}"#).status, 501);
}

#[test]
fn a_write_that_is_passed_on_and_answered_by_a_gateway_that_gave_up_may_have_been_carried_out() {
    let server = Server::start();
    let online = server.user("admin");
    let id = online.create("contacts", r#"{"lastname":"C","jobtitle":"Clerk"}"#);
    let station = Station::with_profile(&server, "demo", &TABLES, FEW_COLUMNS);
    station.sync();
    let path = format!("contacts({id})");
    let page = || Response { body: b"<html>Gateway</html>".to_vec(), ..Response::empty(200) };
    let own = ODataError::new(500, "0x80040216", "SQL timeout").to_response();
    let answers = [408, 500, 502, 504, 524].map(|status| Response { status, ..page() });
    for (number, answer) in answers.into_iter().chain([own]).enumerate() {
        let (status, words) = (answer.status, String::from_utf8_lossy(&answer.body).contains("SQL"));
        let edit = format!(r#"{{"telephone1":"{number}","jobtitle":"Boss {number}"}}"#);
        station.wire.fail(move |request| {
            (request.method == Method::Patch).then(|| Fault::AnswerInstead(answer.clone()))
        });
        let told = station.ask(Method::Patch, &path, &edit);
        station.wire.heal();
        assert_eq!(online.json(&path)["telephone1"], number.to_string());
        let shown = station.alone(&format!("{path}?$select=jobtitle"));
        assert!(body(&shown).contains(&format!("Boss {number}")), "{status}: {}", body(&shown));
        // Who wrote hears it in words that an app can read: the server's own, where there are some.
        match words {
            true => assert_eq!((told.status, body(&told).contains("SQL timeout")), (500, true)),
            false => {
                assert_eq!((told.status, body(&told).contains("may have been carried out")), (504, true));
            }
        }
        assert_eq!(source(&told), "network");
    }
    // What says that it was not carried out is told as it is, and nothing is read.
    station.wire.fail(|request| {
        (request.method == Method::Patch)
            .then(|| Fault::Answer(Response::empty(503).header("Retry-After", "1")))
    });
    let asked = station.wire.log.borrow().len();
    assert_eq!(station.ask(Method::Patch, &path, r#"{"telephone1":"no"}"#).status, 503);
    assert_eq!(station.wire.log.borrow().len(), asked + 1);
}

#[test]
fn a_list_of_all_activities_is_not_told_from_here_while_one_waits() {
    let server = Server::start();
    let online = server.user("admin");
    let party =
        r#"{"subject":"Mail","email_activity_parties":[{"participationtypemask":2,"addressused":"a@b.c"}]}"#;
    online.create("emails", party);
    let tables = [&TABLES[..], &["email", "activityparty", "activitypointer"]].concat();
    let station = Station::new(&server, "demo", &tables);
    station.sync();
    let list = "activitypointers?$select=subject";
    assert!(body(&station.alone(list)).contains("Mail"));
    station.create("accounts", r#"{"name":"Else"}"#);
    assert!(body(&station.alone(list)).contains("Mail"), "no activity waits");
    station.create("tasks", r#"{"subject":"Call"}"#);
    assert_eq!(station.alone(list).status, 501);
    // What only names an activity is answered without the name.
    let parties = (Method::Get, "activityparties?$select=addressused,_activityid_value", "");
    let answer = preferring(&station, parties, "odata.include-annotations=\"*\"");
    assert_eq!((answer.status, source(&answer)), (200, "replica"), "{}", body(&answer));
    station.sync();
    let list = body(&station.alone(list));
    assert!(list.contains("Mail") && list.contains("Call"), "{list}");
}

#[test]
fn a_row_that_was_written_is_shown_with_its_collections_as_a_read_shows_them() {
    let server = Server::start();
    let online = server.user("admin");
    let account = online.create("accounts", r#"{"name":"A"}"#);
    online.create(
        "contacts",
        &format!(r#"{{"lastname":"Child","parentcustomerid_account@odata.bind":"/accounts({account})"}}"#),
    );
    let station =
        Station::with_profile(&server, "demo", &TABLES, r#"{"contact":{"rows":"lastname ne 'X'"}}"#);
    station.sync();
    let filter = "Microsoft.Dynamics.CRM.Today(PropertyName=%27createdon%27)";
    let path = format!(
        "accounts({account})?$select=name&$expand=contact_customer_accounts($select=lastname;$filter={filter})"
    );
    let edit = (Method::Patch, path.as_str(), r#"{"name":"B"}"#);
    let answer = preferring(&station, edit, "return=representation");
    assert_eq!((answer.status, answer.headers.get("Flette-Incomplete")), (200, Some("contact")));
    assert!(body(&answer).contains("Child"), "{}", body(&answer));
}
