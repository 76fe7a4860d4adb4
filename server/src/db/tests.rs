//! The database layer itself, on both databases.

use super::meta::Fact;
use super::*;
use crate::{people, schema};
use flette_odata::{EntityRef, ODataError, Row, Uuid, Value};
use sea_query::{Expr, Query, SelectStatement};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::time::Instant;

#[allow(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "../../tests/support/postgres.rs"]
mod postgres;

fn open_with(location: &Location, options: &Options) -> Database {
    let database = Database::open_with(location, Arc::new(schema::schema()), "Test", options).unwrap();
    people::found(&database, 0).unwrap();
    database
}

fn on_postgres() -> Location {
    Location::Postgres(postgres::Postgres::shared().database())
}

/// Runs a test on SQLite and on PostgreSQL.
fn on_both(options: &Options, test: impl Fn(&Database)) {
    test(&open_with(&Location::Memory, options));
    test(&open_with(&on_postgres(), options));
}

/// Counts to `end`, in SQL.
fn count_to(end: u64) -> SelectStatement {
    let counting = format!(
        "(WITH RECURSIVE n(i) AS (SELECT CAST(1 AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < {end}) SELECT max(i) FROM n)"
    );
    let mut query = Query::select();
    query.expr(Expr::cust(counting));
    query
}

fn unit(name: &str) -> Row {
    let id = schema::id_of(name);
    let parent = EntityRef { table: "businessunit".into(), id: schema::id_of("unit/root") };
    Row::from([
        ("businessunitid".to_owned(), Value::Guid(id)),
        ("name".to_owned(), Value::Text(name.to_owned())),
        ("parentbusinessunitid".to_owned(), Value::Lookup(parent)),
    ])
}

#[test]
fn a_copy_goes_its_own_way_with_what_was_known_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    let options = Options::default();
    // Closed, so that the file is whole.
    drop(open_with(&Location::File(first.clone()), &options));
    std::fs::copy(&first, &second).unwrap();
    let original = Database::open(&Location::File(first), Arc::new(schema::schema()), "Test").unwrap();
    let copy = original.open_copy(&Location::File(second)).unwrap();
    assert!(Arc::ptr_eq(&original.schema(), &copy.schema()));
    copy.write(|writer| writer.drop_table("lead")).unwrap();
    let knows = |database: &Database| database.read(|r| Ok(r.schema.table("lead").is_some())).unwrap();
    assert_eq!((knows(&original), knows(&copy)), (true, false));
}

#[test]
fn the_schema_that_a_transaction_made_is_what_it_stored_and_nothing_of_one_that_failed_is_known() {
    on_both(&Options::default(), |database| {
        let mut leads = database.schema().table("lead").cloned().unwrap();
        leads.columns.retain(|column| column.logical_name != "subject");
        let both = |writer: &Writer| {
            writer.drop_table("task")?;
            assert!(writer.current_schema().table("task").is_none());
            writer.save_table(&leads)
        };
        let before = database.schema();
        let failed = database.write(|writer| {
            both(writer)?;
            Err::<(), _>(ODataError::new(400, "", ""))
        });
        assert_eq!(failed.unwrap_err().status, 400);
        assert!(Arc::ptr_eq(&before, &database.schema()));
        database.write(both).unwrap();
        let known = database.schema();
        assert_eq!((known.table("task"), known.table("lead")), (None, Some(&leads)));
        database
            .read(|reader| {
                assert_eq!(reader.stored_schema()?, *known);
                Ok(())
            })
            .unwrap();
        // Nobody had to read it.
        assert!(Arc::ptr_eq(&known, &database.schema()));
    });
}

#[test]
fn a_statement_that_takes_too_long_is_a_503_and_the_next_one_works() {
    let limit = 300;
    on_both(&Options { statement_millis_max: limit, ..Options::default() }, |database| {
        let count = |end: u64| database.read(|reader| reader.first(&count_to(end), |row| row.int(0)));
        assert_eq!(count(1000).unwrap(), Some(Some(1000)));
        let started = Instant::now();
        let error = count(u64::MAX / 4).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (503, "0x80044151"));
        let taken = u64::try_from(started.elapsed().as_millis()).unwrap();
        // Clocks are read in whole milliseconds, on both sides.
        assert!((limit - 5..limit + 20_000).contains(&taken), "{taken} ms");
        assert_eq!(count(1000).unwrap(), Some(Some(1000)));
        // Several short statements may take longer together, in a transaction that writes as well.
        database
            .write(|writer| {
                for _ in 0..3 {
                    std::thread::sleep(Duration::from_millis(limit / 2));
                    writer.first(&count_to(1000), |_| ())?;
                }
                Ok(())
            })
            .unwrap();
    });
}

