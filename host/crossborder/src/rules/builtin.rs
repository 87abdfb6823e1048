//! The files embedded in the program: the starting rule set.

use super::RuleFile;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(RuleFile {
            name: $name,
            text: include_str!(concat!("../../data/", $name)),
        }),+]
    };
}

pub(super) const FILES: &[RuleFile<'static>] = files![
    "sources.json",
    "zones.csv",
    "tax_rates.csv",
    "special_territories.csv",
    "places.csv",
    "cash_rounding.csv",
    "fixed_euro.csv",
    "de_minimis.csv",
    "valuation.csv",
    "us_states.csv",
    "rounding.csv",
    "tariff.csv",
    "id_formats.json",
    "documents.json",
    "dangerous_goods.json",
    "restrictions.json",
    "description_words.json",
    "programs.json",
    "rules.json",
];
