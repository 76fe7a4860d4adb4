use super::find::{find, Answer, Expanded, Found, List};
use crate::edm::Schema;
use crate::filter::Filter;
use crate::fixture::schema;
use crate::query::{parse_query, Query};
use crate::time::parse_date;
use crate::value::{EntityRef, Row, Value};
use crate::Decimal;
use std::collections::BTreeMap;
use uuid::Uuid;

type World = BTreeMap<String, Vec<Row>>;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn to(table: &str, number: u128) -> Value {
    Value::Lookup(EntityRef { table: table.into(), id: id(number) })
}

fn money(value: &str) -> Value {
    Value::Decimal(Decimal::parse(value).unwrap())
}

fn row(key: &str, number: u128, cells: &[(&str, Value)]) -> Row {
    let cells = cells.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    cells.chain([(key.to_owned(), Value::Guid(id(number)))]).collect()
}

/// Four accounts (one of which has nothing), four contacts, two teams.
fn world() -> World {
    let account = |number, cells: &[(&str, Value)]| row("accountid", number, cells);
    let contact = |number, cells: &[(&str, Value)]| row("contactid", number, cells);
    let accounts = vec![
        account(
            4,
            &[
                ("name", text("Delta")),
                ("revenue", money("10")),
                ("numberofemployees", Value::Int(1)),
                ("primarycontactid", to("contact", 14)),
                ("ownerid", to("team", 21)),
            ],
        ),
        account(
            1,
            &[
                ("name", text("alpha")),
                ("revenue", money("1.50")),
                ("numberofemployees", Value::Int(2)),
                ("primarycontactid", to("contact", 11)),
                ("ownerid", to("systemuser", 31)),
            ],
        ),
        account(
            2,
            &[
                ("name", text("ALPHA")),
                ("revenue", money("1.5")),
                ("primarycontactid", to("contact", 99)),
                ("parentaccountid", to("account", 1)),
                ("colours", text("1,3")),
            ],
        ),
        account(3, &[]),
    ];
    let born = |date: &str| Value::Date(parse_date(date).unwrap());
    let contacts = vec![
        contact(11, &[("fullname", text("Ann")), ("parentcustomerid", to("account", 1))]),
        contact(
            12,
            &[
                ("fullname", text("bob")),
                ("parentcustomerid", to("account", 1)),
                ("birthdate", born("2000-02-29")),
            ],
        ),
        contact(13, &[("fullname", text("Cid")), ("parentcustomerid", to("contact", 11))]),
        contact(14, &[("parentcustomerid", to("account", 2))]),
    ];
    let pair = |number, account, team| {
        let ends = [("accountid", Value::Guid(id(account))), ("teamid", Value::Guid(id(team)))];
        row("accountteamid", number, &ends)
    };
    [
        ("account", accounts),
        ("contact", contacts),
        (
            "team",
            vec![row("teamid", 21, &[("name", text("Red"))]), row("teamid", 22, &[("name", text("Blue"))])],
        ),
        ("systemuser", vec![row("systemuserid", 31, &[("fullname", text("Zoe"))])]),
        ("accountteam", vec![pair(41, 1, 21), pair(42, 1, 22), pair(43, 2, 22), pair(44, 2, 99)]),
    ]
    .into_iter()
    .map(|(name, rows)| (name.to_owned(), rows))
    .collect()
}

fn query(schema: &Schema, options: &[(&str, &str)]) -> Query {
    let options: Vec<_> = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    parse_query(&options, schema.table("account").unwrap(), schema)
        .unwrap_or_else(|e| panic!("{options:?} {e}"))
}

/// Numbers of the rows' ids, what is expanded of a row in brackets behind it.
fn shown(list: &List<'_>) -> String {
    let one = |found: &Found<'_>| {
        let number = found.row.values().find_map(|value| match value {
            Value::Guid(id) => Some(id.as_u128().to_string()),
            _ => None,
        });
        let expanded = found.expanded.iter().map(|expanded| match expanded {
            Expanded::One(None) => "[]".to_owned(),
            Expanded::One(Some(found)) => {
                format!("[{}]", shown(&List { rows: vec![(**found).clone()], total: 1 }))
            }
            Expanded::Many(list) => format!("[{}/{}]", shown(list), list.total),
        });
        number.unwrap_or_default() + &expanded.collect::<String>()
    };
    list.rows.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn rows(options: &[(&str, &str)]) -> String {
    let (schema, world) = (schema(), world());
    match find(&world, &schema, schema.table("account").unwrap(), &query(&schema, options)) {
        Ok(Answer::Rows(list)) => shown(&list),
        other => panic!("{options:?} {other:?}"),
    }
}

