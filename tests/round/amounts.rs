//! Amounts in the base currency: shown at once where the currencies are offline, else as the server says them.

use crate::support::{link, text, Device, Server, TABLES};
use flette::model::{Row, Value};
use flette_odata::{Decimal, Uuid};

const KRONE: &str = r#"{"currencyname":"Krone","isocurrencycode":"NOK","currencysymbol":"kr","currencyprecision":2,"exchangerate":8}"#;

fn amount(number: &str) -> Value {
    Value::Decimal(Decimal::parse(number).unwrap())
}

/// Revenue in the base currency, and the rate it was reckoned by.
fn shown(row: &Row) -> (Value, Value) {
    (row["revenue_base"].clone(), row["exchangerate"].clone())
}

fn told(device: &Device, account: Uuid) -> (Value, Value) {
    shown(&device.row("account", account).unwrap())
}

#[test]
fn what_an_amount_is_worth_is_shown_offline_and_the_same_after_the_server_has_it() {
    let server = Server::start();
    let online = server.user("admin");
    let krone = online.create("transactioncurrencies", KRONE);
    let old = online.create("accounts", r#"{"name":"Old","revenue":10}"#);
    let device = Device::synced(&server, "demo");
    assert_eq!(told(&device, old), (amount("10"), amount("1")));
    let kroner = ("transactioncurrencyid", link("transactioncurrency", krone));
    let made = device.create("account", &[("name", text("New")), ("revenue", amount("100")), kroner.clone()]);
    let plain = device.create("account", &[("name", text("Plain")), ("revenue", amount("7"))]);
    device.edit("account", old, &[("revenue", amount("20"))]);
    let expected = [
        (made, (amount("12.5"), amount("8"))),
        (plain, (amount("7"), amount("1"))),
        (old, (amount("20"), amount("1"))),
    ];
    let currency = device.row("account", plain).unwrap()["transactioncurrencyid"].clone();
    assert!(matches!(&currency, Value::Lookup(to) if to.table == "transactioncurrency"));
    for _ in 0..2 {
        for (account, worth) in &expected {
            assert_eq!(told(&device, *account), *worth);
        }
        let report = device.sync();
        assert_eq!((report.conflicts, report.parked), (0, 0), "{report:?}");
        assert!(device.entries().is_empty());
    }
    assert_eq!(device.row("account", plain).unwrap()["transactioncurrencyid"], currency);
    device.edit("account", old, &[kroner]);
    assert_eq!(told(&device, old), (amount("2.5"), amount("8")));
    // The rate that counts is the server's when the edit arrives.
    online.patch("transactioncurrencies", krone, r#"{"exchangerate":10}"#);
    device.sync();
    assert_eq!(told(&device, old), (amount("2"), amount("10")));
    assert_eq!(told(&device, made), (amount("12.5"), amount("8")));
    assert!(device.conflicts().is_empty());
}

#[test]
fn without_the_currencies_nothing_is_said_until_the_server_says_it() {
    let server = Server::start();
    let online = server.user("admin");
    let old = online.create("accounts", r#"{"name":"Old","revenue":10}"#);
    let mut device = Device::new(&server, "demo");
    device.config.tables = TABLES.iter().skip(1).map(|name| (*name).to_owned()).collect();
    device.sync();
    assert_eq!(told(&device, old), (amount("10"), amount("1")));
    device.edit("account", old, &[("telephone1", text("1"))]);
    assert_eq!(told(&device, old), (amount("10"), amount("1")));
    let made = device.create("account", &[("name", text("New")), ("revenue", amount("7"))]);
    device.edit("account", old, &[("revenue", amount("20"))]);
    for account in [old, made] {
        assert_eq!(told(&device, account), (Value::Null, Value::Null));
    }
    let report = device.sync();
    assert_eq!((report.conflicts, report.parked), (0, 0), "{report:?}");
    assert_eq!(told(&device, old), (amount("20"), amount("1")));
    assert_eq!(told(&device, made), (amount("7"), amount("1")));
}
