//! What an order in a foreign currency is worth in the books: the rate that was locked with it, and what later rates made of it.
//!
//! The rate of the day on which the order was placed, or the merchant's own, is locked once and never changes, with the markup
//! that the shop's prices carry. Revenue and refunds are worth what the lock says. Money that comes in or goes out later does so
//! at the rate of its own day; the difference is a gain or a loss of its own, and fees are costs of their own. Where no rate may
//! be used yet the order waits for one and is locked at the rate of its day all the same.

use entrepot_crossborder::fx::{OrderLock, RateKind, refund, settle};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::sold::Sold;
use super::store::{self, exchange as stored};
use super::{Error, model};
use crate::ctx::{Ctx, Tenant};
use crate::id::{EntityId, OrderId};
use crate::money::{Currency, Decimal, Money, RoundingMode};
use crate::rates::{self, Book, Purpose};
use crate::store::{Sql, WriteTx};

/// Decimals of a rate that is kept. A cross rate may have no end.
const RATE_DECIMALS: u32 = 12;

/// How the shop's prices were made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The merchant's own rate: units of the shop's currency per unit of this one.
    pub own_rate: Option<(Currency, Decimal)>,
    /// What its prices add to a rate, in 1/10000.
    pub markup_bps: Decimal,
}

/// An order's lock; without `lock` it waits for a rate.
#[derive(Clone, Debug, Serialize)]
pub struct Locked {
    pub entity: EntityId,
    /// The currency of the books.
    pub base: Currency,
    /// The order's.
    pub quote: Currency,
    pub markup_bps: Decimal,
    pub lock: Option<OrderLock>,
    pub locked_at: Option<i64>,
}

/// Money that moved after the order, in the order's currency and in that of the books.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Entry {
    /// `payout:NAME` or `refund:ID`.
    pub reference: String,
    pub booked_on: Date,
    /// Paid out to the merchant, or given back to the buyer.
    pub amount: Money,
    pub at_lock: Money,
    pub at_day: Money,
    /// Conversion and remittance, in the currency of the books.
    pub fees: Money,
    /// Below zero: a loss.
    pub gain: Money,
    /// Units of the order's currency per unit of the books'.
    pub rate: Decimal,
    pub rate_date: Date,
}

/// A payout as a person books it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payout {
    /// The name it has with whoever paid it; one name is booked once per order.
    pub reference: String,
    pub on: Date,
    /// In the order's currency; all that is left of the order if absent.
    #[serde(default)]
    pub amount: Option<Money>,
    /// Units of the order's currency per unit of the books'; the rate of the day if absent.
    #[serde(default)]
    pub rate: Option<Decimal>,
    /// A fraction of what came in: 0.015 is 1.5 %.
    #[serde(default)]
    pub conversion_fee_rate: Decimal,
    /// In the currency of the books.
    #[serde(default)]
    pub remittance_fee: Option<Money>,
}

/// Locks an order's rate, and books the refunds that were not booked yet.
pub async fn keep(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, terms: &Terms) -> Result<(), Error> {
    let locked = match stored::find(tx, &ctx.tenant, &sold.order).await? {
        Some(locked) if locked.lock.is_some() => locked,
        known => {
            let Some(mut locked) = known.or(due(tx, ctx, sold, terms).await?) else { return Ok(()) };
            locked.lock = rate_for(tx, ctx, sold, &locked, terms).await?;
            locked.locked_at = locked.lock.as_ref().map(|_| ctx.now_ms());
            stored::put(tx, ctx, &sold.order, &locked).await?;
            locked
        }
    };
    let Some(lock) = &locked.lock else { return Ok(()) };
    let mut known = stored::entries(tx, &ctx.tenant, &sold.order).await?;
    let book = rates::table(tx, &ctx.tenant, Purpose::Orders).await?;
    for back in sold.refunds.iter().filter(|back| back.amount.minor() > 0 && back.amount.currency() == locked.quote) {
        let reference = format!("refund:{}", back.external_id);
        // Cash went out at a rate that nobody has published: booked when somebody has.
        let Some(day) = rate_of_day(&book, &locked, back.moment.on)? else { continue };
        if known.iter().any(|entry| entry.reference == reference) {
            continue;
        }
        let before = total(&known, "refund:", locked.quote)?;
        // More than is left of the order is shown as a difference of its own.
        let Ok(booked) = refund(back.amount, sold.charged.paid, before, with_markup(lock)?, day.0, locked.base) else { continue };
        let entry = Entry {
            reference,
            booked_on: back.moment.on,
            amount: booked.refund,
            at_lock: booked.base_at_lock,
            at_day: booked.base_cash,
            fees: Money::zero(locked.base),
            gain: booked.fx_gain_loss,
            rate: day.0,
            rate_date: day.1,
        };
        stored::insert(tx, ctx, &sold.order, &locked.entity, &entry).await?;
        known.push(entry);
    }
    Ok(())
}

