//! What a variant should cost at a connection, step by step in words.

use std::collections::BTreeMap;

use entrepot_crossborder::pricing::{self as rules, Costs, Listing, Priced, Reprice, pick, price, reprice};
use jiff::civil::Date;
use serde::Serialize;

use super::model::{ChannelList, Policy, PricedFor, country, today};
use super::{Base, Error, Line, bases, policy, rates, store};
use crate::connections::Connection;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, PriceLineId, VariantId};
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};
use crate::store::Sql;

/// For whom, and when.
#[derive(Clone, Debug)]
pub struct Asked {
    pub connection: ConnectionId,
    pub policy: Policy,
    /// `None`: not known yet, then nothing can be priced.
    pub currency: Option<Currency>,
    pub country: Option<String>,
    pub group: Option<String>,
    pub on: Date,
}

impl Asked {
    pub fn of(&self, variant: &VariantId) -> PricedFor {
        PricedFor { variant: variant.clone(), country: self.country.clone().unwrap_or_default() }
    }

    /// For buyers of another country or group than the shop's own.
    pub fn among(mut self, of: Option<&str>, group: Option<&str>) -> Result<Self, Error> {
        if let Some(of) = of {
            self.country = Some(country(of)?);
        }
        if let Some(group) = group {
            self.group = Some(group.to_owned());
        }
        Ok(self)
    }
}

/// A variant that has neither a price nor a line with one is in no answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "answer")]
pub enum Quoted {
    Price {
        #[serde(flatten)]
        priced: Priced,
        line: Option<PriceLineId>,
    },
    /// No price works, and why.
    Refused { reason: String },
}

/// The prices that the shop itself shows, today.
pub async fn standard(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection) -> Result<Asked, Error> {
    let policy = policy(conn, &ctx.tenant, &connection.id).await?;
    let said = |name: &str| connection.account.as_ref().and_then(|account| account.get(name)?.as_str());
    Ok(Asked {
        connection: connection.id.clone(),
        currency: policy.currency.or_else(|| Currency::from_code(said("currency")?).ok()),
        country: policy.country.clone().or_else(|| country(said("country")?).ok()),
        group: policy.group.clone(),
        on: today(ctx),
        policy,
    })
}

/// Every price list of a connection that prices are made for, `""` being the shop's own prices.
pub async fn of_lists(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection) -> Result<Vec<(String, Asked)>, Error> {
    let own = standard(conn, ctx, connection).await?;
    let of = |list: &ChannelList| {
        let country = list.country.as_deref().map(country).transpose()?;
        // A rate that the merchant locked is for the shop's own currency.
        let policy = Policy { locked_rate: own.policy.locked_rate.filter(|_| own.currency == Some(list.currency)), ..own.policy.clone() };
        Ok((list.id.clone(), Asked { currency: Some(list.currency), country, group: list.group.clone(), policy, ..own.clone() }))
    };
    let mut lists = own.policy.lists.iter().map(of).collect::<Result<Vec<_>, Error>>()?;
    lists.insert(0, (String::new(), own));
    Ok(lists)
}

