//! A sanction list as imported: a CSV with the columns `id`, `name`, and optionally `aliases` (separated by
//! semicolons), `country` and `program`. The authorities' own layouts are turned into this by an importer.

use sha2::{Digest, Sha256};

use super::fold;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("list {list}, line {line}: {what}")]
    BadRow { list: String, line: usize, what: String },
    #[error("list {list} has no entries: an empty list would clear everybody")]
    Empty { list: String },
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub id: String,
    pub country: Option<String>,
    pub program: Option<String>,
    /// Name and aliases with their tokens.
    folded: Vec<(String, Vec<String>)>,
}

impl Entry {
    pub(super) fn folded(&self) -> &[(String, Vec<String>)] {
        &self.folded
    }
}

#[derive(Debug, Clone)]
pub struct List {
    name: String,
    version: String,
    entries: Vec<Entry>,
}

impl List {
    /// Reads a list; its version is the hash of its text.
    pub fn from_csv(name: &str, text: &str) -> Result<Self, ListError> {
        let bad = |line: usize, what: String| ListError::BadRow { list: name.to_owned(), line, what };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().map_err(|e| bad(1, e.to_string()))?.clone();
        let column = |wanted: &str| header.iter().position(|c| c.trim() == wanted);
        let id = column("id").ok_or_else(|| bad(1, "there is no column id".to_owned()))?;
        let names = column("name").ok_or_else(|| bad(1, "there is no column name".to_owned()))?;
        let (aliases, country, program) = (column("aliases"), column("country"), column("program"));
        let mut entries = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let record = record.map_err(|e| bad(line, e.to_string()))?;
            let cell = |index: Option<usize>| {
                let text = index.and_then(|i| record.get(i)).unwrap_or_default().trim();
                (!text.is_empty()).then(|| text.to_owned())
            };
            let first = cell(Some(names)).ok_or_else(|| bad(line, "the name is empty".to_owned()))?;
            let more = cell(aliases).unwrap_or_default();
            let folded = std::iter::once(first.as_str())
                .chain(more.split(';').map(str::trim).filter(|a| !a.is_empty()))
                .map(|n| (n.to_owned(), fold::tokens(n)))
                .filter(|(_, tokens)| !tokens.is_empty())
                .collect();
            entries.push(Entry {
                id: cell(Some(id)).ok_or_else(|| bad(line, "the id is empty".to_owned()))?,
                country: cell(country),
                program: cell(program),
                folded,
            });
        }
        if entries.is_empty() {
            return Err(ListError::Empty { list: name.to_owned() });
        }
        let hash = Sha256::digest(text.as_bytes());
        Ok(Self { name: name.to_owned(), version: hash.iter().take(8).map(|b| format!("{b:02x}")).collect(), entries })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
