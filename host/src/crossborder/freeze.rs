//! Working out the tax of an order once, and keeping it.
//!
//! A picture that says the same as the one before makes no new version, whatever rules, rates or the catalogue have become
//! meanwhile. What went back and what was cancelled is booked by the figures of the version that was current then.

use std::sync::Arc;

use entrepot_crossborder::frozen::{ChannelTax, Difference, LineCredit, compare, credit as give_back, creditable};
use entrepot_crossborder::fx::{Policy, RateTable};
use entrepot_crossborder::quote::{Buyer, LineRate, LineTax, Quote, QuoteInput, quote};
use entrepot_crossborder::rules::RuleSet;
use entrepot_crossborder::thresholds::{Sale, counts_for_oss};
use jiff::civil::Date;

use super::model::{Collects, EntityFacts};
use super::sold::{Moment, Part, Refunded, Sold};
use super::store::frozen::{self, Booked, Credit, Standing, Version};
use super::{Error, rules, store, totals};
use crate::ctx::Ctx;
use crate::money::{Currency, Error as MoneyError, Money, RoundingMode};
use crate::store::WriteTx;

/// Who sells through the connection, as it is set now.
struct Seller {
    entity: String,
    facts: EntityFacts,
    collects: Collects,
}

/// Works out, or looks again at, the tax of one order. Returns the version that is current; 0 if none could be made.
pub async fn freeze(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, anew: bool) -> Result<i64, Error> {
    let before = frozen::find(tx, &ctx.tenant, &sold.order).await?;
    let kept = frozen::newest(tx, &ctx.tenant, &sold.order).await?;
    let same = kept.as_ref().is_some_and(|kept| kept.picture == sold.picture && !anew);
    let (set, rates) = (rules::rules(tx, &ctx.tenant).await?, rules::rates(tx, &ctx.tenant).await?);
    let mut standing = match (&before, same) {
        (Some(before), true) => Standing { problem: None, ..before.clone() },
        _ => blank(sold),
    };
    let current = if same { kept } else { answer(tx, ctx, sold, (before.as_ref(), kept), &mut standing, &set, &rates).await? };
    standing.charged = sold.charged.clone();
    standing.number.clone_from(&sold.number);
    // Once a sale was paid it stays in the books; taking it back is an entry of its own.
    standing.counted = sold.counted || before.as_ref().is_some_and(|before| before.counted);
    standing.cancelled = sold.cancelled.is_some();
    frozen::put(tx, ctx, &standing).await?;
    let Some(current) = current else { return Ok(0) };
    let over = credits(tx, ctx, sold, &current, &standing, &rates).await?;
    differences(tx, ctx, sold, &current, over).await?;
    Ok(current.version)
}

fn blank(sold: &Sold) -> Standing {
    let currency = sold.charged.paid.currency();
    let question = sold.question.as_ref().ok();
    Standing {
        order: sold.order.clone(),
        connection: sold.connection.clone(),
        entity: String::new(),
        number: sold.number.clone(),
        version: 0,
        problem: sold.question.as_ref().err().map(|none| none.why.clone()),
        counted: false,
        cancelled: false,
        complete: false,
        verified: false,
        placed_at: sold.placed_at,
        sold_on: sold.sold_on.to_string(),
        ship_from: None,
        ship_to: question.map(|q| q.ship_to.clone()).unwrap_or_default(),
        us_state: None,
        consumer: question.is_none_or(|q| q.buyer != Some(Buyer::Business)),
        marketplace_pays: false,
        net: Money::zero(currency),
        tax: None,
        collector: None,
        oss_eur_minor: None,
        charged: sold.charged.clone(),
    }
}

async fn seller(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, question: &mut QuoteInput) -> Result<Seller, Error> {
    let profile = store::find_channel(tx, &ctx.tenant, &sold.connection).await?;
    let entity = match &profile {
        Some(profile) => store::find_entity(tx, &ctx.tenant, profile.entity.as_str()).await?,
        None => None,
    };
    let facts = entity.as_ref().map(|entity| entity.facts.clone()).unwrap_or_default();
    let channel = profile.map(|profile| profile.facts).unwrap_or_default();
    question.channel = channel.channel();
    question.ship_from = channel.ships_from.clone().or_else(|| facts.ships_from.clone());
    question.mode.clone_from(&facts.mode);
    question.incoterm = facts.incoterm;
    question.seller = facts.seller();
    Ok(Seller { entity: entity.map(|entity| entity.id.to_string()).unwrap_or_default(), facts, collects: channel.collects })
}

