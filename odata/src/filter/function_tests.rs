//! Query functions: how they are written, what they refuse, and what they mean to whom and when.

use super::*;
use crate::fixture::{account, schema};
use crate::time::{format_datetime, parse_date, parse_datetime};
use uuid::Uuid;

const PREFIX: &str = "Microsoft.Dynamics.CRM.";
const ID: &str = "a0000000-0000-4000-8000-000000000001";

fn read(call: &str) -> Result<Filter> {
    parse_filter(&format!("{PREFIX}{call}"), &account(), &schema())
}

#[test]
fn functions_that_need_no_circumstances_are_plain_conditions() {
    fn check(call: &str, plain: &str) {
        assert_eq!(read(call), parse_filter(plain, &account(), &schema()), "{call}");
    }
    check("In(PropertyName='name',PropertyValues=['a','b'])", "name eq 'a' or name eq 'b'");
    check("In(PropertyName='name',PropertyValues=[\"a\\u0027\",\"b\"])", "name eq 'a''' or name eq 'b'");
    check("In(PropertyName='name',PropertyValues=['a'])", "name eq 'a'");
    check(
        "In(PropertyName='numberofemployees',PropertyValues=['1',2])",
        "numberofemployees eq 1 or numberofemployees eq 2",
    );
    let owner = format!("_ownerid_value eq {ID}");
    check(&format!("In(PropertyName='ownerid',PropertyValues=['{ID}'])"), &owner);
    check(&format!("In(PropertyName='_ownerid_value',PropertyValues=[{ID}])"), &owner);
    check("NotIn(PropertyName='name',PropertyValues=['a','b'])", "not (name eq 'a' or name eq 'b')");
    check(
        "Between(PropertyName='numberofemployees',PropertyValues=['5','20.5'])",
        "numberofemployees ge 5 and numberofemployees le 20",
    );
    check(
        "NotBetween(PropertyName='createdon',PropertyValues=['2026-01-01','2026-02-01'])",
        "not (createdon ge 2026-01-01 and createdon le 2026-02-01)",
    );
    check("Contains(PropertyName='name',PropertyValue='x')", "contains(name,'x')");
    check(
        "In(PropertyName='donotphone',PropertyValues=['1','false'])",
        "donotphone eq true or donotphone eq false",
    );
    check(
        "In(PropertyName='primarycontactid/fullname',PropertyValues=['a','b'])",
        "primarycontactid/fullname eq 'a' or primarycontactid/fullname eq 'b'",
    );
    let values = Filter::HasValues { column: "colours".into(), values: vec![1, 3] };
    assert_eq!(read("ContainValues(PropertyName='colours',PropertyValues=['1',3])"), Ok(values.clone()));
    let none = Filter::Not(Box::new(values));
    assert_eq!(read("DoesNotContainValues(PropertyName='colours',PropertyValues=['1','3'])"), Ok(none));
}

#[test]
fn functions_are_read_wherever_a_condition_can_stand() {
    let parse = |text: &str| parse_filter(text, &account(), &schema());
    let call = format!("{PREFIX}Today(PropertyName='birthdate')");
    for path in [
        format!("primarycontactid/{call}"),
        format!("{PREFIX}Today( PropertyName = 'primarycontactid/birthdate' )"),
    ] {
        let printed = print_filter(&parse(&path).unwrap(), &account(), &schema());
        assert_eq!(printed, format!("primarycontactid/{call}"));
    }
    let inner = parse(&format!("contact_customer_accounts/any(c:c/{call})"));
    assert!(inner.is_ok());
    assert_eq!(inner, parse(&format!("contact_customer_accounts/any(c:{call})")));
    assert!(parse(&format!("not {PREFIX}Today(PropertyName='createdon') and donotphone")).is_ok());
}

