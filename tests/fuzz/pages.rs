//! The decoder of answers.

use crate::generate::Chance;
use crate::mutate::Corpus;
use crate::rows::{schema, TABLE};
use crate::{check, Source};
use flette::mirror::{decode_page, decode_row, next_link_ahead, Page, PageError, Segment};
use flette_odata::Table;

/// Columns are wider than short JSON, and builders grow by doubling.
const FACTOR: usize = 400;

const ROW: &str = r#"{"@odata.etag":"W/\"468026\"","thingid":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a01","name":"Åse \"x\" \ud83d\ude00\n","note":null,"size":-40,"version":9223372036854775807,"amount":99999999999.9999999999,"price":5000000.0000,"factor":0.1,"active":true,"seen":"2026-01-15T10:02:11Z","born":"2026-01-15","choice":1,"choice@OData.Community.Display.V1.FormattedValue":"Option 1","marks":"0,2","statecode":0,"statuscode":1,"_parent_value":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a01","_keeper_value@Microsoft.Dynamics.CRM.lookuplogicalname":"person","_keeper_value":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a02","token":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a03"}"#;
const GONE: &str = r#"{"@odata.context":"http://x/api/data/v9.2/$metadata#things/$deletedEntity","id":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a09","reason":"deleted"}"#;
const BARE: &str =
    r#"{"thingid":"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a05","other":{"deep":[1,{"x":null}]},"size":7}"#;

const WORDS: &[&str] = &[
    "\"value\":[",
    "\"@odata.nextLink\":\"http://x/things?$skiptoken=1\",",
    "\"@odata.deltaLink\":\"http://x/things?$deltatoken=1\",",
    "\"@odata.count\":7,",
    "\"@odata.context\":\"c\",",
    "\"thingid\":\"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a07\",",
    "\"name\":\"x\",",
    "\"size\":1,",
    "\"amount\":1.50,",
    "\"_keeper_value\":null,",
    "\"_keeper_value@Microsoft.Dynamics.CRM.lookuplogicalname\":\"group\",",
    "\"id\":\"4a1c2a2b-0b8e-4c36-9e5c-1d4f7f3f0a08\",",
    "$deletedEntity",
    "\\ud83d",
    "\\udc00",
    "\\u0000",
    "\\",
    "null",
    "true",
    "{",
    "}",
    "},{",
    "[",
    "]",
    ":",
    ",",
    "-9223372036854775808",
    "9223372036854775808",
    "1e400",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.9999999Z",
    "2026-02-30",
];

impl Source for Corpus {
    fn next(&mut self, chance: &mut Chance) -> Vec<u8> {
        Corpus::next(self, chance)
    }

    fn keep(&mut self, input: Vec<u8>) {
        Corpus::keep(self, input);
    }
}

fn pages() -> Vec<String> {
    let link = "\"@odata.context\":\"http://x/$metadata#things\",\"@odata.nextLink\":\"http://x/things?$skiptoken=2\"";
    let delta = "\"@odata.deltaLink\":\"http://x/things?$deltatoken=919042\"";
    vec![
        format!("{{{link},\"value\":[{ROW},{BARE}]}}"),
        format!("{{\"value\":[{ROW},{GONE},{BARE},{ROW}],{delta}}}"),
        format!("{{{delta},\"value\":[{GONE},{GONE}],\"@odata.count\":2}}"),
        "{\"@odata.context\":\"c\",\"value\":[]}".to_owned(),
        "{}".to_owned(),
        "{\"error\":{\"code\":\"0x80040217\",\"message\":\"m\"}}".to_owned(),
    ]
}

/// What was read is sealed, and says the same; a refusal never tells a value.
fn outcome(read: Result<Page, PageError>) -> String {
    let page = match read {
        Ok(page) => page,
        Err(PageError::Malformed(what)) => return what.chars().filter(|c| !c.is_ascii_digit()).collect(),
        Err(error) => return error.to_string(),
    };
    let rows: Vec<_> = (0..page.items().count()).map(|at| (page.row(at), page.etag(at))).collect();
    let segment = Segment::open(page.segment.seal()).unwrap();
    segment.check().unwrap();
    assert_eq!(segment.rows(), rows.len());
    for (at, (row, etag)) in rows.iter().enumerate() {
        assert_eq!(format!("{:?}", segment.row(at)), format!("{row:?}"));
        assert_eq!(segment.etag(at), *etag);
    }
    format!("{} rows, {} gone, next: {}", rows.len().min(4), page.tombstones.min(4), page.next_link.is_some())
}

type Read<'r> = &'r dyn Fn(&[u8], &Table) -> Result<Page, PageError>;

fn run(name: &str, seeds: Vec<String>, read: Read<'_>) {
    let schema = schema();
    let table = schema.table(TABLE).unwrap();
    check(name, &mut Corpus::new(seeds, WORDS), FACTOR, &|input| {
        let _ = next_link_ahead(input);
        outcome(read(input, table))
    });
}

#[test]
fn pages_are_decoded_or_refused() {
    run("page", pages(), &decode_page);
}

#[test]
fn single_rows_are_decoded_or_refused() {
    run("row", [ROW, BARE, GONE].map(str::to_owned).to_vec(), &decode_row);
}
