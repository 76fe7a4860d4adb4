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
fn an_amount_in_the_base_currency_is_hidden_with_the_amount() {
    let mut account = schema().table("account").unwrap().clone();
    for column in &mut account.columns {
        column.secured = column.logical_name == "revenue";
    }
    let masks = |columns: Vec<ColumnGrant>, name: &str| {
        Rights::new(&Holdings { columns, ..holdings() }).masks(&account, account.column(name).unwrap())
    };
    let read = ColumnGrant {
        table: "account".to_owned(),
        column: "revenue".to_owned(),
        read: true,
        ..ColumnGrant::default()
    };
    for (name, masked) in [("revenue", true), ("revenue_base", true), ("creditlimit_base", false)] {
        assert_eq!(masks(vec![], name), masked, "{name}");
        assert!(!masks(vec![read.clone()], name), "{name}");
    }
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

fn some(units: &[Uuid], owners: &[Uuid]) -> Reach {
    Reach::Some { units: units.iter().copied().collect(), owners: owners.iter().copied().collect() }
}

#[test]
fn two_reaches_together_cover_what_both_cover() {
    let reaches = [
        Reach::All,
        Reach::none(),
        some(&[OSLO], &[]),
        some(&[OSLO], &[USER]),
        some(&[OSLO, BERGEN], &[USER]),
        some(&[], &[OTHER]),
        some(&[BERGEN], &[OTHER, TEAM]),
    ];
    let people = [USER, OTHER, TEAM].map(Some).into_iter().chain([None]);
    let rows: Vec<_> =
        people.flat_map(|owner| [OSLO, BERGEN, ROOT].map(|unit| (owner, Some(unit)))).collect();
    for one in &reaches {
        for other in &reaches {
            let joined = one.clone().and(other.clone());
            for (owner, unit) in &rows {
                let expected = one.covers(*owner, *unit) && other.covers(*owner, *unit);
                assert_eq!(joined.covers(*owner, *unit), expected, "{one:?} and {other:?}");
            }
            assert_eq!(joined.is_none(), one.is_none() || other.is_none(), "{one:?} and {other:?}");
            let view = View { reach: joined, masked: BTreeSet::from(["x".to_owned()]) };
            assert_eq!(View::read(&view.write()), Some(view));
        }
    }
    assert_eq!(some(&[OSLO, BERGEN], &[USER]).and(some(&[OSLO], &[USER])), some(&[OSLO], &[USER]));
}

#[test]
fn rights_in_the_hands_of_another_are_those_of_both() {
    let schema = schema();
    let account = schema.table("account").unwrap();
    let user = reading(OSLO, "account", Depth::Unit);
    let narrow =
        with(&[(OSLO, Verb::Read, "account", Depth::User), (OSLO, Verb::Write, "account", Depth::User)]);
    let administrator = Rights::new(&Holdings { administrator: true, ..holdings() });
    let acting = user.clone().exercised_by(Arc::new(administrator.clone()));
    assert!(!acting.is_administrator() && !acting.may_act_for_others());
    assert_eq!(acting.reach(Verb::Read, account), user.reach(Verb::Read, account));
    let acting = administrator.clone().exercised_by(Arc::new(narrow.clone()));
    assert!(!acting.is_administrator() && !acting.may_act_for_others());
    assert_eq!(acting.reach(Verb::Read, account), narrow.reach(Verb::Read, account));
    let role = schema.table("role").unwrap();
    assert_eq!(acting.reach(Verb::Write, role), Reach::none());
    let acting = user.exercised_by(Arc::new(narrow));
    assert_eq!(acting.reach(Verb::Write, account), Reach::none());
    assert!(acting.may(Verb::Read, account, &row(USER, OSLO)));
    assert!(!acting.may(Verb::Read, account, &row(OTHER, OSLO)));
    let both = administrator.clone().exercised_by(Arc::new(administrator));
    assert!(both.is_administrator());
}

#[test]
fn secured_columns_need_the_profiles_of_both() {
    let mut schema = schema();
    let table = schema.tables.iter_mut().find(|table| table.logical_name == "account").unwrap();
    table.columns.iter_mut().find(|column| column.logical_name == "revenue").unwrap().secured = true;
    let account = schema.table("account").unwrap();
    let revenue = account.column("revenue").unwrap();
    let grant = |allowed: bool| ColumnGrant {
        table: "account".to_owned(),
        column: "revenue".to_owned(),
        read: allowed,
        create: allowed,
        update: allowed,
    };
    let rights = |allowed| Rights::new(&Holdings { columns: vec![grant(allowed)], ..holdings() });
    for (user, actor) in [(true, true), (true, false), (false, true), (false, false)] {
        let acting = rights(user).exercised_by(Arc::new(rights(actor)));
        let both = user && actor;
        assert_eq!(!acting.masks(account, revenue), both);
        assert_eq!(acting.may_create_with(account, revenue), both);
        assert_eq!(acting.may_update(account, revenue), both);
    }
}

#[test]
fn only_administrators_write_the_columns_that_say_who_is_who() {
    let schema = schema();
    let user = schema.table("systemuser").unwrap();
    let column = |name: &str| user.column(name).unwrap();
    let everything = with(&[(OSLO, Verb::Write, "systemuser", Depth::Organization)]);
    let administrator = Rights::new(&Holdings { administrator: true, ..holdings() });
    for (name, allowed) in [("jobtitle", true), ("azureactivedirectoryobjectid", false)] {
        assert_eq!(everything.may_update(user, column(name)), allowed, "{name}");
        assert_eq!(everything.may_create_with(user, column(name)), allowed, "{name}");
        assert!(administrator.may_update(user, column(name)), "{name}");
        let acting = administrator.clone().exercised_by(Arc::new(everything.clone()));
        assert_eq!(acting.may_update(user, column(name)), allowed, "{name}");
    }
}

#[test]
fn the_right_to_act_for_others_is_held_at_the_level_of_the_organisation() {
    let acts = |table: &str, verb, depth| {
        Privilege { unit: OSLO, table: table.to_owned(), verb, depth }.is_to_act_for_others()
    };
    assert!(acts(ACT_FOR_OTHERS, Verb::Write, Depth::Organization));
    assert!(acts("prvactonbehalfofanotheruser", Verb::Write, Depth::Organization));
    assert!(!acts(ACT_FOR_OTHERS, Verb::Write, Depth::UnitAndBelow));
    assert!(!acts(ACT_FOR_OTHERS, Verb::Read, Depth::Organization));
    assert!(!acts(EVERY_TABLE, Verb::Write, Depth::Organization));
    assert!(!with(&[(OSLO, Verb::Write, EVERY_TABLE, Depth::Organization)]).may_act_for_others());
    assert!(Rights::new(&Holdings { acts_for_others: true, ..holdings() }).may_act_for_others());
    assert!(Rights::new(&Holdings { administrator: true, ..holdings() }).may_act_for_others());
}
