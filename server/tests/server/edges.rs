//! Caps on how many rows one question may go over, each at its edge. On SQLite only: the caps are above the databases,
//! and so many rows take their time.

use super::support::Server;
use flette_odata::{EntityRef, Row, Uuid, Value};
use flette_server::db::Database;

/// Puts rows into a table, each with the same values and an id of its own.
fn fill(database: &Database, table: &str, ids: impl Iterator<Item = u128>, values: &[(&str, Value)]) {
    let ids: Vec<u128> = ids.collect();
    let write = database.write(|writer| {
        let table = writer.schema.table(table).unwrap();
        for id in &ids {
            let mut row: Row =
                values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            row.insert(table.primary_id.clone(), Value::Guid(Uuid::from_u128(*id)));
            writer.insert(table, &row)?;
        }
        Ok(())
    });
    write.unwrap();
}

fn is_sqlite() -> bool {
    !module_path!().contains("::on_postgres::")
}

/// Under account 1 stand this many.
const CHILDREN: u128 = 5000;

fn child(number: u128) -> u128 {
    0x1000_0000 + number
}

/// Account 1 with its children, and nine accounts without.
async fn family() -> Server {
    let server = Server::empty().await;
    let name = ("name", Value::Text("A".to_owned()));
    fill(server.database(), "account", 1..=10, std::slice::from_ref(&name));
    let parent = EntityRef { table: "account".to_owned(), id: Uuid::from_u128(1) };
    let below = [name, ("parentaccountid", Value::Lookup(parent))];
    fill(server.database(), "account", (0..CHILDREN).map(child), &below);
    server
}

#[tokio::test]
async fn a_hierarchy_has_so_many_rows_and_no_more() {
    if !is_sqlite() {
        return;
    }
    let server = family().await;
    let top = Uuid::from_u128(1);
    let under = |function: &str| {
        format!("accounts/$count?$filter=Microsoft.Dynamics.CRM.{function}(PropertyName='accountid',PropertyValue='{top}')")
    };
    for (function, found) in [("Under", "5000"), ("UnderOrEqual", "5000"), ("NotUnder", "10")] {
        // Counts stop at 5000, too.
        assert_eq!(server.list(&under(function)).await.body, found, "{function}");
    }
    // A chain below one of them: its depth does not matter, its rows do.
    for depth in 0..2u128 {
        let parent = Uuid::from_u128(child(if depth == 0 { 7 } else { CHILDREN + depth - 1 }));
        let parent = EntityRef { table: "account".to_owned(), id: parent };
        let below = [("parentaccountid", Value::Lookup(parent))];
        fill(server.database(), "account", std::iter::once(child(CHILDREN + depth)), &below);
        for function in ["Under", "UnderOrEqual", "NotUnder"] {
            let answer = server.get(&under(function)).await;
            assert_eq!(answer.status, 400, "{function}: {}", answer.body);
            assert!(answer.body.contains("More than 5000 rows"), "{}", answer.body);
        }
    }
    let lowest = Uuid::from_u128(child(CHILDREN + 1));
    let above = format!(
        "accounts?$select=accountid&$filter=Microsoft.Dynamics.CRM.Above(PropertyName='accountid',PropertyValue='{lowest}')"
    );
    assert_eq!(server.list(&above).await.rows().len(), 3);
}

#[tokio::test]
async fn a_hierarchy_may_be_as_deep_as_it_has_rows() {
    if !is_sqlite() {
        return;
    }
    let server = Server::empty().await;
    let write = server.database().write(|writer| {
        let table = writer.schema.table("account").unwrap();
        for depth in 1..=CHILDREN + 1 {
            let id = ("accountid".to_owned(), Value::Guid(Uuid::from_u128(depth)));
            let parent = EntityRef { table: "account".to_owned(), id: Uuid::from_u128(depth - 1) };
            let parent = if depth == 1 { Value::Null } else { Value::Lookup(parent) };
            writer.insert(table, &Row::from([id, ("parentaccountid".to_owned(), parent)]))?;
        }
        Ok(())
    });
    write.unwrap();
    let count = |id: u128, function: &str| {
        let id = Uuid::from_u128(id);
        format!("accounts/$count?$filter=Microsoft.Dynamics.CRM.{function}(PropertyName='accountid',PropertyValue='{id}')")
    };
    assert_eq!(server.list(&count(1, "Under")).await.body, "5000");
    assert_eq!(server.list(&count(CHILDREN + 1, "Above")).await.body, "5000");
    fill(
        server.database(),
        "account",
        std::iter::once(CHILDREN + 2),
        &[(
            "parentaccountid",
            Value::Lookup(EntityRef { table: "account".to_owned(), id: Uuid::from_u128(CHILDREN + 1) }),
        )],
    );
    assert_eq!(server.get(&count(1, "Under")).await.status, 400);
    assert_eq!(server.get(&count(CHILDREN + 2, "Above")).await.status, 400);
}