#[test]
fn conditions_on_other_rows_are_judged_by_them() {
    fn check(filter: &str, expected: &str) {
        assert_eq!(rows(&[("$filter", filter)]), expected, "{filter}");
    }
    check("true", "1 2 3 4");
    check("primarycontactid/fullname eq 'ANN'", "1");
    // Unset, gone, or without a value: all the same.
    check("primarycontactid/fullname eq null", "2 3 4");
    check("primarycontactid/fullname ne 'Ann'", "2 3 4");
    check("not (primarycontactid/fullname eq 'Ann')", "2 3 4");
    check("primarycontactid/fullname gt 'a'", "1");
    check("contains(primarycontactid/fullname,'n')", "1");
    check("primarycontactid/contactid eq null", "2 3");
    check("primarycontactid/parentcustomerid_account/name eq 'alpha'", "1 4");
    // A polymorphic lookup that points to another table leads nowhere.
    check("primarycontactid/parentcustomerid_contact/fullname eq null", "1 2 3 4");
    check("parentaccountid/name eq parentaccountid/name", "2");
    check("contact_customer_accounts/any()", "1 2");
    check("not contact_customer_accounts/any()", "3 4");
    check("contact_customer_accounts/any(c:c/fullname eq 'Bob')", "1");
    check("contact_customer_accounts/any(c:c/fullname eq null)", "2");
    check("contact_customer_accounts/all(c:c/fullname ne null)", "1 3 4");
    check("contact_customer_accounts/all(c:c/fullname eq 'Ann')", "3 4");
    check("contact_customer_accounts/any(c:c/parentcustomerid_account/name eq 'alpha')", "1 2");
    check("account_teams/any(t:t/name eq 'Blue')", "1 2");
    check("account_teams/any(t:t/name eq 'Red')", "1");
    check("account_teams/any()", "1 2");
    check("account_teams/all(t:t/name eq 'Blue')", "2 3 4");
    check("parentaccountid/account_teams/any(t:t/name eq 'Red')", "2");
    check("primarycontactid/contact_customer_contacts/any(c:c/fullname eq 'Cid')", "1");
    check("Microsoft.Dynamics.CRM.ContainValues(PropertyName='colours',PropertyValues=['2','3'])", "2");
    check(
        "Microsoft.Dynamics.CRM.DoesNotContainValues(PropertyName='colours',PropertyValues=['2'])",
        "1 2 3 4",
    );
    check(
        "Microsoft.Dynamics.CRM.In(PropertyName='primarycontactid/fullname',PropertyValues=['Ann','x'])",
        "1",
    );
}

#[test]
fn rows_stand_in_order_and_end_at_the_top() {
    fn check(orderby: &str, expected: &str) {
        assert_eq!(rows(&[("$orderby", orderby)]), expected, "{orderby}");
    }
    check("name", "3 1 2 4");
    check("name desc", "4 1 2 3");
    check("name,accountid desc", "3 2 1 4");
    check("revenue,numberofemployees", "3 2 1 4");
    check("primarycontactid/fullname desc", "1 2 3 4");
    check("primarycontactid/fullname,name desc", "4 2 3 1");
    check("_primarycontactid_value", "3 1 4 2");
    check("_primarycontactid_value desc", "2 4 1 3");
    assert_eq!(rows(&[("$orderby", "name desc"), ("$top", "2")]), "4 1");
    assert_eq!(rows(&[("$top", "0")]), "");
    let (schema, world) = (schema(), world());
    let query = query(&schema, &[("$top", "1"), ("$filter", "name ne null")]);
    let answer = find(&world, &schema, schema.table("account").unwrap(), &query);
    assert!(matches!(answer, Ok(Answer::Rows(List { total: 3, ref rows })) if rows.len() == 1));
}

#[test]
fn expanded_rows_hang_below_theirs() {
    fn check(expand: &str, expected: &str) {
        assert_eq!(rows(&[("$expand", expand)]), expected, "{expand}");
    }
    check("primarycontactid", "1[11] 2[] 3[] 4[14]");
    check("ownerid", "1[31] 2[] 3[] 4[21]");
    check("primarycontactid,ownerid", "1[11][31] 2[][] 3[][] 4[14][21]");
    check("primarycontactid($expand=parentcustomerid_account)", "1[11[1]] 2[] 3[] 4[14[2]]");
    check("contact_customer_accounts", "1[11 12/2] 2[14/1] 3[/0] 4[/0]");
    check("contact_customer_accounts($orderby=fullname desc;$top=1)", "1[12/2] 2[14/1] 3[/0] 4[/0]");
    check("contact_customer_accounts($filter=fullname eq 'ann')", "1[11/1] 2[/0] 3[/0] 4[/0]");
    check("account_teams($orderby=name)", "1[22 21/2] 2[22/1] 3[/0] 4[/0]");
    check(
        "contact_customer_accounts($expand=contact_customer_contacts)",
        "1[11[13/1] 12[/0]/2] 2[14[/0]/1] 3[/0] 4[/0]",
    );
    check("primarycontactid/$ref", "1[11] 2[] 3[] 4[14]");
}

