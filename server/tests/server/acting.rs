//! Acting for other users: with the rights of both, in the name of one, and for nobody else.

use super::support::{Answer, Server};
use flette_odata::Uuid;
use flette_server::api::Profile;
use flette_server::people::{self, user_id, Role};
use flette_server::schema::id_of;
use serde_json::json;
use std::collections::BTreeSet;

const BY_ID: &str = "MSCRMCallerID";
const BY_OBJECT: &str = "CallerObjectId";

/// Users with their role; Anna, Ola and Demo are those of the demo.
const PEOPLE: [&str; 5] = ["admin", "demo", "anna", "ola", "basic"];

/// The demo's users and one more, `basic` in Oslo, who sees own rows only. Anna and Demo may act for others. Everybody
/// owns an account and a task; Ola and Basic also one in the other's town, from the days when they worked there.
struct World {
    admin: Server,
    rows: Vec<(&'static str, String)>,
}

fn id_of_user(name: &str) -> Uuid {
    if name == "basic" {
        id_of("test/basic")
    } else {
        user_id(name)
    }
}

fn object_of(name: &str) -> String {
    id_of(&format!("directory/{name}")).to_string()
}

impl World {
    async fn new() -> World {
        let admin = Server::with_rows(0, Profile::Open).sign_in("admin").await;
        let basic = json!({
            "systemuserid": id_of("test/basic"), "firstname": "Bo", "lastname": "Basic", "domainname": "basic",
            "azureactivedirectoryobjectid": object_of("basic"),
            "businessunitid@odata.bind": format!("businessunits({})", id_of("unit/Oslo")),
        });
        assert_eq!(admin.send("POST", "systemusers", &[], &basic.to_string()).await.status, 204);
        people::set_password(admin.database(), "basic", "flette").unwrap();
        let mut world = World { admin, rows: Vec::new() };
        for (name, role) in [("basic", Role::BasicUser), ("anna", Role::Delegate), ("demo", Role::Delegate)] {
            assert_eq!(world.give(name, role).await, 204);
        }
        for name in PEOPLE {
            world.own(name).await;
        }
        for (name, there, home) in [("ola", "Oslo", "Bergen"), ("basic", "Bergen", "Oslo")] {
            world.move_to(name, there).await;
            world.own(name).await;
            world.move_to(name, home).await;
        }
        world
    }

    async fn own(&mut self, owner: &str) {
        let owner = format!("systemusers({})", id_of_user(owner));
        for (set, name) in [("accounts", "name"), ("tasks", "subject")] {
            let body = json!({name: "x", "ownerid@odata.bind": owner});
            let id = self.admin.create(set, &body.to_string()).await;
            self.rows.push((set, id));
        }
    }

    async fn move_to(&self, name: &str, town: &str) {
        let unit = format!("businessunits({})", id_of(&format!("unit/{town}")));
        let body = json!({"businessunitid@odata.bind": unit}).to_string();
        let url = format!("systemusers({})", id_of_user(name));
        assert_eq!(self.admin.send("PATCH", &url, &[("If-Match", "*")], &body).await.status, 204);
    }

    async fn give(&self, name: &str, role: Role) -> u16 {
        let url = format!("systemusers({})/systemuserroles_association/$ref", id_of_user(name));
        let body = json!({"@odata.id": format!("http://crm.example/api/data/v9.2/roles({})", role.id())});
        self.admin.send("POST", &url, &[], &body.to_string()).await.status
    }

    async fn take(&self, name: &str, role: Role) {
        let user = id_of_user(name);
        let url = format!("systemusers({user})/systemuserroles_association({})/$ref", role.id());
        assert_eq!(self.admin.send("DELETE", &url, &[], "").await.status, 204);
    }

