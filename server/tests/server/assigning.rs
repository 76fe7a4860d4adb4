//! Columns that only the service writes, against everybody and every way to write: refused, and never written.

use super::support::Server;
use flette_odata::edm::Required;
use flette_odata::{Column, ColumnKind, Table};
use flette_server::schema::schema;
use serde_json::{json, Value as Json};
use std::collections::BTreeMap;

/// A row of each table that can be written, made by an administrator.
struct World {
    admin: Server,
    ids: BTreeMap<String, String>,
    sets: BTreeMap<String, String>,
}

impl World {
    async fn new() -> World {
        let admin = Server::empty().await.sign_in("admin").await;
        let tables = schema().tables;
        let sets = tables.iter().map(|table| (table.logical_name.clone(), table.set_name.clone()));
        let mut world = World { admin, ids: BTreeMap::new(), sets: sets.collect() };
        for (table, set, key) in [
            ("businessunit", "businessunits", "businessunitid"),
            ("systemuser", "systemusers", "systemuserid"),
        ] {
            let id = world.admin.list(&format!("{set}?$select={key}&$top=1")).await.column(key).remove(0);
            world.ids.insert(table.to_owned(), id);
        }
        for table in tables.iter().filter(|table| table.writable) {
            let body = world.body(table).to_string();
            let answer = world.admin.send("POST", &table.set_name, &[], &body).await;
            assert_eq!(answer.status, 204, "{}: {body}: {}", table.logical_name, answer.body);
            world.ids.insert(table.logical_name.clone(), answer.id());
        }
        world
    }

    /// What a new row of a table needs.
    fn body(&self, table: &Table) -> Json {
        let mut body = json!({});
        let is_needed = |column: &&Column| {
            column.required == Required::System
                && column.valid_for_create
                && column.logical_name != table.primary_id
                && column.logical_name != "ownerid"
                && !matches!(column.kind, ColumnKind::State { .. } | ColumnKind::Status { .. })
        };
        for column in table.columns.iter().filter(is_needed) {
            let (name, value) = self.member(column).unwrap_or_else(|| panic!("{}", column.logical_name));
            body[name] = value;
        }
        // Keys may occur once.
        for column in table.keys.iter().flat_map(|key| &key.columns) {
            if table.column(column).is_some_and(|c| matches!(c.kind, ColumnKind::Text { .. })) {
                body[column] = json!(flette_odata::Uuid::new_v4().simple().to_string()[..12].to_owned());
            }
        }
        body
    }

    /// A member of a body that gives a column a value of its type.
    fn member(&self, column: &Column) -> Option<(String, Json)> {
        let value = match &column.kind {
            ColumnKind::Text { .. } | ColumnKind::Memo { .. } => json!("x"),
            ColumnKind::MultiPicklist { .. } => json!("1"),
            ColumnKind::Integer { min, .. } => json!(min.max(&0)),
            ColumnKind::BigInt => json!(5),
            ColumnKind::Decimal { .. } | ColumnKind::Money { .. } => json!(1),
            ColumnKind::Double { .. } => json!(1.5),
            ColumnKind::Boolean { .. } => json!(true),
            ColumnKind::DateTime => json!("2001-02-03T04:05:06Z"),
            ColumnKind::Date => json!("2001-02-03"),
            ColumnKind::Picklist { options, .. } => json!(options.first()?.value),
            ColumnKind::State { options } => json!(options.first()?.value),
            ColumnKind::Status { options } => json!(options.first()?.value),
            ColumnKind::Id | ColumnKind::Guid => json!("0d000000-0000-4000-8000-000000000001"),
            ColumnKind::Lookup { targets } => {
                let known = targets.iter().find(|target| self.ids.contains_key(&target.table))?;
                let url = format!("{}({})", self.sets[&known.table], self.ids[&known.table]);
                return Some((format!("{}@odata.bind", known.navigation), json!(url)));
            }
        };
        Some((column.logical_name.clone(), value))
    }
}

