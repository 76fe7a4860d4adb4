//! The schema changes while servers run.

use super::support::{self, Server};
use flette_odata::edm::{Column, ColumnKind, LookupTarget, OnDelete, Table, TextFormat};
use flette_odata::Uuid;
use flette_server::api::Profile;
use flette_server::db::{Database, Location};
use flette_server::{people, schema, web};
use std::sync::Arc;

fn column(name: &str, kind: ColumnKind) -> Column {
    Column {
        logical_name: name.to_lowercase(),
        schema_name: name.to_owned(),
        display_name: name.to_owned(),
        kind,
        valid_for_create: true,
        valid_for_update: true,
        metadata_id: Uuid::new_v4(),
        custom: true,
        ..Column::default()
    }
}

fn text(name: &str) -> Column {
    column(name, ColumnKind::Text { length_max: 100, format: TextFormat::Text })
}

/// A table of its own, with what every table of users has.
fn projects() -> Table {
    let account = schema::schema().table("account").cloned().unwrap();
    let kept = ["createdon", "modifiedon", "createdby", "modifiedby", "ownerid", "owningbusinessunit"];
    let kept = kept.iter().chain(&["owninguser", "versionnumber", "statecode", "statuscode"]);
    let mut columns = vec![column("new_ProjectId", ColumnKind::Id), text("new_Name")];
    columns.extend(kept.map(|name| account.column(name).cloned().unwrap()));
    Table {
        logical_name: "new_project".into(),
        schema_name: "new_Project".into(),
        set_name: "new_projects".into(),
        primary_id: "new_projectid".into(),
        primary_name: "new_name".into(),
        columns,
        keys: Vec::new(),
        custom: true,
        metadata_id: Uuid::new_v4(),
        ..account
    }
}

/// Two servers on one database: a file, or PostgreSQL.
async fn two(folder: &tempfile::TempDir) -> (Database, Server, Server) {
    let location: Location = support::lasting(folder).parse().unwrap();
    let open = || Database::open(&location, Arc::new(schema::schema()), "Test").unwrap();
    let database = open();
    people::found(&database, web::now()).unwrap();
    people::add_demo_people(&database, web::now()).unwrap();
    let (first, second) = (open(), open());
    let server = |database| Server::over(database, Profile::Open, None);
    (database, server(first).sign_in("demo").await, server(second).sign_in("demo").await)
}

#[tokio::test]
async fn every_server_sees_a_new_table_at_once_and_a_dropped_one_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (database, first, second) = two(&folder).await;
    assert_eq!(first.get("new_projects").await.status, 404);
    assert_eq!(second.get("new_projects").await.status, 404);
    database.write(|writer| writer.save_table(&projects())).unwrap();
    let id = first.create("new_projects", r#"{"new_name":"Ångström"}"#).await;
    let found = second.list("new_projects?$filter=new_name eq 'ÅNGSTRÖM'&$select=new_name").await;
    assert_eq!(found.column("new_projectid"), std::slice::from_ref(&id));

    let mut table = projects();
    table.columns.push(text("new_Code"));
    table.columns.push(column("new_Size", ColumnKind::Double { precision: 2, min: 0.0, max: 10.0 }));
    database.write(|writer| writer.save_table(&table)).unwrap();
    let body = r#"{"new_code":"X1","new_size":2.5}"#;
    assert_eq!(second.send("PATCH", &format!("new_projects({id})"), &[], body).await.status, 204);
    let row = first.get(&format!("new_projects({id})?$select=new_code,new_size")).await.json();
    assert_eq!((row["new_code"].as_str(), row["new_size"].as_f64()), (Some("X1"), Some(2.5)));

    table.columns.retain(|column| column.logical_name != "new_code");
    database.write(|writer| writer.save_table(&table)).unwrap();
    assert_eq!(second.get("new_projects?$select=new_code").await.status, 400);
    assert_eq!(second.list("new_projects?$select=new_size").await.column("new_size"), ["2.5"]);

    database.write(|writer| writer.drop_table("new_project")).unwrap();
    for server in [&first, &second] {
        assert_eq!(server.get("new_projects").await.status, 404);
        assert_eq!(server.get("accounts").await.status, 200);
    }
}

