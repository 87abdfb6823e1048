//! Reads Rust sources as tokens: what a file names, without its comments and without its tests.
//!
//! Tokens, not text and not types: comments and doc comments do not count, macro bodies do, and nothing has to compile.

// A test harness: a source that cannot be read must stop the test.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One file of the sources, ready to be asked.
pub struct Source {
    /// Below the folder that was read: `stock/store.rs`.
    pub file: String,
    /// `["stock", "store"]` for that file; empty for `lib.rs` and `main.rs`.
    pub module: Vec<String>,
    words: Vec<Word>,
}

/// A token: an identifier, a punctuation mark, a literal or a bracket.
struct Word {
    text: String,
    line: usize,
}

/// A path as it is written: `crate::orders::model::Order` is `["orders", "model", "Order"]`.
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every source file below a folder but those of tests.
pub fn read(folder: &Path) -> Vec<Source> {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.sort();
    let mut tests_only = Vec::new();
    let sources: Vec<Source> = files.iter().map(|path| read_one(folder, path, &mut tests_only)).collect();
    sources.into_iter().filter(|source| !tests_only.iter().any(|module| source.module.starts_with(module))).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn read_one(folder: &Path, path: &Path, tests_only: &mut Vec<Vec<String>>) -> Source {
    let file = path.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/");
    Source::parse(file, &std::fs::read_to_string(path).unwrap(), tests_only)
}

/// Leaves out items under `#[cfg(test)]`; a whole file of tests declared that way is reported by its module's name.
fn flatten(tokens: TokenStream, words: &mut Vec<Word>, test_module: &mut dyn FnMut(String)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut i = 0;
    while i < tokens.len() {
        if is_cfg_test(&tokens[i..]) {
            i = skip_item(&tokens, i + 2, test_module);
            continue;
        }
        let line = tokens[i].span().start().line;
        match &tokens[i] {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                words.push(Word { text: open.into(), line });
                flatten(group.stream(), words, test_module);
                words.push(Word { text: close.into(), line });
            }
            other => words.push(Word { text: other.to_string(), line }),
        }
        i += 1;
    }
}

fn is_cfg_test(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(attribute), ..] = tokens else { return false };
    hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "").starts_with("cfg(test)")
}

/// The index behind the item that starts at `i`.
fn skip_item(tokens: &[TokenTree], mut i: usize, test_module: &mut dyn FnMut(String)) -> usize {
    let mut name_follows = false;
    let mut module = None;
    while i < tokens.len() {
        match &tokens[i] {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return i + 1,
            TokenTree::Punct(mark) if mark.as_char() == ';' => {
                if let Some(name) = module {
                    test_module(name);
                }
                return i + 1;
            }
            TokenTree::Ident(ident) if name_follows => {
                module = Some(ident.to_string());
                name_follows = false;
            }
            TokenTree::Ident(ident) => name_follows = ident == "mod",
            _ => {}
        }
        i += 1;
    }
    i
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

impl Source {
    /// `file` is its path below the folder of the sources; modules that are tests only are added to `tests_only`.
    pub fn parse(file: String, text: &str, tests_only: &mut Vec<Vec<String>>) -> Self {
        let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
            module.pop();
        }
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{file} is not Rust: {error}"));
        let mut words = Vec::new();
        flatten(tokens, &mut words, &mut |name| tests_only.push([module.clone(), vec![name]].concat()));
        Self { file, module, words }
    }

    /// The room: the first part of the module, or the file's own name at the top.
    pub fn room(&self) -> &str {
        self.module.first().map_or_else(|| self.file.trim_end_matches(".rs"), String::as_str)
    }

    /// Paths into this crate, through `crate::` or through `super::`.
    pub fn paths_within_crate(&self) -> Vec<Named> {
        let mut found = Vec::new();
        for i in 0..self.words.len() {
            let continues = i > 0 && self.text(i - 1) == ":";
            match self.text(i) {
                "crate" if !continues && self.is_path_mark(i + 1) => self.tree(i + 3, Vec::new(), self.words[i].line, &mut found),
                "super" if !continues && self.is_path_mark(i + 1) => {
                    let (mut at, mut up) = (i, 1);
                    while self.text(at + 3) == "super" && self.is_path_mark(at + 4) {
                        (at, up) = (at + 3, up + 1);
                    }
                    let base = self.module[..self.module.len().saturating_sub(up)].to_vec();
                    self.tree(at + 3, base, self.words[i].line, &mut found);
                }
                _ => {}
            }
        }
        found
    }

    /// Paths that begin with the name of another crate.
    pub fn paths_of(&self, other_crate: &str) -> Vec<Named> {
        let mut found = Vec::new();
        for i in 0..self.words.len() {
            let continues = i > 0 && self.text(i - 1) == ":";
            if self.text(i) == other_crate && !continues && self.is_path_mark(i + 1) {
                self.tree(i + 3, Vec::new(), self.words[i].line, &mut found);
            }
        }
        found
    }

    /// Lines that hold these tokens in a row, as in `["Instant", "::", "now"]`.
    pub fn lines_with(&self, sequence: &[&str]) -> Vec<usize> {
        let single: Vec<&str> = sequence.iter().flat_map(|part| if *part == "::" { vec![":", ":"] } else { vec![*part] }).collect();
        let here = |i: usize| single.iter().enumerate().all(|(offset, part)| self.text(i + offset) == *part);
        (0..self.words.len()).filter(|i| here(*i)).map(|i| self.words[i].line).collect()
    }

    /// String literals with the line they begin on.
    pub fn strings(&self) -> impl Iterator<Item = (&str, usize)> {
        self.words.iter().filter(|word| word.text.contains('"')).map(|word| (word.text.as_str(), word.line))
    }

    /// Literals such as `0.5` and `1e9`.
    pub fn float_literals(&self) -> Vec<usize> {
        let is_float = |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && !text.starts_with("0x") && text.contains(['.']);
        self.words.iter().filter(|word| is_float(&word.text)).map(|word| word.line).collect()
    }

    fn text(&self, i: usize) -> &str {
        self.words.get(i).map_or("", |word| word.text.as_str())
    }

    fn is_path_mark(&self, i: usize) -> bool {
        self.text(i) == ":" && self.text(i + 1) == ":"
    }

    /// Reads `a::b::{c, d::e}` from `i` on.
    fn tree(&self, mut i: usize, mut path: Vec<String>, line: usize, found: &mut Vec<Named>) {
        loop {
            match self.text(i) {
                "{" => return self.branches(i + 1, &path, found),
                "<" => break,
                word => path.push(word.to_owned()),
            }
            if !self.is_path_mark(i + 1) {
                break;
            }
            i += 3;
        }
        found.push(Named { path, line });
    }

    fn branches(&self, mut i: usize, path: &[String], found: &mut Vec<Named>) {
        let mut depth = 0;
        let mut expect = true;
        while i < self.words.len() {
            match self.text(i) {
                "}" if depth == 0 => return,
                "}" => depth -= 1,
                "{" => depth += 1,
                "," if depth == 0 => expect = true,
                _ if expect => {
                    self.tree(i, path.to_vec(), self.words[i].line, found);
                    expect = false;
                }
                _ => {}
            }
            i += 1;
        }
    }
}
