use super::*;

const ROOT: &str = "/api/data/v9.2/";

fn account() -> Table {
    flette_server::schema::schema().table("account").cloned().unwrap()
}

fn columns(table: &Table) -> Vec<String> {
    table.columns.iter().map(|column| column.property()).collect()
}

/// A table that was pulled once, by delta.
fn pulled(table: &Table) -> Cursor {
    Cursor {
        delta_link: Some("delta".to_owned()),
        complete: true,
        next_segment: 3,
        columns: columns(table),
        ..Cursor::default()
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Short {
    Swap,
    DropShadow,
    All(Target),
    Sweep,
    Link(&'static str, Target),
    List,
    ListLink,
    Settle,
}

#[track_caller]
fn check(cursor: Cursor, expected: Short) {
    let table = account();
    let short = match begin(&cursor, &table, cursor.filter.as_deref(), ROOT) {
        Begin::Swap => Short::Swap,
        Begin::Settle => Short::Settle,
        Begin::Page { kind: Kind::Listing, target: Target::Shadow, url, fresh: None } if url == "next" => {
            Short::ListLink
        }
        Begin::Page { kind: Kind::Listing, target: Target::Shadow, url, fresh: Some(asked) } => {
            assert!(url.starts_with("/api/data/v9.2/accounts?$select=accountid"), "{url}");
            assert_eq!(asked, columns(&table));
            Short::List
        }
        Begin::DropShadow => Short::DropShadow,
        Begin::Page { kind: Kind::All, target, url, fresh: Some(asked) } => {
            assert!(url.starts_with("/api/data/v9.2/accounts?$select="), "{url}");
            assert_eq!(asked, columns(&table));
            Short::All(target)
        }
        Begin::Page { url, fresh: Some(_), target: Target::Live, .. } => {
            assert!(url.contains("$filter=modifiedon%20ge%201970-01-01T00:00:07Z&$orderby="), "{url}");
            Short::Sweep
        }
        Begin::Page { url, target, fresh: None, .. } if url == "delta" => Short::Link("delta", target),
        Begin::Page { url, target, fresh: None, .. } if url == "next" => Short::Link("next", target),
        other => panic!("{other:?}"),
    };
    assert_eq!(short, expected);
}

#[test]
fn a_pull_goes_on_where_it_stands() {
    let table = account();
    let next = || Some("next".to_owned());
    check(Cursor::default(), Short::All(Target::Live));
    check(pulled(&table), Short::Link("delta", Target::Live));
    check(Cursor { next_link: next(), ..pulled(&table) }, Short::Link("next", Target::Live));
    check(
        Cursor { next_link: next(), shadow: Some(1), ..pulled(&table) },
        Short::Link("next", Target::Shadow),
    );
    check(Cursor { shadow: Some(1), ..pulled(&table) }, Short::Swap);
    check(Cursor { shadow: Some(1), delta_link: None, ..pulled(&table) }, Short::DropShadow);
}

#[test]
fn what_cannot_go_on_begins_anew_beside_what_is_read() {
    let table = account();
    check(Cursor { delta_link: None, ..pulled(&table) }, Short::All(Target::Shadow));
    check(Cursor { complete: false, ..pulled(&table) }, Short::All(Target::Shadow));
    check(Cursor { columns: vec!["name".to_owned()], ..pulled(&table) }, Short::All(Target::Shadow));
    let other =
        Cursor { columns: Vec::new(), shadow: Some(1), next_link: Some("next".to_owned()), ..pulled(&table) };
    check(other, Short::DropShadow);
}

#[test]
fn sweeps_go_by_the_watermark_and_end_in_a_full_pull() {
    let table = account();
    let swept = |sweeps| Cursor {
        feed: Feed::Sweep,
        delta_link: None,
        watermark: Some(Millis(7000)),
        sweeps,
        ..pulled(&table)
    };
    let denied = |sweeps| Cursor { denied: true, ..swept(sweeps) };
    for sweeps in 0..SWEEPS_MAX {
        check(swept(sweeps), Short::Sweep);
        let again = ASKS_AGAIN.contains(&sweeps);
        check(denied(sweeps), if again { Short::All(Target::Shadow) } else { Short::Sweep });
        assert_eq!(may_track(&denied(sweeps)), again);
    }
    check(swept(SWEEPS_MAX), Short::All(Target::Shadow));
    check(Cursor { shadow: Some(1), ..swept(0) }, Short::Swap);
}

/// Swept under a filter so many times.
fn filtered(sweeps: u32) -> Cursor {
    Cursor {
        feed: Feed::Sweep,
        delta_link: None,
        watermark: Some(Millis(7000)),
        filter: Some("revenue gt 1".to_owned()),
        sweeps,
        ..pulled(&account())
    }
}

#[test]
fn sweeps_under_a_filter_are_followed_by_a_compare_every_so_often() {
    let table = account();
    for sweeps in 0..SWEEPS_MAX {
        let compares = sweeps % COMPARES_EVERY == COMPARES_EVERY - 1;
        let Begin::Page { kind, .. } = begin(&filtered(sweeps), &table, Some("revenue gt 1"), ROOT) else {
            panic!()
        };
        assert_eq!(kind, if compares { Kind::Listing } else { Kind::Changes }, "{sweeps}");
    }
    let stirred = Cursor { stirred: true, ..filtered(0) };
    let Begin::Page { kind, .. } = begin(&stirred, &table, Some("revenue gt 1"), ROOT) else { panic!() };
    assert_eq!(kind, Kind::Listing, "rows of another table have changed");
    // What only whole rows tell (a column that was hidden) is found by them.
    check(filtered(SWEEPS_MAX), Short::All(Target::Shadow));
    let listing = Cursor { shadow: Some(1), listing: true, ..filtered(4) };
    check(Cursor { next_link: Some("next".to_owned()), watermark: None, ..listing.clone() }, Short::ListLink);
    check(listing.clone(), Short::Settle);
    check(Cursor { watermark: None, ..listing }, Short::DropShadow);
}

#[test]
fn under_another_filter_rows_are_compared_where_their_etags_tell_enough() {
    let table = account();
    let check = |cursor: Cursor, compares: bool| {
        let Begin::Page { kind, .. } = begin(&cursor, &table, Some("revenue gt 2"), ROOT) else { panic!() };
        assert_eq!(kind, if compares { Kind::Listing } else { Kind::All }, "{cursor:?}");
    };
    check(filtered(0), true);
    check(Cursor { filter: None, ..filtered(0) }, true);
    check(Cursor { foreign: true, ..filtered(0) }, false);
    check(Cursor { complete: false, ..filtered(0) }, false);
    check(Cursor { watermark: None, ..filtered(0) }, false);
    check(Cursor { columns: vec!["name".to_owned()], ..filtered(0) }, false);
    check(Cursor { feed: Feed::Delta, ..filtered(0) }, false);
    check(filtered(SWEEPS_MAX), false);
}

#[test]
fn parties_are_never_swept() {
    let table = flette_server::schema::schema().table(PARTY_TABLE).cloned().unwrap();
    let cursor = Cursor {
        feed: Feed::Sweep,
        delta_link: None,
        watermark: Some(Millis(7000)),
        columns: columns(&table),
        ..pulled(&table)
    };
    let begun = begin(&cursor, &table, cursor.filter.as_deref(), ROOT);
    assert!(matches!(begun, Begin::Page { kind: Kind::All, target: Target::Shadow, .. }), "{begun:?}");
}

#[test]
fn a_first_page_opens_the_cursor_for_its_kind() {
    let fresh = |kind| Fresh { columns: vec!["name".to_owned()], filter: None, kind, at: Millis(5) };
    let mut cursor = Cursor { watermark: Some(Millis(1)), ..pulled(&account()) };
    fresh(Kind::Changes).open(&mut cursor, Target::Live);
    assert_eq!(
        (cursor.sweeps, cursor.watermark, cursor.watermark_next),
        (1, Some(Millis(1)), Some(Millis(5)))
    );
    let mut stirred = Cursor { stirred: true, ..cursor.clone() };
    fresh(Kind::Changes).open(&mut stirred, Target::Live);
    assert!(stirred.stirred, "a sweep does not tell what the others have done");
    fresh(Kind::Listing).open(&mut stirred, Target::Shadow);
    assert!(!stirred.stirred && stirred.listing);
    fresh(Kind::All).open(&mut cursor, Target::Shadow);
    assert_eq!((cursor.delta_link, cursor.watermark, cursor.shadow), (None, None, Some(1)));
}

#[test]
fn another_filter_begins_anew_beside_what_is_read() {
    let table = account();
    let check = |had: Option<&str>, wants: Option<&str>, goes_on: bool| {
        let cursor = Cursor { filter: had.map(str::to_owned), ..pulled(&table) };
        let Begin::Page { url, kind, target, fresh } = begin(&cursor, &table, wants, ROOT) else { panic!() };
        assert_eq!((kind == Kind::Changes, fresh.is_none()), (goes_on, goes_on), "{had:?} {wants:?}");
        if !goes_on {
            assert_eq!(target, Target::Shadow);
            assert_eq!(url.contains("$filter=name%20eq%20'a%26b'"), wants == Some("name eq 'a&b'"), "{url}");
        }
    };
    let (one, two) = (Some("name eq 'a&b'"), Some("revenue gt 1"));
    check(None, None, true);
    check(one, one, true);
    check(None, one, false);
    check(one, two, false);
    check(one, None, false);
    // A shadow that was begun under another filter is of no use.
    let cursor = Cursor { shadow: Some(1), next_link: Some("next".to_owned()), ..pulled(&table) };
    assert_eq!(begin(&cursor, &table, one, ROOT), Begin::DropShadow);
}

#[test]
fn what_is_read_is_narrow_until_all_that_is_asked_for_has_taken_its_place() {
    let fresh = |columns: &[&str], filter: Option<&str>| Fresh {
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        filter: filter.map(str::to_owned),
        kind: Kind::All,
        at: Millis(0),
    };
    let mut cursor = Cursor::default();
    fresh(&["a"], Some("x")).open(&mut cursor, Target::Live);
    assert!(cursor.narrow && cursor.filter.as_deref() == Some("x"));
    // Widened: the rows that are read are still few.
    fresh(&["a"], None).open(&mut cursor, Target::Shadow);
    assert!(cursor.narrow && cursor.filter.is_none());
    let mut whole = Cursor::default();
    fresh(&["a"], None).open(&mut whole, Target::Live);
    assert!(!whole.narrow);
    // Narrowed: all rows are read until the shadow takes their place.
    fresh(&["a"], Some("x")).open(&mut whole, Target::Shadow);
    assert!(!whole.narrow);
    fresh(&["a", "b"], None).open(&mut whole, Target::Shadow);
    assert!(whole.narrow, "column b is not there yet");
}

#[test]
fn a_table_in_which_another_filter_found_nothing_is_whole_only_when_all_pages_are_in() {
    let table = account();
    let nothing = Cursor { next_segment: 0, filter: Some("name eq 'x'".to_owned()), ..pulled(&table) };
    let Begin::Page { target, kind: Kind::All, .. } = begin(&nothing, &table, None, ROOT) else {
        panic!("the table is pulled in full");
    };
    assert_eq!(target, Target::Shadow);
    assert!(matches!(
        begin(&Cursor::default(), &table, None, ROOT),
        Begin::Page { target: Target::Live, .. }
    ));
}