#[test]
fn functions_that_do_not_fit_are_refused() {
    fn check(call: &str, part: &str) {
        let error = read(call).expect_err(call);
        assert_eq!((error.status, error.code.as_str()), (400, "0x80060888"), "{call}");
        assert!(error.message.contains(part), "{call}: {}", error.message);
    }
    let values = "do not fit the property";
    check("Nonsense(PropertyName='name')", "unknown function with name 'Microsoft.Dynamics.CRM.Nonsense'");
    check("today(PropertyName='createdon')", "unknown function");
    check("Today()", "position 29");
    check("Today('createdon')", "position 29");
    check("Today(PropertyName)", "position 41");
    check("Today(PropertyName=)", "position 42");
    check("Today(PropertyName='createdon'", "position 53");
    check("Today(PropertyName='nonsense')", "named 'nonsense'");
    check("Today(PropertyName='')", "named ''");
    check("Today(PropertyName='nonsense/createdon')", "named 'nonsense'");
    check("Today(PropertyName='ownerid/createdon')", "principal");
    check("Today(PropertyName='createdon',PropertyName='createdon')", "comes twice");
    check("Today(PropertyName=['createdon','createdon'])", "does not fit");
    check("Today(PropertyValue='createdon')", "needs the argument 'PropertyName'");
    check("Today(PropertyName='createdon',Value=1)", "does not fit");
    check("Today(PropertyName='createdon',PropertyValue=1)", values);
    check("Today(PropertyName='name')", "do not fit the property 'name'");
    check("LastXDays(PropertyName='createdon')", values);
    check("LastXDays(PropertyName='createdon',PropertyValue=0)", values);
    check("LastXDays(PropertyName='createdon',PropertyValue=-1)", values);
    check("LastXDays(PropertyName='createdon',PropertyValue=1.5)", values);
    check("LastXDays(PropertyName='createdon',PropertyValue=4294967296)", values);
    check("LastXDays(PropertyName='createdon',PropertyValue=null)", "position");
    check("On(PropertyName='createdon',PropertyValue='2026-02-30')", values);
    check("InFiscalPeriod(PropertyName='createdon',PropertyValue=5)", values);
    check(
        "InFiscalPeriodAndYear(PropertyName='createdon',PropertyValue2=2026,PropertyValue1=1)",
        "does not fit",
    );
    check("InFiscalPeriodAndYear(PropertyName='createdon',PropertyValue1=1)", values);
    check("In(PropertyName='name',PropertyValues=[])", values);
    check("In(PropertyName='name',PropertyValues=['a')", "position");
    check("In(PropertyName='name',PropertyValues=['a' 'b'])", "position");
    check("In(PropertyName='name',PropertyValues=['a',])", "position");
    check("In(PropertyName='name',PropertyValues=[\"\\x\"])", "position");
    check("In(PropertyName='numberofemployees',PropertyValues=['x'])", values);
    check("In(PropertyName='ownerid',PropertyValues=['x'])", values);
    check("Between(PropertyName='numberofemployees',PropertyValues=['1'])", values);
    check("Contains(PropertyName='revenue',PropertyValue='1')", "do not fit the property 'revenue'");
    check("ContainValues(PropertyName='name',PropertyValues=['1'])", "do not fit the property 'name'");
    check("ContainValues(PropertyName='colours',PropertyValues=['x'])", values);
    check("EqualUserId(PropertyName='name')", "do not fit the property 'name'");
    check("EqualUserLanguage(PropertyName='ownerid')", "do not fit the property '_ownerid_value'");
    check("Under(PropertyName='parentaccountid',PropertyValue='x')", values);
}

#[test]
fn the_values_of_a_list_count_against_the_cap() {
    let list = |count: usize| {
        let values = vec!["'x'"; count].join(",");
        read(&format!("In(PropertyName='name',PropertyValues=[{values}])")).map_err(|error| error.status)
    };
    // A value is a comparison of three nodes, and so is the name of the column; the call is one.
    let most = (FILTER_NODES_MAX - 4) / 3;
    let filter = list(most).unwrap();
    assert_eq!(list(most + 1).map(|_| ()), Err(400));
    let printed = print_filter(&filter, &account(), &schema());
    assert_eq!(parse_filter(&printed, &account(), &schema()), Ok(filter));
}

type Hierarchy<'a> = &'a dyn Fn(&HierarchyQuestion) -> Result<Vec<Uuid>>;

/// A Wednesday afternoon, half past three by the caller's clock.
fn at<'a>(teams: &'a [Uuid], hierarchy: Hierarchy<'a>) -> Circumstances<'a> {
    Circumstances {
        now: parse_datetime("2026-05-13T13:30:00Z").unwrap(),
        user: Uuid::from_u128(1),
        business_unit: Uuid::from_u128(2),
        teams,
        utc_offset_minutes: 120,
        hierarchy,
    }
}

