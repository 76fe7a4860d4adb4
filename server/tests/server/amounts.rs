//! Amounts of money: the currency of a row, its rate, and what the amounts are in the base currency.

use super::support::Server;
use serde_json::{json, Value};

const AMOUNTS: &str =
    "$select=revenue,revenue_base,creditlimit_base,exchangerate,_transactioncurrencyid_value";

async fn currency(server: &Server, name: &str, rate: &str, digits: u8) -> String {
    let body = format!(
        r#"{{"currencyname":"{name}","isocurrencycode":"{name}","currencysymbol":"{name}","currencyprecision":{digits},"exchangerate":{rate}}}"#
    );
    server.create("transactioncurrencies", &body).await
}

async fn base(server: &Server) -> String {
    let all = server.list("transactioncurrencies?$orderby=createdon,transactioncurrencyid&$top=1").await;
    all.column("transactioncurrencyid").remove(0)
}

async fn amounts(server: &Server, account: &str) -> Value {
    let mut row = server.get(&format!("accounts({account})?{AMOUNTS}")).await.json();
    row.as_object_mut().unwrap().retain(|name, _| !name.starts_with('@') && name != "accountid");
    row
}

async fn patch(server: &Server, row: &str, body: &str) -> u16 {
    server.send("PATCH", row, &[("If-Match", "*")], body).await.status
}

