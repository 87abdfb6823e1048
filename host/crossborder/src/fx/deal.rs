//! Rates in a deal: the spread around a mid rate, the rate locked on an order with its markup, what settlement
//! later gains or loses, and what a refund costs.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Error, RateKind};
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};

fn bps(value: Decimal) -> Result<Exact, Error> {
    Ok(Exact::from_decimal(value).div(Exact::from_int(10_000))?)
}

/// Bid, ask and what the customer gets, all at six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpreadQuote {
    pub bid: Decimal,
    pub ask: Decimal,
    pub customer_rate: Decimal,
}

/// A spread in basis points around `mid`, half on each side, and a markup against the customer, who buys
/// (pays the ask) or sells (gets the bid) the base currency.
pub fn spread_quote(mid: Decimal, spread_bps: Decimal, markup_bps: Decimal, customer_buys_base: bool) -> Result<SpreadQuote, Error> {
    let mid = Exact::from_decimal(mid);
    let half = bps(spread_bps)?.div(Exact::from_int(2))?;
    let markup = bps(markup_bps)?;
    let bid = mid.mul(Exact::ONE.sub(half)?)?;
    let ask = mid.mul(Exact::ONE.add(half)?)?;
    let customer = if customer_buys_base { ask.mul(Exact::ONE.add(markup)?)? } else { bid.mul(Exact::ONE.sub(markup)?)? };
    let shown = |value: Exact| value.to_decimal(6, RoundingMode::HalfUp);
    Ok(SpreadQuote { bid: shown(bid)?, ask: shown(ask)?, customer_rate: shown(customer)? })
}

/// The rate frozen on an order. Everything later about that order uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLock {
    pub base: Currency,
    pub quote: Currency,
    /// Units of `quote` per `base` before markup.
    pub rate: Decimal,
    pub markup_bps: Decimal,
    /// What the rate was before it was locked.
    pub kind: RateKind,
    pub source: String,
    /// Publication day of the rate.
    pub rate_date: Date,
    /// Last day on which the quoted price may still be taken.
    pub expires_on: Option<Date>,
}

/// A price in the buyer's currency with the rate it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    pub price: Money,
    /// Rate with markup, eight decimals, for show; the price comes from the exact rate.
    pub locked_rate: Decimal,
}

impl OrderLock {
    /// The exact rate with markup: units of quote per base.
    pub fn with_markup(&self) -> Result<Exact, Error> {
        let factor = Exact::ONE.add(bps(self.markup_bps)?)?;
        Ok(Exact::from_decimal(self.rate).mul(factor)?)
    }

    /// A base price in the buyer's currency.
    pub fn present(&self, base_price: Money, mode: RoundingMode) -> Result<Presented, Error> {
        if base_price.currency() != self.base {
            return Err(Error::Money(crate::money::Error::CurrencyMismatch { left: base_price.currency(), right: self.base }));
        }
        let rate = self.with_markup()?;
        let value = base_price.exact().mul(rate)?;
        Ok(Presented { price: Money::from_exact_rounded(value, self.quote, mode)?, locked_rate: rate.to_decimal(8, RoundingMode::HalfUp)? })
    }

    /// What an amount in the buyer's currency is worth by the lock.
    pub fn worth(&self, amount: Money) -> Result<Money, Error> {
        let value = amount.exact().div(self.with_markup()?)?;
        Ok(Money::from_exact_rounded(value, self.base, RoundingMode::HalfUp)?)
    }

    pub fn is_expired(&self, on: Date) -> bool {
        self.expires_on.is_some_and(|last| on > last)
    }
}

/// What a charge brought when it was paid out at another rate than it was sold at. Fees are separate lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    pub expected: Money,
    pub gross: Money,
    pub fx_gain_loss: Money,
    pub fees: Money,
    pub net: Money,
}

fn in_base(amount: Money, units_per_base: Decimal, base: Currency) -> Result<Money, Error> {
    let value = amount.exact().div(Exact::from_decimal(units_per_base))?;
    Ok(Money::from_exact_rounded(value, base, RoundingMode::HalfUp)?)
}

pub fn settle(
    charged: Money,
    locked_units_per_base: Decimal,
    settle_units_per_base: Decimal,
    conversion_fee_rate: Decimal,
    remittance_fee: Money,
) -> Result<Settlement, Error> {
    let base = remittance_fee.currency();
    let expected = in_base(charged, locked_units_per_base, base)?;
    let gross = in_base(charged, settle_units_per_base, base)?;
    let fees = gross.mul_rounded(conversion_fee_rate, RoundingMode::HalfUp)?.checked_add(remittance_fee)?;
    Ok(Settlement { expected, gross, fx_gain_loss: gross.checked_sub(expected)?, fees, net: gross.checked_sub(fees)? })
}

/// A refund in the currency charged: revenue is reversed at the lock, cash leaves at today's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    pub refund: Money,
    pub base_at_lock: Money,
    pub base_cash: Money,
    pub fx_gain_loss: Money,
}

pub fn refund(
    refund: Money,
    charged: Money,
    already_refunded: Money,
    locked_units_per_base: Decimal,
    today_units_per_base: Decimal,
    base: Currency,
) -> Result<Refund, Error> {
    let left = charged.checked_sub(already_refunded)?;
    if left.checked_sub(refund)?.is_negative() {
        return Err(Error::OverRefund { refund: refund.to_string(), left: left.to_string() });
    }
    let base_at_lock = in_base(refund, locked_units_per_base, base)?;
    let base_cash = in_base(refund, today_units_per_base, base)?;
    Ok(Refund { refund, base_at_lock, base_cash, fx_gain_loss: base_at_lock.checked_sub(base_cash)? })
}
