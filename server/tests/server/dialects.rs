//! What the two databases must have in common, asked of PostgreSQL directly.

use crate::postgres::Postgres;
use flette_odata::collate::fold;
use flette_server::db::{Database, Location};
use flette_server::schema::schema;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

fn open(url: &str) -> Database {
    Database::open(&Location::Postgres(url.to_owned()), Arc::new(schema()), "Test").unwrap()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

#[test]
fn postgres_folds_every_character_as_the_engine_does() {
    let url = Postgres::shared().database();
    drop(open(&url));
    let beyond = |c: char| fold(&c.to_string()) != c.to_string();
    assert!(!('\u{20000}'..=char::MAX).any(beyond), "characters that this test does not look at fold now");
    // Blocks of 4096 characters, so that a difference says where it is. Alone, and between others.
    let query = |piece: &str, end: char| {
        format!(
            "SELECT i / 4096, encode(sha256(convert_to(string_agg(flette_fold({piece}), '|' ORDER BY i), 'UTF8')), \
             'hex') FROM generate_series(1, {}) i WHERE i < 55296 OR i > 57343 GROUP BY 1 ORDER BY 1",
            u32::from(end) - 1
        )
    };
    type Piece = fn(char) -> String;
    let pieces: [(&str, char, Piece); 2] = [
        ("chr(i)", '\u{20000}', |c| c.to_string()),
        ("'Aß' || chr(i) || 'ΟΔΟΣ'", '\u{600}', |c| format!("Aß{c}ΟΔΟΣ")),
    ];
    for (sql, end, piece) in pieces {
        let answer = Postgres::shared().ask(&url, &query(sql, end));
        let answer: Vec<&str> = answer.lines().collect();
        let mut blocks = std::collections::BTreeMap::<u32, Vec<String>>::new();
        for c in '\u{1}'..end {
            blocks.entry(u32::from(c) / 4096).or_default().push(fold(&piece(c)).into_owned());
        }
        let expected: Vec<String> =
            blocks.iter().map(|(block, folds)| format!("{block}|{}", hash(&folds.join("|")))).collect();
        assert_eq!(answer, expected, "{sql}");
    }
}