#[test]
fn nothing_is_kept_of_a_transaction_in_which_something_failed() {
    on_both(&Options::default(), |database| {
        let table = schema::schema().table("businessunit").cloned().unwrap();
        let insert = |writer: &Writer, name: &str| writer.insert(&table, &unit(name)).map(drop);
        database.write(|writer| insert(writer, "one")).unwrap();
        let error = database.write(|writer| {
            insert(writer, "two")?;
            // The failure is not passed on, and counts all the same.
            let _ = insert(writer, "one");
            Ok(())
        });
        let error = error.unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (412, "0x80040237"));
        let refused: Result<()> = database.write(|writer| {
            insert(writer, "three")?;
            Err(ODataError::bad_payload("No."))
        });
        assert_eq!(refused.unwrap_err().status, 400);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            database.write(|writer| {
                insert(writer, "four")?;
                std::panic::resume_unwind(Box::new("on purpose"));
                #[expect(unreachable_code, reason = "says of what type the closure is")]
                Ok(())
            })
        }));
        assert!(panicked.is_err());
        let taken =
            |name: &str| database.read(|reader| reader.is_taken(&table, schema::id_of(name))).unwrap();
        let kept: Vec<bool> = ["one", "two", "three", "four"].map(taken).to_vec();
        assert_eq!(kept, [true, false, false, false]);
    });
}

#[test]
fn a_text_with_a_null_character_is_refused_on_both() {
    on_both(&Options::default(), |database| {
        let table = schema::schema().table("businessunit").cloned().unwrap();
        let error = database.read(|reader| reader.id_by_name(&table, "a\0b")).unwrap_err();
        assert_eq!((error.status, error.code.as_str()), (400, "0x80048d19"));
        let error = database.write(|writer| writer.insert(&table, &unit("a\0b"))).unwrap_err();
        assert_eq!(error.status, 400);
    });
}

#[test]
fn values_come_back_as_they_were_kept() {
    on_both(&Options::default(), |database| {
        let table = schema::schema().table("account").cloned().unwrap();
        let id = Uuid::from_u128(7);
        let decimal = |text: &str| Value::Decimal(flette_odata::Decimal::parse(text).unwrap());
        let values = [
            ("name", Value::Text("Å 'quoted\" \\ % _ 😀 \u{1}".into())),
            ("revenue", decimal("99999999999.0100")),
            ("creditlimit", decimal("-0.5")),
            ("marketcap", decimal("0")),
            ("address1_latitude", Value::Double(0.1)),
            ("address1_longitude", Value::Double(-1e-300)),
            ("numberofemployees", Value::Int(i64::from(i32::MAX))),
            ("creditonhold", Value::Bool(true)),
            ("donotphone", Value::Bool(false)),
            ("lastusedincampaign", Value::DateTime(-62_135_596_800_000)),
            ("importsequencenumber", Value::Null),
            ("primarycontactid", Value::Lookup(EntityRef { table: "contact".into(), id: Uuid::max() })),
        ];
        let mut row: Row = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        row.insert("accountid".into(), Value::Guid(id));
        database.write(|writer| writer.insert(&table, &row)).unwrap();
        let sight = rows::Sight::Everything;
        let stored = database.read(|reader| reader.row(&table, id, &sight)).unwrap().unwrap();
        for (name, value) in values {
            let kept = stored.row.get(name);
            assert_eq!(kept, Some(&value), "{name}");
            // Equal decimals may differ in their digits.
            assert_eq!(format!("{kept:?}"), format!("{:?}", Some(&value)), "{name}");
        }
    });
}

#[test]
fn writers_that_disturb_each_other_are_run_one_after_the_other() {
    let database = open_with(&on_postgres(), &Options::default());
    let (runs, both_read) = (AtomicU32::new(0), Barrier::new(2));
    let other = |fact: Fact| if fact == Fact::DemoRows { Fact::OrganizationName } else { Fact::DemoRows };
    let write = |own: Fact| {
        let mut first = true;
        database.write(|writer| {
            runs.fetch_add(1, Ordering::SeqCst);
            let seen = writer.fact(other(own))?.unwrap_or_default();
            // Both have read before either writes: only then do they disturb each other.
            if std::mem::take(&mut first) {
                both_read.wait();
            }
            writer.set_fact(own, &format!("after {seen}"))
        })
    };
    std::thread::scope(|scope| {
        let one = scope.spawn(|| write(Fact::DemoRows));
        let two = scope.spawn(|| write(Fact::OrganizationName));
        one.join().unwrap().unwrap();
        two.join().unwrap().unwrap();
    });
    assert!(runs.load(Ordering::SeqCst) > 2, "nobody had to run again");
    let facts =
        database.read(|reader| Ok([reader.fact(Fact::DemoRows)?, reader.fact(Fact::OrganizationName)?]));
    let facts = facts.unwrap().map(Option::unwrap_or_default);
    let serial = [["after Test", "after after Test"], ["after after ", "after "]];
    assert!(serial.iter().any(|outcome| *outcome == facts.each_ref().map(String::as_str)), "{facts:?}");
}

