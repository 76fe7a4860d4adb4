//! One function per rule: what breaks it in a file, or `None` for a file it does not speak of.

use crate::source::Source;

/// Who may import whom within the engine (ARCHITECTURE.md), with `odata` for the crate `flette-odata`. Everyone may
/// import `error`, which itself names the error of the wire format.
const IMPORTS: &[(&str, &[&str])] = &[
    ("wasm", &["browser", "engine", "model", "odata"]),
    ("browser", &["platform", "store", "model", "odata"]),
    // The control API shows entries, which the replica keeps.
    ("engine", &["api", "sync", "replica", "journal", "platform", "store", "model", "odata"]),
    ("platform", &["store", "model", "odata"]),
    // The two doors name `Store` as the bound of the replica they are given; they hold no store.
    ("api", &["replica", "odata", "model", "store"]),
    // `platform` is the bound on the transport.
    ("sync", &["replica", "remote", "merge", "journal", "model", "store", "odata", "platform"]),
    ("replica", &["mirror", "journal", "store", "model", "odata"]),
    ("remote", &["odata", "model", "platform"]),
    ("mirror", &["odata", "model"]),
    ("journal", &["model"]),
    ("merge", &["model"]),
    ("store", &[]),
    ("model", &["odata"]),
    ("error", &["odata"]),
];

/// Rule 2: no async, no clock, no store.
const PURE: &[&str] = &[
    "src/model/",
    "src/merge.rs",
    "src/mirror/",
    "src/journal/",
    "src/sync/reconcile",
    "src/sync/settle",
    "src/remote/classify",
];

/// Crates that reach the browser.
const BROWSER: &[&str] =
    &["web_sys", "js_sys", "wasm_bindgen", "wasm_bindgen_futures", "serde_wasm_bindgen", "rexie", "idb"];

/// The import table. A file of a module that the table does not know breaks it.
pub fn imports(source: &Source) -> Option<Vec<String>> {
    let Some(inside) = source.path.strip_prefix("src/") else {
        return Some(words(source, &["flette"], "the engine is imported"));
    };
    let module = inside.split(['/', '.']).next()?;
    if module == "lib" {
        return None;
    }
    let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == module) else {
        return Some(vec![format!("{}: `{module}` is not in the import table", source.path)]);
    };
    let may = |name: &str| name == module || name == "error" || allowed.contains(&name);
    let found = imported(source).into_iter().filter(|(_, name)| !may(name));
    Some(found.map(|(place, name)| source.tell(place, &format!("{module} imports {name}"))).collect())
}

/// Every module of the crate that a file names, and `odata`, with the place where.
fn imported(source: &Source) -> Vec<(usize, String)> {
    let mut names = Vec::new();
    for place in 0..source.tokens.len() {
        let continues = place >= 2 && source.stands(place - 2, &[":", ":"]);
        if source.stands(place, &["flette_odata"]) {
            names.push((place, "odata".to_owned()));
        } else if source.stands(place, &["crate"]) {
            names.extend(heads(source, place + 1).map(|name| (place, name)));
        } else if source.stands(place, &["super"]) && !continues {
            let supers = source.texts(place).step_by(3).take_while(|text| *text == "super").count();
            if supers == depth(&source.path) {
                names.extend(heads(source, place + 3 * supers - 2).map(|name| (place, name)));
            }
        }
    }
    names
}

/// How many `super` lead from a file's module to the crate's root.
fn depth(path: &str) -> usize {
    path.matches('/').count() - usize::from(path.ends_with("/mod.rs"))
}

/// The first names after a path's `::` at `place`: one, or one for each member of a brace.
fn heads(source: &Source, place: usize) -> impl Iterator<Item = String> + '_ {
    let mut depth = 0;
    let mut is_head = source.stands(place, &[":", ":"]);
    let mut ended = !is_head;
    source
        .texts(place)
        .skip(2)
        .map_while(move |text| {
            if ended {
                return None;
            }
            match text {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," => is_head = depth == 1,
                _ => {
                    let head = std::mem::take(&mut is_head).then(|| text.to_owned());
                    ended = depth == 0;
                    return Some(head);
                }
            }
            ended = depth == 0;
            Some(None)
        })
        .flatten()
}

