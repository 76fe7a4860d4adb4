//! Source as tokens, without what is compiled for tests only.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::path::Path;

/// One file.
pub struct Source {
    /// From the root of the repository, with slashes.
    pub path: String,
    /// As written.
    pub text: String,
    /// In order, groups opened up, documentation and test items left out.
    pub tokens: Vec<Token>,
}

/// An identifier, a punctuation mark, a bracket or a literal.
pub struct Token {
    /// As written; a literal is only a quotation mark.
    pub text: String,
    pub line: usize,
    end_line: usize,
}

/// Every source file below `folder`, test files left out.
pub fn read_folder(root: &Path, folder: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let entries = std::fs::read_dir(root.join(folder)).expect("a folder of source");
    for entry in entries {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in Unicode");
        let path = format!("{folder}/{name}");
        if is_for_tests(&name) {
            continue;
        }
        if root.join(&path).is_dir() {
            sources.extend(read_folder(root, &path));
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(root.join(&path)).expect("a text in UTF-8");
            sources.push(Source::new(&path, &text));
        }
    }
    sources
}

/// Files and folders that are compiled for tests only, or only called by tests.
fn is_for_tests(name: &str) -> bool {
    ["tests", "tests.rs", "fixture.rs", "conformance.rs"].contains(&name) || name.ends_with("_tests.rs")
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let stream = text.parse::<TokenStream>().map_err(|error| format!("{path}: {error}"));
        let stream = stream.expect("source that can be parsed");
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Source { path: path.to_owned(), text: text.to_owned(), tokens }
    }

    /// Lines that hold code.
    pub fn code_lines(&self) -> usize {
        let lines: BTreeSet<usize> =
            self.tokens.iter().flat_map(|token| token.line..=token.end_line).collect();
        lines.len()
    }

    /// The tokens' texts from `place` on.
    pub fn texts(&self, place: usize) -> impl Iterator<Item = &str> {
        self.tokens[place..].iter().map(|token| token.text.as_str())
    }

    /// Whether `pattern` stands at `place`, token by token.
    pub fn stands(&self, place: usize, pattern: &[&str]) -> bool {
        self.texts(place).take(pattern.len()).eq(pattern.iter().copied())
    }

    /// `path:line: what` for the token at `place`.
    pub fn tell(&self, place: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, self.tokens[place].line)
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut place = 0;
    while let Some(tree) = trees.get(place) {
        match attribute(&trees[place..]) {
            Some((length, inside)) if inside.starts_with("doc") => place += length,
            Some((_, inside)) if ["cfg (test)", "cfg(test)", "test"].contains(&inside.as_str()) => {
                place = after_item(&trees, place);
            }
            _ => {
                push(tree, tokens);
                place += 1;
            }
        }
    }
}

/// Length and inside of the attribute that `trees` begin with, `#[…]` or `#![…]`.
fn attribute(trees: &[TokenTree]) -> Option<(usize, String)> {
    let is_mark = |tree: &TokenTree, mark: char| matches!(tree, TokenTree::Punct(p) if p.as_char() == mark);
    match trees {
        [hash, TokenTree::Group(group), ..] if is_mark(hash, '#') => Some((2, group.stream().to_string())),
        [hash, bang, TokenTree::Group(group), ..] if is_mark(hash, '#') && is_mark(bang, '!') => {
            Some((3, group.stream().to_string()))
        }
        _ => None,
    }
}

/// The place after the item that an attribute at `place` belongs to: past its braces or its semicolon.
fn after_item(trees: &[TokenTree], place: usize) -> usize {
    let ends = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(mark) => mark.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    let is_use =
        trees[place..].iter().take(4).any(|tree| matches!(tree, TokenTree::Ident(word) if word == "use"));
    let ends = |tree: &&TokenTree| ends(tree) && !(is_use && matches!(tree, TokenTree::Group(_)));
    trees[place..].iter().position(|tree| ends(&tree)).map_or(trees.len(), |end| place + end + 1)
}

fn push(tree: &TokenTree, tokens: &mut Vec<Token>) {
    let span = tree.span();
    let mut push = |text: String, line: usize, end_line: usize| tokens.push(Token { text, line, end_line });
    match tree {
        TokenTree::Group(group) => {
            let (open, close) = match group.delimiter() {
                Delimiter::Parenthesis => ("(", ")"),
                Delimiter::Brace => ("{", "}"),
                Delimiter::Bracket => ("[", "]"),
                Delimiter::None => ("", ""),
            };
            let (first, last) = (group.span_open().start().line, group.span_close().end().line);
            push(open.to_owned(), first, first);
            flatten(group.stream(), tokens);
            tokens.push(Token { text: close.to_owned(), line: last, end_line: last });
        }
        TokenTree::Ident(word) => push(word.to_string(), span.start().line, span.end().line),
        TokenTree::Punct(mark) => push(mark.to_string(), span.start().line, span.end().line),
        TokenTree::Literal(_) => push("\"".to_owned(), span.start().line, span.end().line),
    }
}
