//! Who may do what: users, tables, verbs and the feed, against a little model of its own; and what the next
//! delta tells when rights change.

use super::support::{database, Answer, Server};
use flette_odata::{EntityRef, Row, Uuid, Value};
use flette_server::api::{Profile, Service};
use flette_server::db::{rights::ADMINISTRATOR_TEMPLATE, Database};
use flette_server::schema::id_of;
use flette_server::web::Options;
use flette_server::{people, web};
use serde_json::{json, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

const LEVELS: [i64; 5] = [0, 1, 2, 4, 8];
const TABLES: [(&str, &str, &str); 3] = [
    ("accounts", "account", "name"),
    ("contacts", "contact", "lastname"),
    ("tasks", "activitypointer", "subject"),
];

/// Whose row it is, as the model sees it from Eva in Oslo, who is in a team of Bergen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Own,
    Team,
    Colleague,
    Below,
    Elsewhere,
}

const WHOSE: [Whose; 5] = [Whose::Own, Whose::Team, Whose::Colleague, Whose::Below, Whose::Elsewhere];

/// The model: what a level reaches.
fn reaches(level: i64, whose: Whose) -> bool {
    match whose {
        Whose::Own | Whose::Team => level >= 1,
        Whose::Colleague => level >= 2,
        Whose::Below => level >= 4,
        Whose::Elsewhere => level >= 8,
    }
}

/// Changes rows of the server's own tables: users, roles, pairs.
fn put(database: &Database, table: &str, id: Uuid, values: &[(&str, Value)]) {
    let change = database.write(|writer| {
        let table = writer.schema.table(table).expect("a table");
        let mut row: Row = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        row.insert(table.primary_id.clone(), Value::Guid(id));
        match writer.row(table, id, &flette_server::db::rows::Sight::Everything)? {
            Some(current) => {
                let changes: Vec<(String, Value)> = row.into_iter().collect();
                writer.update(table, &current, id, &changes, 0).map(drop)
            }
            None => writer.insert(table, &row).map(drop),
        }
    });
    change.unwrap();
}

fn drop_row(database: &Database, table: &str, id: Uuid) {
    let change = database.write(|writer| {
        let table = writer.schema.table(table).expect("a table");
        let current = writer.row(table, id, &flette_server::db::rows::Sight::Everything)?;
        current.map_or(Ok(()), |current| writer.remove(table, &current.row, id, 0))
    });
    change.unwrap();
}

