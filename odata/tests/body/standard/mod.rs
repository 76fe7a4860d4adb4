//! The test cases that OASIS publishes with the grammar of OData 4.01 and of its aggregation extension, against the
//! parsers here.
//!
//! They are read from `data/odata/` of the folder that `FLETTE_SHARED` names, or of `shared` beside the repository;
//! where there is none, the tests say so and pass. The cases speak of a model of their own, which they list by kinds of
//! names (entity sets, properties, navigation properties): [`model`] makes tables of it, each with every property. Keys
//! there are numbers and texts, in Dataverse ids: `(1)` and the like are replaced by an id before a URL is read.
//!
//! A case passes when it is accepted, or refused if it is one of those that must be. What does not pass must be one of
//! [`reasons::REASONS`]: outside the dialect of Dataverse, and why. The first reason that fits counts, and how many
//! cases each has is part of the list, so that nothing hides behind a wide pattern.

mod cases;
mod model;
mod reasons;

use cases::{Case, Cases};
use flette_odata::filter::parse_filter;
use flette_odata::operation;
use flette_odata::prefer::Prefer;
use flette_odata::{Request, Schema};
use reasons::REASONS;

const ABNF: &str = "odata-abnf-testcases.yaml";
const AGGREGATION: &str = "odata-aggregation-testcases.yaml";

#[test]
fn the_standards_cases_are_accepted_or_refused_as_they_should_be() {
    let Some(files) = files() else { return };
    let mut found = vec![0; REASONS.len()];
    let mut wrong = Vec::new();
    let (mut passed, mut refused) = (0, 0);
    for file in &files {
        let schema = model::schema(file);
        for case in &file.cases {
            match judge(&schema, case) {
                Some(accepted) if accepted == case.valid => {
                    passed += 1;
                    refused += usize::from(!accepted);
                }
                _ => match REASONS.iter().position(|reason| reason.fits(case)) {
                    Some(at) => found[at] += 1,
                    None => wrong.push(format!("{} {} {}", case.rule, case.valid, case.input)),
                },
            }
        }
    }
    let stale = REASONS.iter().zip(&found).filter(|(reason, found)| reason.cases != **found);
    let stale: Vec<String> =
        stale.map(|(reason, found)| format!("{found} instead of {}: {}", reason.cases, reason.why)).collect();
    assert!(wrong.is_empty(), "no reason says why these do not pass:\n{}", wrong.join("\n"));
    assert!(stale.is_empty(), "the list of reasons does not fit:\n{}", stale.join("\n"));
    let outside: usize = REASONS.iter().map(|reason| reason.cases).sum();
    println!("{passed} cases pass, {refused} of them by being refused; {outside} are outside the dialect");
    assert!(passed > 200 && refused > 40, "{passed} {refused}");
}