/// A new version, if the question can be answered at all; otherwise what was kept, and the reason on the standing.
async fn answer(
    tx: &mut WriteTx,
    ctx: &Ctx,
    sold: &Sold,
    (before, kept): (Option<&Standing>, Option<Version>),
    standing: &mut Standing,
    set: &Arc<RuleSet>,
    rates: &RateTable,
) -> Result<Option<Version>, Error> {
    let mut question = match &sold.question {
        Ok(question) => question.clone(),
        Err(none) => {
            let (Some(before), Some(kept), true) = (before, kept, none.sale_stands) else { return Ok(None) };
            *standing = Standing { problem: Some(none.why.clone()), ..before.clone() };
            return Ok(Some(kept));
        }
    };
    let seller = seller(tx, ctx, sold, &mut question).await?;
    standing.entity.clone_from(&seller.entity);
    if !seller.entity.is_empty() && question.seller.opted_destination != Some(true) {
        let year = sold.sold_on.year();
        let so_far = (sold.placed_at, &sold.order);
        let known = totals::oss_of_year(tx, &ctx.tenant, &seller.entity, &seller.facts, year, Some(so_far)).await?;
        question.seller.year_to_date_eur_minor = Some(known.unwrap_or(0));
        question.seller.previous_year_eur_minor =
            totals::oss_of_year(tx, &ctx.tenant, &seller.entity, &seller.facts, year.saturating_sub(1), None).await?;
    }
    let mut found = match quote(set, rates, &question) {
        Ok(found) => found,
        Err(error) => {
            if let (Some(before), Some(_)) = (before, &kept) {
                standing.clone_from(before);
            }
            standing.problem = Some(error.to_string());
            return Ok(kept);
        }
    };
    found.assumptions.extend(sold.assumptions.iter().cloned());
    let abroad = found.scheme.as_deref() == Some("eu.intra_eu") && question.ship_from.as_deref() != Some(question.ship_to.as_str());
    let year = sold.sold_on.year();
    if abroad && question.seller.year_to_date_eur_minor.is_some() && !seller.facts.eu_sales_elsewhere.contains_key(&year) {
        found.assumptions.push(format!("the hub has seen all EU distance sales of {year}: none elsewhere are stated for the legal entity"));
    }
    if seller.collects == Collects::Always && found.collector.as_deref() == Some("seller") {
        found.collector = Some("marketplace".to_owned());
        found.assumptions.push("the channel pays the tax to the authority, as the merchant has stated for it".to_owned());
    }
    // A postal code served its purpose; it belongs to the buyer.
    question.postal_code = None;
    let version = kept.map_or(1, |kept| kept.version + 1);
    let new = Version {
        version,
        picture: sold.picture.clone(),
        rule_set: set.version().to_owned(),
        question,
        answer: found,
        parts: sold.parts.clone(),
        charged: sold.charged.clone(),
        frozen_at: ctx.now_ms(),
    };
    describe(standing, &new, &seller.facts, set, rates)?;
    frozen::insert(tx, ctx, &sold.order, &new).await?;
    rules::remember(tx, ctx, set).await?;
    let lines = booked(&new, &seller.facts, &standing.sold_on);
    frozen::book(tx, ctx, &sold.order, &seller.entity, &lines).await?;
    // What was different in a version that no longer counts need not be looked at.
    frozen::settle(tx, ctx, &sold.order, "", version, "the order was edited").await?;
    Ok(Some(new))
}

fn net(answer: &Quote) -> Result<Money, MoneyError> {
    let a = &answer.amounts;
    Money::sum(&[a.goods, a.shipping, a.insurance, a.onward], answer.currency)
}

