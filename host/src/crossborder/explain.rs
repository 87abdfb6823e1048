//! The tax of an order in words that a merchant can hand to an accountant.

use entrepot_crossborder::rules::{NOT_ADVICE, RuleSet};
use serde::Serialize;

use super::exchange::{Exchange, exchange};
use super::store::frozen::{self, Credit, DifferenceView, Standing, Version};
use super::{Error, rules, store};
use crate::clock::to_rfc3339;
use crate::ctx::Tenant;
use crate::id::OrderId;
use crate::money::Money;
use crate::store::Sql;

#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The tax in one line.
    pub tax_line: String,
    /// Everything in sentences, in the order in which one would tell it.
    pub words: Vec<String>,
    pub entity: Option<String>,
    pub standing: Standing,
    /// Oldest first; the last one is current unless the order cannot be worked out any more.
    pub versions: Vec<Version>,
    pub credits: Vec<Credit>,
    pub differences: Vec<DifferenceView>,
    /// Where the order is in another currency than the books.
    pub exchange: Option<Exchange>,
    pub notice: &'static str,
}

/// `NotYet` for an order that was not looked at.
pub async fn explain(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Explanation, Error> {
    let Some(standing) = frozen::find(conn, tenant, order).await? else { return Err(Error::NotYet(order.clone())) };
    let versions = frozen::versions(conn, tenant, order).await?;
    let credits = frozen::credits(conn, tenant, order).await?;
    let differences = frozen::differences_of(conn, tenant, order).await?;
    let entity = store::find_entity(conn, tenant, &standing.entity).await?.map(|entity| entity.name);
    let current = versions.iter().find(|version| version.version == standing.version);
    // Titles of sources come from the rules it was frozen under, where they can still be loaded.
    let set = match current {
        Some(current) => rules::rules_of_version(conn, tenant, &current.rule_set).await?,
        None => None,
    };
    let set = match set {
        Some(set) => set,
        None => rules::rules(conn, tenant).await?,
    };
    let (tax_line, mut words) = words(&standing, entity.as_deref(), current, &versions, &credits, &differences, &set);
    let exchange = exchange(conn, tenant, order).await?;
    if let Some(exchange) = &exchange {
        // Before the notice, which ends every answer.
        let end = words.len().saturating_sub(1);
        words.splice(end..end, exchange.words(standing.charged.paid));
    }
    Ok(Explanation { tax_line, words, entity, standing, versions, credits, differences, exchange, notice: NOT_ADVICE })
}

fn words(
    standing: &Standing,
    entity: Option<&str>,
    current: Option<&Version>,
    versions: &[Version],
    credits: &[Credit],
    differences: &[DifferenceView],
    set: &RuleSet,
) -> (String, Vec<String>) {
    let problem = standing.problem.as_deref().unwrap_or("nothing in it could be worked out");
    let Some(current) = current else {
        let line = format!("Order {}: no tax was worked out, because {problem}", standing.number);
        return (line.clone(), vec![line, NOT_ADVICE.to_owned()]);
    };
    let line = current.answer.tax_line();
    let seller = entity.map_or_else(|| "no legal entity (its connection has none)".to_owned(), |name| format!("the legal entity {name}"));
    let mut out = vec![format!(
        "Order {} of {}, sold by {seller} to a {} in {}",
        standing.number,
        standing.sold_on,
        if standing.consumer { "consumer" } else { "business" },
        [Some(current.question.ship_to.as_str()), current.question.region.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", "),
    )];
    if let Some(so_far) = current.question.seller.year_to_date_eur_minor {
        out.push(format!("EU distance sales of the legal entity in the year before this order: EUR {}.{:02}", so_far / 100, so_far % 100));
    }
    let mut told = current.answer.words(set);
    let last = told.pop();
    out.extend(told);
    for (part, taxes) in current.parts.iter().map(|part| (part, part_tax(current, &part.positions))) {
        let name = part.sku.as_deref().unwrap_or(&part.title);
        if let Some((taxable, tax)) = taxes {
            out.push(format!("Line {name}: {taxable} without tax, tax {tax}"));
        }
    }
    out.extend(charged(standing));
    for credit in credits {
        let (what, id) = credit.reference.split_once(':').unwrap_or((&credit.reference, ""));
        let over = if credit.unplaced.is_zero() { String::new() } else { format!("; {} of it is more than was left", credit.unplaced) };
        out.push(match what {
            "refund" => format!(
                "Refund {id} of {}: {} given back, of it {} net and {} tax by version {}{over}",
                credit.booked_on, credit.amount, credit.net, credit.tax, credit.version
            ),
            "cancelled" => format!("Cancelled on {}: {} net and {} tax taken back", credit.booked_on, credit.net, credit.tax),
            _ => format!("The cancelled sale lives again: {} net and {} tax", credit.net, credit.tax),
        });
    }
    for difference in differences.iter().filter(|difference| difference.settled_at.is_none()) {
        out.push(format!("To look at: {}", difference.words));
    }
    if let Some(problem) = &standing.problem {
        out.push(format!("The order has changed since, and the new picture could not be worked out: {problem}"));
    }
    out.push(match versions.len() {
        1 => format!("Frozen on {} and unchanged since", to_rfc3339(current.frozen_at)),
        many => format!("Version {} of {many}, frozen on {}; the earlier ones are kept", current.version, to_rfc3339(current.frozen_at)),
    });
    if !standing.counted {
        out.push("Not paid yet: in no total and no return".to_owned());
    }
    out.extend(last);
    (line, out)
}

/// Taxable amount and tax of the lines of the question that one line of the order became.
fn part_tax(current: &Version, positions: &[usize]) -> Option<(Money, Money)> {
    let zero = Money::zero(current.answer.currency);
    let lines = &current.answer.lines;
    let sum = |pick: fn(&entrepot_crossborder::quote::LineTax) -> Money| {
        positions.iter().try_fold(zero, |sum, at| sum.checked_add(pick(lines.get(*at)?)).ok())
    };
    if lines.is_empty() { None } else { Some((sum(|line| line.taxable)?, sum(|line| line.tax)?)) }
}

fn charged(standing: &Standing) -> Vec<String> {
    let charged = &standing.charged;
    let who = match charged.collector.as_deref() {
        Some("marketplace") => ", collected by the channel",
        Some(_) => ", collected by the seller",
        None => "",
    };
    let mut out = vec![match charged.tax {
        Some(tax) => format!("The channel charged {tax} tax{who}"),
        None => "The channel reports no tax".to_owned(),
    }];
    for line in charged.lines.iter().filter(|line| !line.taxes.is_empty()) {
        let taxes: Vec<String> = line
            .taxes
            .iter()
            .map(|tax| {
                let rate = tax.rate.as_deref().map_or(String::new(), |rate| format!(" at {rate}"));
                format!("{} {}{rate} ({})", tax.title, tax.amount, tax.collector)
            })
            .collect();
        out.push(format!("The channel's line {}: {}", line.line, taxes.join(", ")));
    }
    out
}
