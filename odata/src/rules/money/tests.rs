use super::*;
use crate::edm::LookupTarget;
use crate::edm::OnDelete;

const DOLLAR: u128 = 1;
const KRONE: u128 = 2;
const YEN: u128 = 3;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn currency(id: u128, rate: &str, digits: u8) -> Currency {
    Currency { id: Uuid::from_u128(id), rate: decimal(rate), digits }
}

fn lookup(id: u128) -> Value {
    Value::Lookup(EntityRef { table: CURRENCIES.to_owned(), id: Uuid::from_u128(id) })
}

fn column(name: &str, kind: ColumnKind, written: bool) -> Column {
    Column {
        logical_name: name.to_owned(),
        kind,
        valid_for_create: written,
        valid_for_update: written,
        ..Column::default()
    }
}

fn money(max: i64) -> ColumnKind {
    ColumnKind::Money { precision: 2, min: Decimal::from(-max), max: Decimal::from(max) }
}

fn deals() -> Table {
    let target = LookupTarget {
        table: CURRENCIES.to_owned(),
        navigation: CURRENCY.to_owned(),
        collection: String::new(),
        relationship: String::new(),
        on_delete: OnDelete::Restrict,
    };
    let rate = ColumnKind::Decimal { precision: 10, min: decimal("0.0000000001"), max: Decimal::from(1000) };
    let columns = vec![
        column("name", ColumnKind::BigInt, true),
        column(CURRENCY, ColumnKind::Lookup { targets: vec![target] }, true),
        column(RATE, rate, false),
        column("price", money(1_000_000), true),
        column("price_base", money(100_000), false),
        column("tax", money(1_000_000), true),
        column("tax_base", money(100_000), false),
        // Written by people: an amount like any other, whatever its name.
        column("name_base", money(1_000_000), true),
    ];
    Table { logical_name: "deal".to_owned(), columns, ..Table::default() }
}

fn row(values: &[(&str, Value)]) -> Row {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn amount(text: &str) -> Value {
    Value::Decimal(decimal(text))
}

#[test]
fn amounts_in_the_base_currency_follow_the_rate_and_its_digits() {
    let dollar = Some(currency(DOLLAR, "1", 2));
    let krone = Some(currency(KRONE, "9.47", 2));
    let yen = Some(currency(YEN, "150.25", 0));
    type Case<'c> = (&'c str, Option<Currency>, Option<Currency>, Option<&'c str>, Option<&'c str>);
    let cases: [Case<'_>; 10] = [
        ("100", dollar, dollar, Some("1"), Some("100")),
        ("99.999", dollar, dollar, Some("1"), Some("100")),
        ("100", dollar, krone, Some("9.47"), Some("10.56")),
        ("-100", dollar, krone, Some("9.47"), Some("-10.56")),
        ("0.04735", dollar, krone, Some("9.47"), Some("0.01")),
        ("0.047349", dollar, krone, Some("9.47"), Some("0")),
        // The digits are those of the base currency.
        ("150.25", Some(currency(YEN, "1", 0)), krone, Some("9.47"), Some("16")),
        ("100", dollar, yen, Some("150.25"), Some("0.67")),
        ("100", None, krone, Some("9.47"), Some("10.5597")),
        ("100", dollar, None, None, None),
    ];
    for (price, base, own, rate, price_base) in cases {
        let row = row(&[("price", amount(price)), (CURRENCY, lookup(9)), ("tax", Value::Null)]);
        let followed: Row = follow(&deals(), &row, (base, own)).unwrap().into_iter().collect();
        assert_eq!(followed[RATE], rate.map_or(Value::Null, amount), "{price} {own:?}");
        assert_eq!(followed["price_base"], price_base.map_or(Value::Null, amount), "{price} {own:?}");
        assert_eq!((&followed["tax_base"], followed.len()), (&Value::Null, 3));
    }
}