/// Copies what totals are made of.
fn describe(standing: &mut Standing, new: &Version, facts: &EntityFacts, set: &RuleSet, rates: &RateTable) -> Result<(), Error> {
    let (question, answer) = (&new.question, &new.answer);
    standing.version = new.version;
    standing.complete = answer.is_complete();
    standing.verified = answer.verified;
    standing.ship_from.clone_from(&question.ship_from);
    standing.ship_to.clone_from(&question.ship_to);
    let state = question.region.as_deref().map(|region| region.trim_start_matches("US-").to_owned());
    standing.us_state = state.filter(|_| question.ship_to == "US");
    standing.consumer = question.buyer != Some(Buyer::Business);
    standing.marketplace_pays = answer.collector.as_deref() == Some("marketplace");
    standing.net = net(answer)?;
    standing.tax = answer.amounts.tax;
    standing.collector.clone_from(&answer.collector);
    standing.oss_eur_minor = None;
    if let (Some(home), Some(from)) = (&facts.country, &question.ship_from) {
        let sale = Sale {
            date: question.date,
            ship_from: from.clone(),
            ship_to: question.ship_to.clone(),
            us_state: None,
            consumer: standing.consumer,
            marketplace_is_taxpayer: standing.marketplace_pays,
            net: standing.net,
            transactions: 1,
        };
        if counts_for_oss(set, home, &sale) {
            standing.oss_eur_minor = in_euros(rates, standing.net, question.date)?;
        }
    }
    Ok(())
}

/// `None` where no rate is known.
fn in_euros(rates: &RateTable, amount: Money, on: Date) -> Result<Option<i64>, Error> {
    let euro = Currency::from_code("EUR")?;
    if amount.currency() == euro {
        return Ok(Some(amount.minor()));
    }
    Ok(rates.convert(amount, euro, on, Policy::LatestOnOrBefore, None, RoundingMode::HalfUp).ok().map(|(money, _)| money.minor()))
}

/// The rates of a version as they are booked.
fn booked(new: &Version, facts: &EntityFacts, sold_on: &str) -> Vec<Booked> {
    let collector = new.answer.collector.clone().unwrap_or_default();
    let line = |rate: &entrepot_crossborder::quote::AppliedRate| {
        let country = rate.jurisdiction.split('-').next().unwrap_or_default().to_owned();
        Booked {
            reference: format!("sale:{}", new.version),
            version: new.version,
            credit: false,
            booked_on: sold_on.to_owned(),
            corrects: None,
            scheme: return_of(new, facts, &country),
            collector: collector.clone(),
            country,
            tax: rate.tax.clone(),
            rate: rate.rate.normalize().to_string(),
            taxable: rate.taxable,
            amount: rate.amount,
        }
    };
    new.answer.rates.iter().map(line).collect()
}

/// Which return a tax belongs to: the one-stop shops, or the country's own.
fn return_of(new: &Version, facts: &EntityFacts, country: &str) -> String {
    let local = format!("{}.vat", country.to_ascii_lowercase());
    match new.answer.scheme.as_deref() {
        Some("eu.intra_eu") => {
            let home = new.question.ship_from.as_deref() == Some(country) || facts.country.as_deref() == Some(country);
            if home || facts.is_registered(&local) { local } else { "eu.oss".to_owned() }
        }
        Some(scheme) if scheme.starts_with("gb.") => local,
        Some(scheme) => scheme.to_owned(),
        None => local,
    }
}

/// Books refunds that were not booked yet, and a cancellation. Returns what could not be placed.
async fn credits(
    tx: &mut WriteTx,
    ctx: &Ctx,
    sold: &Sold,
    current: &Version,
    standing: &Standing,
    rates: &RateTable,
) -> Result<Option<Money>, Error> {
    let mut known = frozen::credits(tx, &ctx.tenant, &sold.order).await?;
    let lines = creditable(&current.answer)?;
    let whole =
        lines.iter().try_fold(Money::zero(current.answer.currency), |sum, line| sum.checked_add(line.taxable)?.checked_add(line.tax))?;
    let desk = Desk { sold, current, standing, lines: &lines, whole, rates };
    for refund in &sold.refunds {
        let reference = format!("refund:{}", refund.external_id);
        if known.iter().any(|credit| credit.reference == reference) || refund.amount.minor() <= 0 {
            continue;
        }
        let credit = desk.refund(reference, refund, &known)?;
        desk.put(tx, ctx, &credit).await?;
        known.push(credit);
    }
    let steps = |word: &str| known.iter().filter(|credit| credit.reference.starts_with(word)).count();
    let (cancelled, reinstated) = (steps("cancelled:"), steps("reinstated:"));
    match sold.cancelled {
        Some(moment) if cancelled == reinstated => {
            if let Some(credit) = desk.cancel(format!("cancelled:{}", cancelled + 1), moment, &known)? {
                desk.put(tx, ctx, &credit).await?;
            }
        }
        None if cancelled > reinstated => {
            let last = known.iter().rev().find(|credit| credit.reference.starts_with("cancelled:"));
            if let Some(last) = last {
                let moment = Moment { at: ctx.now_ms(), on: last.booked_on.parse().unwrap_or(sold.sold_on) };
                let credit = desk.reinstate(format!("reinstated:{}", reinstated + 1), moment, last)?;
                desk.put(tx, ctx, &credit).await?;
            }
        }
        _ => {}
    }
    let unplaced = known.iter().filter(|credit| credit.reference.starts_with("refund:") && credit.unplaced.currency() == whole.currency());
    let over = Money::sum(unplaced.map(|credit| &credit.unplaced), whole.currency())?;
    Ok((over.minor() > 0 && sold.cancelled.is_none()).then_some(over))
}

