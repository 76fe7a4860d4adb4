//! Parsers under inputs that nobody wrote: none panics, takes long, or answers with a failure of its own.
//!
//! Each test goes on from real requests, and from every input whose outcome was of a new kind. Inputs are the
//! same in every run. `FLETTE_FUZZ_SECONDS=300 cargo test -p flette-odata --release --test fuzz --
//! --nocapture` runs longer, and says what it did; `FLETTE_FUZZ_SEED` begins elsewhere.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

#[allow(dead_code, reason = "shared with other tests")]
#[path = "../body/fixture.rs"]
mod fixture;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../body/fetchxml/generate.rs"]
mod generate;
mod mutate;

use fixture::{schema, ROOT};
use flette_odata::error::Result;
use flette_odata::filter::{parse_filter, print_filter};
use flette_odata::names::NoNames;
use flette_odata::{batch, fetchxml, operation, Method, Request, Schema};
use generate::Chance;
use mutate::Corpus;
use std::collections::HashSet;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Inputs of a short run.
const INPUTS: u64 = 4000;
/// No input may take longer, even on a busy machine.
const INPUT_SECONDS_MAX: u64 = 5;

/// Requests as clients send them: kind, method, URL, headers, body, parted by tabs.
const REQUESTS: &str = include_str!("../../src/operation/client_requests.tsv");

fn requests() -> impl Iterator<Item = Vec<&'static str>> {
    REQUESTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn urls() -> Vec<String> {
    requests().filter_map(|fields| fields.get(2).map(|url| format!("{ROOT}{url}"))).collect()
}

/// Runs a parser; `parse` gives nothing to be checked but an error.
fn check(name: &str, mut corpus: Corpus, parse: &dyn Fn(&[u8]) -> Result<()>) {
    let variable = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = variable("FLETTE_FUZZ_SECONDS").map(Duration::from_secs);
    let mut chance = Chance(variable("FLETTE_FUZZ_SEED").unwrap_or(1));
    let (started, mut kinds, mut inputs, mut slowest) = (Instant::now(), HashSet::new(), 0, Duration::ZERO);
    while seconds.map_or(inputs < INPUTS, |seconds| started.elapsed() < seconds) {
        let input = corpus.next(&mut chance);
        let began = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| parse(&input)));
        let took = began.elapsed();
        slowest = slowest.max(took);
        inputs += 1;
        let shown = || input.escape_ascii().to_string().chars().take(4000).collect::<String>();
        let Ok(outcome) = outcome else { panic!("{name}: {}", shown()) };
        if took.as_secs() >= INPUT_SECONDS_MAX {
            // A machine with more to do may have let it wait: what is slow is slow again.
            let began = Instant::now();
            let _ = parse(&input);
            let again = began.elapsed();
            assert!(again.as_secs() < INPUT_SECONDS_MAX, "{name} took {took:?}, then {again:?}: {}", shown());
        }
        let kind = match outcome {
            Ok(()) => (0, String::new(), String::new()),
            Err(error) => {
                let known = (400..500).contains(&error.status) || error.status == 501;
                assert!(known, "{name}: {error}: {}", shown());
                // Names and numbers make no new kind.
                let words = error.message.split(['\'', '"']).step_by(2).collect::<String>();
                let words = words.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
                (error.status, error.code, words)
            }
        };
        if kinds.insert(kind) || chance.one_in(500) {
            corpus.keep(input);
        }
    }
    println!(
        "{name}: {inputs} inputs in {:?}, {} kinds of outcome, {} kept, slowest {slowest:?}",
        started.elapsed(),
        kinds.len(),
        corpus.len()
    );
}

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

#[test]
fn urls_are_read_or_refused() {
    let words: &[&str] = &[
        "accounts",
        "contacts(",
        "$filter=",
        "$select=",
        "$expand=",
        "$orderby=",
        "$apply=",
        "groupby((",
        "aggregate(",
        "$count=true",
        "$top=",
        "$skiptoken=",
        "$deltatoken=",
        "/$ref",
        "/$count",
        "?",
        "&",
        ";",
        "@p1=",
        "fetchXml=",
        "savedQuery=",
        "Microsoft.Dynamics.CRM.",
        "EntityDefinitions(LogicalName='account')",
        "$batch",
        "$metadata",
        "primarycontactid",
        "%2F",
        "%27",
        "any(",
        "all(x:x/",
        "(accountnumber='",
        "desc",
        "RelationshipDefinitions",
    ];
    let schema = schema();
    let methods =
        [Method::Get, Method::Get, Method::Get, Method::Post, Method::Patch, Method::Delete, Method::Put];
    check("url", Corpus::new(urls(), words), &|input| {
        let method = methods[input.len() % methods.len()];
        let request = Request::new(method, text(input)).header("Content-Type", "application/json").json("{}");
        operation::parse(&request, ROOT, &schema, &NoNames).map(|_| ())
    });
}

