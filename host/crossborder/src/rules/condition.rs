//! Typed conditions over a closed set of facts, evaluated to yes, no or unknown.
//!
//! Unknown is an answer: a condition on a fact that was not given names the fact instead of guessing.

use serde::{Deserialize, Serialize};

use crate::money::Decimal;

/// Everything a rule may ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// `consumer` or `business`.
    Buyer,
    /// `marketplace` or `own_store`.
    Channel,
    /// Country the parcel leaves.
    ShipFrom,
    /// Country of destination.
    ShipTo,
    /// Whether the goods are inside the destination zone at sale.
    GoodsInZone,
    /// Whether the seller is established inside the destination zone.
    SellerInZone,
    /// Whether the region of destination lies outside the tax area of its country.
    OutsideTaxArea,
    /// Registrations of the seller, such as `eu.ioss`.
    Registrations,
    /// Kinds among the goods: `excise`, `food`, `restricted`.
    Kinds,
    /// HS codes of the lines.
    Hs,
    /// Countries of origin (made in) of the lines.
    Origin,
    /// `courier`, `post`, `freight`.
    Mode,
    /// Several items travel as one consignment.
    OneConsignment,
    /// The seller leaves the tax to the border where the law lets it choose.
    ElectBorder,
    /// The buyer imports for personal use.
    PersonalUse,
    /// The parcel enters through the retail e-commerce channel of the destination (CN).
    CbecChannel,
}

impl Fact {
    pub fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Channel => "channel",
            Self::ShipFrom => "ship_from",
            Self::ShipTo => "ship_to",
            Self::GoodsInZone => "goods_in_zone",
            Self::SellerInZone => "seller_in_zone",
            Self::OutsideTaxArea => "outside_tax_area",
            Self::Registrations => "registrations",
            Self::Kinds => "kinds",
            Self::Hs => "hs",
            Self::Origin => "origin",
            Self::Mode => "mode",
            Self::OneConsignment => "one_consignment",
            Self::ElectBorder => "elect_border",
            Self::PersonalUse => "personal_use",
            Self::CbecChannel => "cbec_channel",
        }
    }
}

/// Amounts a rule may compare. None of them contains tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// All goods of the consignment, without shipping and insurance.
    ConsignmentGoods,
    /// The dearest single piece.
    DearestItem,
    /// Goods, shipping and insurance.
    ConsignmentCif,
}

impl Amount {
    pub fn name(self) -> &'static str {
        match self {
            Self::ConsignmentGoods => "consignment_goods",
            Self::DearestItem => "dearest_item",
            Self::ConsignmentCif => "consignment_cif",
        }
    }
}

/// A limit: written out, or the number of a programme so that one correction reaches every rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Limit {
    Fixed { value: Decimal, ccy: String },
    Program { program: String, number: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    AtMost,
    Below,
    AtLeast,
    Above,
}

impl Test {
    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::AtMost => ordering.is_le(),
            Self::Below => ordering.is_lt(),
            Self::AtLeast => ordering.is_ge(),
            Self::Above => ordering.is_gt(),
        }
    }
}

/// A value as written in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    Flag(bool),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum Condition {
    /// A single-valued fact equals one of these, or a set holds one of these.
    OneOf { fact: Fact, values: Vec<Wanted> },
    /// A code of the fact starts with one of these.
    StartsWith { fact: Fact, prefixes: Vec<String> },
    Compare {
        amount: Amount,
        test: Test,
        limit: Limit,
    },
    Not(Box<Condition>),
    Any(Vec<Condition>),
}

/// The JSON form: exactly one of its shapes may be used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    fact: Option<Fact>,
    is: Option<Wanted>,
    one_of: Option<Vec<Wanted>>,
    starts_with: Option<Vec<String>>,
    amount: Option<Amount>,
    at_most: Option<Limit>,
    below: Option<Limit>,
    at_least: Option<Limit>,
    above: Option<Limit>,
    not: Option<Box<Condition>>,
    any: Option<Vec<Condition>>,
}

impl TryFrom<Written> for Condition {
    type Error = String;

    fn try_from(w: Written) -> Result<Self, String> {
        let shape = "a condition is {fact, is | one_of | starts_with}, {amount, at_most | below | at_least | above}, {not} or {any}";
        let limits = [
            (Test::AtMost, w.at_most),
            (Test::Below, w.below),
            (Test::AtLeast, w.at_least),
            (Test::Above, w.above),
        ];
        let mut limits = limits.into_iter().filter_map(|(test, limit)| Some((test, limit?)));
        match (w.fact, w.amount, w.not, w.any) {
            (Some(fact), None, None, None) => match (w.is, w.one_of, w.starts_with) {
                (Some(value), None, None) => Ok(Self::OneOf {
                    fact,
                    values: vec![value],
                }),
                (None, Some(values), None) => Ok(Self::OneOf { fact, values }),
                (None, None, Some(prefixes)) => Ok(Self::StartsWith { fact, prefixes }),
                _ => Err(shape.to_owned()),
            },
            (None, Some(amount), None, None) => match (limits.next(), limits.next()) {
                (Some((test, limit)), None) => Ok(Self::Compare {
                    amount,
                    test,
                    limit,
                }),
                _ => Err(shape.to_owned()),
            },
            (None, None, Some(not), None) => Ok(Self::Not(not)),
            (None, None, None, Some(any)) => Ok(Self::Any(any)),
            _ => Err(shape.to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    Unknown,
}

/// What a condition is asked against.
pub trait Facts {
    /// The value of a fact; `None` = not known. `visit` sees every value of a set.
    fn values(&self, fact: Fact) -> Option<Vec<Wanted>>;

    /// How an amount stands against a limit; `None` = it cannot be said, the reason is kept by the facts.
    fn compare(&self, amount: Amount, limit: &Limit) -> Option<std::cmp::Ordering>;

    /// Called once for every fact that was used.
    fn used(&self, fact: Fact, known: bool);
}

impl Condition {
    pub fn holds(&self, facts: &dyn Facts) -> Truth {
        match self {
            Self::OneOf { fact, values } => test_fact(facts, *fact, |have| values.contains(have)),
            Self::StartsWith { fact, prefixes } => test_fact(facts, *fact, |have| match have {
                Wanted::Text(text) => prefixes.iter().any(|p| text.starts_with(p.as_str())),
                Wanted::Flag(_) => false,
            }),
            Self::Compare {
                amount,
                test,
                limit,
            } => match facts.compare(*amount, limit) {
                Some(ordering) if test.holds(ordering) => Truth::Yes,
                Some(_) => Truth::No,
                None => Truth::Unknown,
            },
            Self::Not(inner) => match inner.holds(facts) {
                Truth::Yes => Truth::No,
                Truth::No => Truth::Yes,
                Truth::Unknown => Truth::Unknown,
            },
            Self::Any(inner) => {
                let mut answer = Truth::No;
                for condition in inner {
                    match condition.holds(facts) {
                        Truth::Yes => return Truth::Yes,
                        Truth::Unknown => answer = Truth::Unknown,
                        Truth::No => {}
                    }
                }
                answer
            }
        }
    }
}

fn test_fact(facts: &dyn Facts, fact: Fact, wanted: impl Fn(&Wanted) -> bool) -> Truth {
    let values = facts.values(fact);
    facts.used(fact, values.is_some());
    match values {
        None => Truth::Unknown,
        Some(values) if values.iter().any(wanted) => Truth::Yes,
        Some(_) => Truth::No,
    }
}