#[test]
fn a_writer_that_always_comes_too_late_is_run_alone_at_last() {
    let database = open_with(&on_postgres(), &Options::default());
    let runs = AtomicU32::new(0);
    database
        .write(|writer| {
            let run = runs.fetch_add(1, Ordering::SeqCst);
            let seen = writer.fact(Fact::DemoRows)?.unwrap_or_default();
            // Somebody changes what was read, until nobody else may write.
            if run < ATTEMPTS_BESIDE_OTHERS {
                database.write(|other| other.set_fact(Fact::DemoRows, &run.to_string()))?;
            }
            writer.set_fact(Fact::DemoRows, &format!("{seen} and mine"))
        })
        .unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), ATTEMPTS_BESIDE_OTHERS + 1);
    let last = database.read(|reader| reader.fact(Fact::DemoRows)).unwrap().unwrap();
    assert_eq!(last, format!("{} and mine", ATTEMPTS_BESIDE_OTHERS - 1));
}

#[test]
fn lost_connections_are_replaced() {
    let Location::Postgres(url) = on_postgres() else { return };
    let server = postgres::Postgres::shared();
    let database = open_with(&Location::Postgres(url.clone()), &Options::default());
    let end_all = || {
        server.ask(
            &url,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    };
    assert_ne!(end_all(), "0");
    // While nobody used them; then while somebody does, who is run again.
    database.write(|writer| writer.set_fact(Fact::DemoRows, "1")).unwrap();
    assert_ne!(end_all(), "0");
    assert_eq!(database.read(|reader| reader.fact(Fact::DemoRows)).unwrap().as_deref(), Some("1"));
    let mut runs = 0;
    let fact = database.read(|reader| {
        runs += 1;
        if runs == 1 {
            end_all();
        }
        reader.fact(Fact::DemoRows)
    });
    assert_eq!((fact.unwrap().as_deref(), runs), (Some("1"), 2));
    let mut runs = 0;
    let written = database.write(|writer| {
        runs += 1;
        writer.set_fact(Fact::DemoRows, "2")?;
        if runs == 1 {
            end_all();
        }
        writer.set_fact(Fact::DemoRows, "3")
    });
    assert_eq!((written, runs), (Ok(()), 2));
    assert_eq!(database.read(|reader| reader.fact(Fact::DemoRows)).unwrap().as_deref(), Some("3"));
}

#[test]
fn a_database_that_cannot_be_reached_is_a_503() {
    let url = "postgres://flette@/nothing?host=/nowhere/at/all";
    let opened = Database::open(&Location::Postgres(url.into()), Arc::new(schema::schema()), "Test");
    assert_eq!(opened.err().map(|error| error.status), Some(503));
}

#[test]
fn more_readers_than_connections_wait_for_each_other() {
    on_both(&Options { readers_max: 2, writers_max: 2, ..Options::default() }, |database| {
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..12)
                .map(|number| {
                    scope.spawn(move || match number % 3 {
                        0 => database.write(|writer| writer.set_fact(Fact::DemoRows, "1")),
                        _ => database.read(|reader| reader.fact(Fact::Lineage)).map(drop),
                    })
                })
                .collect();
            for reader in readers {
                reader.join().unwrap().unwrap();
            }
        });
    });
}

#[test]
fn receipts_are_forgotten_when_they_are_old_whatever_clock_was_ahead_meanwhile() {
    const DAY: i64 = 86_400_000;
    let user = Uuid::from_u128(1);
    let receipt =
        receipts::Receipt { fingerprint: vec![1], row: None, response: flette_odata::Response::empty(204) };
    on_both(&Options::default(), |database| {
        // The third was kept by a clock that was years ahead.
        let times = [1, 2, 5_000, 3, 50, 60].map(|day| day * DAY);
        let kept = |now: i64| {
            database
                .write(|writer| {
                    writer.purge_receipts(now)?;
                    let ids = (0..6_u128).filter(|id| {
                        writer.receipt(user, Uuid::from_u128(*id)).is_ok_and(|found| found.is_some())
                    });
                    Ok(ids.collect::<Vec<_>>())
                })
                .unwrap()
        };
        database
            .write(|writer| {
                let add =
                    |(id, at): (u128, &i64)| writer.add_receipt(user, Uuid::from_u128(id), &receipt, *at);
                (0..).zip(&times).try_for_each(add)
            })
            .unwrap();
        assert_eq!(kept(60 * DAY), [0, 1, 2, 3, 4, 5]);
        assert_eq!(kept(92 * DAY), [1, 2, 3, 4, 5]);
        assert_eq!(kept(100 * DAY), [2, 4, 5]);
        assert_eq!(kept(5_100 * DAY), [0_u128; 0]);
    });
}
