//! The same queries over the same rows in 1, 7 and 60 segments, before, while and after compaction.

use crate::asks::Asked;
use crate::chance::{seeds, Chance};
use crate::rows::{history, key, replay, row, Told, KEY, TABLE};
use crate::world::{add, engine, fill, get, numbers, open, upon, Alone, Waiting, NOW};
use flette::engine::Engine;
use flette::model::{Key, Row};
use flette::replica::{Ask, Replica};
use flette::store::memory::MemoryStore;
use flette_odata::Uuid;
use pollster::block_on;
use std::collections::BTreeMap;

/// A history, what came later, changes that wait, and questions.
struct Case {
    told: Vec<Told>,
    late: Vec<Told>,
    waiting: Vec<Waiting>,
    asked: Vec<Asked>,
    ids: usize,
}

impl Case {
    fn new(items: usize, ids: usize, queries: usize, chance: &mut Chance) -> Case {
        let waiting = |chance: &mut Chance| match chance.below(4) {
            0 => Waiting::Create(ids + chance.below(ids), row(chance)),
            1 => Waiting::Delete(chance.below(ids)),
            _ => Waiting::Update(chance.below(ids), row(chance)),
        };
        let mut changes: BTreeMap<usize, Waiting> = BTreeMap::new();
        for _ in 0..chance.below(8) {
            let change = waiting(chance);
            let (Waiting::Create(id, _) | Waiting::Update(id, _) | Waiting::Delete(id)) = &change;
            changes.insert(*id, change);
        }
        let mut told = history(items, ids, chance);
        let mut late = history(10, ids, chance);
        // What the server tells of rows that have entries is reconciled before it comes here: that is not this test's.
        let edited = |told: &Told| {
            let (Told::Row(id, _) | Told::Gone(id)) = told;
            changes.contains_key(id)
        };
        late.retain(|told| !edited(told));
        told.extend(changes.keys().filter(|id| **id < ids).map(|id| Told::Row(*id, row(chance))));
        let asked = (0..queries).map(|_| Asked::new(chance)).collect();
        Case { told, late, waiting: changes.into_values().collect(), asked, ids }
    }

    fn rows(&self, with_late: bool) -> BTreeMap<Uuid, Row> {
        let late = if with_late { self.late.as_slice() } else { &[] };
        let mut rows = replay(&[self.told.as_slice(), late].concat());
        upon(&mut rows, &self.waiting);
        rows
    }
}

/// One way to ask, and what the answers must be: those over one segment.
struct Doors {
    replica: Replica<MemoryStore>,
    engine: Engine<Alone>,
}

impl Doors {
    /// Everything that is answered about one question, in comparable form.
    fn answers(&self, asked: &Asked, ids: usize, rows: &BTreeMap<Uuid, Row>) -> String {
        let expected = asked.expected(rows);
        let state = self.replica.state();
        let mut ask = Ask {
            table: TABLE,
            filter: Some(&asked.filter),
            orderby: &asked.orderby,
            limit: asked.limit,
            ..Ask::default()
        };
        let found = state.find(&ask);
        let first: Vec<Uuid> = expected.iter().copied().take(asked.limit.unwrap_or(usize::MAX)).collect();
        assert_eq!(found.rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(), first, "{}", asked.path());
        assert_eq!((found.total, found.more), (expected.len(), first.len() < expected.len()));
        for (id, seen) in &found.rows {
            assert_eq!(format!("{:?}", seen.row), format!("{:?}", rows[id]));
        }
        // The same, page by page.
        let mut paged = Vec::new();
        ask.limit = Some(asked.page);
        while ask.after.is_none() || paged.len() < expected.len() {
            let page = state.find(&ask);
            paged.extend(page.rows.iter().map(|(id, _)| *id));
            let Some((id, last)) = page.rows.last() else { break };
            ask.after = Some(flette::replica::position(*id, &last.row, &asked.orderby));
        }
        assert_eq!(paged, expected, "in pages of {}: {}", asked.page, asked.path());
        drop(state);
        if !asked.spoken {
            return format!("{found:?}");
        }
        let list = text(get(&self.engine, &asked.path(), &format!("odata.maxpagesize={}", asked.page)));
        let count = text(get(&self.engine, &asked.count_path(), ""));
        assert_eq!(count.trim_start_matches('\u{feff}'), format!("200 {}", expected.len().min(5000)));
        let at = expected.len() % ids;
        let one = self.replica.state().row(&Key::new(TABLE, key(at)));
        let point = text(get(&self.engine, &format!("things({})", key(at)), ""));
        format!("{found:?}\n{list}\n{one:?}\n{point}")
    }
}

