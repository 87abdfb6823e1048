//! What the whole shop is like: its currency, how it writes amounts, whether it counts stock.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use crate::contract::{Account, Amounts, Document, Money};
use crate::json::{Doc, Refusal};

/// Read with every answer that carries amounts or stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Digits after the point in the shop's amounts, which are whole numbers without one.
    pub precision: u32,
    /// ISO 4217 code of the channel.
    pub currency: String,
    /// Whether variants that say nothing of it are counted.
    pub counts_stock: bool,
}

/// More digits than any currency has; what an amount can be divided by exactly.
const MOST_DIGITS: u32 = 8;

impl Facts {
    pub fn read(data: &Value) -> Result<Self, Refusal> {
        let doc = Doc::new(data)?;
        let channel = doc.object("activeChannel")?.ok_or_else(|| Refusal::new("activeChannel", "expected the channel, found none"))?;
        let settings = doc.object("globalSettings")?.ok_or_else(|| Refusal::new("globalSettings", "expected settings, found none"))?;
        let within = |refusal: Refusal| refusal.within("globalSettings");
        let server = settings.object("serverConfig").map_err(within)?;
        let precision = server.and_then(|server| server.loose_text("moneyStrategyPrecision")).unwrap_or_else(|| "2".to_owned());
        let precision = precision.parse().ok().filter(|digits| *digits <= MOST_DIGITS).ok_or_else(|| {
            Refusal::new("moneyStrategyPrecision", format!("expected 0 to {MOST_DIGITS} digits, found {precision}"))
                .within("globalSettings")
        })?;
        Ok(Self {
            precision,
            currency: required(channel, "defaultCurrencyCode").map_err(|refusal| refusal.within("activeChannel"))?,
            counts_stock: match channel.flag("trackInventory")? {
                Some(counts) => counts,
                None => settings.flag("trackInventory").map_err(within)?.unwrap_or(true),
            },
        })
    }

    /// An amount of the shop (`1050`, and where it worked one out of another `411.764705882353`) in its currency (`10.5`).
    pub fn exact(&self, amount: Decimal) -> Decimal {
        (amount * Decimal::new(1, self.precision)).normalize()
    }

    /// The same as the shop books it: whole smallest units, half away from nothing.
    pub fn booked(&self, amount: Decimal) -> Decimal {
        self.exact(amount.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero))
    }

    /// The shop's number for an amount; `None` where it has more digits than the shop.
    pub fn units(&self, amount: Decimal) -> Option<i64> {
        let units = amount.checked_mul(Decimal::from(10u64.pow(self.precision)))?.normalize();
        (units.scale() == 0).then(|| units.to_string().parse().ok()).flatten()
    }
}

/// One amount in the currency the order was placed in; the shop books no other.
pub fn amounts(amount: Decimal, currency: &str) -> Amounts {
    Amounts { shop: Money { amount: amount.to_string(), currency: currency.to_owned() }, presented: None }
}

pub fn account(data: &Value) -> Result<Account, Refusal> {
    let facts = Facts::read(data)?;
    let doc = Doc::new(data)?;
    let channel = doc.object("activeChannel")?.ok_or_else(|| Refusal::new("activeChannel", "expected the channel, found none"))?;
    let seller = channel.object("seller")?.and_then(|seller| seller.loose_text("name"));
    Ok(Account {
        external_id: required(channel, "id")?,
        name: seller.or(channel.text("code")?).unwrap_or_default(),
        currency: Some(facts.currency),
        country: None,
        time_zone: None,
        scopes: Vec::new(),
        extras: channel.rest(&["id", "seller", "defaultCurrencyCode"]),
    })
}

pub fn location(document: &Value) -> Result<Document, Refusal> {
    let doc = Doc::new(document)?;
    let id = required(doc, "id")?;
    Ok(Document { title: doc.text("name")?.unwrap_or_else(|| id.clone()), external_id: id, extras: doc.rest(&["id", "name"]) })
}

pub fn required(doc: Doc<'_>, key: &str) -> Result<String, Refusal> {
    doc.text(key)?.ok_or_else(|| Refusal::new(key, "expected a text, found none"))
}

/// A count of units.
pub fn whole(doc: Doc<'_>, key: &str) -> Result<u32, Refusal> {
    let text = doc.text(key)?.unwrap_or_else(|| "0".to_owned());
    text.parse().map_err(|_| Refusal::new(key, format!("expected a whole number of units from 0, found {text}")))
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Facts};

    fn facts(precision: u32) -> Facts {
        Facts { precision, currency: "EUR".to_owned(), counts_stock: true }
    }

    #[test]
    fn amounts_keep_their_digits_and_are_booked_in_whole_units() {
        let shipping = Decimal::new(411_764_705_882_353, 12);
        assert_eq!(facts(2).exact(shipping).to_string(), "4.11764705882353");
        assert_eq!(facts(2).booked(shipping).to_string(), "4.12");
        assert_eq!(facts(2).booked(Decimal::new(-5, 1)).to_string(), "-0.01");
        assert_eq!(facts(3).exact(Decimal::new(1050, 0)).to_string(), "1.05");
    }

    #[test]
    fn a_price_with_more_digits_than_the_shop_has_is_no_price_of_it() {
        assert_eq!(facts(2).units(Decimal::new(1050, 2)), Some(1050));
        assert_eq!(facts(2).units(Decimal::new(10_505, 3)), None);
        assert_eq!(facts(0).units(Decimal::new(1200, 0)), Some(1200));
    }
}