pub async fn quote(conn: &mut impl Sql, ctx: &Ctx, asked: &Asked, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Quoted>, Error> {
    let bases = bases(conn, &ctx.tenant, variants).await?;
    let lines = store::lines_for(conn, &ctx.tenant, &asked.connection, variants).await?;
    let entries: Vec<rules::Entry> = lines.iter().map(|line| line.line.entry()).collect();
    let mut quotes = BTreeMap::new();
    for variant in variants {
        let who = rules::Asked {
            variant: variant.as_str(),
            channel: asked.connection.as_str(),
            country: asked.country.as_deref(),
            group: asked.group.as_deref(),
        };
        let line =
            pick(&entries, &who, asked.on).and_then(|entry| entries.iter().position(|e| std::ptr::eq(e, entry))).map(|at| &lines[at]);
        let base = bases.get(variant).copied().unwrap_or_default();
        if base.price.is_none() && line.is_none_or(|line| line.line.fixed.is_none()) {
            continue;
        }
        let quoted = match one(conn, &ctx.tenant, asked, &base, line).await? {
            Ok(priced) => Quoted::Price { priced, line: line.map(|line| line.id.clone()) },
            Err(reason) => Quoted::Refused { reason },
        };
        quotes.insert(variant.clone(), quoted);
    }
    Ok(quotes)
}

async fn one(
    conn: &mut impl Sql,
    tenant: &Tenant,
    asked: &Asked,
    base: &Base,
    line: Option<&Line>,
) -> Result<Result<Priced, String>, Error> {
    let Some(currency) = asked.currency else {
        return Ok(Err(
            "the currency of the channel is not known; hint: `entrepot connection check`, or `entrepot price channel NAME currency=EUR`"
                .into(),
        ));
    };
    let fixed = line.and_then(|line| line.line.fixed);
    if let Some(fixed) = fixed.filter(|fixed| fixed.currency() != currency) {
        return Ok(Err(format!("the fixed price {fixed} is not in {currency}, in which the channel sells; hint: give it in {currency}")));
    }
    let start = fixed.or(base.price).unwrap_or(Money::zero(currency));
    let (rate, mut steps) = match rate(conn, tenant, asked, start.currency(), currency).await? {
        Ok(found) => found,
        Err(reason) => return Ok(Err(reason)),
    };
    let costs = match costs(conn, tenant, asked, base, currency).await? {
        Ok((costs, words)) => {
            steps.extend(words);
            costs
        }
        Err(reason) => return Ok(Err(reason)),
    };
    let listing = Listing {
        fixed,
        base: start,
        rate,
        currency,
        adjustment: line.map_or(Decimal::ZERO, |line| line.line.adjustment),
        charm: line.and_then(|line| line.line.charm),
        costs,
    };
    Ok(match price(&listing) {
        Ok(priced) if priced.price.minor() <= 0 => Err(format!("{} leaves nothing to charge in {currency}", start)),
        Ok(mut priced) => {
            steps.append(&mut priced.steps);
            Ok(Priced { steps, ..priced })
        }
        Err(error) => Err(error.to_string()),
    })
}

/// A rate, or why there is none that may price anything.
async fn rate(
    conn: &mut impl Sql,
    tenant: &Tenant,
    asked: &Asked,
    from: Currency,
    to: Currency,
) -> Result<Result<(Exact, Vec<String>), String>, Error> {
    if from == to {
        return Ok(Ok((Exact::ONE, Vec::new())));
    }
    let (rate, words) = match asked.policy.locked_rate {
        Some(locked) => (Exact::from_decimal(locked), format!("locked rate {locked} {to} per {from}")),
        None => match rates::rate(conn, tenant, from.code(), to.code(), asked.on, asked.policy.max_age_days).await? {
            Ok((rate, day)) => (rate, format!("rate {from} to {to} of {day}")),
            Err(error) => return Ok(Err(format!("no rate from {from} to {to} may be used: {error}"))),
        },
    };
    Ok(marked_up(rate, words, asked.policy.markup_bps).map_err(|error| error.to_string()))
}

fn marked_up(rate: Exact, words: String, bps: Decimal) -> Result<(Exact, Vec<String>), crate::money::Error> {
    if bps.is_zero() {
        return Ok((rate, vec![words]));
    }
    let rate = rate.mul(Exact::ONE.add(Exact::from_decimal(bps).div(Exact::from_int(10_000))?)?)?;
    Ok((rate, vec![words, format!("+ {} % markup", (bps / Decimal::ONE_HUNDRED).normalize())]))
}

type Floor = (Option<Costs>, Vec<String>);

/// What a price must pay; nothing where no margin is asked for or no cost is known.
async fn costs(
    conn: &mut impl Sql,
    tenant: &Tenant,
    asked: &Asked,
    base: &Base,
    currency: Currency,
) -> Result<Result<Floor, String>, Error> {
    let Some(min_margin_rate) = asked.policy.min_margin_rate else { return Ok(Ok((None, Vec::new()))) };
    let Some(cost) = base.cost else { return Ok(Ok((None, vec!["no cost is known, so there is no floor".into()]))) };
    let (rate, words) = match rate(conn, tenant, asked, cost.currency(), currency).await? {
        Ok(found) => found,
        Err(reason) => return Ok(Err(reason)),
    };
    let amount = |value: Decimal| Money::from_decimal_rounded(value, currency, RoundingMode::Ceil);
    let made = || {
        Ok::<_, crate::money::Error>(Costs {
            cost: Money::from_exact_rounded(cost.exact().mul(rate)?, currency, RoundingMode::Ceil)?,
            shipping: amount(asked.policy.shipping)?,
            fixed_fee: amount(asked.policy.fixed_fee)?,
            fee_rate: asked.policy.fee_rate,
            tax_rate: asked.policy.tax_rate,
            min_margin_rate,
        })
    };
    Ok(made().map(|costs| (Some(costs), words)).map_err(|error| error.to_string()))
}

/// Why a channel keeps the price it shows although another was computed; `None` if it does not.
pub fn keeps(shown: Option<Money>, priced: &Priced, policy: &Policy) -> Option<&'static str> {
    // A price in another currency cannot be compared: it is told anew.
    match reprice(shown, priced.price, priced.floor, policy.band) {
        Ok(Reprice::InsideBand) => Some("the move is inside the band, so the price stays"),
        _ => None,
    }
}
