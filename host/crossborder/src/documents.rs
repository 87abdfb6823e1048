//! Customs documents: which form a parcel needs, which of its fields are still empty, and whether a description
//! of goods says what they are.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;

use crate::money::{Decimal, Error as MoneyError, Exact, Money, RoundingMode};
use crate::rules::{NotInForce, RuleSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Form {
    #[serde(rename = "CN22")]
    Cn22,
    #[serde(rename = "CN23")]
    Cn23,
    #[serde(rename = "commercial_invoice")]
    CommercialInvoice,
}

impl Form {
    /// The id of its row in `documents.json`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Cn22 => "CN22",
            Self::Cn23 => "CN23",
            Self::CommercialInvoice => "commercial_invoice",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotInForce(#[from] NotInForce),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error("\"{id}\" is not a document of the rule set")]
    UnknownDocument { id: String },
}

/// The form by the way of transport, with the value in SDR at two decimals. Couriers want a commercial invoice;
/// by post, letter-class mail up to the limit has CN22 and everything else CN23.
pub fn customs_form(
    rules: &RuleSet,
    date: Date,
    by_post: bool,
    letter_class: bool,
    value: Money,
    ccy_per_sdr: Decimal,
) -> Result<(Form, Decimal), Error> {
    let sdr = value.exact().div(Exact::from_decimal(ccy_per_sdr))?;
    let limit = rules.program("postal.cn22", date)?.number("limit_sdr");
    let within = match limit {
        Some(limit) => sdr.compare(Exact::from_decimal(limit))?.is_le(),
        None => false,
    };
    let form = match (by_post, letter_class && within) {
        (false, _) => Form::CommercialInvoice,
        (true, true) => Form::Cn22,
        (true, false) => Form::Cn23,
    };
    Ok((form, sdr.to_decimal(2, RoundingMode::HalfUp)?))
}

/// Fields of a document that are mandatory on a date and not among `given`.
pub fn missing_fields<'r>(rules: &'r RuleSet, document: &str, date: Date, given: &BTreeSet<&str>) -> Result<Vec<&'r str>, Error> {
    let row = rules.document(document).ok_or_else(|| Error::UnknownDocument { id: document.to_owned() })?;
    Ok(row
        .fields
        .iter()
        .map(String::as_str)
        .filter(|f| row.from_date.get(*f).is_none_or(|from| *from <= date))
        .filter(|f| !given.contains(f))
        .collect())
}

/// What is wrong with a description of goods.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum DescriptionProblem {
    #[error("the description is empty: say what the goods are")]
    Empty,
    #[error("\"{words}\" does not say what the goods are: name material and kind, such as \"cotton T-shirt\"")]
    Vague { words: String },
    #[error("the description is only a number or code: use words")]
    OnlyCode,
}

/// Refuses a description that consists of words customs reject ("gift", "sample", "accessories") or of codes.
/// Such a word beside a real one ("gift box of soap") is fine.
pub fn lint_description(rules: &RuleSet, text: &str) -> Result<(), DescriptionProblem> {
    let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    if words.is_empty() {
        return Err(DescriptionProblem::Empty);
    }
    let in_words: Vec<&String> = words.iter().filter(|w| w.chars().all(char::is_alphabetic) && w.chars().count() > 1).collect();
    if in_words.is_empty() {
        return Err(DescriptionProblem::OnlyCode);
    }
    let joining = ["of", "for", "and", "with", "the", "in", "to", "by", "on"];
    let meaningful = in_words.iter().any(|w| !joining.contains(&w.as_str()) && !rules.description_words().iter().any(|v| v == *w));
    if meaningful { Ok(()) } else { Err(DescriptionProblem::Vague { words: text.trim().chars().take(60).collect() }) }
}

#[cfg(test)]
mod tests;
