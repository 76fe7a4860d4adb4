//! Views of `querytype` 16 as what goes offline of a table.

use crate::station::Station;
use crate::support::{Device, Server, Wire, TABLES};
use flette_odata::{Method, Uuid};
use flette_server::api::Profile as Kind;
use std::collections::BTreeSet;

const BY_NAME: &str = r#"{"contact":{"rows":{"view":"Local contacts"}}}"#;

fn view(online: &Wire, set: &str, name: &str, kind: i32, fetch: &str) -> Uuid {
    view_of("contact", online, set, name, kind, fetch)
}

fn view_of(table: &str, online: &Wire, set: &str, name: &str, kind: i32, fetch: &str) -> Uuid {
    let fetch = serde_json::to_string(fetch).unwrap();
    let body =
        format!(r#"{{"name":"{name}","returnedtypecode":"{table}","querytype":{kind},"fetchxml":{fetch}}}"#);
    online.create(set, &body)
}

fn saved(online: &Wire, name: &str, inside: &str) -> Uuid {
    view(online, "savedqueries", name, 16, &of_contacts(inside))
}

fn of_contacts(inside: &str) -> String {
    format!("<fetch><entity name='contact'><attribute name='fullname'/>{inside}</entity></fetch>")
}

/// Contacts of two accounts, some by the user himself and some by another.
fn world(kind: Kind) -> (Server, Wire) {
    let server = Server::with_profile(kind);
    let online = server.user("admin");
    for (name, user) in [("Mine", "admin"), ("Theirs", "demo")] {
        let user = server.user(user);
        let account = user.create("accounts", &format!(r#"{{"name":"{name}"}}"#));
        for (nth, title) in ["Sales", "Buyer", "Sales & more"].into_iter().enumerate() {
            let of = format!(r#""parentcustomerid_account@odata.bind":"accounts({account})""#);
            let body = format!(r#"{{"lastname":"{name} {nth}","jobtitle":"{title}",{of}}}"#);
            let contact = user.create("contacts", &body);
            if nth == 0 {
                user.patch(
                    "accounts",
                    account,
                    &format!(r#"{{"primarycontactid@odata.bind":"contacts({contact})"}}"#),
                );
                user.create("tasks", &format!(r#"{{"subject":"t","regardingobjectid_contact_task@odata.bind":"contacts({contact})"}}"#));
            }
        }
    }
    online.create("contacts", r#"{"lastname":"Of nobody"}"#);
    (server, online)
}

/// The contacts that the server gives for a view, by their ids.
fn there(online: &Wire, view: Uuid) -> BTreeSet<String> {
    let answer = online.json(&format!("contacts?savedQuery={view}"));
    let rows = answer["value"].as_array().unwrap();
    rows.iter().map(|row| row["contactid"].as_str().unwrap().to_owned()).collect()
}

fn here(device: &Device) -> BTreeSet<String> {
    pollster::block_on(device.replica.load(&["contact"])).unwrap();
    let state = device.replica.state();
    state.tables["contact"].mirror.iter().flat_map(|mirror| mirror.ids()).map(|id| id.to_string()).collect()
}

#[test]
fn a_view_and_the_rows_that_come_by_it_are_the_same() {
    let (server, online) = world(Kind::Dataverse);
    let insides = [
        "<filter><condition attribute='ownerid' operator='eq-userid'/></filter>",
        "<filter><condition attribute='ownerid' operator='ne-userid'/></filter>",
        "<filter><condition attribute='owningbusinessunit' operator='eq-businessid'/></filter>",
        "<filter type='or'><condition attribute='jobtitle' operator='like' value='sales%'/>\
         <condition attribute='jobtitle' operator='null'/></filter>",
        "<filter><condition attribute='jobtitle' operator='not-like' value='%more%'/></filter>",
        "<filter><condition attribute='jobtitle' operator='not-in'><value>Buyer</value><value>x</value></condition></filter>",
        "<filter><condition attribute='createdon' operator='today'/></filter>",
        "<filter><condition attribute='createdon' operator='olderthan-x-days' value='1'/></filter>",
        "<link-entity name='account' from='accountid' to='parentcustomerid'><filter>\
         <condition attribute='ownerid' operator='eq-userid'/></filter></link-entity>",
        "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a' link-type='outer'/>\
         <filter type='or'><condition entityname='a' attribute='name' operator='eq' value='mine'/>\
         <condition attribute='lastname' operator='begins-with' value='of'/></filter>",
        "<link-entity name='account' from='primarycontactid' to='contactid'><filter>\
         <condition attribute='name' operator='eq' value='Mine'/></filter></link-entity>",
        "<filter><link-entity name='account' from='primarycontactid' to='contactid' link-type='not any'/></filter>",
        "<link-entity name='task' from='regardingobjectid' to='contactid' link-type='exists'/>",
        "<filter type='or'><condition attribute='jobtitle' operator='eq' value='Buyer'/>\
         <link-entity name='task' from='regardingobjectid' to='contactid' link-type='any'><filter>\
         <condition attribute='ownerid' operator='eq-userid'/></filter></link-entity></filter>",
        "",
    ];
    let mut device = Device::new(&server, "admin");
    let mut sizes = BTreeSet::new();
    for inside in insides {
        let view = saved(&online, "One of many", inside);
        device.set_profile(&format!(r#"{{"contact":{{"rows":{{"view":"{view}"}}}}}}"#));
        device.sync();
        assert_eq!(here(&device), there(&online, view), "{inside}");
        assert!(device.replica.state().record.unknown_rows().next().is_none(), "{inside}");
        sizes.insert(here(&device).len());
    }
    assert!(sizes.len() > 4, "the views differ: {sizes:?}");
}

#[test]
fn a_view_is_found_by_its_name_and_followed_when_it_changes() {
    let (server, online) = world(Kind::Open);
    let view = saved(
        &online,
        "Local contacts",
        "<filter><condition attribute='jobtitle' operator='eq' value='Buyer'/></filter>",
    );
    // Views of other types, and of others' own, do not count.
    self::view(&online, "savedqueries", "Local contacts", 0, &of_contacts(""));
    let mut device = Device::with_profile(&server, "admin", BY_NAME);
    assert_eq!(here(&device), there(&online, view));
    assert_eq!(here(&device).len(), 2);
    let fetch = serde_json::to_string(&of_contacts(
        "<filter><condition attribute='jobtitle' operator='null'/></filter>",
    ));
    online.patch("savedqueries", view, &format!(r#"{{"fetchxml":{}}}"#, fetch.unwrap()));
    device.sync();
    assert_eq!(here(&device).len(), 2, "views are read with the schema, once an hour");
    device.clock_error_millis.set(61 * 60 * 1000);
    device.sync();
    assert_eq!(here(&device), there(&online, view));
    assert_eq!(here(&device).len(), 1);
    // Over a restart it is known without being asked for.
    device.restart();
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert!(!device.wire.log.borrow().iter().any(|line| line.contains("savedqueries")));
    assert_eq!(here(&device).len(), 1);
}

#[test]
fn the_views_that_every_server_has_keep_what_is_the_users_own() {
    let (server, _) = world(Kind::Dataverse);
    let profile = r#"{"contact":{"rows":{"view":"my contacts"}},"account":{"rows":{"view":"My Accounts"}}}"#;
    for (user, contacts) in [("admin", 4), ("demo", 3)] {
        let device = Device::with_profile(&server, user, profile);
        assert_eq!((here(&device).len(), device.count("account")), (contacts, 1), "{user}");
        assert!(device.replica.state().is_narrow("contact"));
    }
}

#[test]
fn somebodys_own_view_counts_where_the_organisation_has_none() {
    let (server, online) = world(Kind::Open);
    view(
        &online,
        "userqueries",
        "Local contacts",
        16,
        &of_contacts("<filter><condition attribute='jobtitle' operator='null'/></filter>"),
    );
    let device = Device::with_profile(&server, "admin", BY_NAME);
    assert_eq!(here(&device).len(), 1);
}

/// The organisation's view counts, and that of one table for no other one.
#[test]
fn views_of_one_name_are_those_of_their_tables() {
    let (server, online) = world(Kind::Open);
    let of = |name: &str| {
        let filter = format!("<filter><condition attribute='name' operator='eq' value='{name}'/></filter>");
        format!("<fetch><entity name='account'><attribute name='name'/>{filter}</entity></fetch>")
    };
    view_of("account", &online, "savedqueries", "Same", 16, &of("Mine"));
    view_of("account", &online, "userqueries", "Same", 16, &of("Theirs"));
    let buyers = "<filter><condition attribute='jobtitle' operator='eq' value='Buyer'/></filter>";
    let buyers = saved(&online, "Same", buyers);
    let mut device = Device::new(&server, "admin");
    device.set_profile(r#"{"account":{"rows":{"view":"Same"}},"contact":{"rows":{"view":"Same"}}}"#);
    device.sync();
    assert_eq!(here(&device), there(&online, buyers));
    assert_eq!(device.count("account"), 1);
}

#[test]
fn a_view_that_cannot_be_said_is_told_and_the_table_does_not_come_whole() {
    let (server, online) = world(Kind::Open);
    let top = "<fetch top='2'><entity name='contact'/></fetch>";
    let problem = |device: &Device| device.round().problem.unwrap_or_default();
    let mut device = Device::new(&server, "admin");
    device.set_profile(BY_NAME);
    let told = problem(&device);
    assert!(told.contains("no active view 'Local contacts' of query type 16"), "{told}");
    assert_eq!(device.replica.state().tables.get("contact").map(|table| table.cursor.complete), None);
    // The other tables come.
    assert!(device.count("account") > 0);
    let view = view(&online, "savedqueries", "Local contacts", 16, top);
    let told = problem(&device);
    assert!(told.contains("first rows only"), "{told}");
    // Once it can be said, it is; and when it cannot any more, what was pulled by it goes on.
    let fetch = serde_json::to_string(&of_contacts(
        "<filter><condition attribute='jobtitle' operator='null'/></filter>",
    ));
    online.patch("savedqueries", view, &format!(r#"{{"fetchxml":{}}}"#, fetch.unwrap()));
    device.clock_error_millis.set(2 * 61 * 60 * 1000);
    device.sync();
    assert_eq!(here(&device).len(), 1);
    assert_eq!(online.ask(Method::Delete, &format!("savedqueries({view})"), "").status, 204);
    device.clock_error_millis.set(3 * 61 * 60 * 1000);
    online.create("contacts", r#"{"lastname":"Of nobody, either"}"#);
    device.sync();
    assert_eq!(here(&device).len(), 2);
    let why: Vec<String> = device.replica.state().record.unknown_rows().cloned().collect();
    assert!(why.iter().any(|why| why.contains("Local contacts")), "{why:?}");
}

/// Who lacks a right for a while has the view again with the next round.
#[test]
fn a_view_that_was_refused_or_missing_is_looked_for_in_every_round() {
    let (server, online) = world(Kind::Open);
    let inside = "<filter><condition attribute='jobtitle' operator='null'/></filter>";
    let role = flette_server::people::Role::SalesManager.id();
    let demo = server.user("demo").json("WhoAmI")["UserId"].as_str().unwrap().to_owned();
    let roles = format!("systemusers({demo})/systemuserroles_association");
    let mut device = Device::new(&server, "demo");
    device.sync();
    let whole = here(&device).len();
    let view = saved(&online, "Local contacts", inside);
    assert_eq!(online.ask(Method::Delete, &format!("{roles}({role})/$ref"), "").status, 204);
    device.set_profile(BY_NAME);
    device.round();
    let refused: Vec<String> = device.replica.state().record.unknown_rows().cloned().collect();
    assert!(refused.iter().any(|why| why.contains("(403 ")), "{refused:?}");
    // Without it, the definitions are not read again for it.
    device.wire.log.borrow_mut().clear();
    device.round();
    let asked = |what: &str| device.wire.log.borrow().iter().any(|line| line.contains(what));
    assert!(asked("savedqueries") && !asked("EntityDefinitions"));
    let body = format!(r#"{{"@odata.id":"{}roles({role})"}}"#, online.root());
    assert_eq!(online.ask(Method::Post, &format!("{roles}/$ref"), &body).status, 204);
    device.sync();
    assert_eq!(here(&device), there(&server.user("demo"), view));
    assert!(here(&device).len() < whole && device.replica.state().is_narrow("contact"));
    device.wire.log.borrow_mut().clear();
    device.sync();
    assert!(!asked("savedqueries"));
}

#[test]
fn the_status_names_the_reason() {
    let (server, online) = world(Kind::Open);
    view(&online, "savedqueries", "Local contacts", 16, "<fetch top='2'><entity name='contact'/></fetch>");
    let station = Station::with_profile(&server, "admin", &TABLES, BY_NAME);
    let report = station.post("/flette/sync", "");
    assert!(String::from_utf8_lossy(&report.body).contains("\"ok\":false"));
    let status = station.get("/flette/status");
    let problem = status["problem"].as_str().unwrap();
    let reason = "The profile: the view for the rows of 'contact': it takes the first rows only.";
    assert_eq!((problem, &status["synced"]), (reason, &false.into()));
    // What is not here is the server's to answer.
    let list = station.get("contacts?$select=lastname");
    assert_eq!(list["value"].as_array().unwrap().len(), 7);
}