    async fn user(&self, name: &str) -> Server {
        self.admin.sign_in(name).await
    }
}

/// One request, in somebody's name or one's own. A write is sent in a change set that fails behind it, so that nothing
/// changes: 400 says that the write itself went through.
async fn ask(server: &Server, act_for: Option<&str>, (method, url, body): (&str, &str, &str)) -> Answer {
    let named = act_for.map(|name| id_of_user(name).to_string());
    let mut headers: Vec<(&str, &str)> = named.iter().map(|id| (BY_ID, id.as_str())).collect();
    if method == "GET" {
        return server.send(method, url, &headers, body).await;
    }
    let part = |number: u32, method: &str, url: &str, body: &str| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n{method} /api/data/v9.2/{url} \
             HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let failing = part(2, "POST", "accounts", "{\"nothing\":1}");
    let body = format!(
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{}{failing}--c--\r\n--b--\r\n",
        part(1, method, url, body)
    );
    headers.push(("Content-Type", "multipart/mixed; boundary=b"));
    server.send("POST", "$batch", &headers, &body).await
}

/// What both may do: who of the two does not see the row decides first.
fn both(one: u16, other: u16) -> u16 {
    match (one, other) {
        (404, _) | (_, 404) => 404,
        (403, _) | (_, 403) => 403,
        _ => one,
    }
}

#[tokio::test]
async fn who_acts_for_another_may_do_what_both_may_and_nothing_else() {
    let world = World::new().await;
    let mut requests = Vec::new();
    for (set, id) in &world.rows {
        let (url, name) = (format!("{set}({id})"), if *set == "tasks" { "subject" } else { "name" });
        requests.push(("GET", url.clone(), String::new()));
        requests.push(("GET", format!("{url}/{name}"), String::new()));
        requests.push(("PATCH", url.clone(), format!(r#"{{"{name}":"y"}}"#)));
        if *set == "tasks" {
            continue;
        }
        let bind = format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id_of_user("anna"));
        requests.push(("PATCH", url.clone(), bind));
        requests.push(("DELETE", url, String::new()));
    }
    for owner in PEOPLE {
        let bind = format!("systemusers({})", id_of_user(owner));
        requests.push((
            "POST",
            "accounts".to_owned(),
            json!({"name": "z", "ownerid@odata.bind": bind}).to_string(),
        ));
    }
    requests.push(("POST", "roles".to_owned(), r#"{"name":"mighty"}"#.to_owned()));
    requests.push(("POST", "EntityDefinitions".to_owned(), "{}".to_owned()));
    let url = format!("systemusers({})", id_of_user("ola"));
    requests.push(("PATCH", url, r#"{"isdisabled":true}"#.to_owned()));
    let mut alone = Vec::new();
    for name in PEOPLE {
        let server = world.user(name).await;
        let mut answers = Vec::new();
        for (method, url, body) in &requests {
            answers.push(ask(&server, None, (method, url, body)).await.status);
        }
        alone.push(answers);
    }
    for (actor, of_actor) in PEOPLE.iter().zip(&alone) {
        if !["admin", "demo", "anna"].contains(actor) {
            continue;
        }
        let server = world.user(actor).await;
        for (user, of_user) in PEOPLE.iter().zip(&alone) {
            for (at, (method, url, body)) in requests.iter().enumerate() {
                let found = ask(&server, Some(user), (method, url, body)).await;
                let expected = both(of_actor[at], of_user[at]);
                assert_eq!(
                    found.status, expected,
                    "{actor} for {user}: {method} {url} {body}: {}",
                    found.body
                );
            }
        }
    }
}

#[tokio::test]
async fn lists_counts_and_feeds_show_what_both_see() {
    let world = World::new().await;
    let track = [("Prefer", "odata.track-changes")];
    for set in ["accounts", "tasks"] {
        let ids = |answer: &Answer| match answer.status {
            403 => BTreeSet::new(),
            _ => BTreeSet::from_iter(answer.column(if set == "tasks" { "activityid" } else { "accountid" })),
        };
        let mut seen = Vec::new();
        for name in PEOPLE {
            seen.push(ids(&world.user(name).await.get(set).await));
        }
        for (actor, by_actor) in PEOPLE.iter().zip(&seen).take(3) {
            let server = world.user(actor).await;
            for (user, by_user) in PEOPLE.iter().zip(&seen) {
                let case = format!("{actor} for {user}: {set}");
                let id = id_of_user(user).to_string();
                let expected: BTreeSet<String> = by_actor & by_user;
                let named = [(BY_ID, id.as_str())];
                assert_eq!(ids(&server.send("GET", set, &named, "").await), expected, "{case}");
                let feed = server.send("GET", set, &[named[0], track[0]], "").await;
                assert_eq!(ids(&feed), expected, "{case}: feed");
                let count = server.send("GET", &format!("{set}/$count"), &named, "").await;
                assert_eq!(count.body, expected.len().to_string(), "{case}: count");
            }
        }
    }
    // Neither sees all that the other sees.
    let anna = world.user("anna").await;
    let id = id_of_user("basic").to_string();
    assert_eq!(anna.send("GET", "accounts", &[(BY_ID, &id)], "").await.rows().len(), 1);
    assert_eq!(anna.list("accounts").await.rows().len(), 3);
    assert_eq!(world.user("basic").await.list("accounts").await.rows().len(), 2);
}

#[tokio::test]
async fn rows_are_written_in_the_name_of_whom_is_acted_for_and_say_who_really_did() {
    let world = World::new().await;
    let demo = world.user("demo").await;
    let (anna, object) = (id_of_user("anna").to_string(), object_of("anna"));
    let people = "_ownerid_value,_owningbusinessunit_value,_createdby_value,_modifiedby_value,\
                  _createdonbehalfby_value,_modifiedonbehalfby_value";
    for named in [(BY_ID, anna.as_str()), (BY_OBJECT, object.as_str())] {
        let who = demo.send("GET", "WhoAmI", &[named], "").await.json();
        assert_eq!((&who["UserId"], &who["BusinessUnitId"]), (&json!(anna), &json!(id_of("unit/Oslo"))));
        let made = demo.send("POST", "accounts", &[named], r#"{"name":"On behalf"}"#).await.id();
        let url = format!("accounts({made})?$select={people}");
        let demo_id = json!(id_of_user("demo"));
        let row = demo.get(&url).await.json();
        for (column, expected) in [
            ("_ownerid_value", json!(anna)),
            ("_owningbusinessunit_value", json!(id_of("unit/Oslo"))),
            ("_createdby_value", json!(anna)),
            ("_modifiedby_value", json!(anna)),
            ("_createdonbehalfby_value", demo_id.clone()),
            ("_modifiedonbehalfby_value", demo_id.clone()),
        ] {
            assert_eq!(row[column], expected, "{column}");
        }
        let row_url = format!("accounts({made})");
        assert_eq!(demo.send("PATCH", &row_url, &[], r#"{"telephone1":"1"}"#).await.status, 204);
        let row = demo.get(&url).await.json();
        assert_eq!((&row["_modifiedby_value"], row["_modifiedonbehalfby_value"].is_null()), (&demo_id, true));
        assert_eq!(demo.send("PATCH", &row_url, &[named], r#"{"telephone1":"2"}"#).await.status, 204);
        let row = demo.get(&url).await.json();
        assert_eq!((&row["_modifiedby_value"], &row["_modifiedonbehalfby_value"]), (&json!(anna), &demo_id));
        let mine = "accounts?$filter=Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')";
        let mine = demo.send("GET", mine, &[named], "").await;
        assert!(mine.column("accountid").contains(&made), "queries are about whom is acted for");
        assert_eq!(demo.send("DELETE", &row_url, &[named], "").await.status, 204);
    }
}

#[tokio::test]
async fn nobody_else_acts_for_others_and_a_name_is_never_passed_over() {
    let world = World::new().await;
    let ola = world.user("ola").await;
    let (anna, object) = (id_of_user("anna").to_string(), object_of("anna"));
    let row = format!("accounts({})", world.rows.iter().find(|(set, _)| *set == "accounts").unwrap().1);
    let nobody = "00000000-0000-4000-8000-000000000009";
    for (header, value) in
        [(BY_ID, anna.as_str()), (BY_OBJECT, object.as_str()), (BY_ID, nobody), (BY_OBJECT, nobody)]
    {
        for (method, url, body) in [
            ("GET", "WhoAmI", ""),
            ("GET", "accounts", ""),
            ("GET", row.as_str(), ""),
            ("GET", "EntityDefinitions", ""),
            ("GET", "$metadata", ""),
            ("POST", "accounts", r#"{"name":"x"}"#),
            ("PATCH", row.as_str(), r#"{"name":"x"}"#),
            ("DELETE", row.as_str(), ""),
        ] {
            let answer = ola.send(method, url, &[(header, value)], body).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "0x80040220"), "{method} {url}");
        }
    }
    // Oneself is no other.
    for (header, value) in [(BY_ID, id_of_user("ola").to_string()), (BY_OBJECT, object_of("ola"))] {
        assert_eq!(ola.send("GET", "WhoAmI", &[(header, &value)], "").await.status, 200);
    }
    let demo = world.user("demo").await;
    for (header, value, status) in [
        (BY_ID, nobody, 403),
        (BY_OBJECT, nobody, 403),
        (BY_OBJECT, anna.as_str(), 403),
        (BY_ID, object.as_str(), 403),
        (BY_ID, "anna", 400),
        (BY_OBJECT, "", 400),
    ] {
        let answer = demo.send("POST", "accounts", &[(header, value)], r#"{"name":"Unwanted"}"#).await;
        assert_eq!(answer.status, status, "{header} {value}: {}", answer.body);
    }
    let two = demo.send("GET", "WhoAmI", &[(BY_ID, &anna), (BY_OBJECT, &object)], "").await;
    assert_eq!(two.status, 400);
    let disable = |disabled: bool| {
        let body = json!({"isdisabled": disabled}).to_string();
        let url = format!("systemusers({anna})");
        let admin = world.admin.clone();
        async move { assert_eq!(admin.send("PATCH", &url, &[], &body).await.status, 204) }
    };
    disable(true).await;
    let answer = demo.send("POST", "accounts", &[(BY_ID, &anna)], r#"{"name":"Unwanted"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x80040225"));
    disable(false).await;
    world.take("demo", Role::Delegate).await;
    let answer = demo.send("POST", "accounts", &[(BY_ID, &anna)], r#"{"name":"Unwanted"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x80040220"));
    assert!(world.admin.list("accounts?$filter=name eq 'Unwanted'").await.rows().is_empty());
}

#[tokio::test]
async fn a_role_of_a_team_does_not_let_its_members_act_for_others() {
    let world = World::new().await;
    let team = json!({
        "name": "Delegates", "businessunitid@odata.bind": format!("businessunits({})", id_of("unit/Bergen")),
    });
    let team = world.admin.create("teams", &team.to_string()).await;
    let link =
        |to: String| json!({"@odata.id": format!("http://crm.example/api/data/v9.2/{to}")}).to_string();
    let member = link(format!("systemusers({})", id_of_user("ola")));
    for (collection, body) in [
        ("teammembership_association", member),
        ("teamroles_association", link(format!("roles({})", Role::Delegate.id()))),
    ] {
        let answer = world.admin.send("POST", &format!("teams({team})/{collection}/$ref"), &[], &body).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    let ola = world.user("ola").await;
    let anna = id_of_user("anna").to_string();
    assert_eq!(ola.send("GET", "WhoAmI", &[(BY_ID, &anna)], "").await.status, 403);
    assert_eq!(world.give("ola", Role::Delegate).await, 204);
    assert_eq!(ola.send("GET", "WhoAmI", &[(BY_ID, &anna)], "").await.status, 200);
}

#[tokio::test]
async fn a_token_of_the_feed_belongs_to_whom_is_acted_for_and_tells_what_both_see() {
    let world = World::new().await;
    let (anna, basic) = (world.user("anna").await, world.user("basic").await);
    let id = id_of_user("basic").to_string();
    let named = [(BY_ID, id.as_str())];
    let track = [named[0], ("Prefer", "odata.track-changes")];
    let (rows, link) = anna.drain("accounts?$select=name", &track).await;
    let link = link.unwrap();
    assert_eq!(rows.len(), 1, "Basic's row in Oslo");
    // Without the name it is another reader's.
    assert_eq!(anna.send("GET", &link, &[], "").await.status, 410);
    let (items, next) = anna.drain(&link, &named).await;
    assert!(items.is_empty());
    // The same reader by oneself sees the other row as well.
    let (items, own) = basic.drain(&link, &[]).await;
    assert_eq!(items.len(), 1);
    let (items, _) = anna.drain(&own.unwrap(), &named).await;
    assert_eq!(items[0]["reason"], "changed");
    // The rights of either may change.
    assert_eq!(world.give("anna", Role::SalesManager).await, 204);
    let (items, next) = anna.drain(&next.unwrap(), &named).await;
    assert_eq!(items.len(), 1);
    world.take("anna", Role::SalesManager).await;
    let (items, next) = anna.drain(&next.unwrap(), &named).await;
    assert_eq!((items.len(), &items[0]["reason"]), (1, &json!("changed")));
    assert_eq!(world.give("basic", Role::SalesManager).await, 204);
    let (items, next) = anna.drain(&next.unwrap(), &named).await;
    assert_eq!(items.len(), 2, "all of Oslo");
    world.take("anna", Role::Delegate).await;
    assert_eq!(anna.send("GET", &next.unwrap(), &named, "").await.status, 403);
}

/// A batch of one change set; each part is headers, verb, URL and body.
fn change_set(parts: &[(&str, &str, &str, &str)]) -> String {
    let mut body = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n".to_owned();
    for (number, (headers, method, url, content)) in parts.iter().enumerate() {
        body += &format!(
            "--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\n{method} /api/data/v9.2/{url} \
             HTTP/1.1\r\nContent-Type: application/json\r\n{headers}\r\n{content}\r\n"
        );
    }
    body + "--c--\r\n--b--\r\n"
}

#[tokio::test]
async fn a_batch_is_carried_out_in_the_name_it_gives_and_a_part_may_give_its_own() {
    let world = World::new().await;
    let demo = world.user("demo").await;
    let multipart = ("Content-Type", "multipart/mixed; boundary=b");
    let (anna, ola) = (id_of_user("anna").to_string(), id_of_user("ola").to_string());
    let of_ola = format!("{BY_ID}: {ola}\r\n");
    let owner_of = |name: &'static str| {
        let demo = demo.clone();
        async move {
            demo.list(&format!("accounts?$select=_ownerid_value&$filter=name eq '{name}'"))
                .await
                .column("_ownerid_value")
        }
    };
    let body = change_set(&[
        ("", "POST", "accounts", r#"{"name":"Of Anna"}"#),
        (&of_ola, "POST", "accounts", r#"{"name":"Of Ola"}"#),
    ]);
    let answer = demo.send("POST", "$batch", &[multipart, (BY_ID, &anna)], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        (owner_of("Of Anna").await, owner_of("Of Ola").await),
        (vec![anna.clone()], vec![ola.clone()])
    );
    // A request of its own in a batch.
    let single = format!(
        "--b\r\nContent-Type: application/http\r\n\r\nGET /api/data/v9.2/WhoAmI HTTP/1.1\r\n{of_ola}\r\n\r\n--b--\r\n"
    );
    let answer = demo.send("POST", "$batch", &[multipart], &single).await;
    assert!(answer.status == 200 && answer.body.contains(&ola), "{}", answer.body);
    // A name that may not be used: the set as a whole, or the batch as a whole.
    let body = change_set(&[
        ("", "POST", "accounts", r#"{"name":"Never"}"#),
        (&of_ola, "POST", "accounts", r#"{"name":"Never"}"#),
    ]);
    let without_right = world.user("ola").await;
    let of_anna = body.replace(&ola, &anna);
    assert_eq!(without_right.send("POST", "$batch", &[multipart], &of_anna).await.status, 403);
    let go_on = ("Prefer", "odata.continue-on-error");
    let answer = without_right.send("POST", "$batch", &[multipart, (BY_ID, &anna), go_on], &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x80040220"));
    let wrong = body.replace(&ola, "nobody");
    assert_eq!(demo.send("POST", "$batch", &[multipart], &wrong).await.status, 400);
    assert!(owner_of("Never").await.is_empty());
}

#[tokio::test]
async fn a_receipt_is_not_shared_by_a_user_and_whoever_acts_for_it() {
    let world = World::new().await;
    let (anna, demo) = (world.user("anna").await, world.user("demo").await);
    let id = id_of_user("anna").to_string();
    let sent = flette_odata::time::format_http_date(flette_server::web::now());
    let repeatable = [
        ("Repeatability-Request-ID", "5f000000-0000-4000-8000-000000000001"),
        ("Repeatability-First-Sent", sent.as_str()),
    ];
    let body = r#"{"name":"Once"}"#;
    assert_eq!(anna.send("POST", "accounts", &repeatable, body).await.status, 204);
    let named = [repeatable[0], repeatable[1], (BY_ID, id.as_str())];
    let answer = demo.send("POST", "accounts", &named, body).await;
    assert_eq!((answer.status, answer.header("Repeatability-Result")), (400, Some("rejected")));
    assert_eq!(anna.send("POST", "accounts", &repeatable, body).await.status, 204);
    assert_eq!(anna.list("accounts?$filter=name eq 'Once'").await.rows().len(), 1);
}

#[tokio::test]
async fn who_is_who_in_the_directory_is_written_by_administrators_only() {
    let world = World::new().await;
    let role = world.admin.create("roles", &json!({
        "name": "Users", "businessunitid@odata.bind": format!("businessunits({})", people::root_unit_id()),
    }).to_string()).await;
    let levels = json!({
        "roleid@odata.bind": format!("roles({role})"), "objecttypecode": "systemuser",
        "createlevel": 8, "readlevel": 8, "writelevel": 8,
    });
    world.admin.create("roleprivileges", &levels.to_string()).await;
    let link = json!({"@odata.id": format!("http://crm.example/api/data/v9.2/roles({role})")}).to_string();
    let url = format!("systemusers({})/systemuserroles_association/$ref", id_of_user("ola"));
    assert_eq!(world.admin.send("POST", &url, &[], &link).await.status, 204);
    let (ola, own) = (world.user("ola").await, format!("systemusers({})", id_of_user("ola")));
    assert_eq!(ola.send("PATCH", &own, &[], r#"{"jobtitle":"Clerk"}"#).await.status, 204);
    let fresh = json!({"azureactivedirectoryobjectid": "0d000000-0000-4000-8000-000000000001"}).to_string();
    assert_eq!(ola.send("PATCH", &own, &[], &fresh).await.status, 403);
    let property = format!("{own}/azureactivedirectoryobjectid");
    assert_eq!(ola.send("DELETE", &property, &[], "").await.status, 403);
    let unit = format!("businessunits({})", id_of("unit/Bergen"));
    let mut user =
        json!({"firstname": "N", "lastname": "N", "domainname": "n", "businessunitid@odata.bind": unit});
    user["azureactivedirectoryobjectid"] = json!("0d000000-0000-4000-8000-000000000002");
    assert_eq!(ola.send("POST", "systemusers", &[], &user.to_string()).await.status, 403);
    assert_eq!(world.admin.send("PATCH", &own, &[], &fresh).await.status, 204);
    let taken = json!({"azureactivedirectoryobjectid": object_of("anna")}).to_string();
    let answer = world.admin.send("PATCH", &own, &[], &taken).await;
    assert_eq!((answer.status, answer.code().as_str()), (412, "0x80060892"));
    let by_object = format!("systemusers(azureactivedirectoryobjectid={})", object_of("anna"));
    assert_eq!(world.admin.get(&by_object).await.json()["systemuserid"], json!(id_of_user("anna")));
}
