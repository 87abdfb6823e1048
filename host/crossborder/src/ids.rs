//! Number formats with check digits: VAT, customs, product and parcel numbers.
//!
//! A right format and check digit never prove that a number is registered: that is a question for VIES, HMRC or
//! the national register.

mod check_digits;

pub use check_digits::Check;

use crate::rules::RuleSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    Ok,
    Format,
    CheckDigit,
    /// The scheme is known, but no format for this country is in the tables: not judged.
    NotCovered,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub reason: Reason,
    /// Uppercase, without separators, with the prefix the scheme wants.
    pub normalized: String,
}

impl Verdict {
    pub fn is_valid(&self) -> bool {
        self.reason == Reason::Ok
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{scheme}\" is not a number scheme of this rule set; known are: {known}")]
pub struct UnknownScheme {
    pub scheme: String,
    pub known: String,
}

/// Uppercase without blanks, dots, slashes and hyphens.
fn normalize(scheme: &str, value: &str) -> String {
    let text: String = value.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '/' | '-')).flat_map(char::to_uppercase).collect();
    match text.strip_prefix("GR") {
        // Greece writes EL in VAT numbers only.
        Some(rest) if scheme == "eu_vat" => format!("EL{rest}"),
        _ => text,
    }
}

/// Checks `value` against the formats of `scheme`.
pub fn validate(rules: &RuleSet, scheme: &str, value: &str) -> Result<Verdict, UnknownScheme> {
    let formats: Vec<_> = rules.id_formats().iter().filter(|f| f.scheme == scheme).collect();
    if formats.is_empty() {
        let mut known: Vec<&str> = rules.id_formats().iter().map(|f| f.scheme.as_str()).collect();
        known.dedup();
        return Err(UnknownScheme { scheme: scheme.chars().take(40).collect(), known: known.join(", ") });
    }
    let normalized = normalize(scheme, value);
    let matching = formats.iter().find(|f| f.pattern.is_match(&normalized));
    let reason = match matching {
        Some(format) => match format.check.passes(&normalized) {
            Some(true) => Reason::Ok,
            Some(false) => Reason::CheckDigit,
            None => Reason::Format,
        },
        None if scheme == "eu_vat" => {
            let prefix = normalized.get(..2).unwrap_or_default();
            let country = if prefix == "EL" { "GR" } else { prefix };
            let member = rules.zone_of(country, rules.last_checked()).is_some_and(|z| z.zone == "EU");
            if member && formats.iter().all(|f| f.country != country) { Reason::NotCovered } else { Reason::Format }
        }
        None => Reason::Format,
    };
    Ok(Verdict { reason, normalized })
}

#[cfg(test)]
mod tests;
