use super::*;
use crate::schema::schema;
use flette_odata::EntityRef;

const USER: Uuid = Uuid::from_u128(1);
const OTHER: Uuid = Uuid::from_u128(2);
const TEAM: Uuid = Uuid::from_u128(3);
const ROOT: Uuid = Uuid::from_u128(10);
const OSLO: Uuid = Uuid::from_u128(11);
const GRUNERLOKKA: Uuid = Uuid::from_u128(12);
const BERGEN: Uuid = Uuid::from_u128(13);

fn holdings() -> Holdings {
    Holdings {
        user: USER,
        unit: OSLO,
        units: BTreeMap::from([
            (ROOT, None),
            (OSLO, Some(ROOT)),
            (GRUNERLOKKA, Some(OSLO)),
            (BERGEN, Some(ROOT)),
        ]),
        ..Holdings::default()
    }
}

fn with(privileges: &[(Uuid, Verb, &str, Depth)]) -> Rights {
    let privileges = privileges.iter().map(|(unit, verb, table, depth)| Privilege {
        unit: *unit,
        table: (*table).to_owned(),
        verb: *verb,
        depth: *depth,
    });
    Rights::new(&Holdings { privileges: privileges.collect(), ..holdings() })
}

fn reading(unit: Uuid, table: &str, depth: Depth) -> Rights {
    with(&[(unit, Verb::Read, table, depth)])
}

fn row(owner: Uuid, unit: Uuid) -> Row {
    let to = |table: &str, id| Value::Lookup(EntityRef { table: table.to_owned(), id });
    Row::from([
        (OWNER.to_owned(), to("systemuser", owner)),
        (OWNING_UNIT.to_owned(), to("businessunit", unit)),
    ])
}

#[test]
fn levels_reach_own_rows_the_unit_those_below_and_all() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    // Own row in another unit, other's row in the unit, below it, beside it.
    let rows = [row(USER, BERGEN), row(OTHER, OSLO), row(OTHER, GRUNERLOKKA), row(OTHER, BERGEN)];
    let check = |rights: &Rights, expected: [bool; 4]| {
        let seen: Vec<bool> = rows.iter().map(|row| rights.may(Verb::Read, account, row)).collect();
        assert_eq!(seen, expected);
    };
    check(&with(&[]), [false; 4]);
    check(&reading(OSLO, "account", Depth::User), [true, false, false, false]);
    check(&reading(OSLO, "account", Depth::Unit), [true, true, false, false]);
    check(&reading(OSLO, "account", Depth::UnitAndBelow), [true, true, true, false]);
    check(&reading(OSLO, "account", Depth::Organization), [true; 4]);
    check(&reading(BERGEN, "account", Depth::Unit), [true, false, false, true]);
    check(&reading(OSLO, "*", Depth::Unit), [true, true, false, false]);
    check(&reading(OSLO, "contact", Depth::Organization), [false; 4]);
    check(&with(&[(OSLO, Verb::Write, "account", Depth::Organization)]), [false; 4]);
    let administrator = Rights::new(&Holdings { administrator: true, ..holdings() });
    check(&administrator, [true; 4]);
    let two = with(&[(OSLO, Verb::Read, "account", Depth::User), (BERGEN, Verb::Read, "*", Depth::Unit)]);
    check(&two, [true, false, false, true]);
}

#[test]
fn a_depth_is_the_deepest_bit_of_its_mask() {
    let depths = [Depth::User, Depth::Unit, Depth::UnitAndBelow, Depth::Organization];
    assert_eq!([0, 1, 2, 4, 8].map(Depth::of_mask)[1..], depths.map(Some));
    assert_eq!([0, 16].map(Depth::of_mask), [None, None]);
    assert_eq!(Depth::of_mask(7), Some(Depth::UnitAndBelow));
    assert_eq!(depths.map(Depth::mask), [1, 2, 4, 8]);
}

#[test]
fn members_act_for_their_team() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let held = Privilege { unit: BERGEN, table: "account".to_owned(), verb: Verb::Write, depth: Depth::User };
    let privileges = vec![held];
    let rights = Rights::new(&Holdings { teams: vec![(TEAM, BERGEN)], privileges, ..holdings() });
    assert!(rights.may(Verb::Write, account, &row(TEAM, BERGEN)));
    assert!(!rights.may(Verb::Write, account, &row(OTHER, BERGEN)));
    assert!(!rights.may(Verb::Read, account, &row(TEAM, BERGEN)));
}