/// A test that accepts everything would pass the one above.
#[test]
fn cases_that_are_accepted_are_refused_once_they_are_broken() {
    let Some(files) = files() else { return };
    let (mut broken, mut wrong) = (0, Vec::new());
    for file in &files {
        let schema = model::schema(file);
        for case in file.cases.iter().filter(|case| case.valid && !is_opaque(case)) {
            if judge(&schema, case) != Some(true) {
                continue;
            }
            let input = &case.input;
            for worse in [format!("{input}'"), format!("{input})"), format!("({input}"), format!("{input}%2")]
            {
                broken += 1;
                let case = Case { input: worse, ..case.clone() };
                if judge(&schema, &case) != Some(false) {
                    wrong.push(format!("{} {}", case.rule, case.input));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "accepted though broken:\n{}", wrong.join("\n"));
    assert!(broken > 600, "{broken}");
}

/// Tokens are opaque, and so is what stands behind `$metadata` and behind the call of a function; preferences are read
/// leniently.
fn is_opaque(case: &Case) -> bool {
    case.rule.starts_with("prefer")
        || ["$skiptoken", "$deltatoken", "$metadata", "()?"].iter().any(|part| case.input.contains(part))
}

/// The files, or none, which is said.
fn files() -> Option<Vec<Cases>> {
    let Some(folder) = cases::folder(ABNF) else {
        println!("skipped: no test cases of OASIS at hand (FLETTE_SHARED names the folder)");
        return None;
    };
    Some([ABNF, AGGREGATION].iter().map(|name| cases::read(&folder.join(name))).collect())
}

/// Whether a case is accepted; `None` when nothing here reads its rule.
fn judge(schema: &Schema, case: &Case) -> Option<bool> {
    let input = case.input.as_str();
    Some(match case.rule.as_str() {
        "odataUri" | "odataRelativeUri" | "resourcePath" | "entitySetName" => url(schema, input),
        "queryOptions" | "filter" | "expand" | "select" | "orderby" | "orderBy" | "compute" | "search"
        | "skiptoken" | "deltatoken" | "customQueryOption" | "systemQueryOption" => {
            url(schema, &format!("Products?{input}"))
        }
        "boolCommonExpr" | "boolcommonExpr" | "notExpr" => expression(schema, input),
        // A lambda alone follows some collection.
        "anyExpr" => expression(schema, &format!("Products/{input}")),
        // What is no condition must at least be what one can compare.
        "commonExpr" | "firstMemberExpr" | "propertyPathExpr" | "isofExpr" => {
            expression(schema, input) || expression(schema, &format!("{input} eq null"))
        }
        "boolean" | "booleanValue" => expression(schema, &format!("Completed eq {input}")),
        "date" | "dateValue" => expression(schema, &format!("BirthDate eq {input}")),
        "dateTimeOffsetValue" | "dateTimeOffsetLiteral" | "dateTimeOffsetValueInUrl" => {
            expression(schema, &format!("ReleaseDate eq {input}"))
        }
        "decimalValue" | "decimalLiteral" | "doubleValue" | "doubleLiteral" | "singleValue"
        | "singleLiteral" => expression(schema, &format!("Price eq {input}")),
        "byteValue" | "sbyteLiteral" | "sbyteValue" | "int16Literal" | "int16Value" | "int32Literal"
        | "int32Value" | "int64Literal" | "int64Value" => expression(schema, &format!("Rating eq {input}")),
        "guid" => expression(schema, &format!("ID eq {input}")),
        "stringLiteral" => expression(schema, &format!("Name eq {input}")),
        "null" | "primitiveLiteral" => expression(schema, &format!("null eq {input}")),
        "preference" | "includeAnnotationsPreference" | "maxpagesizePreference" => preferred(input),
        "prefer" => preferred(input.trim_start_matches("Prefer:")),
        _ => return None,
    })
}

/// Whether a preference is understood. Unknown and malformed ones are passed over, as RFC 7240 wants it.
fn preferred(value: &str) -> bool {
    let request = Request::get("").header("Prefer", value);
    Prefer::parse(&request.headers) != Prefer::default()
}

/// A GET of a URL, absolute or relative to the service's root.
fn url(schema: &Schema, input: &str) -> bool {
    let roots = [
        "http://host/service/",
        "http://services.odata.org/OData/OData.svc/",
        "http://serviceRoot/",
        "http://127.0.0.1:8080/MyService/",
        "https://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:8080/MyService/",
        "https://[v7.0]/MyService/",
        "http://My.Org:80/",
    ];
    let root = roots.into_iter().find(|root| input.starts_with(root));
    let root = root.unwrap_or("http://host/service/");
    let request = Request::get(model::with_ids(input));
    operation::parse(&request, root, schema, &flette_odata::names::NoNames).is_ok()
}

/// An expression, percent-encoded as it may be in a URL.
fn expression(schema: &Schema, text: &str) -> bool {
    let Some(table) = schema.table("Products") else { return false };
    let Some(text) = model::percent_decoded(text) else { return false };
    parse_filter(&text, table, schema).is_ok()
}
