use super::*;
use crate::decimal::Decimal;
use crate::fixture::{account, schema};
use crate::value::EntityRef;
use proptest::prelude::*;
use uuid::Uuid;

const ID: &str = "a0000000-0000-4000-8000-000000000001";

/// Columns of the row that the tables of cases ask about.
fn cell(column: &str) -> Value {
    let id = Uuid::try_parse(ID).unwrap();
    match column {
        "accountid" => Value::Guid(id),
        "name" => Value::Text("O'Bryan & Søn (100%)".into()),
        "numberofemployees" => Value::Int(12),
        "versionnumber" => Value::Int(9_007_199_254_740_993),
        "revenue" => Value::Decimal(Decimal::parse("5000000.0000").unwrap()),
        "creditlimit" => Value::Decimal(Decimal::parse("0.10").unwrap()),
        "latitude" => Value::Double(51.5),
        "donotphone" => Value::Bool(true),
        "createdon" => Value::DateTime(crate::time::parse_datetime("2026-01-15T10:02:11Z").unwrap()),
        "modifiedon" => Value::DateTime(crate::time::parse_datetime("2026-01-16T00:00:00Z").unwrap()),
        "foundedon" => Value::Date(crate::time::parse_date("2020-01-31").unwrap()),
        "statecode" => Value::Int(0),
        "statuscode" => Value::Int(1),
        "primarycontactid" => Value::Lookup(EntityRef { table: "contact".into(), id }),
        _ => Value::Null,
    }
}