/// Books what goes back against one version.
struct Desk<'a> {
    sold: &'a Sold,
    current: &'a Version,
    standing: &'a Standing,
    lines: &'a [LineTax],
    /// All that can go back, tax inside.
    whole: Money,
    rates: &'a RateTable,
}

impl Desk<'_> {
    fn before(&self, known: &[Credit]) -> Vec<LineCredit> {
        known.iter().filter(|credit| credit.version == self.current.version).flat_map(|credit| credit.credits.iter().cloned()).collect()
    }

    /// An amount of the channel's in our figures: if the channel charged another tax, half of what it took is still half.
    fn ours(&self, amount: Money) -> Result<Money, Error> {
        let paid = self.sold.charged.paid;
        if paid == self.whole || paid.minor() <= 0 || paid.currency() != self.whole.currency() {
            return Ok(amount);
        }
        let share = amount.exact().mul(self.whole.exact())?.div(paid.exact())?;
        Ok(Money::from_exact_rounded(share, amount.currency(), RoundingMode::HalfUp)?)
    }

    /// What the refund names for its lines, tax inside, by the lines of the question.
    fn named(&self, refund: &Refunded) -> Result<Vec<(usize, Money)>, Error> {
        let mut named = Vec::new();
        for (line, amount) in &refund.lines {
            let Some(Part { positions, .. }) = self.current.parts.iter().find(|part| part.line == *line) else { continue };
            let ours: Vec<&LineTax> = positions.iter().filter_map(|at| self.lines.get(*at)).collect();
            let weights: Vec<u64> = ours.iter().map(|line| line.taxable.minor().unsigned_abs()).collect();
            if weights.iter().all(|weight| *weight == 0) {
                continue;
            }
            for ((at, line), part) in positions.iter().zip(&ours).zip(amount.allocate(&weights)?) {
                let part = if self.sold.charged.prices_include_tax || line.taxable.is_zero() {
                    part
                } else {
                    let gross = line.taxable.checked_add(line.tax)?;
                    let value = part.exact().mul(gross.exact())?.div(line.taxable.exact())?;
                    Money::from_exact_rounded(value, part.currency(), RoundingMode::HalfUp)?
                };
                named.push((*at, part));
            }
        }
        Ok(named)
    }

    fn refund(&self, reference: String, refund: &Refunded, known: &[Credit]) -> Result<Credit, Error> {
        let before = self.before(known);
        if refund.amount.currency() != self.whole.currency() {
            return self.credit(reference, refund.moment, refund.amount, Vec::new(), refund.amount);
        }
        let ours = self.ours(refund.amount)?;
        let (given, over) = give_back(self.lines, ours, &self.named(refund)?, &before)?;
        self.credit(reference, refund.moment, refund.amount, given, over)
    }

    /// All that is left of the sale; `None` if nothing is.
    fn cancel(&self, reference: String, moment: Moment, known: &[Credit]) -> Result<Option<Credit>, Error> {
        let before = self.before(known);
        let gone = before.iter().try_fold(Money::zero(self.whole.currency()), |sum, c| sum.checked_add(c.taxable)?.checked_add(c.tax))?;
        let left = self.whole.checked_sub(gone)?;
        if left.minor() <= 0 {
            return Ok(None);
        }
        let (given, over) = give_back(self.lines, left, &[], &before)?;
        self.credit(reference, moment, left, given, over).map(Some)
    }

    /// A cancelled sale that lives again.
    fn reinstate(&self, reference: String, moment: Moment, last: &Credit) -> Result<Credit, Error> {
        let mirror = |credit: &LineCredit| {
            let by_rate = credit.by_rate.iter().map(|part| Ok(LineRate { rate: part.rate, amount: part.amount.checked_neg()? }));
            Ok::<_, MoneyError>(LineCredit {
                line: credit.line,
                taxable: credit.taxable.checked_neg()?,
                tax: credit.tax.checked_neg()?,
                by_rate: by_rate.collect::<Result<_, MoneyError>>()?,
            })
        };
        let given = last.credits.iter().map(mirror).collect::<Result<_, _>>()?;
        self.credit(reference, moment, last.amount.checked_neg()?, given, Money::zero(self.whole.currency()))
    }

    fn credit(&self, reference: String, moment: Moment, amount: Money, given: Vec<LineCredit>, unplaced: Money) -> Result<Credit, Error> {
        let currency = self.whole.currency();
        let net = Money::sum(given.iter().map(|c| &c.taxable), currency)?;
        let tax = Money::sum(given.iter().map(|c| &c.tax), currency)?;
        let oss = match self.standing.oss_eur_minor {
            Some(_) => in_euros(self.rates, net, self.current.question.date)?,
            None => None,
        };
        Ok(Credit {
            reference,
            version: self.current.version,
            booked_at: moment.at,
            booked_on: moment.on.to_string(),
            amount,
            net,
            tax,
            unplaced,
            credits: given,
            oss_eur_minor: oss,
        })
    }

    async fn put(&self, tx: &mut WriteTx, ctx: &Ctx, credit: &Credit) -> Result<(), Error> {
        frozen::insert_credit(tx, ctx, &self.sold.order, &self.standing.entity, credit).await?;
        let entity = store::find_entity(tx, &ctx.tenant, &self.standing.entity).await?;
        let facts = entity.map(|entity| entity.facts).unwrap_or_default();
        let mut lines = Vec::new();
        for (at, sale) in booked(self.current, &facts, &self.standing.sold_on).into_iter().enumerate() {
            let of_rate = || credit.credits.iter().filter(|c| c.by_rate.iter().any(|part| part.rate == at));
            let parts = || of_rate().flat_map(|c| &c.by_rate).filter(|part| part.rate == at);
            if parts().next().is_none() {
                continue;
            }
            let currency = sale.amount.currency();
            lines.push(Booked {
                reference: credit.reference.clone(),
                credit: true,
                booked_on: credit.booked_on.clone(),
                corrects: Some(self.standing.sold_on.clone()),
                taxable: Money::sum(of_rate().map(|c| &c.taxable), currency)?.checked_neg()?,
                amount: Money::sum(parts().map(|part| &part.amount), currency)?.checked_neg()?,
                ..sale
            });
        }
        frozen::book(tx, ctx, &self.sold.order, &self.standing.entity, &lines).await
    }
}

