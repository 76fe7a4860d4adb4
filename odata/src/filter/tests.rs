use super::*;
use crate::decimal::Decimal;
use crate::fixture::account;
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
        let filter = parse_filter(text, &account()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(matches(&filter, &cell), expected, "{text}");
        let negated = parse_filter(&format!("not ({text})"), &account()).unwrap();
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
        let error = parse_filter(text, &account()).expect_err(text);
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
    check("primarycontactid/fullname eq 'x'", 501, "after 'primarycontactid'");
    check("contact_customer_accounts/any(c:c/lastname eq 'x')", 501, "lambda");
    check("Microsoft.Dynamics.CRM.Today(PropertyName='createdon')", 501, "Microsoft.Dynamics.CRM.Today");
}

#[test]
fn messages_hold_no_text_literals() {
    for text in
        ["name eq 'secret' nonsense", "name eq 'secret", "revenue eq 'secret'", "contains(name,'secret'"]
    {
        let error = parse_filter(text, &account()).expect_err(text);
        assert!(!error.message.contains("secret"), "{text}: {}", error.message);
    }
}

#[test]
fn depth_and_size_end_at_their_caps() {
    fn check(text: &str, fits: bool) {
        let shown: String = text.chars().take(20).collect();
        let status = parse_filter(text, &account()).map_or_else(|error| error.status, |_| 200);
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
    check(&disjunction(FILTER_NODES_MAX), true);
    check(&disjunction(FILTER_NODES_MAX + 1), false);
    for hostile in [parentheses(1_000_000), negations(1_000_000), functions(1_000_000), "(".repeat(1_000_000)]
    {
        check(&hostile, false);
    }
    check(&format!("name eq '{}'", "''".repeat(1_000_000)), true);
    check(&"not(".repeat(1_000_000), false);
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
        any::<bool>().prop_map(Filter::Always),
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
        let text = print_filter(&filter, &table);
        prop_assert_eq!(parse_filter(&text, &table).map_err(|e| e.message), Ok(filter), "{}", text);
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
        let filter = parse_filter(&text, &account()).unwrap();
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
        let _ = parse_filter(&text, &account());
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
        let _ = parse_filter(&words.join(" "), &account());
        let _ = parse_filter(&words.concat(), &account());
    }
}
