//! Price list arithmetic: base price to channel price, charm endings, the floor under fees and tax, the band
//! that keeps a daily fixing from repricing everything, and the lowest price of the last 30 days.

mod list;

pub use list::{Asked, Entry, pick};

use jiff::Span;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Decimal, Error as MoneyError, Exact, Money, RoundingMode};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no price pays the fee, the tax and the wanted margin: lower the margin or the fee")]
    Unreachable,
    #[error("the step of a charm price must be above zero")]
    BadStep,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Up,
    Down,
    /// Ties go to the lower price.
    Nearest,
}

/// Prices of the form `ending + k x step` above zero, such as x.99 or x9.99.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charm {
    pub step: Decimal,
    pub ending: Decimal,
    pub direction: Direction,
}

impl Charm {
    pub fn apply(&self, value: Exact, currency: Currency) -> Result<Money, Error> {
        if self.step <= Decimal::ZERO {
            return Err(Error::BadStep);
        }
        let step = Exact::from_decimal(self.step);
        let ending = Exact::from_decimal(self.ending);
        let k = |v: Exact, mode| v.sub(ending)?.div(step)?.to_decimal(0, mode);
        let at = |k: Decimal| ending.add(Exact::from_decimal(k).mul(step)?);
        // The smallest candidate above zero.
        let mut first = k(Exact::ZERO, RoundingMode::Ceil)?;
        if at(first)?.is_zero() {
            first += Decimal::ONE;
        }
        let lower = k(value, RoundingMode::Floor)?.max(first);
        let upper = k(value, RoundingMode::Ceil)?.max(first);
        let chosen = match self.direction {
            Direction::Up => upper,
            Direction::Down => lower,
            Direction::Nearest => {
                let below = value.sub(at(lower)?)?;
                let above = at(upper)?.sub(value)?;
                if below.compare(above)?.is_le() { lower } else { upper }
            }
        };
        Ok(Money::from_exact_rounded(at(chosen)?, currency, RoundingMode::HalfUp)?)
    }
}

/// What a price must pay. Fee on the gross price, tax inside it, margin on net sales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    pub cost: Money,
    pub shipping: Money,
    pub fixed_fee: Money,
    pub fee_rate: Decimal,
    pub tax_rate: Decimal,
    pub min_margin_rate: Decimal,
}

impl Costs {
    /// The smallest gross price that leaves the margin.
    pub fn floor(&self) -> Result<Money, Error> {
        let outlay = self.cost.checked_add(self.shipping)?.checked_add(self.fixed_fee)?;
        if outlay.minor() <= 0 {
            return Ok(Money::zero(outlay.currency()));
        }
        let kept = Exact::ONE
            .sub(Exact::from_decimal(self.min_margin_rate))?
            .div(Exact::ONE.add(Exact::from_decimal(self.tax_rate))?)?
            .sub(Exact::from_decimal(self.fee_rate))?;
        if kept.is_zero() || kept.is_negative() {
            return Err(Error::Unreachable);
        }
        let gross = outlay.exact().div(kept)?;
        Ok(Money::from_exact_rounded(gross, outlay.currency(), RoundingMode::Ceil)?)
    }
}

/// How a price on a list came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Priced {
    pub price: Money,
    /// Steps in words, in order.
    pub steps: Vec<String>,
    /// Set when the price was raised to the floor.
    pub floor: Option<Money>,
}

/// One price list entry for a variant.
#[derive(Debug, Clone)]
pub struct Listing {
    /// A fixed price in the channel's currency wins over the base price.
    pub fixed: Option<Money>,
    pub base: Money,
    /// Units of the channel's currency per unit of the base's.
    pub rate: Exact,
    pub currency: Currency,
    /// 0.05 adds 5 %.
    pub adjustment: Decimal,
    pub charm: Option<Charm>,
    pub costs: Option<Costs>,
}

