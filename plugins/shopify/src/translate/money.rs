//! Amounts in both currencies of a sale, with exact arithmetic.

use rust_decimal::Decimal;

use crate::contract::{Amounts, Money};
use crate::json::{Doc, Refusal};

/// One amount in the shop's currency and, where the buyer saw another one, in that.
#[derive(Debug, Clone, PartialEq)]
pub struct Bag {
    shop: Side,
    presented: Option<Side>,
}

#[derive(Debug, Clone, PartialEq)]
struct Side {
    amount: Decimal,
    currency: String,
}

/// Names of the members, which differ between the two APIs.
pub struct Names {
    pub shop: &'static str,
    pub presented: &'static str,
    pub currency: &'static str,
}

pub const GRAPH: Names = Names { shop: "shopMoney", presented: "presentmentMoney", currency: "currencyCode" };
pub const REST: Names = Names { shop: "shop_money", presented: "presentment_money", currency: "currency_code" };

impl Bag {
    pub fn plain(amount: Decimal, currency: &str) -> Self {
        Self { shop: Side { amount, currency: currency.to_owned() }, presented: None }
    }

    /// The bag under `key`, if there is one.
    pub fn read(doc: Doc<'_>, key: &str, names: &Names) -> Result<Option<Self>, Refusal> {
        let Some(bag) = doc.object(key)? else { return Ok(None) };
        let within = |refusal: Refusal| refusal.within(key);
        let shop = side(bag, names.shop, names).map_err(within)?;
        let presented = side(bag, names.presented, names).map_err(within)?;
        match (shop, presented) {
            (Some(shop), presented) => {
                let presented = presented.filter(|presented| presented.currency != shop.currency);
                Ok(Some(Self { shop, presented }))
            }
            (None, _) => Err(Refusal::new(names.shop, "expected an amount, found none").within(key)),
        }
    }

    /// Nothing, in the currencies of this bag.
    pub fn zero(&self) -> Self {
        self.map(|_| Decimal::ZERO)
    }

    pub fn is_zero(&self) -> bool {
        self.shop.amount.is_zero()
    }

    pub fn times(&self, quantity: u32) -> Self {
        self.map(|amount| amount * Decimal::from(quantity))
    }

    pub fn plus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a + b)
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a - b)
    }

    pub fn amounts(&self) -> Amounts {
        let money = |side: &Side| Money { amount: side.amount.to_string(), currency: side.currency.clone() };
        Amounts { shop: money(&self.shop), presented: self.presented.as_ref().map(money) }
    }

    fn map(&self, change: impl Fn(Decimal) -> Decimal) -> Self {
        let side = |side: &Side| Side { amount: change(side.amount), currency: side.currency.clone() };
        Self { shop: side(&self.shop), presented: self.presented.as_ref().map(side) }
    }

    /// The buyer's side survives only where both sides have it in one currency.
    fn combine(&self, other: &Self, join: impl Fn(Decimal, Decimal) -> Decimal) -> Self {
        let sides = self.presented.as_ref().zip(other.presented.as_ref()).filter(|(a, b)| a.currency == b.currency);
        Self {
            shop: Side { amount: join(self.shop.amount, other.shop.amount), currency: self.shop.currency.clone() },
            presented: sides.map(|(a, b)| Side { amount: join(a.amount, b.amount), currency: a.currency.clone() }),
        }
    }
}

fn side(bag: Doc<'_>, key: &str, names: &Names) -> Result<Option<Side>, Refusal> {
    let Some(money) = bag.object(key)? else { return Ok(None) };
    let within = |refusal: Refusal| refusal.within(key);
    let amount = money.required_decimal("amount").map_err(within)?;
    let currency = currency(money, names.currency).map_err(within)?;
    Ok(Some(Side { amount, currency }))
}

/// ISO 4217.
pub fn currency(doc: Doc<'_>, key: &str) -> Result<String, Refusal> {
    match doc.text(key)? {
        Some(code) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) => Ok(code.to_ascii_uppercase()),
        Some(other) => Err(Refusal::new(key, format!("expected an ISO 4217 code, found \"{other}\""))),
        None => Err(Refusal::new(key, "expected an ISO 4217 code, found none")),
    }
}
