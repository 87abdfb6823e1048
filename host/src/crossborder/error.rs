use entrepot_crossborder::{frozen, fx, gates, money, quote, report, rules, screening, thresholds};

use crate::id::OrderId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no legal entity `{what}`; hint: `entrepot crossborder entity list` shows them, `entity set` makes one")]
    UnknownEntity { what: String },
    #[error("`{name}` cannot be the name of a legal entity; hint: use 1 to 60 characters, none of them a control character, and no id")]
    BadName { name: String },
    #[error(
        "the legal entity `{name}` still sells through {connections} connections; hint: give them another with `entrepot crossborder channel set`"
    )]
    EntityInUse { name: String, connections: i64 },
    #[error("{field} `{value}` cannot be used; hint: {remedy}")]
    BadFact { field: &'static str, value: String, remedy: String },
    #[error("the rule files were not taken: {0}; hint: correct the row and set the file again, nothing was changed")]
    Rules(#[from] rules::LoadError),
    #[error("there is no rule file `{name}` of yours; hint: `entrepot crossborder rules list` shows which are set")]
    NoRuleFile { name: String },
    #[error("there is no list `{name}`; hint: `entrepot crossborder lists list` shows them")]
    NoList { name: String },
    #[error("the list was not taken: {0}; hint: give a CSV file with the columns id and name, nothing was changed")]
    List(#[from] screening::ListError),
    #[error(
        "the tax of the order {0} was not worked out yet; hint: it follows within seconds of the order; if it stays, `entrepot sync dead` says why"
    )]
    NotYet(OrderId),
    #[error(
        "the order {0} has no locked rate: it is in the currency of its books, or that currency or a rate is not known; hint: `entrepot crossborder entity set NAME --currency EUR` says the currency, `entrepot rate sources` which rates there are"
    )]
    NoLock(OrderId),
    #[error("the order {order} has no open difference{which}; hint: `entrepot crossborder differences` lists them")]
    NoDifference { order: OrderId, which: String },
    #[error("`{text}` is no period; hint: write a year (2026), a quarter (2026-Q4) or a month (2026-11)")]
    BadPeriod { text: String },
    #[error("{0}; hint: correct the question, every field is described by `entrepot crossborder quote --help`")]
    Question(#[from] quote::Error),
    #[error("{0}; hint: load newer rates, or name another currency")]
    Rates(#[from] fx::Error),
    #[error("{0}")]
    Series(#[from] crate::rates::Error),
    #[error("{0}")]
    Report(#[from] report::Error),
    #[error("{0}")]
    Threshold(#[from] thresholds::Error),
    #[error("{0}")]
    Gate(#[from] gates::Error),
    #[error("{0}")]
    Papers(#[from] entrepot_crossborder::documents::Error),
    #[error("{0}")]
    Credit(#[from] frozen::Error),
    #[error("{0}")]
    Money(#[from] money::Error),
    #[error("a stored document of the tax room cannot be read")]
    Document(#[from] serde_json::Error),
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