#[tokio::test]
async fn a_row_gets_the_base_currency_and_its_amounts_follow_every_change() {
    let server = Server::empty().await;
    let (dollar, krone) = (base(&server).await, currency(&server, "NOK", "9.47", 2).await);
    let account = server.create("accounts", r#"{"name":"A","revenue":1000.5}"#).await;
    let expected = |revenue: Value, revenue_base: Value, limit: Value, rate: Value, currency: &str| {
        json!({"revenue": revenue, "revenue_base": revenue_base, "creditlimit_base": limit,
               "exchangerate": rate, "_transactioncurrencyid_value": currency})
    };
    let seen = amounts(&server, &account).await;
    assert_eq!(seen, expected(json!(1000.5), json!(1000.5), json!(null), json!(1.0), &dollar));
    let row = format!("accounts({account})");
    let bind = format!(r#"{{"transactioncurrencyid@odata.bind":"transactioncurrencies({krone})"}}"#);
    assert_eq!(patch(&server, &row, &bind).await, 204);
    let seen = amounts(&server, &account).await;
    assert_eq!(seen, expected(json!(1000.5), json!(105.65), json!(null), json!(9.47), &krone));
    assert_eq!(patch(&server, &row, r#"{"creditlimit":100,"revenue":null}"#).await, 204);
    let seen = amounts(&server, &account).await;
    assert_eq!(seen, expected(json!(null), json!(null), json!(10.56), json!(9.47), &krone));
    // Another rate counts from the next change of an amount on.
    assert_eq!(
        patch(&server, &format!("transactioncurrencies({krone})"), r#"{"exchangerate":10}"#).await,
        204
    );
    assert_eq!(patch(&server, &row, r#"{"telephone1":"1"}"#).await, 204);
    assert_eq!(amounts(&server, &account).await["creditlimit_base"], json!(10.56));
    assert_eq!(patch(&server, &row, r#"{"revenue":1}"#).await, 204);
    let seen = amounts(&server, &account).await;
    assert_eq!(seen, expected(json!(1.0), json!(0.1), json!(10.0), json!(10.0), &krone));
    // Without a currency of its own a row has the base currency.
    assert_eq!(patch(&server, &row, r#"{"transactioncurrencyid@odata.bind":null}"#).await, 204);
    let seen = amounts(&server, &account).await;
    assert_eq!(seen, expected(json!(1.0), json!(1.0), json!(100.0), json!(1.0), &dollar));
}

#[tokio::test]
async fn what_the_service_computes_is_given_by_nobody() {
    let server = Server::empty().await;
    for member in [r#""revenue_base":1"#, r#""exchangerate":1"#] {
        let answer = server.send("POST", "accounts", &[], &format!(r#"{{"name":"A",{member}}}"#)).await;
        assert_eq!(answer.status, 400, "{member}: {}", answer.body);
    }
    let cheap = currency(&server, "XXX", "0.0000000001", 2).await;
    let body = format!(
        r#"{{"name":"A","revenue":99999999999,"transactioncurrencyid@odata.bind":"transactioncurrencies({cheap})"}}"#
    );
    let answer = server.send("POST", "accounts", &[], &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x80044330"));
}

#[tokio::test]
async fn amounts_of_several_currencies_are_filtered_ordered_and_added_in_one() {
    let server = Server::empty().await;
    let krone = currency(&server, "NOK", "10", 2).await;
    for (name, revenue, bind) in
        [("Dollars", 50, None), ("Kroner", 100, Some(&krone)), ("More", 900, Some(&krone))]
    {
        let bind =
            bind.map(|id| format!(r#","transactioncurrencyid@odata.bind":"transactioncurrencies({id})""#));
        let body = format!(r#"{{"name":"{name}","revenue":{revenue}{}}}"#, bind.unwrap_or_default());
        server.create("accounts", &body).await;
    }
    let rows =
        server.list("accounts?$select=name&$filter=revenue_base ge 50&$orderby=revenue_base desc").await;
    assert_eq!(rows.column("name"), ["More", "Dollars"]);
    let sum = server.list("accounts?$apply=aggregate(revenue_base with sum as total)").await;
    assert_eq!(sum.rows()[0]["total"], json!(150.0));
}

#[tokio::test]
async fn the_base_currency_stays_as_it_is() {
    let server = Server::empty().await;
    let dollar = base(&server).await;
    let row = format!("transactioncurrencies({dollar})");
    let answer = server.send("PATCH", &row, &[], r#"{"exchangerate":2}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "0x80040203"));
    assert_eq!(patch(&server, &row, r#"{"currencyname":"Dollar","exchangerate":1}"#).await, 204);
    let answer = server.send("DELETE", &row, &[], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "0x8004023b"));
    // One with the same rate that came later, by whole seconds, is a currency like any other.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let other = currency(&server, "BMD", "1", 2).await;
    let account = server.create("accounts", r#"{"name":"A"}"#).await;
    assert_eq!(amounts(&server, &account).await["_transactioncurrencyid_value"], json!(dollar));
    let answer = server.send("DELETE", &row, &[], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "0x80040227"), "it is in use");
    assert_eq!(server.send("DELETE", &format!("transactioncurrencies({other})"), &[], "").await.status, 204);
}

#[tokio::test]
async fn imported_and_made_up_rows_have_amounts_in_the_base_currency_too() {
    let server = Server::with_rows(20, flette_server::api::Profile::Open).sign_in("demo").await;
    let rows = server.list("accounts?$select=revenue,revenue_base,_transactioncurrencyid_value").await.rows();
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(row["revenue"], row["revenue_base"]);
        assert!(row["_transactioncurrencyid_value"].is_string());
    }
}

#[tokio::test]
async fn a_custom_amount_brings_its_twin_and_the_currency_along() {
    let server = Server::with_rows(0, flette_server::api::Profile::Open).sign_in("admin").await;
    let krone = currency(&server, "NOK", "10", 2).await;
    let column = |name: &str| {
        format!(
            r#"{{"@odata.type":"Microsoft.Dynamics.CRM.MoneyAttributeMetadata","SchemaName":"{name}","DisplayName":{{"LocalizedLabels":[{{"Label":"Cost","LanguageCode":1033}}]}},"Precision":2}}"#
        )
    };
    let attributes = "EntityDefinitions(LogicalName='task')/Attributes";
    for name in ["new_Cost", "new_Fee"] {
        let answer = server.send("POST", attributes, &[], &column(name)).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    let body = format!(
        r#"{{"subject":"Dig","new_cost":25,"transactioncurrencyid@odata.bind":"transactioncurrencies({krone})"}}"#
    );
    let task = server.create("tasks", &body).await;
    let row =
        server.get(&format!("tasks({task})?$select=new_cost_base,new_fee_base,exchangerate")).await.json();
    let found = (&row["new_cost_base"], &row["new_fee_base"], &row["exchangerate"]);
    assert_eq!(found, (&json!(2.5), &json!(null), &json!(10.0)));
    let delete = |name: &'static str| {
        let server = server.clone();
        async move {
            let url = format!("{attributes}(LogicalName='{name}')");
            server.send("DELETE", &url, &[], "").await.status
        }
    };
    for needed in ["new_cost_base", "exchangerate", "transactioncurrencyid"] {
        assert_eq!(delete(needed).await, 400, "{needed}");
    }
    for name in ["new_cost", "new_fee", "exchangerate", "transactioncurrencyid"] {
        assert_eq!(delete(name).await, 204, "{name}");
    }
    let task = server.get(&format!("tasks({task})")).await.json();
    assert!(!task.as_object().unwrap().keys().any(|name| name.starts_with("new_")), "{task}");
}