fn resolved(filter: &Filter) -> Result<Filter> {
    resolve(filter, &account(), &schema(), &at(&[], &|_| Ok(Vec::new())))
}

/// The caller's local time of a bound, in whole minutes where it has no smaller part.
fn bound(filter: &Filter, wanted: CompareOp) -> String {
    let parts = match filter {
        Filter::And(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let found = parts.iter().find_map(|part| match part {
        Filter::Compare { op, value: Value::DateTime(millis), .. } if *op == wanted => Some(*millis),
        _ => None,
    });
    found.map_or(String::new(), |millis| format_datetime(millis + 7_200_000).replace(":00Z", ""))
}

#[test]
fn time_is_reckoned_in_the_callers_calendar() {
    fn check(call: &str, from: &str, until: &str) {
        let (name, value) = call.split_once(' ').unwrap_or((call, ""));
        let arguments: String = match value.split_once(' ') {
            Some((first, second)) => format!(",PropertyValue1={first},PropertyValue2={second}"),
            None if value.is_empty() => String::new(),
            None => format!(",PropertyValue='{value}'"),
        };
        let filter = read(&format!("{name}(PropertyName='createdon'{arguments})")).unwrap();
        let resolved = resolved(&filter).unwrap();
        let found = (bound(&resolved, CompareOp::GreaterOrEqual), bound(&resolved, CompareOp::Less));
        assert_eq!(found, (from.to_owned(), until.to_owned()), "{call}");
    }
    check("Yesterday", "2026-05-12T00:00", "2026-05-13T00:00");
    check("Today", "2026-05-13T00:00", "2026-05-14T00:00");
    check("Tomorrow", "2026-05-14T00:00", "2026-05-15T00:00");
    check("LastWeek", "2026-05-03T00:00", "2026-05-10T00:00");
    check("ThisWeek", "2026-05-10T00:00", "2026-05-17T00:00");
    check("NextWeek", "2026-05-17T00:00", "2026-05-24T00:00");
    check("LastMonth", "2026-04-01T00:00", "2026-05-01T00:00");
    check("ThisMonth", "2026-05-01T00:00", "2026-06-01T00:00");
    check("NextMonth", "2026-06-01T00:00", "2026-07-01T00:00");
    check("LastYear", "2025-01-01T00:00", "2026-01-01T00:00");
    check("ThisYear", "2026-01-01T00:00", "2027-01-01T00:00");
    check("NextYear", "2027-01-01T00:00", "2028-01-01T00:00");
    check("LastFiscalPeriod", "2026-01-01T00:00", "2026-04-01T00:00");
    check("ThisFiscalPeriod", "2026-04-01T00:00", "2026-07-01T00:00");
    check("NextFiscalPeriod", "2026-07-01T00:00", "2026-10-01T00:00");
    check("LastFiscalYear", "2025-01-01T00:00", "2026-01-01T00:00");
    check("ThisFiscalYear", "2026-01-01T00:00", "2027-01-01T00:00");
    check("NextFiscalYear", "2027-01-01T00:00", "2028-01-01T00:00");
    let now = "2026-05-13T15:30:00.001Z";
    check("Last7Days", "2026-05-06T00:00", now);
    check("Next7Days", "2026-05-13T15:30", "2026-05-21T00:00");
    check("LastXHours 3", "2026-05-13T12:30", now);
    check("LastXDays 7", "2026-05-06T00:00", now);
    check("LastXWeeks 2", "2026-04-29T00:00", now);
    check("LastXMonths 3", "2026-02-13T00:00", now);
    check("LastXYears 2", "2024-05-13T00:00", now);
    check("LastXFiscalPeriods 2", "2025-10-01T00:00", "2026-04-01T00:00");
    check("LastXFiscalYears 1", "2025-01-01T00:00", "2026-01-01T00:00");
    check("NextXHours 3", "2026-05-13T15:30", "2026-05-13T18:30");
    check("NextXDays 4", "2026-05-13T15:30", "2026-05-18T00:00");
    check("NextXWeeks 2", "2026-05-13T15:30", "2026-05-28T00:00");
    check("NextXMonths 3", "2026-05-13T15:30", "2026-08-14T00:00");
    check("NextXYears 2", "2026-05-13T15:30", "2028-05-14T00:00");
    check("NextXFiscalPeriods 2", "2026-07-01T00:00", "2027-01-01T00:00");
    check("NextXFiscalYears 2", "2027-01-01T00:00", "2029-01-01T00:00");
    check("OlderThanXMinutes 15", "", "2026-05-13T15:15");
    check("OlderThanXHours 3", "", "2026-05-13T12:30");
    check("OlderThanXDays 1", "", "2026-05-12T00:00");
    check("OlderThanXWeeks 1", "", "2026-05-06T00:00");
    check("OlderThanXMonths 3", "", "2026-02-13T00:00");
    check("OlderThanXYears 1", "", "2025-05-13T00:00");
    check("On 2026-01-15", "2026-01-15T00:00", "2026-01-16T00:00");
    check("On 2026-01-15T23:30:00Z", "2026-01-15T00:00", "2026-01-16T00:00");
    check("OnOrAfter 2026-01-15", "2026-01-15T00:00", "");
    check("OnOrBefore 2026-01-15", "", "2026-01-16T00:00");
    check("InFiscalYear 2025", "2025-01-01T00:00", "2026-01-01T00:00");
    check("InFiscalPeriodAndYear 4 2025", "2025-10-01T00:00", "2026-01-01T00:00");
    check("InFiscalPeriodAndYear 1 2025", "2025-01-01T00:00", "2025-04-01T00:00");
    check("InOrAfterFiscalPeriodAndYear 2 2025", "2025-04-01T00:00", "");
    check("InOrBeforeFiscalPeriodAndYear 2 2025", "", "2025-07-01T00:00");
    // Beyond every calendar: the first instant there is.
    check("LastXYears 1000000000", "0001-01-01T00:00", now);
    check("LastXDays 1000000000", "0001-01-01T00:00", now);
}

#[test]
fn a_column_of_dates_is_compared_by_day() {
    fn check(call: &str, expected: &str) {
        let printed = print_filter(&resolved(&read(call).unwrap()).unwrap(), &account(), &schema());
        assert_eq!(printed, expected, "{call}");
    }
    check("Today(PropertyName='foundedon')", "foundedon ge 2026-05-13 and foundedon le 2026-05-13");
    check(
        "LastXDays(PropertyName='foundedon',PropertyValue=1)",
        "foundedon ge 2026-05-12 and foundedon le 2026-05-13",
    );
    check(
        "LastXHours(PropertyName='foundedon',PropertyValue=1)",
        "foundedon ge 2026-05-13 and foundedon le 2026-05-13",
    );
    check("OlderThanXDays(PropertyName='foundedon',PropertyValue=1)", "foundedon le 2026-05-11");
    check("OnOrAfter(PropertyName='foundedon',PropertyValue='2026-01-15')", "foundedon ge 2026-01-15");
    check(
        "NotOn(PropertyName='foundedon',PropertyValue='2026-01-15')",
        "not (foundedon ge 2026-01-15 and foundedon le 2026-01-15)",
    );
    let quarter = read("InFiscalPeriod(PropertyName='foundedon',PropertyValue=2)").unwrap();
    let quarter = resolved(&quarter).unwrap();
    for (text, expected) in
        [("1999-04-01", true), ("2026-06-30", true), ("2026-07-01", false), ("2026-03-31", false)]
    {
        let date = Value::Date(parse_date(text).unwrap());
        assert_eq!(matches(&quarter, &|_| date.clone()), expected, "{text}");
    }
}

#[test]
fn people_and_hierarchies_become_ids() {
    fn check(call: &str, expected: &[u128]) {
        let asked = std::cell::RefCell::new(Vec::new());
        let hierarchy = |question: &HierarchyQuestion| {
            asked.borrow_mut().push(question.clone());
            Ok(vec![Uuid::from_u128(if question.above { 90 } else { 91 })])
        };
        let teams = [Uuid::from_u128(10), Uuid::from_u128(11)];
        let resolved = resolve(&read(call).unwrap(), &account(), &schema(), &at(&teams, &hierarchy)).unwrap();
        let ids = |filter: &Filter| match filter {
            Filter::Compare { op: CompareOp::Equal, value: Value::Guid(id), .. } => id.as_u128(),
            other => panic!("{other:?}"),
        };
        let found: Vec<u128> = match &resolved {
            Filter::Or(parts) => parts.iter().map(ids).collect(),
            one => vec![ids(one)],
        };
        assert_eq!(found, expected, "{call}");
        for question in asked.borrow().iter() {
            let known = ["account parentaccountid", "systemuser parentsystemuserid"];
            assert!(known.contains(&format!("{} {}", question.table, question.parent).as_str()), "{call}");
        }
    }
    check("EqualUserId(PropertyName='ownerid')", &[1]);
    check("EqualBusinessId(PropertyName='ownerid')", &[2]);
    check("EqualRoleBusinessId(PropertyName='ownerid')", &[2]);
    check("EqualUserTeams(PropertyName='ownerid')", &[10, 11]);
    check("EqualUserOrUserTeams(PropertyName='ownerid')", &[1, 10, 11]);
    check("EqualUserOrUserHierarchy(PropertyName='ownerid')", &[1, 91]);
    check("EqualUserOrUserHierarchyAndTeams(PropertyName='ownerid')", &[1, 10, 11, 91]);
    let id = format!("PropertyValue='{}'", Uuid::from_u128(5));
    check(&format!("Above(PropertyName='accountid',{id})"), &[90]);
    check(&format!("AboveOrEqual(PropertyName='accountid',{id})"), &[5, 90]);
    check(&format!("Under(PropertyName='accountid',{id})"), &[91]);
    check(&format!("UnderOrEqual(PropertyName='parentaccountid',{id})"), &[5, 91]);
}

#[test]
fn negations_hold_for_rows_without_a_value_and_nobody_is_no_one() {
    let resolve = |call: &str| resolved(&read(call).unwrap());
    let id = format!("PropertyValue='{ID}'");
    for call in [
        "NotEqualUserId(PropertyName='ownerid')",
        "NotEqualBusinessId(PropertyName='ownerid')",
        &format!("NotUnder(PropertyName='accountid',{id})"),
        "NotIn(PropertyName='name',PropertyValues=['a'])",
        "NotBetween(PropertyName='revenue',PropertyValues=['1','2'])",
        "DoesNotContainValues(PropertyName='colours',PropertyValues=['1'])",
        "NotOn(PropertyName='createdon',PropertyValue='2026-01-15')",
    ] {
        assert!(matches(&resolve(call).unwrap(), &|_| Value::Null), "{call}");
    }
    assert_eq!(resolve("EqualUserTeams(PropertyName='ownerid')"), Ok(Filter::Always(false)));
    let language = resolve("EqualUserLanguage(PropertyName='numberofemployees')").unwrap();
    assert!(matches(&language, &|_| Value::Int(1033)) && !matches(&language, &|_| Value::Int(1031)));
    let none = resolve(&format!("Under(PropertyName='primarycontactid',{id})"));
    assert_eq!(none.map_err(|error| error.status), Err(400));
    let fails = at(&[], &|_| Err(crate::ODataError::bad_request("x")));
    let filter = read(&format!("Under(PropertyName='accountid',{id})")).unwrap();
    assert!(super::resolve(&filter, &account(), &schema(), &fails).is_err());
}

#[test]
fn functions_behind_paths_and_in_lambdas_are_resolved_on_their_own_table() {
    let today = format!("{PREFIX}Today(PropertyName='birthdate')");
    let text = format!("primarycontactid/{today} or contact_customer_accounts/any(c:not c/{today})");
    let filter = parse_filter(&text, &account(), &schema()).unwrap();
    let printed = print_filter(&resolved(&filter).unwrap(), &account(), &schema());
    let days = |prefix: &str| format!("{prefix}birthdate ge 2026-05-13 and {prefix}birthdate le 2026-05-13");
    let (outer, inner) = (days("primarycontactid/"), days("x/"));
    assert_eq!(printed, format!("{outer} or contact_customer_accounts/any(x:not ({inner}))"));
}