fn read_filter(input: &[u8], schema: &Schema) -> Result<()> {
    let table = schema.table("account").unwrap();
    let filter = parse_filter(&text(input), table, schema)?;
    // What was read is printed so that the same is read again.
    let printed = print_filter(&filter, table, schema);
    assert_eq!(parse_filter(&printed, table, schema).ok(), Some(filter), "{printed}");
    Ok(())
}

#[test]
fn filters_are_read_or_refused_and_survive_printing() {
    let words: &[&str] = &[
        "name",
        "revenue",
        " eq ",
        " ne ",
        " gt ",
        " le ",
        " and ",
        " or ",
        "not ",
        "(",
        ")",
        "null",
        "true",
        "'a'",
        "contains(name,'",
        "startswith(",
        "endswith(",
        "primarycontactid/fullname",
        "contact_customer_accounts/any(c:c/",
        "all(",
        "_primarycontactid_value",
        "2026-01-15",
        "2026-01-15T10:00:00Z",
        "00000000-0000-0000-0000-000000000000",
        "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=3)",
        "In(PropertyName='name',",
        "PropertyValues=['a','b'])",
        "creditonhold",
        "createdon",
        "founded",
        "exchangerate",
        "@p",
    ];
    let schema = schema();
    let option = |url: String| {
        let (_, rest) = url.split_once("$filter=")?;
        let value = rest.split('&').next()?;
        Some(value.replace("%20", " ").replace("%27", "'"))
    };
    let mut seeds: Vec<String> = urls().into_iter().filter_map(option).collect();
    seeds.push("name eq 'x' and (revenue gt 1.5 or not contains(name,'y'))".to_owned());
    check("filter", Corpus::new(seeds, words), &|input| read_filter(input, &schema));
}

#[test]
fn batches_are_read_or_refused() {
    let words: &[&str] = &[
        "--b",
        "--b--",
        "--c",
        "\r\n",
        "\r\n\r\n",
        "\n\n",
        "Content-Type: application/http",
        "Content-ID: 1",
        "Content-Transfer-Encoding: binary",
        "Content-Type: multipart/mixed; boundary=c",
        "GET /api/x HTTP/1.1",
        "POST accounts HTTP/1.1",
        "PATCH $1 HTTP/1.1",
        "HTTP/1.1 204 No Content",
        "Content-Length: 99",
        "{}",
        ": ",
    ];
    let seeds = [
        "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET accounts HTTP/1.1\r\n\
         Accept: application/json\r\n\r\n\r\n--b--\r\n",
        "--b\nContent-Type: multipart/mixed;boundary=c\n\n--c\nContent-Type: application/http\n\
         Content-Transfer-Encoding: binary\nContent-ID: 1\n\nPOST accounts HTTP/1.1\nContent-Type: application/json\n\n\
         {\"name\":\"x\"}\n--c--\n\n--b--\n",
    ];
    let kinds = ["multipart/mixed; boundary=b", "multipart/mixed;boundary=\"b\""];
    check("batch", Corpus::new(seeds.map(str::to_owned).to_vec(), words), &|input| {
        let kind = kinds[input.len() % kinds.len()];
        let _ = batch::parse_batch_response(kind, input);
        batch::parse_batch(kind, input).map(|_| ())
    });
}

#[test]
fn fetchxml_is_read_or_refused_and_survives_printing() {
    let words: &[&str] = &[
        "<fetch>",
        "</fetch>",
        "<entity name='account'>",
        "</entity>",
        "<attribute name='name'/>",
        "<filter type='or'>",
        "</filter>",
        "<condition attribute='name' operator='eq' value='x'/>",
        "<link-entity name='contact' ",
        "/>",
        "from='contactid' to='primarycontactid'",
        "link-type='outer'",
        "<value>",
        "</value>",
        "<order attribute='name'/>",
        "aggregate='true'",
        "groupby='true' alias='x'",
        "dategrouping='week'",
        "<!DOCTYPE x [",
        "<!ENTITY a 'b'>",
        "&a;",
        "&#0;",
        "&#xD800;",
        "<![CDATA[",
        "]]>",
        "<?xml version='1.0'?>",
        "<!--",
        "-->",
        "paging-cookie='&lt;cookie'",
        "valueof='name'",
        "entityname='c'",
        "xmlns:x='y'",
        "operator='last-x-days'",
        "operator='in'",
        "top='1'",
    ];
    let schema = schema();
    let tables = ["account", "contact", "task", "systemuser"];
    let seeds = (0..60).map(|seed| generate::fetch(&schema, &tables, &|_| true, &mut Chance(seed)));
    check("fetchxml", Corpus::new(seeds.collect(), words), &|input| {
        let fetch = fetchxml::parse(&text(input), &schema)?;
        let printed = fetchxml::print(&fetch);
        // Printing may make a text too long to be read again, and nothing else.
        match fetchxml::parse(&printed, &schema) {
            Ok(again) => assert_eq!(again, fetch, "{printed}"),
            Err(error) => assert!(printed.len() > fetchxml::FETCH_LENGTH_MAX, "{error}: {printed}"),
        }
        let positions = fetch.positions(&schema)?;
        let _ = fetchxml::Cookie::read(&text(input), &fetch, &positions);
        Ok(())
    });
}