/// Fixed price, or base x rate x (1 + adjustment), then charm, then the floor. A price below the floor is raised
/// to the next charm price that is not; where no price works the error says so and nothing is published.
pub fn price(listing: &Listing) -> Result<Priced, Error> {
    let mut steps = Vec::new();
    let mut price = match listing.fixed {
        Some(fixed) => {
            steps.push(format!("fixed price {fixed}"));
            fixed
        }
        None => {
            let factor = Exact::ONE.add(Exact::from_decimal(listing.adjustment))?;
            let value = listing.base.exact().mul(listing.rate)?.mul(factor)?;
            let shown = Money::from_exact_rounded(value, listing.currency, RoundingMode::HalfUp)?;
            let rate = listing.rate.to_decimal(8, RoundingMode::HalfUp)?.normalize();
            let percent = (listing.adjustment * Decimal::ONE_HUNDRED).normalize();
            steps.push(format!("{} x {rate} adjusted by {percent} % is {shown}", listing.base));
            match &listing.charm {
                None => shown,
                Some(charm) => {
                    let price = charm.apply(value, listing.currency)?;
                    steps.push(format!("charm ending makes it {price}"));
                    price
                }
            }
        }
    };
    let mut floor = None;
    if let Some(costs) = &listing.costs {
        let least = costs.floor()?;
        if price.checked_sub(least)?.is_negative() {
            let raised = match (&listing.charm, listing.fixed) {
                (Some(charm), _) => Charm { direction: Direction::Up, ..*charm }.apply(least.exact(), listing.currency)?,
                (None, _) => least,
            };
            steps.push(format!("below the floor of {least}: raised to {raised}"));
            price = raised;
            floor = Some(least);
        }
    }
    Ok(Priced { price, steps, floor })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reprice {
    /// Nothing was published yet.
    First,
    Unchanged,
    /// Different, but inside the band: leave it.
    InsideBand,
    OutsideBand,
    /// The published price no longer pays its costs.
    FloorBroken,
}

impl Reprice {
    pub fn publishes(self) -> bool {
        matches!(self, Self::First | Self::OutsideBand | Self::FloorBroken)
    }
}

/// Whether a newly calculated price is worth publishing. `band` is a fraction of the published price; a move of
/// exactly the band stays inside.
pub fn reprice(published: Option<Money>, calculated: Money, floor: Option<Money>, band: Decimal) -> Result<Reprice, Error> {
    let Some(published) = published else {
        return Ok(Reprice::First);
    };
    if let Some(floor) = floor
        && published.checked_sub(floor)?.is_negative()
    {
        return Ok(Reprice::FloorBroken);
    }
    let moved = calculated.checked_sub(published)?;
    if moved.is_zero() {
        return Ok(Reprice::Unchanged);
    }
    let moved = if moved.is_negative() { moved.checked_neg()? } else { moved };
    let allowed = published.exact().mul(Exact::from_decimal(band))?;
    Ok(if moved.exact().compare(allowed)?.is_le() { Reprice::InsideBand } else { Reprice::OutsideBand })
}

/// The lowest price in force on any of the 30 days before a price cut is announced. `history` holds (first day,
/// price) in any order; a price holds until the next one. `None` = no price was in force in that time.
pub fn lowest_of_30_days(history: &[(Date, Money)], announced_on: Date) -> Result<Option<Money>, Error> {
    let from = announced_on.checked_sub(Span::new().days(30)).map_err(|_| MoneyError::OutOfRange)?;
    let mut sorted: Vec<_> = history.iter().filter(|(day, _)| *day < announced_on).collect();
    sorted.sort_by_key(|(day, _)| *day);
    let mut lowest: Option<Money> = None;
    for (index, (_, price)) in sorted.iter().enumerate() {
        let ended = sorted.get(index + 1).is_some_and(|(next, _)| *next <= from);
        if ended {
            continue;
        }
        lowest = match lowest {
            Some(low) if !price.checked_sub(low)?.is_negative() => Some(low),
            _ => Some(*price),
        };
    }
    Ok(lowest)
}

#[cfg(test)]
mod tests;
