//! Queries by chance: the database gives the rows that the evaluator gives, in the same order, page by page.

use super::support::database;
use flette_odata::answer::{FetchRow, Window};
use flette_odata::edm::Column;
use flette_odata::evaluate::fetch::fetch;
use flette_odata::fetchxml::{self, Fetch};
use flette_odata::filter::{Circumstances, HierarchyQuestion};
use flette_odata::{Row, Schema, Uuid, Value};
use flette_server::db::query::fetch::FetchQuery;
use flette_server::db::rows::Sight;
use flette_server::db::Database;
use std::collections::BTreeMap;

#[path = "../../../odata/tests/body/fetchxml/generate.rs"]
mod generate;

use generate::Chance;

/// Queries of one run.
const CASES: u64 = 250;
const TABLES: [&str; 4] = ["account", "contact", "task", "opportunity"];
/// 2026-01-15T10:00:00Z
const NOW: i64 = 1_768_471_200_000;

fn wanted(column: &Column) -> bool {
    matches!(
        column.logical_name.as_str(),
        "accountid"
            | "contactid"
            | "activityid"
            | "opportunityid"
            | "name"
            | "fullname"
            | "lastname"
            | "subject"
            | "description"
            | "numberofemployees"
            | "revenue"
            | "estimatedvalue"
            | "exchangerate"
            | "address1_latitude"
            | "donotphone"
            | "industrycode"
            | "prioritycode"
            | "statecode"
            | "createdon"
            | "scheduledend"
            | "birthdate"
            | "estimatedclosedate"
            | "primarycontactid"
            | "parentcustomerid"
            | "parentaccountid"
            | "customerid"
            | "regardingobjectid"
    )
}

fn fill(database: &Database, schema: &Schema, rows: &BTreeMap<String, Vec<Row>>) {
    database
        .write(|writer| {
            for (table, rows) in rows {
                let table = schema.table(table).unwrap();
                rows.iter().try_for_each(|row| writer.insert(table, row).map(|_| ()))?;
            }
            Ok(())
        })
        .unwrap();
}

fn resolved(text: &str, schema: &Schema) -> Fetch {
    let hierarchy = |_: &HierarchyQuestion| Ok(Vec::new());
    let at = Circumstances {
        now: NOW,
        user: generate::id("systemuser", 1),
        business_unit: Uuid::nil(),
        teams: &[],
        utc_offset_minutes: 0,
        hierarchy: &hierarchy,
    };
    let fetch = fetchxml::parse(text, schema).unwrap_or_else(|error| panic!("{text}\n{error}"));
    fetch.resolve(schema, &at).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn any_query_gives_the_rows_of_the_evaluator() {
    let database = database();
    let schema = database.schema();
    let mut chance = Chance(11);
    let rows = generate::rows(&schema, &TABLES, 5, &wanted, &mut chance);
    fill(&database, &schema, &rows);
    for seed in 0..CASES {
        let text = generate::fetch(&schema, &TABLES, &wanted, &mut Chance(seed));
        let query = resolved(&text, &schema);
        let expected = fetch(&rows, &schema, &query, 0).unwrap();
        let sight = Sight::Everything;
        let asked = FetchQuery { fetch: &query, sight: &sight, within: None, utc_offset_minutes: 0 };
        let page = |after: Option<&[Value]>, limit: u64| -> Vec<FetchRow> {
            let window = Window { after, offset: 0, limit };
            let found = database.read(|reader| reader.fetch(&asked, window));
            found.unwrap_or_else(|error| panic!("seed {seed}\n{text}\n{error}"))
        };
        let found = page(None, 100_000);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.cells, expected.cells, "seed {seed} row {at}\n{text}");
        }
        assert_eq!(found.len(), expected.len(), "seed {seed}\n{text}");
        let count = database.read(|reader| reader.fetch_count(&asked, 1000)).unwrap();
        assert_eq!(count, found.len().min(1000) as u64, "seed {seed}\n{text}");
        // In pages of three the same rows come, each once.
        let mut paged: Vec<FetchRow> = Vec::new();
        while !query.aggregate && paged.len() < found.len().min(30) {
            let after = paged.last().map(|row| row.position.clone());
            let more = page(after.as_deref(), 3);
            assert!(!more.is_empty(), "seed {seed}: the pages end early\n{text}");
            paged.extend(more);
        }
        for (paged, found) in paged.iter().zip(&found) {
            assert_eq!(paged, found, "seed {seed}\n{text}");
        }
    }
}