#[test]
fn groups_have_keys_and_figures() {
    fn check(apply: &str, expected: &str) {
        let (schema, world) = (schema(), world());
        let answer =
            find(&world, &schema, schema.table("account").unwrap(), &query(&schema, &[("$apply", apply)]));
        let Ok(Answer::Groups(groups)) = answer else { panic!("{apply} {answer:?}") };
        let cell = |(name, value): &(String, Value)| {
            let value = match value {
                Value::Null => "null".to_owned(),
                Value::Int(number) => number.to_string(),
                Value::Decimal(number) => number.to_string(),
                Value::Text(text) => text.clone(),
                Value::Date(days) => crate::time::format_date(*days),
                Value::Lookup(to) => to.id.as_u128().to_string(),
                other => format!("{other:?}"),
            };
            format!("{name}={value}")
        };
        let groups: Vec<String> =
            groups.iter().map(|g| g.iter().map(cell).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(groups.join(", "), expected, "{apply}");
    }
    check("groupby((name))", "name=null, name=alpha, name=Delta");
    check("groupby((name),aggregate($count as n))", "name=null n=1, name=alpha n=2, name=Delta n=1");
    check(
        "groupby((primarycontactid/fullname),aggregate(revenue with sum as s))",
        "primarycontactid_fullname=null s=11.5, primarycontactid_fullname=Ann s=1.50",
    );
    check("groupby((_ownerid_value))", "_ownerid_value=null, _ownerid_value=21, _ownerid_value=31");
    check("groupby((revenue))", "revenue=null, revenue=1.50, revenue=10");
    check("aggregate(revenue with sum as s,revenue with average as m)", "s=13.00 m=4.3333333333");
    check("aggregate(revenue with min as a,revenue with max as z)", "a=1.50 z=10");
    check(
        "aggregate(numberofemployees with sum as s,numberofemployees with average as m)",
        "s=3 m=1.5000000000",
    );
    check(
        "aggregate(name with countdistinct as k,revenue with countdistinct as r,$count as n)",
        "k=2 r=2 n=4",
    );
    check("aggregate(primarycontactid/contactid with countdistinct as k)", "k=2");
    check(
        "filter(name eq 'nobody')/aggregate(revenue with sum as s,revenue with average as m,revenue with max as z,$count as n)",
        "s=null m=null z=null n=0",
    );
    check("filter(name eq 'nobody')/groupby((name),aggregate($count as n))", "");
    check("filter(name ne null)/groupby((statecode),aggregate($count as n))", "statecode=null n=3");
}

#[test]
fn what_cannot_be_answered_is_an_error() {
    let (schema, world) = (schema(), world());
    let table = schema.table("account").unwrap();
    let status = |filter: Filter| {
        let query = Query { filter: Some(filter), ..Query::default() };
        find(&world, &schema, table, &query).map_err(|error| error.status)
    };
    let unresolved = query(&schema, &[("$filter", "Microsoft.Dynamics.CRM.Today(PropertyName='createdon')")]);
    assert_eq!(status(unresolved.filter.unwrap()), Err(500));
    let always = || Box::new(Filter::Always(true));
    assert_eq!(status(Filter::Through { navigation: "x".into(), filter: always() }), Err(400));
    assert_eq!(status(Filter::Any { collection: "primarycontactid".into(), filter: always() }), Err(400));
    let too_many = usize::try_from(crate::fetchxml::AGGREGATE_ROWS_MAX).unwrap() + 1;
    let mut many = World::new();
    many.insert("account".into(), vec![Row::new(); too_many]);
    let apply = query(&schema, &[("$apply", "aggregate($count as n)")]);
    let code = |world: &World| find(world, &schema, table, &apply).map_err(|error| error.code).map(|_| ());
    assert_eq!(code(&many), Err("0x8004e023".to_owned()));
    many.insert("account".into(), vec![Row::new(); too_many - 1]);
    assert_eq!(code(&many), Ok(()));
}