/// Compares with what the channel charged. What is no longer different is settled.
async fn differences(tx: &mut WriteTx, ctx: &Ctx, sold: &Sold, current: &Version, over: Option<Money>) -> Result<(), Error> {
    let channel = ChannelTax { tax: sold.charged.tax, collector: sold.charged.collector.clone() };
    // Half a unit per line for another level of rounding.
    let tolerance = u64::try_from(current.answer.lines.len().max(1)).unwrap_or(1);
    let found = if sold.cancelled.is_some() { Vec::new() } else { compare(&channel, &current.answer, tolerance) };
    let mut kinds = Vec::new();
    for difference in &found {
        let kind = match difference {
            Difference::Amount { .. } => "amount",
            Difference::Collector { .. } => "collector",
            Difference::NotReported { .. } => "not_reported",
            Difference::Currency { .. } => "currency",
        };
        frozen::found(tx, ctx, &sold.order, current.version, kind, &difference.words(), &serde_json::to_value(difference)?).await?;
        kinds.push(kind);
    }
    if let Some(over) = over {
        let words = format!("{over} more was given back than is left of the sale by its frozen figures");
        let detail = serde_json::json!({ "kind": "over_refund", "unplaced": over });
        frozen::found(tx, ctx, &sold.order, current.version, "over_refund", &words, &detail).await?;
        kinds.push("over_refund");
    }
    for kind in ["amount", "collector", "not_reported", "currency", "over_refund"] {
        if !kinds.contains(&kind) {
            frozen::settle(tx, ctx, &sold.order, kind, current.version + 1, "the channel's figures agree now").await?;
        }
    }
    Ok(())
}