#[tokio::test]
async fn expanded_collections_have_so_many_rows_together_and_then_a_next_link() {
    if !is_sqlite() {
        return;
    }
    let server = family().await;
    let collection = "account_parent_account";
    let name = |holders: u128| {
        let ids: Vec<String> =
            (1..=holders).map(|id| format!("accountid eq {}", Uuid::from_u128(id))).collect();
        let filter = ids.join(" or ");
        format!(
            "accounts?$select=name&$orderby=accountid&$filter={filter}&$expand={collection}($select=name)"
        )
    };
    // 50,000 rows together: 5000 for each of ten accounts, fewer for each of eleven.
    fill(server.database(), "account", std::iter::once(11), &[]);
    for (holders, shown, more) in [(1, 5000, false), (10, 5000, false), (11, 50_000 / 11, true)] {
        let rows = server.list(&name(holders)).await.rows();
        assert_eq!(rows.len(), usize::try_from(holders).unwrap());
        let found = rows[0][collection].as_array().unwrap().len();
        let next = rows[0][format!("{collection}@odata.nextLink").as_str()].as_str();
        assert_eq!((found, next.is_some()), (shown, more), "{holders}");
        if let Some(next) = next {
            let (rest, _) = server.drain(next, &[]).await;
            assert_eq!(found + rest.len(), 5000, "{holders}");
        }
    }
    fill(
        server.database(),
        "account",
        std::iter::once(child(CHILDREN)),
        &[(
            "parentaccountid",
            Value::Lookup(EntityRef { table: "account".to_owned(), id: Uuid::from_u128(1) }),
        )],
    );
    let rows = server.list(&name(1)).await.rows();
    assert_eq!(rows[0][collection].as_array().unwrap().len(), 5000);
    assert!(rows[0][format!("{collection}@odata.nextLink").as_str()].is_string());
}

#[tokio::test]
async fn figures_go_over_so_many_rows_and_no_more() {
    if !is_sqlite() {
        return;
    }
    let server = Server::empty().await;
    // The base currency is there already.
    let rate = ("exchangerate", Value::Decimal(2.into()));
    fill(server.database(), "transactioncurrency", 1..50_000, std::slice::from_ref(&rate));
    let apply = "transactioncurrencies?$apply=aggregate($count as n,exchangerate with sum as s)";
    let fetch = "transactioncurrencies?fetchXml=<fetch aggregate='true'><entity name='transactioncurrency'><attribute \
                 name='transactioncurrencyid' aggregate='count' alias='n'/></entity></fetch>";
    let rows = server.list(apply).await.rows();
    assert_eq!((rows[0]["n"].as_u64(), rows[0]["s"].as_f64()), (Some(50_000), Some(99_999.0)));
    assert_eq!(server.list(fetch).await.rows()[0]["n"].as_u64(), Some(50_000));
    fill(server.database(), "transactioncurrency", std::iter::once(50_000), std::slice::from_ref(&rate));
    for url in [apply, fetch] {
        let answer = server.get(url).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "0x8004e023"), "{url}");
    }
    // Rows that a filter leaves out do not count.
    let fewer = "transactioncurrencies?$apply=filter(exchangerate eq 1)/aggregate($count as n)";
    assert_eq!(server.list(fewer).await.rows()[0]["n"].as_u64(), Some(1));
}