/// `None`: the order is in the currency of the books, or nobody said which that is.
async fn due(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, terms: &Terms) -> Result<Option<Locked>, Error> {
    let Some(profile) = store::find_channel(tx, &ctx.tenant, &sold.connection).await? else { return Ok(None) };
    let Some(entity) = store::find_entity(tx, &ctx.tenant, profile.entity.as_str()).await? else { return Ok(None) };
    let (Some(base), quote) = (entity.facts.currency, sold.charged.paid.currency()) else { return Ok(None) };
    if base == quote {
        return Ok(None);
    }
    Ok(Some(Locked { entity: entity.id, base, quote, markup_bps: terms.markup_bps, lock: None, locked_at: None }))
}

async fn rate_for(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, locked: &Locked, terms: &Terms) -> Result<Option<OrderLock>, Error> {
    let (base, quote, markup_bps) = (locked.base, locked.quote, locked.markup_bps);
    let lock = |rate, kind, source, rate_date| OrderLock { base, quote, rate, markup_bps, kind, source, rate_date, expires_on: None };
    if let Some((_, rate)) = terms.own_rate.filter(|(of, _)| *of == base) {
        return Ok(Some(lock(rate, RateKind::Fixed, rates::OWN_TITLE.to_owned(), sold.sold_on)));
    }
    let book = rates::table(tx, &ctx.tenant, Purpose::Orders).await?;
    let Ok(found) = book.rate(base.code(), quote.code(), sold.sold_on) else { return Ok(None) };
    let rate = found.found.rate.to_decimal(RATE_DECIMALS, RoundingMode::HalfUp)?;
    Ok(Some(lock(rate, found.kind, found.source, found.found.rate_date)))
}

fn with_markup(lock: &OrderLock) -> Result<Decimal, Error> {
    Ok(lock.with_markup()?.to_decimal(RATE_DECIMALS, RoundingMode::HalfUp)?)
}

/// The rate at which cash moved on a day, however old its publication.
fn rate_of_day(book: &Book, locked: &Locked, on: Date) -> Result<Option<(Decimal, Date)>, Error> {
    let Ok(found) = book.rate_of_any_age(locked.base.code(), locked.quote.code(), on) else { return Ok(None) };
    Ok(Some((found.found.rate.to_decimal(RATE_DECIMALS, RoundingMode::HalfUp)?, found.found.rate_date)))
}

fn total(entries: &[Entry], word: &str, currency: Currency) -> Result<Money, Error> {
    Ok(Money::sum(entries.iter().filter(|entry| entry.reference.starts_with(word)).map(|entry| &entry.amount), currency)?)
}

/// Books what an order brought when it was paid out. The same reference again changes nothing if it says the same.
pub async fn pay_out(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, payout: &Payout) -> Result<Entry, Error> {
    let name = payout.reference.trim();
    let bad = |field, value: String, remedy: &str| Error::BadFact { field, value, remedy: remedy.into() };
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) {
        return Err(bad("reference", payout.reference.chars().take(80).collect(), "use 1 to 80 characters"));
    }
    let standing = store::frozen::find(tx, &ctx.tenant, order).await?.ok_or_else(|| Error::NotYet(order.clone()))?;
    let locked = stored::find(tx, &ctx.tenant, order).await?;
    let Some((locked, lock)) = locked.as_ref().and_then(|locked| Some((locked, locked.lock.as_ref()?))) else {
        return Err(Error::NoLock(order.clone()));
    };
    if payout.rate.is_some_and(|rate| rate <= Decimal::ZERO) {
        return Err(bad(
            "rate",
            payout.rate.unwrap_or_default().to_string(),
            "give units of the order's currency per unit of the books', above zero",
        ));
    }
    if payout.conversion_fee_rate < Decimal::ZERO || payout.conversion_fee_rate >= Decimal::ONE {
        return Err(bad("conversion_fee_rate", payout.conversion_fee_rate.to_string(), "give a fraction from 0 to below 1, such as 0.015"));
    }
    let fee = payout.remittance_fee.unwrap_or(Money::zero(locked.base));
    if fee.currency() != locked.base || fee.is_negative() {
        return Err(bad("remittance_fee", fee.to_string(), &format!("give an amount of zero or more in {}", locked.base)));
    }
    let reference = format!("payout:{name}");
    let known = stored::entries(tx, &ctx.tenant, order).await?;
    let before = total(&known, "payout:", locked.quote)?;
    let booked = known.iter().find(|entry| entry.reference == reference);
    let left = standing.charged.paid.checked_sub(before)?.checked_add(booked.map_or(Money::zero(locked.quote), |entry| entry.amount))?;
    let amount = payout.amount.or(booked.map(|entry| entry.amount)).unwrap_or(left);
    if amount.currency() != locked.quote || amount.minor() <= 0 || left.checked_sub(amount)?.is_negative() {
        return Err(bad("amount", amount.to_string(), &format!("give an amount above zero of at most {left}, which is left of the order")));
    }
    let (rate, rate_date) = match payout.rate {
        Some(rate) => (rate, payout.on),
        None => {
            let book = rates::table(tx, &ctx.tenant, Purpose::Orders).await?;
            let refused = || bad("on", payout.on.to_string(), "no rate of that day is known: name it with `rate`, or import it");
            rate_of_day(&book, locked, payout.on)?.ok_or_else(refused)?
        }
    };
    let settled = settle(amount, with_markup(lock)?, rate, payout.conversion_fee_rate, fee)?;
    let entry = Entry {
        reference,
        booked_on: payout.on,
        amount,
        at_lock: settled.expected,
        at_day: settled.gross,
        fees: settled.fees,
        gain: settled.fx_gain_loss,
        rate,
        rate_date,
    };
    match booked {
        None => stored::insert(tx, ctx, order, &locked.entity, &entry).await?,
        Some(booked) if *booked == entry => {}
        Some(booked) => {
            return Err(bad("reference", name.to_owned(), &format!("it is booked with {} already: give another name", booked.amount)));
        }
    }
    Ok(entry)
}