#[test]
fn a_row_that_names_no_currency_gets_the_base_currency() {
    let dollar = Some(currency(DOLLAR, "1", 2));
    let find = |_| -> Result<Option<Currency>> { Ok(Some(currency(KRONE, "9.47", 2))) };
    for (named, own_id, given) in [
        (None, DOLLAR, Some(lookup(DOLLAR))),
        (Some(Value::Null), DOLLAR, Some(lookup(DOLLAR))),
        (Some(lookup(DOLLAR)), DOLLAR, None),
        (Some(lookup(KRONE)), KRONE, None),
    ] {
        let row = row(&named.iter().map(|value| (CURRENCY, value.clone())).collect::<Vec<_>>());
        let found = own(&row, dollar, find).unwrap();
        assert_eq!(found.unwrap().id, Uuid::from_u128(own_id), "{named:?}");
        let followed: Row = follow(&deals(), &row, (dollar, found)).unwrap().into_iter().collect();
        assert_eq!(followed.get(CURRENCY), given.as_ref(), "{named:?}");
    }
    assert_eq!(own(&Row::new(), None, find).unwrap(), None);
    let failing = |_| Err(ODataError::bad_request("no"));
    assert!(own(&row(&[(CURRENCY, lookup(KRONE))]), dollar, failing).is_err());
    let followed = follow(&deals(), &Row::new(), (None, None)).unwrap();
    assert!(followed.iter().all(|(name, value)| name != CURRENCY && value.is_null()), "{followed:?}");
}

#[test]
fn an_amount_too_large_in_the_base_currency_is_refused_at_its_edge() {
    let base = Some(currency(DOLLAR, "1", 2));
    let tenth = Some(currency(KRONE, "0.1", 2));
    for (price, fits) in [("10000", true), ("-10000", true), ("10000.01", false), ("-10000.01", false)] {
        let row = row(&[("price", amount(price)), (CURRENCY, lookup(KRONE))]);
        match follow(&deals(), &row, (base, tenth)) {
            Ok(_) => assert!(fits, "{price}"),
            Err(error) => {
                assert_eq!((error.status, error.code.as_str(), fits), (400, "0x80044330", false), "{price}");
                assert!(!error.message.contains("10000"));
            }
        }
    }
}

#[test]
fn amounts_and_the_currency_make_them_anew_and_nothing_else_does() {
    let table = deals();
    for (name, touched) in [
        ("price", true),
        ("tax", true),
        ("name_base", true),
        (CURRENCY, true),
        ("name", false),
        ("price_base", false),
        (RATE, false),
        ("nosuch", false),
    ] {
        assert_eq!(is_touched(&table, [name].into_iter()), touched, "{name}");
    }
    assert!(!is_touched(&table, std::iter::empty()));
    for lacking in [CURRENCY, RATE] {
        let mut poor = table.clone();
        poor.columns.retain(|column| column.logical_name != lacking);
        assert!(!has_money(&poor) && !is_touched(&poor, ["price"].into_iter()), "{lacking}");
    }
    let mut without = table.clone();
    without.columns.retain(|column| !matches!(column.kind, ColumnKind::Money { .. }));
    assert!(has_money(&table) && !has_money(&without));
}

#[test]
fn a_currency_is_read_from_its_row_when_its_rate_means_something() {
    let id = Uuid::from_u128(KRONE);
    let of = |rate: Value, digits: Value| Currency::of(id, &row(&[(RATE, rate), (PRECISION, digits)]));
    assert_eq!(of(amount("9.47"), Value::Int(2)), Some(currency(KRONE, "9.47", 2)));
    assert_eq!(of(amount("9.47"), Value::Null).unwrap().digits, 4);
    assert_eq!(of(amount("9.47"), Value::Int(9)).unwrap().digits, 4);
    for rate in [Value::Null, amount("0"), amount("-1"), Value::Int(1)] {
        assert_eq!(of(rate.clone(), Value::Int(2)), None, "{rate:?}");
    }
}

#[test]
fn the_base_currency_keeps_its_rate() {
    let currencies = Table { logical_name: CURRENCIES.to_owned(), ..Table::default() };
    let base = Some(currency(DOLLAR, "1", 2));
    for (table, id, changed, refused) in [
        (&currencies, DOLLAR, RATE, true),
        (&currencies, DOLLAR, "currencyname", false),
        (&currencies, KRONE, RATE, false),
        (&deals(), DOLLAR, RATE, false),
    ] {
        let found = check_rate((table, Uuid::from_u128(id)), base, [changed].into_iter());
        assert_eq!(found.is_err(), refused, "{id} {changed}");
    }
}