#[test]
fn a_row_passes_or_does_not() {
    fn check(text: &str, expected: bool) {
        let filter =
            parse_filter(text, &account(), &schema()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(matches(&filter, &cell), expected, "{text}");
        let negated = parse_filter(&format!("not ({text})"), &account(), &schema()).unwrap();
        assert_eq!(matches(&negated, &cell), !expected, "not ({text})");
    }
    // Texts: without case, quotes doubled, wildcards literal.
    check("name eq 'o''bryan & SØN (100%)'", true);
    check("name eq 'o''bryan%'", false);
    check("contains(name,'bryan & søn')", true);
    check("contains( name , '%' )", true);
    check("contains(name,'_')", false);
    check("startswith(name,'o''B')", true);
    check("endswith(name,'(100%)')", true);
    check("contains(name,'')", true);
    check("contains(description,'')", false);
    check("name gt 'o'", true);
    check("name lt 'P'", true);
    check("'P' gt name", true);
    check("contains(name,'x') eq false", true);
    check("contains(name,'x') ne false", false);
    // Numbers, exact.
    check("numberofemployees eq 12", true);
    check("numberofemployees eq 12.0", true);
    check("numberofemployees gt 11.5", true);
    check("numberofemployees lt 1e2", true);
    check("numberofemployees ge 12 and numberofemployees le 12", true);
    check("numberofemployees gt -1", true);
    check("numberofemployees lt 99999999999999999999999999999999999999", true);
    check("versionnumber eq 9007199254740993", true);
    check("versionnumber eq 9007199254740992", false);
    check("revenue eq 5000000", true);
    check("revenue lt 5000000.0001", true);
    check("creditlimit eq 0.1", true);
    check("latitude eq 51.5", true);
    check("latitude lt 1e999", true);
    check("5 lt numberofemployees", true);
    check("statecode eq 0 and statuscode eq 1", true);
    // Booleans.
    check("donotphone", true);
    check("donotphone eq true", true);
    check("not donotphone", false);
    check("not donotphone eq true", false);
    check("false or donotphone", true);
    // Ids and lookups, bare and quoted, any case.
    check(&format!("accountid eq {ID}"), true);
    check(&format!("accountid eq {}", ID.to_uppercase()), true);
    check(&format!("_primarycontactid_value eq {ID}"), true);
    check(&format!("_primarycontactid_value eq '{ID}'"), true);
    check("_primarycontactid_value ne 11111111-0000-4000-8000-000000000002", true);
    check("_primarycontactid_value eq null", false);
    check("_ownerid_value eq null", true);
    // Times.
    check("createdon eq 2026-01-15T10:02:11Z", true);
    check("createdon eq 2026-01-15T11:02:11+01:00", true);
    check("createdon ge 2026-01-15", true);
    check("createdon lt 2026-01-15", false);
    check("modifiedon eq 2026-01-16", true);
    check("foundedon eq 2020-01-31", true);
    check("foundedon lt 2020-01-31T00:00:01Z", true);
    // Null: two-valued.
    check("description eq null", true);
    check("description ne null", false);
    check("name ne null", true);
    check("description eq 'x'", false);
    check("description ne 'x'", true);
    check("description gt 'x'", false);
    check("description lt 'x'", false);
    check("description ge null", false);
    check("name gt null", false);
    check("null eq description", true);
    check("not (description eq 'x')", true);
    // Two columns.
    check("revenue gt creditlimit", true);
    check("numberofemployees lt revenue", true);
    check("createdon lt modifiedon", true);
    check("foundedon lt createdon", true);
    check("name eq description", false);
    check("name ne description", false);
    check("rate eq rate", false);
    // Literals only.
    check("true", true);
    check("1 eq 1.0", true);
    check("null eq null", true);
    check("null ne 1", true);
    check("null lt 1", false);
    // Precedence, parentheses, blanks.
    check("donotphone or false and false", true);
    check("(donotphone or false) and false", false);
    check("not false and donotphone", true);
    check("((((numberofemployees)) eq (12)))", true);
    check("\t(donotphone)and(true)\n", true);
    check("not not donotphone", true);
}

#[test]
fn what_does_not_fit_is_refused_with_status_and_reason() {
    fn check(text: &str, status: u16, part: &str) {
        let error = parse_filter(text, &account(), &schema()).expect_err(text);
        assert_eq!((error.status, error.code.as_str()), (status, "0x80060888"), "{text}");
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
    check("", 400, "position 0");
    check("   ", 400, "position 3");
    check("name", 400, "must evaluate to a single boolean value");
    check("5", 400, "must evaluate to a single boolean value");
    check("name eq", 400, "position 7");
    check("name eq 'x' and", 400, "position 15");
    check("name eq 'x' name", 400, "position 12");
    check("(name eq 'x'", 400, "position 12");
    check("name eq 'x')", 400, "position 11");
    check("()", 400, "position 1");
    check("name = 'x'", 400, "position 5");
    check("name EQ 'x'", 400, "position 5");
    check("name eq \"x\"", 400, "position 8");
    check("Ærø eq 'x'", 400, "position 0");
    check("name eq 'x' and Ø", 400, "position 16");
    check("lastname eq 'O'Bryan'", 400, "unterminated string literal at position 21");
    check("name eq '", 400, "unterminated string literal at position 9");
    check("nonsense eq 1", 400, "named 'nonsense' on type 'Microsoft.Dynamics.CRM.account'");
    check("Name eq 'x'", 400, "named 'Name'");
    check("primarycontactid eq null", 400, "named 'primarycontactid'");
    check("_name_value eq null", 400, "named '_name_value'");
    check("name eq 5", 400, "'Edm.String' and 'Edm.Int32' for operator kind 'Equal'");
    check("numberofemployees gt 'x'", 400, "'Edm.Int32' and 'Edm.String' for operator kind 'GreaterThan'");
    check("'x' gt numberofemployees", 400, "for operator kind 'LessThan'");
    check("createdon gt 'yesterday'", 400, "'Edm.DateTimeOffset' and 'Edm.String'");
    check("createdon gt 2026-02-30", 400, "position 13");
    check("donotphone eq 1", 400, "'Edm.Boolean'");
    check("accountid eq 'nonsense'", 400, "'Edm.Guid' and 'Edm.String'");
    check("accountid eq 5", 400, "'Edm.Guid' and 'Edm.Int32'");
    check(&format!("name eq {ID}"), 400, "'Edm.String' and 'Edm.Guid'");
    check("name eq revenue", 400, "'Edm.String' and 'Edm.Decimal'");
    check("1 eq 'x'", 400, "between two literals");
    check("numberofemployees eq 1.", 400, "position 21");
    check("numberofemployees eq 1e", 400, "position 21");
    check("numberofemployees eq 0x10", 400, "position 21");
    check("numberofemployees eq NaN", 400, "named 'NaN'");
    check("numberofemployees add 1 eq 2", 400, "position 18");
    check("name in ('a','b')", 400, "position 5");
    check("contains(name)", 400, "position 13");
    check("contains(name,'a','b')", 400, "position 17");
    check("contains(name,5)", 400, "No function signature for the function with name 'contains'");
    check("contains(revenue,'5')", 400, "No function signature");
    check("contains('a',name)", 400, "No function signature");
    check("contains(name,null)", 400, "No function signature");
    check("tolower(name) eq 'x'", 400, "unknown function with name 'tolower'");
    check("contains(name,'a') gt true", 400, "true and false only");
    check("contains(name,'a') eq donotphone", 400, "true and false only");
    check("contains(name,'a') eq 5", 400, "true and false only");
    check("name eq [1]", 400, "position 8");
    check("name eq \"x\"", 400, "position 8");
    check("name eq \"x", 400, "position 8");
}

#[test]
fn what_is_wrong_with_paths_and_lambdas_is_said() {
    fn check(text: &str, status: u16, part: &str) {
        let error = parse_filter(text, &account(), &schema()).expect_err(text);
        assert_eq!((error.status, error.code.as_str()), (status, "0x80060888"), "{text}");
        assert!(error.message.contains(part), "{text}: {}", error.message);
    }
    check("nonsense/fullname eq 'x'", 400, "named 'nonsense' on type 'Microsoft.Dynamics.CRM.account'");
    check("name/fullname eq 'x'", 400, "named 'name'");
    check(
        "primarycontactid/nonsense eq 'x'",
        400,
        "named 'nonsense' on type 'Microsoft.Dynamics.CRM.contact'",
    );
    check("PrimaryContactId/fullname eq 'x'", 400, "named 'PrimaryContactId'");
    check("primarycontactid/fullname eq 5", 400, "'Edm.String' and 'Edm.Int32'");
    check("primarycontactid/ eq 5", 400, "named 'eq'");
    check("primarycontactid//fullname eq 'x'", 400, "position 17");
    check("primarycontactid eq null", 400, "named 'primarycontactid'");
    check("primarycontactid/fullname", 400, "single boolean value");
    check("ownerid/fullname eq 'x'", 400, "principal");
    check("primarycontactid/fullname eq name", 400, "columns of the same row");
    check("contact_customer_accounts/lastname eq 'x'", 400, "Only 'any' and 'all'");
    check("primarycontactid/any(c:c/lastname eq 'x')", 400, "unknown function with name 'any'");
    check("contact_customer_accounts/any", 400, "position 29");
    check("contact_customer_accounts/any(", 400, "position 30");
    check("contact_customer_accounts/all()", 400, "position 30");
    check("contact_customer_accounts/any(c)", 400, "position 31");
    check("contact_customer_accounts/any(c:)", 400, "position 32");
    check("contact_customer_accounts/any(c:c)", 400, "range variable 'c'");
    check("contact_customer_accounts/any(c:c/lastname)", 400, "single boolean value");
    check("contact_customer_accounts/any(c:lastname eq 'x')", 400, "range variable 'c'");
    check("contact_customer_accounts/any(c:c/name eq 'x')", 400, "named 'name'");
    check("contact_customer_accounts/any(c:c/lastname eq 'x'", 400, "position 49");
    check("contact_customer_accounts/any(1:1/lastname eq 'x')", 400, "position 30");
    check("contact_customer_accounts/any(c:c/contact_customer_contacts/any())", 400, "nested");
    check("contact_customer_accounts/any(c:c/lastname eq 'x') and c/lastname eq 'x'", 400, "named 'c'");
    check("contact_customer_accounts/$count gt 1", 400, "position 26");
    let long = format!("{}name eq 'x'", "parentaccountid/".repeat(PATH_DEPTH_MAX + 1));
    check(&long, 400, "more than 10 navigation properties");
    let mut schema = schema();
    schema.tables.retain(|table| table.logical_name != "contact");
    let gone = parse_filter("primarycontactid/fullname eq 'x'", &account(), &schema);
    assert_eq!(gone.map_err(|error| error.status), Err(501));
}

#[test]
fn paths_and_lambdas_become_conditions_on_other_rows() {
    fn check(text: &str, printed: &str) {
        let filter = parse_filter(text, &account(), &schema()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(print_filter(&filter, &account(), &schema()), printed, "{text}");
        assert_eq!(parse_filter(printed, &account(), &schema()), Ok(filter), "{printed}");
    }
    let fullname =
        Filter::Compare { column: "fullname".into(), op: CompareOp::Equal, value: Value::Text("x".into()) };
    let found = parse_filter("primarycontactid/fullname eq 'x'", &account(), &schema());
    assert_eq!(found, Ok(through("primarycontactid", fullname.clone())));
    let found = parse_filter("contact_customer_accounts/all(c:c/fullname eq 'x')", &account(), &schema());
    let any = Filter::Any {
        collection: "contact_customer_accounts".into(),
        filter: Box::new(Filter::Not(Box::new(fullname))),
    };
    assert_eq!(found, Ok(Filter::Not(Box::new(any))));
    for same in [
        "primarycontactid/fullname eq 'x'",
        "primarycontactid/parentcustomerid_account/name eq 'x'",
        "primarycontactid/_parentcustomerid_value eq null",
        "contains(primarycontactid/fullname,'x')",
        "primarycontactid/creditlimit gt primarycontactid/creditlimit",
        "parentaccountid/donotphone eq true",
        "contact_customer_accounts/any()",
        "account_teams/any(x:x/name eq 'x')",
        "contact_customer_accounts/any(x:x/parentcustomerid_account/name eq 'x' and x/fullname eq null)",
        "contact_customer_accounts/any(x:contains(x/fullname,'x') or not x/fullname eq 'y')",
        "primarycontactid/contact_customer_contacts/any(x:x/fullname eq 'x')",
        &format!("{}name eq 'x'", "parentaccountid/".repeat(PATH_DEPTH_MAX)),
    ] {
        check(same, same);
    }
    check("parentaccountid/donotphone", "parentaccountid/donotphone eq true");
    check("parentaccountid/numberofemployees eq 1.5", "false");
    check("'x' eq primarycontactid/fullname", "primarycontactid/fullname eq 'x'");
    check("account_teams/any( t : t/name eq 'x' )", "account_teams/any(x:x/name eq 'x')");
    check("account_teams/all(t:t/name eq 'x')", "not account_teams/any(x:not x/name eq 'x')");
    check("account_teams/any(name:name/name eq 'x')", "account_teams/any(x:x/name eq 'x')");
}

#[test]
fn messages_hold_no_text_literals() {
    for text in
        ["name eq 'secret' nonsense", "name eq 'secret", "revenue eq 'secret'", "contains(name,'secret'"]
    {
        let error = parse_filter(text, &account(), &schema()).expect_err(text);
        assert!(!error.message.contains("secret"), "{text}: {}", error.message);
    }
}

#[test]
fn depth_and_size_end_at_their_caps() {
    fn check(text: &str, fits: bool) {
        let shown: String = text.chars().take(20).collect();
        let status = parse_filter(text, &account(), &schema()).map_or_else(|error| error.status, |_| 200);
        assert_eq!(status, if fits { 200 } else { 400 }, "{shown}");
    }
    let parentheses = |n: usize| format!("{}donotphone{}", "(".repeat(n), ")".repeat(n));
    let negations = |n: usize| format!("{}donotphone", "not ".repeat(n));
    let functions = |n: usize| format!("{}name,'x'{}", "contains(".repeat(n), ")".repeat(n));
    let disjunction = |n: usize| vec!["donotphone"; n].join(" or ");
    check(&parentheses(FILTER_DEPTH_MAX), true);
    check(&parentheses(FILTER_DEPTH_MAX + 1), false);
    check(&negations(FILTER_DEPTH_MAX), true);
    check(&negations(FILTER_DEPTH_MAX + 1), false);
    // A bare column is a comparison with `true`: three nodes.
    check(&disjunction(FILTER_NODES_MAX / 3), true);
    check(&disjunction(FILTER_NODES_MAX / 3 + 1), false);
    for hostile in [parentheses(1_000_000), negations(1_000_000), functions(1_000_000), "(".repeat(1_000_000)]
    {
        check(&hostile, false);
    }
    check(&format!("name eq '{}'", "''".repeat(1_000_000)), true);
    check(&"not(".repeat(1_000_000), false);
    // Chains of comparisons nest as `not` does.
    let chain = |n: usize| format!("contains(name,'x'){}", " eq false".repeat(n));
    check(&chain(FILTER_DEPTH_MAX / 2), true);
    check(&chain(FILTER_DEPTH_MAX / 2 + 1), false);
    check(&chain(1000), false);
}

#[test]
fn what_was_read_at_the_caps_can_be_read_again_once_printed() {
    let not = |n: usize| "not ".repeat(n);
    let half = FILTER_DEPTH_MAX / 2;
    for text in [
        format!("{}donotphone", not(FILTER_DEPTH_MAX)),
        format!("{}contains(name,'x')", not(FILTER_DEPTH_MAX - 1)),
        format!("{}contains(name,'x') eq false", not(FILTER_DEPTH_MAX - 2)),
        format!("{}(donotphone or donotphone)", not(FILTER_DEPTH_MAX - 1)),
        format!("donotphone{}", " eq true eq false".repeat(half / 2 - 1)),
        format!("{}account_teams/all(t:t/name eq 'x' or t/name eq 'y')", not(FILTER_DEPTH_MAX - 5)),
        format!(
            "{}Microsoft.Dynamics.CRM.NotIn(PropertyName='name',PropertyValues=['a','b'])",
            not(FILTER_DEPTH_MAX - 2)
        ),
    ] {
        let filter = parse_filter(&text, &account(), &schema()).unwrap_or_else(|e| panic!("{text}: {e}"));
        let printed = print_filter(&filter, &account(), &schema());
        assert_eq!(parse_filter(&printed, &account(), &schema()), Ok(filter), "{text}");
        assert!(
            parse_filter(&format!("not not not not {text}"), &account(), &schema()).is_err()
                || !text.starts_with("not")
        );
    }
}

fn literal() -> impl Strategy<Value = (String, Value)> {
    prop_oneof![
        "\\PC{0,12}".prop_map(|text| ("name".into(), Value::Text(text))),
        any::<i64>().prop_map(|number| ("numberofemployees".into(), Value::Int(number))),
        (any::<i64>(), 0..=12_u8).prop_map(|(mantissa, scale)| {
            ("revenue".into(), Value::Decimal(Decimal::new(i128::from(mantissa), scale).unwrap()))
        }),
        proptest::num::f64::NORMAL.prop_map(|number| ("latitude".into(), Value::Double(number))),
        any::<bool>().prop_map(|value| ("donotphone".into(), Value::Bool(value))),
        any::<u128>().prop_map(|id| ("primarycontactid".into(), Value::Guid(Uuid::from_u128(id)))),
        (crate::time::INSTANT_MIN..=crate::time::INSTANT_MAX)
            .prop_map(|millis| ("createdon".into(), Value::DateTime(millis))),
        (-700_000..2_900_000_i32).prop_map(|days| ("foundedon".into(), Value::Date(days))),
        Just(("description".into(), Value::Null)),
    ]
}

fn through(navigation: &str, filter: Filter) -> Filter {
    Filter::Through { navigation: navigation.into(), filter: Box::new(filter) }
}

fn any_function() -> impl Strategy<Value = Filter> {
    let time = prop_oneof![
        proptest::sample::select(vec![TimeUnit::Day, TimeUnit::Week, TimeUnit::FiscalYear]).prop_flat_map(
            |unit| proptest::sample::select(vec![
                QueryFunction::Last(unit),
                QueryFunction::This(unit),
                QueryFunction::Next(unit),
            ])
        ),
        (1..=u32::MAX).prop_map(|count| QueryFunction::LastX(TimeUnit::Month, count)),
        (1..=u32::MAX).prop_map(|count| QueryFunction::NextX(TimeUnit::FiscalPeriod, count)),
        (1..=u32::MAX).prop_map(|count| QueryFunction::OlderThanX(TimeUnit::Minute, count)),
        (-700_000..2_900_000_i32).prop_map(|day| QueryFunction::Day(DaySide::OnOrBefore, day)),
        (1..=4_u8, 1900..=9999_i32)
            .prop_map(|(period, year)| QueryFunction::Fiscal(FiscalTime::InOrAfter(period, year))),
        (1..=4_u8).prop_map(|period| QueryFunction::Fiscal(FiscalTime::Period(period))),
        (1900..=9999_i32).prop_map(|year| QueryFunction::Fiscal(FiscalTime::Year(year))),
    ];
    let people = prop_oneof![
        Just(QueryFunction::Caller(CallerColumn::UserOrHierarchyAndTeams)),
        Just(QueryFunction::Caller(CallerColumn::BusinessUnit)),
        any::<u128>()
            .prop_map(|id| QueryFunction::Hierarchy(HierarchySide::UnderOrEqual, Uuid::from_u128(id))),
    ];
    prop_oneof![
        time.prop_map(|function| Filter::Function { column: "createdon".into(), function }),
        people.prop_map(|function| Filter::Function { column: "parentaccountid".into(), function }),
    ]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    let op = || proptest::sample::select(CompareOp::ALL.to_vec());
    let text_op = proptest::sample::select(vec![TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith]);
    let leaf = prop_oneof![
        (literal(), op()).prop_map(|((column, value), op)| Filter::Compare { column, op, value }),
        (text_op, "\\PC{0,12}").prop_map(|(op, pattern)| Filter::Text {
            column: "description".into(),
            op,
            pattern
        }),
        op().prop_map(|op| Filter::CompareColumns {
            left: "revenue".into(),
            op,
            right: "creditlimit".into()
        }),
        proptest::collection::vec(any::<i32>(), 1..4)
            .prop_map(|values| Filter::HasValues { column: "colours".into(), values }),
        any_function(),
    ];
    let contact = prop_oneof![
        (op(), "\\PC{0,6}").prop_map(|(op, text)| Filter::Compare {
            column: "fullname".into(),
            op,
            value: Value::Text(text)
        }),
        (op(), any::<u128>()).prop_map(|(op, id)| Filter::Compare {
            column: "parentcustomerid".into(),
            op,
            value: Value::Guid(Uuid::from_u128(id)),
        }),
        leaf.clone().prop_map(|leaf| through("parentcustomerid_account", leaf)),
    ];
    let group = |leaf: BoxedStrategy<Filter>| {
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..3).prop_map(Filter::And),
                inner.prop_map(|inner| Filter::Not(Box::new(inner))),
            ]
        })
    };
    let any_of = |collection: &'static str, filter: BoxedStrategy<Filter>| {
        filter.prop_map(move |filter| Filter::Any { collection: collection.into(), filter: Box::new(filter) })
    };
    let leaf = prop_oneof![
        6 => leaf,
        1 => contact.clone().prop_map(|leaf| through("primarycontactid", leaf)),
        1 => any_of("contact_customer_accounts", group(contact.boxed()).boxed()),
        1 => any_of("account_teams", Just(Filter::Always(true)).boxed()),
        1 => any::<bool>().prop_map(Filter::Always),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(filter in any_filter()) {
        let table = account();
        let text = print_filter(&filter, &table, &schema());
        prop_assert_eq!(parse_filter(&text, &table, &schema()).map_err(|e| e.message), Ok(filter), "{}", text);
    }

    #[test]
    fn rewriting_a_literal_does_not_change_what_it_means(
        at in 0..6_usize,
        cell in -3..=3_i64,
        thousandths in -3500..=3500_i128,
        flipped: bool,
    ) {
        let (op, literal) = (CompareOp::ALL[at], Decimal::new(thousandths, 3).unwrap());
        let text = match flipped {
            false => format!("numberofemployees {} {literal}", op.keyword()),
            true => format!("{literal} {} numberofemployees", op.flipped().keyword()),
        };
        let filter = parse_filter(&text, &account(), &schema()).unwrap();
        let expected = op.holds(Decimal::from(cell).cmp(&literal));
        prop_assert_eq!(matches(&filter, &|_| Value::Int(cell)), expected, "{} for {}", text, cell);
        prop_assert_eq!(matches(&filter, &|_| Value::Null), op == CompareOp::NotEqual, "{} for null", text);
    }

    #[test]
    fn an_operator_and_its_flip_agree(at in 0..6_usize, a: i64, b: i64) {
        let op = CompareOp::ALL[at];
        prop_assert_eq!(op.holds(a.cmp(&b)), op.flipped().holds(b.cmp(&a)));
    }

    #[test]
    fn reading_never_panics(text in "\\PC*") {
        let _ = parse_filter(&text, &account(), &schema());
    }

    #[test]
    fn reading_nearly_valid_text_never_panics(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "name", "revenue", "eq", "and", "or", "not", "(", ")", ",", "'", "''", "'x'", "5", "-",
                "null", "contains", "startswith(", "@p", "/", "2026-01-15", "é", "\u{0}", " ", "true",
            ]),
            0..24,
        )
    ) {
        let _ = parse_filter(&words.join(" "), &account(), &schema());
        let _ = parse_filter(&words.concat(), &account(), &schema());
    }
}