fn to(table: &str, id: Uuid) -> Value {
    Value::Lookup(EntityRef { table: table.to_owned(), id })
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An organisation: Oslo with a unit below it, and Bergen; Eva works in Oslo and is in a team of Bergen.
/// Her only role is `role`.
struct World {
    admin: Server,
    eva: Server,
    role: Uuid,
    rows: BTreeMap<(&'static str, Whose), String>,
}

fn id(name: &str) -> Uuid {
    id_of(&format!("test/{name}"))
}

fn user(database: &Database, name: &str, unit: Uuid) -> Uuid {
    let values = [
        ("firstname", text(name)),
        ("lastname", text("Test")),
        ("fullname", text(name)),
        ("domainname", text(name)),
        ("isdisabled", Value::Bool(false)),
        ("businessunitid", to("businessunit", unit)),
    ];
    put(database, "systemuser", id(name), &values);
    people::set_password(database, name, "flette").unwrap();
    id(name)
}

fn pair(database: &Database, table: &str, ends: [(&str, Uuid); 2]) -> Uuid {
    let id = id(&format!("{table}/{}/{}", ends[0].1, ends[1].1));
    put(database, table, id, &ends.map(|(column, id)| (column, Value::Guid(id))));
    id
}

impl World {
    async fn new(profile: Profile) -> World {
        let database = database();
        people::add_demo_people(&database, web::now()).unwrap();
        let root = id_of("unit/root");
        for (name, above) in [("oslo", root), ("bergen", root), ("east", id("oslo"))] {
            let values = [("name", text(name)), ("parentbusinessunitid", to("businessunit", above))];
            put(&database, "businessunit", id(name), &values);
        }
        let eva = user(&database, "eva", id("oslo"));
        for (name, unit) in [("colleague", "oslo"), ("below", "east"), ("elsewhere", "bergen")] {
            user(&database, name, id(unit));
        }
        put(
            &database,
            "team",
            id("team"),
            &[("name", text("team")), ("businessunitid", to("businessunit", id("bergen")))],
        );
        pair(&database, "teammembership", [("systemuserid", eva), ("teamid", id("team"))]);
        let role = id("role");
        put(&database, "role", role, &[("name", text("test")), ("businessunitid", to("businessunit", root))]);
        pair(&database, "systemuserroles", [("systemuserid", eva), ("roleid", role)]);
        let server = Server::with(Service::new(database, profile), Options::default());
        let (admin, eva) = (server.sign_in("admin").await, server.sign_in("eva").await);
        let mut world = World { admin, eva, role, rows: BTreeMap::new() };
        for (set, _, name) in TABLES {
            for whose in WHOSE {
                let owner = match whose {
                    Whose::Own => format!("systemusers({eva})", eva = id("eva")),
                    Whose::Team => format!("teams({})", id("team")),
                    Whose::Colleague => format!("systemusers({})", id("colleague")),
                    Whose::Below => format!("systemusers({})", id("below")),
                    Whose::Elsewhere => format!("systemusers({})", id("elsewhere")),
                };
                let body = json!({name: format!("{whose:?}"), "ownerid@odata.bind": owner});
                let row = world.admin.create(set, &body.to_string()).await;
                world.rows.insert((set, whose), row);
            }
        }
        world
    }

    fn database(&self) -> &Database {
        self.admin.database()
    }

    /// Sets the levels of Eva's role on a table.
    fn grant(&self, table: &str, levels: &[(&str, i64)]) {
        let mut values = vec![("roleid", to("role", self.role)), ("objecttypecode", text(table))];
        values.extend(levels.iter().map(|(verb, level)| (*verb, Value::Int(*level))));
        put(self.database(), "roleprivilege", id(&format!("privilege/{table}")), &values);
    }

    fn grant_all(&self, table: &str, read: i64, others: i64) {
        let levels = ["createlevel", "writelevel", "deletelevel", "assignlevel"].map(|verb| (verb, others));
        self.grant(table, &[&levels[..], &[("readlevel", read)]].concat());
    }
}

/// What a write would be answered: it is sent in a change set that fails behind it, so that nothing
/// changes. 400 is the answer of that failure: the write itself went through.
async fn attempt(server: &Server, method: &str, url: &str, body: &str) -> u16 {
    let part = |id: u32, method: &str, url: &str, body: &str| {
        format!(
            "--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\n\
             {method} /api/data/v9.2/{url} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"
        )
    };
    let failing = part(2, "POST", "accounts", "{\"nothing\":1}");
    let body = format!(
        "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{}{failing}--c--\r\n--b--\r\n",
        part(1, method, url, body)
    );
    let answer =
        server.send("POST", "$batch", &[("Content-Type", "multipart/mixed; boundary=b")], &body).await;
    answer.status
}

fn names(rows: &[Json], column: &str) -> BTreeSet<String> {
    rows.iter().map(|row| row[column].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn every_level_of_every_verb_reaches_what_the_model_says() {
    let world = World::new(Profile::Open).await;
    let colleague = format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id("colleague"));
    for (set, table, name) in TABLES {
        for (read, others) in LEVELS.into_iter().flat_map(|read| LEVELS.map(|others| (read, others))) {
            world.grant_all(table, read, others);
            let seen: BTreeSet<String> =
                WHOSE.iter().filter(|w| reaches(read, **w)).map(|w| format!("{w:?}")).collect();
            let case = format!("{set} read {read} others {others}");
            if others == 0 || read == others {
                check_reads(&world, (set, name), &seen, &case).await;
            }
            for whose in WHOSE {
                let url = format!("{set}({})", world.rows[&(set, whose)]);
                let expected = match (reaches(read, whose), reaches(others, whose)) {
                    (false, _) => 404,
                    (true, false) => 403,
                    (true, true) => 400,
                };
                for (method, url, body) in [
                    ("PATCH", url.clone(), format!(r#"{{"{name}":"x"}}"#)),
                    ("PATCH", url.clone(), colleague.clone()),
                    ("PUT", format!("{url}/{name}"), r#"{"value":"x"}"#.to_owned()),
                    ("DELETE", url.clone(), String::new()),
                ] {
                    let answer = attempt(&world.eva, method, &url, &body).await;
                    assert_eq!(answer, expected, "{case}: {method} {whose:?} {body}");
                }
            }
            for (owner, whose) in
                [("eva", Whose::Own), ("colleague", Whose::Colleague), ("elsewhere", Whose::Elsewhere)]
            {
                // Owners are seen by whoever may read users.
                world.grant("systemuser", &[("readlevel", 8)]);
                let body = format!(r#"{{"{name}":"x","ownerid@odata.bind":"systemusers({})"}}"#, id(owner));
                let expected = if reaches(others, whose) { 400 } else { 403 };
                assert_eq!(
                    attempt(&world.eva, "POST", set, &body).await,
                    expected,
                    "{case}: create for {owner}"
                );
            }
        }
    }
}

/// Every way to read rows gives the same ones.
async fn check_reads(world: &World, (set, name): (&'static str, &str), seen: &BTreeSet<String>, case: &str) {
    let eva = &world.eva;
    let list = eva.get(&format!("{set}?$select={name}")).await;
    let counted = eva.get(&format!("{set}/$count")).await;
    let track = [("Prefer", "odata.track-changes")];
    let feed = eva.send("GET", &format!("{set}?$select={name}"), &track, "").await;
    for answer in [&list, &counted, &feed] {
        assert_eq!(answer.status, if seen.is_empty() { 403 } else { 200 }, "{case}: {}", answer.body);
    }
    if !seen.is_empty() {
        assert_eq!(names(&list.rows(), name), *seen, "{case}");
        assert_eq!(names(&feed.rows(), name), *seen, "{case}");
        assert_eq!(counted.body, seen.len().to_string(), "{case}");
        let filtered = eva.list(&format!("{set}?$select={name}&$filter={name} ne 'x'&$count=true")).await;
        assert_eq!(names(&filtered.rows(), name), *seen, "{case}");
        assert_eq!(filtered.json()["@odata.count"], seen.len(), "{case}");
    }
    for whose in WHOSE {
        let expected = if seen.contains(&format!("{whose:?}")) { 200 } else { 404 };
        let url = format!("{set}({})", world.rows[&(set, whose)]);
        assert_eq!(eva.get(&url).await.status, expected, "{case} {whose:?}");
        assert_eq!(eva.get(&format!("{url}/{name}")).await.status, expected, "{case} {whose:?}");
    }
}

#[tokio::test]
async fn a_hidden_row_and_none_at_all_are_answered_alike() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 2, 2);
    world.grant_all("contact", 8, 8);
    let hidden = &world.rows[&("accounts", Whose::Elsewhere)];
    let contact = &world.rows[&("contacts", Whose::Own)];
    let nothing = "00000000-0000-4000-8000-000000000009";
    let ask = |id: String| {
        let (eva, contact) = (world.eva.clone(), contact.clone());
        async move {
            let bind = format!(r#"{{"parentcustomerid_account@odata.bind":"accounts({id})"}}"#);
            let reference = format!(r#"{{"@odata.id":"accounts({id})"}}"#);
            let mut answers = Vec::new();
            for (method, url, headers, body) in [
                ("GET", format!("accounts({id})"), vec![], String::new()),
                ("GET", format!("accounts({id})/name"), vec![], String::new()),
                ("GET", format!("accounts({id})"), vec![("If-None-Match", "W/\"1\"")], String::new()),
                ("PATCH", format!("accounts({id})"), vec![("If-Match", "*")], r#"{"name":"x"}"#.to_owned()),
                (
                    "PATCH",
                    format!("accounts({id})"),
                    vec![("If-Match", "W/\"1\"")],
                    r#"{"name":"x"}"#.to_owned(),
                ),
                ("PUT", format!("accounts({id})/name"), vec![], r#"{"value":"x"}"#.to_owned()),
                ("DELETE", format!("accounts({id})/name"), vec![], String::new()),
                ("DELETE", format!("accounts({id})"), vec![], String::new()),
                ("DELETE", format!("accounts({id})"), vec![("If-Match", "W/\"1\"")], String::new()),
                ("PATCH", format!("contacts({contact})"), vec![], bind.clone()),
                ("POST", "contacts".to_owned(), vec![], bind),
                ("PUT", format!("contacts({contact})/parentcustomerid_account/$ref"), vec![], reference),
                ("GET", format!("accounts?$filter=accountid eq {id}"), vec![], String::new()),
                ("GET", format!("accounts/$count?$filter=accountid eq {id}"), vec![], String::new()),
            ] {
                let Answer { status, body, .. } = eva.send(method, &url, &headers, &body).await;
                answers.push((method, status, body.replace(&id, "ID")));
            }
            answers
        }
    };
    assert_eq!(ask(hidden.clone()).await, ask(nothing.to_owned()).await);
}

type Rows = BTreeMap<String, Json>;

/// A client that follows the feed of accounts.
struct Follower {
    server: Server,
    select: &'static str,
    filter: &'static str,
    link: String,
    rows: Rows,
}

fn keyed(rows: Vec<Json>) -> Rows {
    let strip = |mut row: Json| {
        let id = row["accountid"].as_str().unwrap_or_default().to_owned();
        row.as_object_mut().map(|row| row.remove("@odata.context"));
        (id, row)
    };
    rows.into_iter().map(strip).collect()
}

impl Follower {
    async fn new(server: &Server, select: &'static str, filter: &'static str) -> Follower {
        let url = format!("accounts?$select={select}{filter}");
        let prefer = [("Prefer", "odata.track-changes,odata.maxpagesize=2")];
        let (rows, link) = server.drain(&url, &prefer).await;
        let link = link.expect("a delta link");
        Follower { server: server.clone(), select, filter, link, rows: keyed(rows) }
    }

    async fn full(&self) -> Rows {
        let answer = self.server.get(&format!("accounts?$select={}{}", self.select, self.filter)).await;
        match answer.status {
            403 => Rows::new(),
            _ => keyed(answer.rows()),
        }
    }

    /// Follows the next delta: it must be the difference, and nothing else when `exact`.
    async fn follow(&mut self, case: &str) {
        let prefer = [("Prefer", "odata.maxpagesize=2")];
        let counted = self.link.replace("accounts?", "accounts/$count?");
        let counted = counted.replace(&format!("$select={}&", self.select), "");
        let counted = self.server.get(&counted).await.body;
        let (items, link) = self.server.drain(&self.link, &prefer).await;
        // Counted are rows as a whole, of which this follower may not read the column that is masked.
        if self.select != "name" {
            assert_eq!(counted, items.len().to_string(), "{case}: $count");
        }
        let (before, after) = (self.rows.clone(), self.full().await);
        let (mut told, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for item in items {
            match item["reason"].as_str() {
                Some(_) => {
                    let id = item["id"].as_str().unwrap().to_owned();
                    assert!(gone.insert(id.clone()), "{case}: told twice");
                    self.rows.remove(&id);
                }
                None => {
                    let (id, row) = keyed(vec![item]).pop_first().unwrap();
                    assert!(told.insert(id.clone()), "{case}: told twice");
                    self.rows.insert(id, row);
                }
            }
        }
        assert_eq!(self.rows, after, "{case}: the rows after the delta");
        let lost: BTreeSet<String> = before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
        assert_eq!(gone, lost, "{case}: what is gone");
        let came: BTreeSet<String> =
            after.iter().filter(|(id, row)| before.get(*id) != Some(row)).map(|(id, _)| id.clone()).collect();
        assert_eq!(told, came, "{case}: what came");
        self.link = link.expect("a delta link");
    }
}

#[tokio::test]
async fn the_next_delta_is_the_difference_when_roles_teams_units_and_owners_change() {
    let world = World::new(Profile::Open).await;
    let database = world.database();
    world.grant_all("account", 8, 0);
    let mut follower = Follower::new(&world.eva, "name,_ownerid_value", "").await;
    assert_eq!(follower.rows.len(), 5);
    for level in [2, 8, 1, 4, 0, 0, 2, 0, 8, 4, 2, 1, 2, 4, 8, 8] {
        world.grant_all("account", level, 0);
        follower.follow(&format!("level {level}")).await;
    }
    world.grant_all("account", 2, 0);
    follower.follow("back to the unit").await;
    // Owners.
    let colleagues = format!("accounts({})", world.rows[&("accounts", Whose::Colleague)]);
    for owner in ["elsewhere", "eva", "below", "colleague"] {
        let body = format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id(owner));
        assert_eq!(world.admin.send("PATCH", &colleagues, &[], &body).await.status, 204);
        follower.follow(&format!("owner {owner}")).await;
    }
    // An owner and a level at once; away and back between two deltas.
    let give = |owner: &str| format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id(owner));
    world.admin.send("PATCH", &colleagues, &[], &give("elsewhere")).await;
    world.grant_all("account", 1, 0);
    follower.follow("owner and level").await;
    world.admin.send("PATCH", &colleagues, &[], &give("eva")).await;
    world.admin.send("PATCH", &colleagues, &[], &give("below")).await;
    world.grant_all("account", 4, 0);
    follower.follow("owner away and back, level up").await;
    world.admin.send("PATCH", &colleagues, &[], &give("colleague")).await;
    // The team is left and joined again, the role taken and given.
    world.grant_all("account", 1, 0);
    follower.follow("own rows").await;
    let member = [("systemuserid", id("eva")), ("teamid", id("team"))];
    let membership = pair(database, "teammembership", member);
    drop_row(database, "teammembership", membership);
    follower.follow("team left").await;
    pair(database, "teammembership", member);
    follower.follow("team joined").await;
    let held = [("systemuserid", id("eva")), ("roleid", world.role)];
    let holding = pair(database, "systemuserroles", held);
    drop_row(database, "systemuserroles", holding);
    follower.follow("role removed").await;
    let through = pair(database, "teamroles", [("teamid", id("team")), ("roleid", world.role)]);
    follower.follow("role by the team").await;
    world.grant_all("account", 2, 0);
    follower.follow("the team's unit").await;
    drop_row(database, "teamroles", through);
    pair(database, "systemuserroles", held);
    follower.follow("the user's unit").await;
    // The user moves to another unit; the unit moves in the tree.
    put(database, "systemuser", id("eva"), &[("businessunitid", to("businessunit", id("bergen")))]);
    follower.follow("user moved").await;
    world.grant_all("account", 4, 0);
    put(database, "systemuser", id("eva"), &[("businessunitid", to("businessunit", id("oslo")))]);
    follower.follow("user moved back, deeper").await;
    let above = |unit: &str| [("parentbusinessunitid", to("businessunit", id(unit)))];
    put(database, "businessunit", id("east"), &above("bergen"));
    follower.follow("unit moved").await;
    put(database, "businessunit", id("east"), &above("oslo"));
    follower.follow("unit moved back").await;
    // An administrator sees everything; rows are made, changed and deleted besides.
    put(database, "role", world.role, &[("roletemplateid", Value::Guid(ADMINISTRATOR_TEMPLATE))]);
    follower.follow("administrator").await;
    put(database, "role", world.role, &[("roletemplateid", Value::Null)]);
    let made =
        world.admin.create("accounts", &format!(r#"{{"name":"new",{}"#, &give("colleague")[1..])).await;
    let doomed = format!("accounts({})", world.rows[&("accounts", Whose::Below)]);
    assert_eq!(world.admin.send("DELETE", &doomed, &[], "").await.status, 204);
    follower.follow("no administrator, one row more and one less").await;
    let url = format!("accounts({made})");
    assert_eq!(world.admin.send("DELETE", &url, &[], "").await.status, 204);
    follower.follow("deleted").await;
}

#[tokio::test]
async fn the_next_delta_is_the_difference_when_columns_are_masked() {
    let world = World::new(Profile::Open).await;
    let database = world.database();
    world.grant_all("account", 8, 8);
    for (at, whose) in WHOSE.into_iter().enumerate() {
        let url = format!("accounts({})", world.rows[&("accounts", whose)]);
        let body = format!(r#"{{"telephone1":"{at}"}}"#);
        assert_eq!(world.admin.send("PATCH", &url, &[], &body).await.status, 204);
    }
    let secure = |secured: bool| {
        let change = database.write(|writer| {
            let mut schema = writer.schema.clone();
            let table = schema.tables.iter_mut().find(|table| table.logical_name == "account");
            let column = table.and_then(|t| t.columns.iter_mut().find(|c| c.logical_name == "telephone1"));
            column.expect("a column").secured = secured;
            writer.save_schema(&schema)
        });
        change.unwrap();
    };
    let mut follower = Follower::new(&world.eva, "telephone1", "").await;
    let mut filtered = Follower::new(&world.eva, "name,telephone1", "&$filter=telephone1 gt '2'").await;
    let mut careless = Follower::new(&world.eva, "name", "").await;
    assert_eq!((follower.rows.len(), filtered.rows.len()), (5, 2));
    secure(true);
    for follower in [&mut follower, &mut filtered, &mut careless] {
        follower.follow("masked").await;
    }
    assert!(follower.rows.values().all(|row| row["telephone1"].is_null()));
    assert!(filtered.rows.is_empty(), "a filter does not tell what is hidden");
    check_masked(&world).await;
    // A profile lets Eva read.
    put(database, "fieldsecurityprofile", id("profile"), &[("name", text("profile"))]);
    let permit = |read: i64, write: i64| {
        let values = [
            ("fieldsecurityprofileid", to("fieldsecurityprofile", id("profile"))),
            ("entityname", text("account")),
            ("attributelogicalname", text("telephone1")),
            ("canread", Value::Int(read)),
            ("cancreate", Value::Int(write)),
            ("canupdate", Value::Int(write)),
        ];
        put(database, "fieldpermission", id("permission"), &values);
    };
    permit(4, 0);
    pair(database, "teamprofiles", [("teamid", id("team")), ("fieldsecurityprofileid", id("profile"))]);
    for follower in [&mut follower, &mut filtered, &mut careless] {
        follower.follow("unmasked by a profile").await;
    }
    assert_eq!(filtered.rows.len(), 2);
    let own = format!("accounts({})", world.rows[&("accounts", Whose::Own)]);
    let answer = world.eva.send("PATCH", &own, &[], r#"{"telephone1":"9"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x8004f507"));
    let answer = world.eva.send("POST", "accounts", &[], r#"{"name":"x","telephone1":"9"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x8004f502"));
    permit(0, 4);
    for follower in [&mut follower, &mut filtered] {
        follower.follow("masked, but writable").await;
    }
    let prefer = [("Prefer", "return=representation")];
    let answer = world.eva.send("PATCH", &own, &prefer, r#"{"telephone1":"9"}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.json()["telephone1"].is_null(), "its writer does not see it either");
    follower.follow("changed behind the mask").await;
    secure(false);
    for follower in [&mut follower, &mut filtered, &mut careless] {
        follower.follow("open again").await;
    }
}

async fn check_masked(world: &World) {
    let own = format!("accounts({})", world.rows[&("accounts", Whose::Own)]);
    assert!(world.eva.get(&own).await.json()["telephone1"].is_null());
    assert_eq!(world.eva.get(&format!("{own}/telephone1")).await.status, 204);
    let all = world.eva.list("accounts?$filter=telephone1 eq null").await.rows().len();
    assert_eq!(all, 5);
    for filter in
        ["telephone1 eq '0'", "startswith(telephone1,'0')", "telephone1 ne null", "telephone1 lt '9'"]
    {
        assert_eq!(world.eva.list(&format!("accounts?$filter={filter}")).await.rows().len(), 0, "{filter}");
        let counted = world.eva.get(&format!("accounts/$count?$filter={filter}")).await;
        assert_eq!(counted.body, "0", "{filter}");
    }
    let up = world.eva.list("accounts?$select=name&$orderby=telephone1").await.column("accountid");
    let down = world.eva.list("accounts?$select=name&$orderby=telephone1 desc").await.column("accountid");
    assert_eq!(up, down, "an order does not tell what is hidden");
    let body = format!(r#"{{"parentcustomerid_account@odata.bind":"{own}"}}"#);
    let contact = format!("contacts({})", world.rows[&("contacts", Whose::Own)]);
    assert_eq!(world.admin.send("PATCH", &contact, &[], &body).await.status, 204);
    world.grant_all("contact", 8, 0);
    let url = format!("{contact}?$select=lastname&$expand=parentcustomerid_account($select=telephone1)");
    let row = world.eva.get(&url).await.json();
    assert!(row["parentcustomerid_account"]["accountid"].is_string(), "{row}");
    assert!(row["parentcustomerid_account"]["telephone1"].is_null());
}

#[tokio::test]
async fn a_filtered_feed_tells_what_enters_and_what_leaves() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 2, 2);
    let filter = "&$filter=numberofemployees gt 10";
    let mut follower = Follower::new(&world.eva, "name,numberofemployees", filter).await;
    let url = |whose| format!("accounts({})", world.rows[&("accounts", whose)]);
    let set = |whose, number: i64| {
        let (admin, url) = (world.admin.clone(), url(whose));
        async move {
            let body = format!(r#"{{"numberofemployees":{number}}}"#);
            assert_eq!(admin.send("PATCH", &url, &[], &body).await.status, 204);
        }
    };
    set(Whose::Own, 11).await;
    set(Whose::Elsewhere, 11).await;
    follower.follow("entered").await;
    assert_eq!(follower.rows.len(), 1);
    set(Whose::Own, 12).await;
    follower.follow("changed within").await;
    set(Whose::Own, 10).await;
    follower.follow("left").await;
    set(Whose::Own, 11).await;
    set(Whose::Colleague, 11).await;
    world.grant_all("account", 8, 0);
    follower.follow("entered, and more in sight").await;
    assert_eq!(follower.rows.len(), 3);
    set(Whose::Elsewhere, 5).await;
    world.grant_all("account", 1, 0);
    follower.follow("left, and less in sight").await;
    // The token holds for its own filter, table and user.
    let other = follower.link.replace("gt%2010", "gt%2011");
    assert_ne!(other, follower.link);
    assert_eq!(world.eva.get(&other).await.status, 400);
    let other = follower.link.replace("/accounts?", "/contacts?");
    assert_eq!(world.eva.get(&other).await.status, 400);
    assert_eq!(world.admin.get(&follower.link).await.status, 410);
    // What a row alone cannot tell is refused.
    let track = [("Prefer", "odata.track-changes")];
    for filter in
        ["primarycontactid/fullname eq 'x'", "Microsoft.Dynamics.CRM.Today(PropertyName='createdon')"]
    {
        let answer = world.eva.send("GET", &format!("accounts?$filter={filter}"), &track, "").await;
        assert!([400, 501].contains(&answer.status), "{filter}: {}", answer.body);
    }
    let strict = World::new(Profile::Dataverse).await;
    strict.grant_all("account", 8, 0);
    let url = "accounts?$select=name&$filter=name eq 'x'";
    assert_eq!(strict.eva.send("GET", url, &track, "").await.status, 400);
    assert_eq!(strict.eva.send("GET", "accounts?$select=name", &track, "").await.status, 200);
    strict.grant_all("account", 4, 0);
    let answer = strict.eva.send("GET", "accounts?$select=name", &track, "").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "0x80040220"));
}

#[tokio::test]
async fn a_token_cannot_be_bent() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 2, 0);
    let follower = Follower::new(&world.eva, "name", "").await;
    let (start, token) = follower.link.split_once("$deltatoken=").unwrap();
    for at in 0..token.len() {
        let mut bent = token.as_bytes().to_vec();
        bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bent).unwrap();
        let answer = world.eva.get(&format!("{start}$deltatoken={bent}")).await;
        // A bent lineage is that of another database.
        assert!([400, 410].contains(&answer.status), "{at}: {}", answer.body);
    }
}

#[tokio::test]
async fn rights_that_change_between_two_pages_show_nothing_and_lose_nothing() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 8, 0);
    let prefer = [("Prefer", "odata.track-changes,odata.maxpagesize=1")];
    let first = world.eva.send("GET", "accounts?$select=name,_ownerid_value", &prefer, "").await;
    let mut rows = keyed(first.rows());
    let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    world.grant_all("account", 2, 0);
    let (rest, link) = world.eva.drain(&next, &prefer).await;
    let seen: BTreeSet<String> =
        [Whose::Own, Whose::Team, Whose::Colleague].map(|w| world.rows[&("accounts", w)].clone()).into();
    let rest = keyed(rest);
    assert!(rest.keys().all(|id| seen.contains(id)), "what may no longer be seen is not shown");
    rows.extend(rest);
    // A delta that takes rows away, while those rows move and go.
    let (items, link) = world.eva.drain(&link.unwrap(), &prefer).await;
    for item in items {
        rows.remove(item["id"].as_str().unwrap_or_default());
    }
    let full = keyed(world.eva.list("accounts?$select=name,_ownerid_value").await.rows());
    assert_eq!(rows, full);
    world.grant_all("account", 8, 0);
    let (items, link) = world.eva.drain(&link.unwrap(), &prefer).await;
    rows.extend(keyed(items));
    assert_eq!(rows.len(), 5);
    world.grant_all("account", 1, 0);
    let page = world.eva.send("GET", &link.unwrap(), &prefer, "").await;
    let gone = |rows: &[Json], known: &mut Rows| {
        for row in rows {
            known.remove(row["id"].as_str().unwrap_or_default());
        }
    };
    gone(&page.rows(), &mut rows);
    for (whose, change) in [(Whose::Below, "move"), (Whose::Elsewhere, "delete"), (Whose::Colleague, "touch")]
    {
        let url = format!("accounts({})", world.rows[&("accounts", whose)]);
        let status = match change {
            "move" => {
                let body = format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id("elsewhere"));
                world.admin.send("PATCH", &url, &[], &body).await.status
            }
            "delete" => world.admin.send("DELETE", &url, &[], "").await.status,
            _ => world.admin.send("PATCH", &url, &[], r#"{"name":"touched"}"#).await.status,
        };
        assert_eq!(status, 204);
    }
    let next = page.json()["@odata.nextLink"].as_str().unwrap().to_owned();
    let (items, _) = world.eva.drain(&next, &prefer).await;
    gone(&items, &mut rows);
    let full = keyed(world.eva.list("accounts?$select=name,_ownerid_value").await.rows());
    assert_eq!(rows, full, "what left sight between the pages is told");
}

/// What a page left out since rights were less for a while is in no page of that read, and its token stands for the rights that the
/// read began with.
#[tokio::test]
async fn rights_that_are_less_for_one_page_lose_nothing_either() {
    let world = World::new(Profile::Open).await;
    let prefer = [("Prefer", "odata.track-changes,odata.maxpagesize=2")];
    for filter in ["", "&$filter=name ne 'Elsewhere'"] {
        world.grant_all("account", 8, 0);
        let url = format!("accounts?$select=name,_ownerid_value{filter}");
        let first = world.eva.send("GET", &url, &prefer, "").await;
        let mut rows = keyed(first.rows());
        let next = first.json()["@odata.nextLink"].as_str().unwrap().to_owned();
        world.grant_all("account", 0, 0);
        let page = world.eva.send("GET", &next, &prefer, "").await;
        assert_eq!(page.rows(), Vec::<Json>::new());
        let link = page.json()["@odata.deltaLink"].as_str().unwrap().to_owned();
        world.grant_all("account", 8, 0);
        let second = world.eva.send("GET", &link, &prefer, "").await;
        let next = second.json()["@odata.nextLink"].as_str().unwrap().to_owned();
        let (items, link) = world.eva.drain(&next, &prefer).await;
        let told = [second.rows(), items].concat();
        let (gone, told): (Vec<Json>, Vec<Json>) =
            told.into_iter().partition(|item| item["reason"].is_string());
        rows.extend(keyed(told));
        rows.retain(|id, _| gone.iter().all(|item| item["id"] != **id));
        let full = keyed(world.eva.list(&url).await.rows());
        assert_eq!(rows, full, "what the page left out is told by the next delta");
        // And the token after that stands for what it says.
        let (items, _) = world.eva.drain(&link.unwrap(), &prefer).await;
        assert_eq!(items, Vec::<Json>::new());
    }
}

/// Who had no rights when he read last, and makes a row when he has some, knows it though no feed told him of it.
#[tokio::test]
async fn a_row_that_was_made_with_new_rights_and_is_gone_is_told() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 2, 2);
    let prefer = [("Prefer", "odata.track-changes")];
    let (_, link) = world.eva.drain("accounts?$select=name", &prefer).await;
    world.grant_all("account", 0, 0);
    let (_, link) = world.eva.drain(&link.unwrap(), &[]).await;
    for read in [2, 8] {
        world.grant_all("account", read, 2);
        let made = world.eva.create("accounts", r#"{"name":"Mine"}"#).await;
        assert_eq!(world.admin.send("DELETE", &format!("accounts({made})"), &[], "").await.status, 204);
        let (items, _) = world.eva.drain(link.as_ref().unwrap(), &[]).await;
        let gone = items.iter().filter(|item| item["id"] == *made && item["reason"] == "deleted");
        assert_eq!(gone.count(), 1, "{read}");
    }
}

/// The same of who had rights only in between, and of a row that he gave away.
#[tokio::test]
async fn a_row_that_was_made_with_rights_of_a_moment_and_left_is_told() {
    let world = World::new(Profile::Open).await;
    let prefer = [("Prefer", "odata.track-changes")];
    world.grant_all("account", 2, 2);
    let (_, link) = world.eva.drain("accounts?$select=name", &prefer).await;
    world.grant_all("account", 0, 0);
    let (_, link) = world.eva.drain(&link.unwrap(), &[]).await;
    world.grant_all("account", 2, 2);
    let deleted = world.eva.create("accounts", r#"{"name":"Deleted"}"#).await;
    let given = world.eva.create("accounts", r#"{"name":"Given"}"#).await;
    assert_eq!(world.admin.send("DELETE", &format!("accounts({deleted})"), &[], "").await.status, 204);
    let to = format!(r#"{{"ownerid@odata.bind":"systemusers({})"}}"#, id("colleague"));
    assert_eq!(world.admin.send("PATCH", &format!("accounts({given})"), &[], &to).await.status, 204);
    world.grant_all("account", 0, 0);
    let (items, _) = world.eva.drain(link.as_ref().unwrap(), &[]).await;
    for row in [deleted, given] {
        assert_eq!(items.iter().filter(|item| item["id"] == *row).count(), 1, "{items:?}");
    }
}

#[tokio::test]
async fn rights_are_asked_for_when_the_write_is_done() {
    let world = World::new(Profile::Open).await;
    world.grant_all("account", 8, 8);
    let own = format!("accounts({})", world.rows[&("accounts", Whose::Own)]);
    assert_eq!(world.eva.send("PATCH", &own, &[], r#"{"name":"a"}"#).await.status, 204);
    // The very next request of the same session is judged by the new rights.
    world.grant_all("account", 8, 0);
    assert_eq!(world.eva.send("PATCH", &own, &[], r#"{"name":"b"}"#).await.status, 403);
    world.grant_all("account", 0, 8);
    assert_eq!(world.eva.send("PATCH", &own, &[], r#"{"name":"b"}"#).await.status, 404);
    put(world.database(), "systemuser", id("eva"), &[("isdisabled", Value::Bool(true))]);
    assert_eq!(world.eva.get("WhoAmI").await.status, 401);
    let form = "grant_type=password&username=eva&password=flette";
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(world.eva.bare("POST", "/oauth2/v2.0/token", &headers, form).await.status, 400);
}

#[tokio::test]
async fn only_administrators_change_who_may_do_what() {
    let world = World::new(Profile::Open).await;
    world.grant_all("*", 8, 8);
    for table in ["role", "roleprivilege", "fieldsecurityprofile", "fieldpermission"] {
        world.grant_all(table, 8, 8);
    }
    let role = format!("roles({})", world.role);
    let privilege = format!("roleprivileges({})", id("privilege/*"));
    for (method, url, body) in [
        ("PATCH", role.as_str(), r#"{"name":"x"}"#),
        ("PATCH", privilege.as_str(), r#"{"readlevel":8}"#),
        ("DELETE", privilege.as_str(), ""),
        ("POST", "fieldsecurityprofiles", r#"{"name":"x"}"#),
    ] {
        assert_eq!(attempt(&world.eva, method, url, body).await, 403, "{method} {url}");
        assert_eq!(attempt(&world.admin, method, url, body).await, 400, "{method} {url}");
    }
    let user = format!("systemusers({})", id("eva"));
    let body = format!(r#"{{"businessunitid@odata.bind":"businessunits({})"}}"#, id("bergen"));
    assert_eq!(attempt(&world.eva, "PATCH", &user, &body).await, 404, "users are no business of every table");
    assert_eq!(world.admin.send("PATCH", &user, &[], &body).await.status, 204);
    let who = world.eva.get("WhoAmI").await.json();
    assert_eq!(who["BusinessUnitId"], id("bergen").to_string());
}
