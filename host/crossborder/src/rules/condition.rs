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
    OneOf {
        fact: Fact,
        values: Vec<Wanted>,
    },
    /// A code of the fact starts with one of these.
    StartsWith {
        fact: Fact,
        prefixes: Vec<String>,
    },
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
        let limits = [(Test::AtMost, w.at_most), (Test::Below, w.below), (Test::AtLeast, w.at_least), (Test::Above, w.above)];
        let mut limits = limits.into_iter().filter_map(|(test, limit)| Some((test, limit?)));
        match (w.fact, w.amount, w.not, w.any) {
            (Some(fact), None, None, None) => match (w.is, w.one_of, w.starts_with) {
                (Some(value), None, None) => Ok(Self::OneOf { fact, values: vec![value] }),
                (None, Some(values), None) => Ok(Self::OneOf { fact, values }),
                (None, None, Some(prefixes)) => Ok(Self::StartsWith { fact, prefixes }),
                _ => Err(shape.to_owned()),
            },
            (None, Some(amount), None, None) => match (limits.next(), limits.next()) {
                (Some((test, limit)), None) => Ok(Self::Compare { amount, test, limit }),
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

/// A value of a fact as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Have<'a> {
    Flag(bool),
    Text(&'a str),
}

impl Wanted {
    fn is(&self, have: Have<'_>) -> bool {
        match (self, have) {
            (Self::Flag(wanted), Have::Flag(have)) => *wanted == have,
            (Self::Text(wanted), Have::Text(have)) => wanted == have,
            _ => false,
        }
    }
}

/// How an amount stands against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    Is(std::cmp::Ordering),
    /// The limit belongs to a programme that is not in force on the date: the rule cannot hold.
    NotInForce,
    /// The amount or its conversion is not known.
    Unknown,
}

/// What a condition is asked against.
pub trait Facts {
    /// Whether any value of the fact passes `test`; `None` = the fact is not known. A set known to be empty
    /// passes nothing.
    fn any(&self, fact: Fact, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool>;

    fn compare(&self, amount: Amount, limit: &Limit) -> Compared;
}

impl Condition {
    pub fn holds(&self, facts: &dyn Facts) -> Truth {
        match self {
            Self::OneOf { fact, values } => known(facts.any(*fact, &mut |have| values.iter().any(|v| v.is(have)))),
            Self::StartsWith { fact, prefixes } => known(facts.any(*fact, &mut |have| match have {
                Have::Text(text) => prefixes.iter().any(|p| text.starts_with(p.as_str())),
                Have::Flag(_) => false,
            })),
            Self::Compare { amount, test, limit } => match facts.compare(*amount, limit) {
                Compared::Is(ordering) if test.holds(ordering) => Truth::Yes,
                Compared::Is(_) | Compared::NotInForce => Truth::No,
                Compared::Unknown => Truth::Unknown,
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

    /// Whether all hold: one "no" decides, whatever else is unknown.
    pub fn all_hold(conditions: &[Self], facts: &dyn Facts) -> Truth {
        let mut answer = Truth::Yes;
        for condition in conditions {
            match condition.holds(facts) {
                Truth::No => return Truth::No,
                Truth::Unknown => answer = Truth::Unknown,
                Truth::Yes => {}
            }
        }
        answer
    }

    /// Every fact and amount the condition asks about.
    pub fn mentions(&self, facts: &mut Vec<Fact>, amounts: &mut Vec<(Amount, Limit)>) {
        match self {
            Self::OneOf { fact, .. } | Self::StartsWith { fact, .. } => {
                if !facts.contains(fact) {
                    facts.push(*fact);
                }
            }
            Self::Compare { amount, limit, .. } => amounts.push((*amount, limit.clone())),
            Self::Not(inner) => inner.mentions(facts, amounts),
            Self::Any(inner) => inner.iter().for_each(|c| c.mentions(facts, amounts)),
        }
    }
}

fn known(answer: Option<bool>) -> Truth {
    match answer {
        Some(true) => Truth::Yes,
        Some(false) => Truth::No,
        None => Truth::Unknown,
    }
}