/// An order's lock and what came after; `None` where it needs none.
pub async fn exchange(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<Exchange>, Error> {
    let Some(locked) = stored::find(conn, tenant, order).await? else { return Ok(None) };
    let entries = stored::entries(conn, tenant, order).await?;
    let gain = Money::sum(entries.iter().map(|entry| &entry.gain), locked.base)?;
    Ok(Some(Exchange { locked, entries, gain }))
}

#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    #[serde(flatten)]
    pub locked: Locked,
    pub entries: Vec<Entry>,
    pub gain: Money,
}

impl Exchange {
    pub fn words(&self, paid: Money) -> Vec<String> {
        let Locked { base, quote, markup_bps, lock, .. } = &self.locked;
        let Some(lock) = lock else {
            return vec![format!("Not locked yet: no rate from {base} to {quote} of that day may be used; it follows with the next rates")];
        };
        let markup = if markup_bps.is_zero() {
            String::new()
        } else {
            format!(" and a markup of {} %", (markup_bps / Decimal::ONE_HUNDRED).normalize())
        };
        let worth = lock.worth(paid).map_or(String::new(), |worth| format!(": {paid} is {worth} in the books"));
        let mut out = vec![format!(
            "Locked at {} {quote} per {base} ({}, {}, of {}){markup}{worth}",
            lock.rate.normalize(),
            lock.source,
            lock.kind.as_str(),
            lock.rate_date
        )];
        for entry in &self.entries {
            let (what, name) = entry.reference.split_once(':').unwrap_or((&entry.reference, ""));
            let what = if what == "payout" { "Paid out" } else { "Refunded" };
            let turn = if entry.gain.is_negative() { "loss" } else { "gain" };
            let fees = if entry.fees.is_zero() { String::new() } else { format!(", fees {}", entry.fees) };
            out.push(format!(
                "{what} on {} ({name}): {} at {} is {}, {} at the lock: {turn} of {}{fees}",
                entry.booked_on,
                entry.amount,
                entry.rate.normalize(),
                entry.at_day,
                entry.at_lock,
                entry.gain
            ));
        }
        out
    }
}

/// Gains, losses and fees of a period, one row per legal entity, currency and kind.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Gains {
    pub entity: String,
    /// `payout` or `refund`.
    pub what: String,
    pub currency: Currency,
    pub entries: i64,
    pub amount: Money,
    pub at_lock: Money,
    pub at_day: Money,
    pub fees: Money,
    pub gain: Money,
}

/// `days`: first and last.
pub async fn gains(conn: &mut impl Sql, tenant: &Tenant, entity: Option<&model::Entity>, days: (Date, Date)) -> Result<Vec<Gains>, Error> {
    stored::gains(conn, tenant, entity.map(|entity| &entity.id), days).await
}

pub fn gains_csv(rows: &[Gains]) -> String {
    let mut out = String::from("entity,what,entries,currency,amount,books_currency,at_lock,at_day,fees,gain\n");
    for row in rows {
        let quoted = format!("\"{}\"", row.entity.replace('"', "\"\""));
        let money = [row.at_lock, row.at_day, row.fees, row.gain].map(|money| money.to_decimal_string()).join(",");
        let (amount, base) = (row.amount.to_decimal_string(), row.gain.currency());
        out.push_str(&format!("{quoted},{},{},{},{amount},{base},{money}\n", row.what, row.entries, row.currency));
    }
    out
}

/// Orders that wait for a rate, oldest first, with the day they were placed.
pub async fn unlocked(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<(OrderId, i64)>, Error> {
    stored::unlocked(conn, tenant, limit).await
}