/// Rule 1.
pub fn no_browser(source: &Source) -> Option<Vec<String>> {
    let is_browser = source.path.starts_with("src/browser/") || source.path == "src/wasm.rs";
    let names = |text: &str| BROWSER.contains(&text) || text.starts_with("gloo_");
    (!is_browser).then(|| places(source, "the browser is reached", |place| names(&source.tokens[place].text)))
}

/// Rule 2.
pub fn pure(source: &Source) -> Option<Vec<String>> {
    if !PURE.iter().any(|start| source.path.starts_with(start)) {
        return None;
    }
    let mut found = words(source, &["async", "await"], "logic is asynchronous");
    found.extend(words(source, &["Store", "store", "Platform"], "logic knows a store"));
    found.extend(clocks(source));
    Some(found)
}

/// Rule 3, one half.
pub fn no_network_in_replica(source: &Source) -> Option<Vec<String>> {
    let found = || words(source, &["Transport", "Platform"], "the replica knows the network");
    source.path.starts_with("src/replica/").then(found)
}

/// Rule 3, the other half.
pub fn no_store_in_remote(source: &Source) -> Option<Vec<String>> {
    let found = || words(source, &["Store", "Platform"], "the back door knows the store");
    source.path.starts_with("src/remote/").then(found)
}

/// Rule 4, for the engine and the wire format. The acting half of `sync` waits for the network between two looks at the
/// clock, so the engine hands it one; deciding half and wire format have none.
pub fn no_clock(source: &Source) -> Option<Vec<String>> {
    let handed =
        ["round", "schema", "push", "pull", "step", "wave"].map(|name| format!("src/sync/{name}.rs"));
    if handed.contains(&source.path) {
        let own = |place: usize| source.stands(place, &[":", ":", "now", "("]);
        return Some(places(source, "a clock of its own is read", own));
    }
    let free = ["src/engine.rs", "src/engine/", "src/platform.rs", "src/browser/", "server/"];
    (!free.iter().any(|start| source.path.starts_with(start))).then(|| clocks(source))
}

fn clocks(source: &Source) -> Vec<String> {
    let mut found = words(source, &["SystemTime", "Instant"], "a clock");
    found.extend(places(source, "a clock is read", |place| {
        source.stands(place, &[".", "now", "("]) || source.stands(place, &[":", ":", "now", "("])
    }));
    found
}

/// Rule 5.
pub fn no_panic(source: &Source) -> Option<Vec<String>> {
    let panics = |place: usize| {
        ["panic", "todo", "unimplemented"].iter().any(|name| source.stands(place, &[name, "!"]))
    };
    Some(places(source, "this can panic", |place| {
        source.stands(place, &[".", "unwrap", "("]) || panics(place)
    }))
}

/// A denied lint may be silenced where the reason stands beside it.
pub fn reasons(source: &Source) -> Option<Vec<String>> {
    let silences = |place: usize| {
        let begins =
            source.stands(place, &["allow", "("]) || source.stands(place, &["expect", "(", "clippy"]);
        let inside = || source.texts(place).take_while(|text| *text != "]");
        let denied = |text: &str| {
            text.starts_with("cast_") || ["unwrap_used", "panic", "todo", "unsafe_code"].contains(&text)
        };
        begins && inside().any(denied) && !inside().any(|text| text == "reason")
    };
    Some(places(source, "a lint is silenced without a reason", silences))
}

fn words(source: &Source, words: &[&str], what: &str) -> Vec<String> {
    places(source, what, |place| words.contains(&source.tokens[place].text.as_str()))
}

fn places(source: &Source, what: &str, breaks: impl Fn(usize) -> bool) -> Vec<String> {
    (0..source.tokens.len()).filter(|place| breaks(*place)).map(|place| source.tell(place, what)).collect()
}