#[tokio::test]
async fn a_change_that_fails_leaves_the_schema_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (database, server, _) = two(&folder).await;
    let before = database.read(|reader| Ok((reader.schema_version, reader.schema.clone()))).unwrap();
    let mut accounts = before.1.table("account").cloned().unwrap();
    accounts.columns.push(text("new_Code"));
    for column in accounts.columns.iter_mut().filter(|column| column.logical_name == "revenue") {
        column.kind = ColumnKind::BigInt;
    }
    let failed = database.write(|writer| writer.save_table(&accounts));
    assert_eq!(failed.unwrap_err().status, 500);
    let refused = database.write(|writer| {
        writer.save_table(&projects())?;
        Err::<(), _>(flette_odata::ODataError::bad_payload("No."))
    });
    assert_eq!(refused.unwrap_err().status, 400);
    let after = database.read(|reader| Ok((reader.schema_version, reader.schema.clone()))).unwrap();
    assert!(before == after);
    assert_eq!(server.get("new_projects").await.status, 404);
}

#[tokio::test]
async fn a_lookup_with_a_second_target_still_points_where_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let (database, server, _) = two(&folder).await;
    let target = |table: &str| LookupTarget {
        table: table.into(),
        navigation: format!("new_customer_{table}"),
        collection: format!("new_{table}_projects"),
        relationship: format!("new_{table}_projects"),
        on_delete: OnDelete::RemoveLink,
    };
    let mut table = projects();
    let lookup = |targets: &[&str]| {
        column("new_Customer", ColumnKind::Lookup { targets: targets.iter().map(|t| target(t)).collect() })
    };
    table.columns.push(lookup(&["account"]));
    database.write(|writer| writer.save_table(&table)).unwrap();
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    let body = format!(r#"{{"new_name":"P","new_customer_account@odata.bind":"accounts({account})"}}"#);
    let project = server.create("new_projects", &body).await;
    *table.columns.last_mut().unwrap() = lookup(&["account", "contact"]);
    database.write(|writer| writer.save_table(&table)).unwrap();
    let url = format!("new_projects({project})?$select=_new_customer_value");
    let headers = [("Prefer", "odata.include-annotations=\"*\"")];
    let row = server.send("GET", &url, &headers, "").await.json();
    assert_eq!(row["_new_customer_value"], account);
    assert_eq!(row["_new_customer_value@Microsoft.Dynamics.CRM.lookuplogicalname"], "account");
}

#[tokio::test]
async fn a_union_shows_the_rows_of_its_members() {
    let server = Server::empty().await;
    let task = server.create("tasks", r#"{"subject":"Task B"}"#).await;
    let call = server.create("phonecalls", r#"{"subject":"Call A"}"#).await;
    let list = server.list("activitypointers?$select=subject,activitytypecode&$orderby=subject").await;
    assert_eq!(list.column("activityid"), [call, task]);
    assert_eq!(list.column("activitytypecode"), ["phonecall", "task"]);
    let found = server.list("activitypointers?$filter=contains(subject,'task')&$select=subject").await;
    assert_eq!(found.column("subject"), ["Task B"]);
    // Deletions are told of its members only: who reads it has to sweep.
    let tracked = server.send("GET", "activitypointers", &[("Prefer", "odata.track-changes")], "").await;
    assert_eq!((tracked.status, tracked.code().as_str()), (400, "0x80072491"));
    for (table, tracked) in [("activitypointer", false), ("task", true)] {
        let url = format!("EntityDefinitions(LogicalName='{table}')?$select=ChangeTrackingEnabled");
        assert_eq!(server.get(&url).await.json()["ChangeTrackingEnabled"], tracked, "{table}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_server_comes_when_no_rows_are_the_same_in_it() {
    for numbers in [["1", "2"], ["a-1", "A-1"]] {
        let folder = tempfile::tempdir().unwrap();
        let location: Location = support::lasting(&folder).parse().unwrap();
        let mut older = schema::schema();
        older.tables.iter_mut().for_each(|table| {
            table.keys.retain(|key| key.columns != ["accountnumber"]);
        });
        let database = Database::open(&location, Arc::new(older), "Test").unwrap();
        people::found(&database, web::now()).unwrap();
        people::add_demo_people(&database, web::now()).unwrap();
        let server = Server::over(database, Profile::Open, None).sign_in("demo").await;
        for number in numbers {
            server.create("accounts", &format!(r#"{{"name":"n","accountnumber":"{number}"}}"#)).await;
        }
        drop(server);
        let different = numbers[0] == "1";
        let own = Arc::new(schema::schema());
        let database = Database::open(&location, own, "Test").unwrap();
        let keys = database.read(|reader| Ok(reader.schema.table("account").map(|t| t.keys.len()))).unwrap();
        assert_eq!(keys, Some(usize::from(different)), "{numbers:?}");
        let server = Server::over(database, Profile::Open, None).sign_in("demo").await;
        assert_eq!(server.list("accounts").await.rows().len(), 2);
    }
}