#[tokio::test]
async fn columns_of_the_service_are_written_by_nobody_in_no_way() {
    let world = World::new().await;
    let schema = schema();
    let mut tried = 0;
    for table in schema.tables.iter().filter(|table| table.writable) {
        let (set, id) = (&table.set_name, &world.ids[&table.logical_name]);
        let url = format!("{set}({id})");
        let before = world.admin.get(&url).await.json();
        let count = world.admin.get(&format!("{set}/$count")).await.body;
        for user in ["admin", "demo", "anna"] {
            let server = world.admin.sign_in(user).await;
            for column in table.columns.iter().filter(|column| column.logical_name != table.primary_id) {
                let Some((name, value)) = world.member(column) else { continue };
                let mut attempts = Vec::new();
                if !column.valid_for_create {
                    let mut whole = world.body(table);
                    whole[&name] = value.clone();
                    attempts.push(("POST", set.clone(), whole.to_string()));
                }
                if !column.valid_for_update {
                    attempts.push(("PATCH", url.clone(), json!({ &name: value }).to_string()));
                    match name.strip_suffix("@odata.bind") {
                        Some(navigation) => {
                            let body = json!({ "@odata.id": value }).to_string();
                            attempts.push(("PUT", format!("{url}/{navigation}/$ref"), body));
                            attempts.push(("DELETE", format!("{url}/{navigation}/$ref"), String::new()));
                        }
                        None => {
                            let body = json!({ "value": value }).to_string();
                            attempts.push(("PUT", format!("{url}/{name}"), body));
                            attempts.push(("DELETE", format!("{url}/{name}"), String::new()));
                        }
                    }
                }
                if user != "admin" {
                    // The other verbs say the same for everybody.
                    attempts.retain(|(method, ..)| ["POST", "PATCH"].contains(method));
                }
                for (method, url, body) in attempts {
                    let answer = server.send(method, &url, &[], &body).await;
                    // Out of sight or reach for some; the definition says no to everybody.
                    let refused = match user {
                        "admin" => [400, 405].contains(&answer.status),
                        _ => [400, 403, 404, 405].contains(&answer.status),
                    };
                    assert!(refused, "{user}: {method} {url} {body}: {} {}", answer.status, answer.body);
                    tried += 1;
                }
            }
        }
        assert_eq!(world.admin.get(&url).await.json(), before, "{}", table.logical_name);
        assert_eq!(world.admin.get(&format!("{set}/$count")).await.body, count, "{}", table.logical_name);
    }
    assert!(tried > 1000, "{tried}");
}

#[tokio::test]
async fn a_row_keeps_its_key_and_lookups_are_not_written_by_their_values() {
    let world = World::new().await;
    let schema = schema();
    for name in ["account", "contact", "task", "annotation", "role", "systemuser"] {
        let table = schema.table(name).unwrap();
        let (set, id) = (&table.set_name, &world.ids[name]);
        let url = format!("{set}({id})");
        let other = "0d000000-0000-4000-8000-000000000009";
        let answer =
            world.admin.send("PATCH", &url, &[], &json!({ &table.primary_id: other }).to_string()).await;
        assert!([204, 400].contains(&answer.status), "{name}: {}", answer.body);
        assert_eq!(world.admin.get(&format!("{set}({other})")).await.status, 404, "{name}");
        assert_eq!(world.admin.get(&url).await.json()[&table.primary_id], json!(id), "{name}");
        for column in table.columns.iter().filter(|column| column.is_lookup()) {
            let body = json!({ column.property(): world.ids["systemuser"] }).to_string();
            for (method, url) in [("PATCH", &url), ("POST", set)] {
                let answer = world.admin.send(method, url, &[], &body).await;
                assert_eq!(answer.status, 400, "{method} {url} {body}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn rows_that_come_along_are_held_to_the_same() {
    let world = World::new().await;
    let stamps = [
        ("createdon", json!("2001-02-03T04:05:06Z")),
        ("modifiedby@odata.bind", json!(format!("systemusers({})", world.ids["systemuser"]))),
        ("createdonbehalfby@odata.bind", json!(format!("systemusers({})", world.ids["systemuser"]))),
        ("owningbusinessunit@odata.bind", json!(format!("businessunits({})", world.ids["businessunit"]))),
        ("versionnumber", json!(7)),
    ];
    for (name, value) in stamps {
        let forged = json!({ "lastname": "x", name: value });
        let target = json!({ "@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": "x", name: value });
        for (url, body) in [
            ("accounts", json!({ "name": "x", "primarycontactid": forged })),
            ("accounts", json!({ "name": "x", "contact_customer_accounts": [forged] })),
            ("contacts/Microsoft.Dynamics.CRM.CreateMultiple", json!({ "Targets": [target] })),
            ("contacts/Microsoft.Dynamics.CRM.UpsertMultiple", json!({ "Targets": [target] })),
        ] {
            let answer = world.admin.send("POST", url, &[], &body.to_string()).await;
            assert_eq!(answer.status, 400, "{url} {body}: {}", answer.body);
        }
    }
    assert_eq!(world.admin.list("contacts?$filter=lastname eq 'x'").await.rows().len(), 0);
    assert_eq!(world.admin.list("accounts?$filter=name eq 'x'").await.rows().len(), 0);
}
