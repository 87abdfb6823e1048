//! An order as the tax sees it: what was asked, what the channel charged, what went back.

use entrepot_crossborder::quote::QuoteInput;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::id::{ConnectionId, OrderId};
use crate::money::Money;

/// The present picture of an order. Who sells is not in it: the connection's profile says that.
#[derive(Clone, Debug)]
pub struct Sold {
    pub order: OrderId,
    pub connection: ConnectionId,
    pub number: String,
    pub placed_at: i64,
    /// In the merchant's zone.
    pub sold_on: Date,
    /// Paid or delivered: only then it is in totals and returns.
    pub counted: bool,
    pub cancelled: Option<Moment>,
    /// Digest of what the channel said that matters to the tax. The same picture never makes a new version.
    pub picture: String,
    pub question: Result<QuoteInput, NoQuestion>,
    pub parts: Vec<Part>,
    pub assumptions: Vec<String>,
    pub charged: Charged,
    pub refunds: Vec<Refunded>,
}

/// Why an order cannot be worked out.
#[derive(Clone, Debug)]
pub struct NoQuestion {
    pub why: String,
    /// We do not know enough, but the sale is what it was: what was frozen stays in the books.
    pub sale_stands: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub at: i64,
    pub on: Date,
}

/// A line of the order, and the lines of the question it became: several where its total does not divide into equal pieces.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Part {
    pub line: String,
    pub sku: Option<String>,
    pub title: String,
    pub positions: Vec<usize>,
}

/// What the channel charged, as it said it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Charged {
    /// Tax of the order; null = it reports none.
    pub tax: Option<Money>,
    /// `seller` or `marketplace`, where all its taxes agree.
    pub collector: Option<String>,
    /// What the buyer paid for what is taxed, tax inside.
    pub paid: Money,
    pub prices_include_tax: bool,
    pub lines: Vec<ChargedLine>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChargedLine {
    pub line: String,
    pub taxes: Vec<ChargedTax>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChargedTax {
    pub title: String,
    /// A fraction, as exact decimal text.
    pub rate: Option<String>,
    /// Exact decimal text of any scale.
    pub amount: String,
    /// `seller`, `channel` or `unknown`.
    pub collector: String,
}

#[derive(Clone, Debug)]
pub struct Refunded {
    /// The channel's id of it.
    pub external_id: String,
    pub moment: Moment,
    /// What the buyer got back.
    pub amount: Money,
    /// Of a line of the order, with or without tax as the order's prices are.
    pub lines: Vec<(String, Money)>,
}
