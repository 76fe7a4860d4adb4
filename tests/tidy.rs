//! The house's rules that no compiler knows, held by reading the source: who may import whom, what must be absent where,
//! and how large a file may grow. Source is read as tokens, so that comments and texts do not count, and without what is
//! compiled for tests only.
#![cfg(not(target_arch = "wasm32"))]

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use source::Source;
use std::path::Path;

/// Lines of code a file may have.
const CODE_LINES_MAX: usize = 400;

/// Files that may be longer, and why. An entry that is not needed any more must go.
const LONGER: &[(&str, &str)] = &[];

/// Folders whose source is held to the rules.
const FOLDERS: [&str; 3] = ["src", "odata/src", "server/src"];

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<Source> = FOLDERS.iter().flat_map(|folder| source::read_folder(root, folder)).collect();
    assert!(sources.len() > 20, "the rules would be held over {} files only", sources.len());
    sources
}

/// Runs a rule over all files it speaks of. A rule that speaks of no file has lost its subject.
fn hold(rule: fn(&Source) -> Option<Vec<String>>) {
    let sources = sources();
    let found: Vec<Vec<String>> = sources.iter().filter_map(rule).collect();
    assert!(!found.is_empty(), "no file is subject to this rule");
    let broken: Vec<String> = found.into_iter().flatten().collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn modules_import_only_whom_they_may() {
    hold(rules::imports);
}

#[test]
fn the_browser_appears_in_browser_and_wasm_only() {
    hold(rules::no_browser);
}

#[test]
fn logic_holds_no_async_no_clock_no_store() {
    hold(rules::pure);
}

#[test]
fn the_replica_knows_no_transport() {
    hold(rules::no_network_in_replica);
}

#[test]
fn the_remote_knows_no_store() {
    hold(rules::no_store_in_remote);
}

#[test]
fn time_comes_as_an_argument() {
    hold(rules::no_clock);
}

#[test]
fn nothing_panics_on_input() {
    hold(rules::no_panic);
}

#[test]
fn lints_are_silenced_with_a_reason_only() {
    hold(rules::reasons);
}

#[test]
fn nothing_is_left_to_do() {
    hold(|source| {
        let lines = source.text.lines().enumerate();
        let marked = lines.filter(|(_, line)| ["TO\x44O", "FIX\x4dE"].iter().any(|mark| line.contains(mark)));
        Some(
            marked
                .map(|(place, _)| format!("{}:{}: something is left to do", source.path, place + 1))
                .collect(),
        )
    });
}

#[test]
fn files_are_split_in_time() {
    let longer = |path: &str| LONGER.iter().any(|(exempt, _)| *exempt == path);
    hold(|source| {
        let lines = source.code_lines();
        let too_long = lines > CODE_LINES_MAX && !LONGER.iter().any(|(exempt, _)| *exempt == source.path);
        Some(too_long.then(|| format!("{}: {lines} lines of code", source.path)).into_iter().collect())
    });
    for source in sources() {
        let needed = !longer(&source.path) || source.code_lines() > CODE_LINES_MAX;
        assert!(needed, "{} is short again: take it off the list", source.path);
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest =
        |folder: &str| std::fs::read_to_string(root.join(folder).join("Cargo.toml")).expect("a manifest");
    for folder in ["", "model", "odata", "server", "sim"] {
        assert!(manifest(folder).contains("[lints]\nworkspace = true"), "{folder} has lints of its own");
    }
    let lints =
        ["unwrap_used", "panic", "todo", "unimplemented", "cast_possible_truncation", "cast_sign_loss"];
    for lint in lints.iter().chain(&["cast_possible_wrap", "await_holding_refcell_ref", "unsafe_code"]) {
        assert!(manifest("").contains(&format!("\n{lint} = \"deny\"\n")), "{lint} is not denied");
    }
    assert!(!manifest("server").contains("\nflette =") && !manifest("server").contains("\nflette."));
    assert!(!manifest("odata").contains("\nflette"));
}

/// The rules themselves: a text that breaks one, and one that does not.
#[test]
fn rules_find_what_breaks_them() {
    type Rule = fn(&Source) -> Option<Vec<String>>;
    let cases: &[(Rule, &str, &str, usize)] = &[
        (rules::imports, "src/api/read.rs", "use crate::sync::Round;", 1),
        (rules::imports, "src/api/read.rs", "use crate::{replica::Replica, sync::{Round, Other}};", 1),
        (rules::imports, "src/api/read.rs", "fn f() { super::super::remote::call() }", 1),
        (rules::imports, "src/api/read.rs", "use super::sync; use crate::replica::Replica;", 0),
        (rules::imports, "src/api/read.rs", "/// See [`crate::sync`].\nfn f() { g(\"crate::sync\") }", 0),
        (rules::imports, "src/api/read.rs", "#[cfg(test)]\nmod tests { use crate::store::MemoryStore; }", 0),
        (rules::imports, "src/api/read.rs", "#[cfg(test)] use crate::sync::A; use crate::sync::B;", 1),
        (rules::imports, "src/store/mod.rs", "use flette_odata::Request;", 1),
        (rules::imports, "src/unheard_of.rs", "", 1),
        (rules::imports, "odata/src/edm.rs", "use flette::model::Id;", 1),
        (rules::imports, "server/src/main.rs", "use flette_odata::edm; use flette::engine::Engine;", 1),
        (rules::no_browser, "src/engine.rs", "use web_sys::Request;", 1),
        (rules::no_browser, "src/engine.rs", "fn f() { gloo_net::http::get() }", 1),
        (rules::pure, "src/merge.rs", "async fn f() {}", 1),
        (rules::pure, "src/sync/settle.rs", "fn f<S: Store>(store: &S) {}", 2),
        (rules::pure, "src/model/hlc.rs", "fn f() { Instant::now() }", 2),
        (rules::no_network_in_replica, "src/replica/mod.rs", "fn f<T: Transport>() {}", 1),
        (rules::no_store_in_remote, "src/remote/call.rs", "fn f<S: Store>() {}", 1),
        (rules::no_clock, "src/replica/mod.rs", "fn f(p: &P) { p.now() }", 1),
        (rules::no_clock, "src/sync/pull.rs", "fn f(outside: &O) { (outside.now)(); outside.now() }", 0),
        (rules::no_clock, "src/sync/pull.rs", "fn f() { Millis::now() }", 1),
        (rules::no_clock, "src/sync/settle.rs", "fn f(outside: &O) { outside.now() }", 1),
        (rules::no_clock, "odata/src/time.rs", "fn f() { chrono::Utc::now() }", 1),
        (rules::no_clock, "src/replica/mod.rs", "fn f(now: Millis) { g(now, row.now) }", 0),
        (rules::no_panic, "server/src/main.rs", "fn f() { a.unwrap(); panic!() }", 2),
        (rules::no_panic, "server/src/main.rs", "#[test]\nfn f() { a.unwrap(); }\nfn unwrap() {}", 0),
        (rules::reasons, "src/engine.rs", "#[allow(clippy::cast_sign_loss)] fn f() {}", 1),
        (rules::reasons, "src/engine.rs", "#[expect(clippy::panic, reason = \"because\")] fn f() {}", 0),
    ];
    for (rule, path, text, expected) in cases {
        let found = rule(&Source::new(path, text)).expect("a file subject to the rule");
        assert_eq!(found.len(), *expected, "{path}: {text}: {found:?}");
    }
}

#[test]
fn only_code_counts_as_code() {
    let text = "//! Doc.\n\nuse a::b;\n/* a\n b */\nfn f() {\n    // why\n    g(\"1\n2\");\n}\n#[cfg(test)]\nmod tests {\n    fn h() {}\n}\n";
    assert_eq!(Source::new("src/a.rs", text).code_lines(), 5);
}