fn text(response: flette_odata::Response) -> String {
    format!("{} {}", response.status, String::from_utf8(response.body).unwrap())
}

fn ids_of(answer: &str) -> (Vec<Uuid>, Option<String>) {
    let json: serde_json::Value = serde_json::from_str(answer.trim_start_matches("200 ")).unwrap();
    let ids = json["value"].as_array().unwrap_or_else(|| panic!("{answer}"));
    let ids = ids.iter().map(|row| row[KEY].as_str().unwrap().parse().unwrap()).collect();
    (ids, json["@odata.nextLink"].as_str().map(str::to_owned))
}

/// Pages of one query that are asked for one by one while other things happen.
struct Pages<'a> {
    asked: &'a Asked,
    next: Option<String>,
    seen: Vec<Uuid>,
}

impl<'a> Pages<'a> {
    fn new(asked: &'a Asked) -> Pages<'a> {
        Pages { asked, next: Some(asked.path()), seen: Vec::new() }
    }

    fn turn(&mut self, engine: &Engine<Alone>) {
        if let Some(link) = self.next.take() {
            let size = self.asked.page.min(3);
            let (ids, next) = ids_of(&text(get(engine, &link, &format!("odata.maxpagesize={size}"))));
            self.seen.extend(ids);
            self.next = next;
        }
    }
}

fn check(case: &Case) {
    let (before, after) = (case.rows(false), case.rows(true));
    let mut expected: Vec<Vec<String>> = Vec::new();
    for segments in [1, 7, 60] {
        let (store, mut version) = fill(&case.told, &case.waiting, segments);
        let (other, _) = fill(&case.told, &case.waiting, segments);
        let mut doors = Doors { replica: open(&store), engine: engine(&other) };
        let all = |doors: &Doors, rows| -> Vec<String> {
            case.asked.iter().map(|asked| doors.answers(asked, case.ids, rows)).collect()
        };
        let mut seen = vec![all(&doors, &before)];
        add(&doors.replica, &case.late, &mut version);
        // Another context tells the engine's store; the engine reads it again by itself.
        add(&open(&other), &case.late, &mut (version - case.late.len() as u64));
        doors.engine = engine(&other);
        let mut pages: Vec<Pages> =
            case.asked.iter().filter(|asked| asked.spoken).take(6).map(Pages::new).collect();
        let (mut slices, mut more) = (0, true);
        while more {
            more = block_on(doors.replica.compact(NOW, &[TABLE])).unwrap();
            more |= block_on(doors.engine.compact()).unwrap();
            for asked in case.asked.iter().skip(slices * 3 % case.asked.len()).take(3) {
                doors.answers(asked, case.ids, &after);
            }
            pages.iter_mut().for_each(|pages| pages.turn(&doors.engine));
            slices += 1;
            assert!(slices < 500, "compaction without end");
        }
        for pages in &mut pages {
            while pages.next.is_some() {
                pages.turn(&doors.engine);
            }
            let mut all = pages.asked.expected(&after);
            all.truncate(pages.asked.limit.unwrap_or(usize::MAX));
            assert_eq!(pages.seen, all, "pages over a compaction: {}", pages.asked.path());
        }
        seen.push(all(&doors, &after));
        let left = numbers(&doors.replica).len();
        println!("{segments} segments, {slices} slices, {left} segments left");
        assert!(left < 16, "{left} segments");
        // And what the store holds says the same.
        assert_eq!(crate::world::stored(&store), left);
        doors = Doors { replica: open(&store), engine: engine(&other) };
        seen.push(all(&doors, &after));
        if expected.is_empty() {
            assert_eq!(seen[1], seen[2]);
            expected = seen;
        } else {
            assert!(seen == expected, "answers over {segments} segments differ from those over one");
        }
    }
}

#[test]
fn few_rows_in_one_or_many_segments_give_the_same_answers() {
    for seed in seeds(6) {
        let mut chance = Chance::new(seed);
        check(&Case::new(150, 40, 40, &mut chance));
    }
}

#[test]
fn many_rows_in_one_or_many_segments_give_the_same_answers_after_every_slice() {
    let mut chance = Chance::new(1_000);
    // Half of the items come in the first segment, which is large, and the rest supersedes most of it.
    check(&Case::new(4_600, 1_400, 12, &mut chance));
}
