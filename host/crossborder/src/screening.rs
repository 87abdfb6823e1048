//! Screening of names against sanction lists that the merchant imports. None is shipped.
//!
//! Names are folded (case, accents, Cyrillic and Greek letters), split into tokens, and compared both ways: how
//! much of the list name is found in the person's name and the other way round. An answer keeps the version of
//! the list and the evidence, so it can be shown later and repeated when the list changes.

mod fold;
mod list;

pub use list::{Entry, List, ListError};

use serde::{Deserialize, Serialize};

/// Scores from 0 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    pub block_from: u16,
    pub review_from: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self { block_from: 950, review_from: 800 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Clear,
    /// A person has to look.
    Review,
    Block,
}

/// Who is screened.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Subject {
    pub name: String,
    /// ISO 3166-1 alpha-2, if known.
    pub country: Option<String>,
}

/// Why a name came up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    pub list: String,
    pub list_version: String,
    pub entry: String,
    pub listed_name: String,
    /// 0 to 1000.
    pub score: u16,
    /// Pairs of tokens that matched: (of the subject, of the list).
    pub matched: Vec<(String, String)>,
    /// Both countries are known and differ.
    pub country_differs: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Screening {
    pub outcome: Outcome,
    /// Best first.
    pub hits: Vec<Hit>,
    /// (list, version) of everything that was looked at: screen again when one changes.
    pub looked_at: Vec<(String, String)>,
}

/// Compares a subject with every name and alias of every list. A name without letters, or no list at all, is
/// never clear.
pub fn screen(lists: &[List], subject: &Subject, settings: Settings) -> Screening {
    let tokens = fold::tokens(&subject.name);
    let mut hits = Vec::new();
    for list in lists {
        for entry in list.entries() {
            let best = entry.folded().iter().map(|(name, listed)| (name, compare(&tokens, listed))).max_by_key(|(_, (score, _))| *score);
            let Some((name, (mut score, matched))) = best else {
                continue;
            };
            let differs = match (&subject.country, &entry.country) {
                (Some(a), Some(b)) => a != b,
                _ => false,
            };
            // Another country is a doubt, not an acquittal: people move.
            if differs {
                score = score.min(settings.block_from.saturating_sub(1));
            }
            if score >= settings.review_from {
                hits.push(Hit {
                    list: list.name().to_owned(),
                    list_version: list.version().to_owned(),
                    entry: entry.id.clone(),
                    listed_name: name.clone(),
                    score,
                    matched,
                    country_differs: differs,
                });
            }
        }
    }
    hits.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.entry.cmp(&b.entry)));
    let looked_at: Vec<_> = lists.iter().map(|l| (l.name().to_owned(), l.version().to_owned())).collect();
    let outcome = match hits.first() {
        Some(hit) if hit.score >= settings.block_from => Outcome::Block,
        Some(_) => Outcome::Review,
        None if tokens.is_empty() || lists.is_empty() => Outcome::Review,
        None => Outcome::Clear,
    };
    Screening { outcome, hits, looked_at }
}

/// Coverage of tokens both ways, weighted by length; the listed name counts double, because a full listed name
/// inside a longer one is the dangerous case.
fn compare(subject: &[String], listed: &[String]) -> (u16, Vec<(String, String)>) {
    if subject.is_empty() || listed.is_empty() {
        return (0, Vec::new());
    }
    let mut taken = vec![false; subject.len()];
    let mut matched = Vec::new();
    let mut found_listed = 0_u64;
    let mut found_subject = 0_u64;
    for token in listed {
        let best = subject
            .iter()
            .enumerate()
            .filter(|(index, _)| !taken[*index])
            .map(|(index, other)| (index, likeness(other, token)))
            .max_by_key(|(_, likeness)| *likeness);
        if let Some((index, like)) = best
            && like >= 750
        {
            taken[index] = true;
            found_listed += length(token) * u64::from(like);
            found_subject += length(&subject[index]) * u64::from(like);
            matched.push((subject[index].clone(), token.clone()));
        }
    }
    let whole = |tokens: &[String]| tokens.iter().map(|t| length(t)).sum::<u64>().max(1);
    let of_listed = found_listed / whole(listed);
    let of_subject = found_subject / whole(subject);
    let score = (2 * of_listed + of_subject) / 3;
    // One common first name must not reach the score of a full name.
    let capped = if matched.len() < 2 && listed.len() > 1 { score.min(700) } else { score };
    (u16::try_from(capped.min(1000)).unwrap_or(1000), matched)
}

fn length(token: &str) -> u64 {
    token.chars().count() as u64
}

/// 1000 for equal tokens, less by edit distance; an initial against a full name counts as a near match.
fn likeness(a: &str, b: &str) -> u16 {
    if a == b {
        return 1000;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if (a.len() == 1 || b.len() == 1) && a.first() == b.first() {
        return 800;
    }
    let longest = a.len().max(b.len());
    let distance = fold::distance(&a, &b);
    u16::try_from((longest.saturating_sub(distance)) * 1000 / longest).unwrap_or(0)
}

#[cfg(test)]
mod tests;
