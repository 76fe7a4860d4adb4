//! The files of test cases, read. Scalars stay as they are written: to the cases `1.0` and `2012-09-03` are texts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use yaml_rust2::parser::{Event, EventReceiver, Parser};

/// One file.
pub struct Cases {
    /// Names by kind.
    pub names: BTreeMap<String, Vec<String>>,
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Rule of the grammar.
    pub rule: String,
    pub input: String,
    /// Whether it must be accepted.
    pub valid: bool,
}

/// The folder that has a file of this name.
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        std::env::var_os("FLETTE_SHARED").map(PathBuf::from),
        Some(root.join("../../shared")),
        Some(root.join("../../../shared")),
    ];
    let mut folders = folders.into_iter().flatten().map(|folder| folder.join("data/odata"));
    folders.find(|folder| folder.join(name).is_file())
}

/// Reads a file, which must be as published.
pub fn read(path: &Path) -> Cases {
    let text = std::fs::read_to_string(path).unwrap();
    let mut builder = Builder::default();
    Parser::new_from_str(&text).load(&mut builder, false).unwrap();
    let root = builder.done.unwrap();
    let mut names = BTreeMap::new();
    for (kind, list) in root.get("Constraints").map(Node::members).unwrap_or_default() {
        names.insert(kind.clone(), list.items().iter().map(|item| item.text().to_owned()).collect());
    }
    let cases = root.get("TestCases").map(Node::items).unwrap_or_default().iter().map(|case| Case {
        rule: case.get("Rule").map(Node::text).unwrap_or_default().to_owned(),
        input: case.get("Input").map(Node::text).unwrap_or_default().to_owned(),
        valid: case.get("FailAt").is_none(),
    });
    let cases: Vec<Case> = cases.collect();
    assert!(cases.len() > 100 && cases.iter().all(|case| !case.rule.is_empty()), "{}", path.display());
    Cases { names, cases }
}

enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    fn get(&self, name: &str) -> Option<&Node> {
        self.members().iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    fn members(&self) -> &[(String, Node)] {
        match self {
            Node::Map(members) => members,
            Node::Text(_) | Node::List(_) => &[],
        }
    }

    fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            Node::Text(_) | Node::Map(_) => &[],
        }
    }

    fn text(&self) -> &str {
        match self {
            Node::Text(text) => text,
            Node::List(_) | Node::Map(_) => "",
        }
    }
}

/// Builds nodes of what the parser meets.
#[derive(Default)]
struct Builder {
    /// Open lists and maps; of a map also the key whose value comes next.
    open: Vec<(Node, Option<String>)>,
    done: Option<Node>,
}

impl Builder {
    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.done = Some(node),
            Some((Node::List(items), _)) => items.push(node),
            Some((Node::Map(members), key)) => match key.take() {
                Some(name) => members.push((name, node)),
                None => *key = Some(node.text().to_owned()),
            },
            Some((Node::Text(_), _)) => panic!("a text holds nothing"),
        }
    }
}

impl EventReceiver for Builder {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(text, ..) => self.add(Node::Text(text)),
            Event::SequenceStart(..) => self.open.push((Node::List(Vec::new()), None)),
            Event::MappingStart(..) => self.open.push((Node::Map(Vec::new()), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((node, _)) = self.open.pop() {
                    self.add(node);
                }
            }
            _ => {}
        }
    }
}