#[test]
fn every_table_does_not_mean_those_that_grant_rights() {
    let schema = schema();
    let rights = with(&Verb::ALL.map(|verb| (OSLO, verb, EVERY_TABLE, Depth::Organization)));
    for table in &schema.tables {
        let security = SECURITY_TABLES.contains(&table.logical_name.as_str());
        for verb in Verb::ALL {
            let expected = if security { Reach::none() } else { Reach::All };
            assert_eq!(rights.reach(verb, table), expected, "{verb:?} {}", table.logical_name);
        }
    }
    let user = schema.table("systemuser").unwrap();
    assert_eq!(reading(OSLO, "systemuser", Depth::User).reach(Verb::Read, user), Reach::All);
    let check = |verb, table: &str, depth, expected: bool| {
        let reach = with(&[(OSLO, verb, EVERY_TABLE, depth)]).reach(verb, schema.table(table).unwrap());
        assert_eq!(reach, if expected { Reach::All } else { Reach::none() }, "{verb:?} {table} {depth:?}");
    };
    check(Verb::Read, "transactioncurrency", Depth::User, true);
    check(Verb::Write, "transactioncurrency", Depth::Unit, false);
    check(Verb::Write, "transactioncurrency", Depth::Organization, true);
    check(Verb::Read, "accountleads", Depth::Unit, false);
    check(Verb::Read, "accountleads", Depth::Organization, true);
}

#[test]
fn activities_have_their_privileges_in_common() {
    let schema = schema();
    let task = schema.table("task").unwrap();
    assert_eq!(privilege_name(Verb::Read, task), "prvReadActivity");
    assert_eq!(reading(OSLO, ACTIVITIES, Depth::Organization).reach(Verb::Read, task), Reach::All);
    assert!(reading(OSLO, "task", Depth::Organization).reach(Verb::Read, task).is_none());
    let party = schema.table("activityparty").unwrap();
    let rights = reading(OSLO, ACTIVITIES, Depth::Unit);
    assert_eq!(rights.reach(Verb::Read, party), rights.reach(Verb::Read, task));
}

#[test]
fn a_secured_column_needs_a_profile() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let open = account.column("name").unwrap();
    let secured = Column { secured: true, ..account.column("revenue").unwrap().clone() };
    let grant = |read, create, update| ColumnGrant {
        table: "account".to_owned(),
        column: "revenue".to_owned(),
        read,
        create,
        update,
    };
    let check = |columns: Vec<ColumnGrant>, administrator, expected: [bool; 3]| {
        let rights = Rights::new(&Holdings { columns, administrator, ..holdings() });
        let found = [
            !rights.masks(account, &secured),
            rights.may_create_with(account, &secured),
            rights.may_update(account, &secured),
        ];
        assert_eq!(found, expected);
        assert!(!rights.masks(account, open) && rights.may_update(account, open));
    };
    check(vec![], false, [false; 3]);
    check(vec![], true, [true; 3]);
    check(vec![grant(true, false, false)], false, [true, false, false]);
    check(vec![grant(false, true, false), grant(true, false, false)], false, [true, true, false]);
    check(vec![grant(false, false, true)], false, [false, false, true]);
    check(vec![ColumnGrant { table: "contact".to_owned(), ..grant(true, true, true) }], false, [false; 3]);
}

#[test]
fn a_circle_of_units_ends() {
    let units = BTreeMap::from([(ROOT, Some(BERGEN)), (OSLO, Some(ROOT)), (BERGEN, Some(OSLO))]);
    assert_eq!(below(&units, OSLO), BTreeSet::from([ROOT, OSLO, BERGEN]));
}

#[test]
fn a_view_is_read_as_it_was_written_and_nothing_else_is() {
    let ids = |numbers: std::ops::Range<u128>| -> BTreeSet<Uuid> { numbers.map(Uuid::from_u128).collect() };
    let masked: BTreeSet<String> = ["revenue".to_owned(), "åpen".to_owned()].into();
    for view in [
        View::everything(),
        View { reach: Reach::none(), masked: masked.clone() },
        View { reach: Reach::Some { units: ids(0..3), owners: ids(5..6) }, masked },
    ] {
        let bytes = view.write();
        assert_eq!(View::read(&bytes), Some(view));
        for end in 0..bytes.len() {
            assert_eq!(View::read(&bytes[..end]), None);
        }
        assert_eq!(View::read(&[bytes.as_slice(), &[0]].concat()), None);
    }
    assert_eq!(View::read(&[2]), None);
    let long = |count| View {
        reach: Reach::Some { units: ids(0..count), owners: ids(0..0) },
        masked: BTreeSet::new(),
    };
    assert_eq!([63, 64, 65].map(|count| long(count).is_long()), [false, false, true]);
}
