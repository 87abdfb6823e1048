//! What the law keeps off a market: safety facts that an offer must show, registrations, batteries, restricted goods.
//!
//! A connection that was told which countries it sells to (`crossborder channel set --sells-to`) puts no goods on sale that one
//! of these countries' gates are closed for: a quantity above what it shows is held with the reasons, and no plan lets it
//! through; only the missing facts do. A smaller quantity always goes out.

use std::collections::BTreeMap;

use super::{Error, guards, store};
use crate::catalog::{self, Variant};
use crate::connections::Connection;
use crate::crossborder::{self, Goods, GoodsFacts};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, VariantId};
use crate::lanes;
use crate::store::{Sql, WriteTx};

/// Reasons that are named; the rest is counted.
const NAMED: usize = 2;

/// Why these variants must not be put on sale over a connection. Those that may are in no answer.
pub async fn closed(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    variants: &[VariantId],
) -> Result<BTreeMap<VariantId, String>, Error> {
    let mut closed = BTreeMap::new();
    let Some(profile) = crossborder::channel(conn, &ctx.tenant, &connection.id).await? else { return Ok(closed) };
    if profile.facts.sells_to.is_empty() {
        return Ok(closed);
    }
    let entity = crossborder::get_entity(conn, &ctx.tenant, profile.entity.as_str()).await?;
    let rules = crossborder::rules(conn, &ctx.tenant).await?;
    let known = catalog::find_many(conn, &ctx.tenant, variants).await?;
    let facts = crossborder::goods_of(conn, &ctx.tenant, variants).await?;
    let today = crossborder::day(ctx.now_ms(), &jiff::tz::TimeZone::UTC);
    for (id, variant) in &known {
        let nothing = GoodsFacts::default();
        let goods = goods(variant, facts.get(id).unwrap_or(&nothing));
        let mut reasons = Vec::new();
        for country in &profile.facts.sells_to {
            let gates = crossborder::gates(&rules, &goods, Some(&entity.facts), country, None, today)?;
            reasons.extend(gates.closed.into_iter().map(|gate| format!("{country}: {}", gate.reason)));
        }
        if !reasons.is_empty() {
            closed.insert(id.clone(), told(&reasons, &variant.facts.sku.to_string()));
        }
    }
    Ok(closed)
}

fn told(reasons: &[String], sku: &str) -> String {
    let more = match reasons.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let first = reasons.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    format!("held: not put on sale, because {first}{more}; hint: `entrepot crossborder gates {sku} --to COUNTRY` shows all")
}

/// What the gates ask of a variant.
pub fn goods<'a>(variant: &'a Variant, facts: &'a GoodsFacts) -> Goods<'a> {
    Goods {
        sku: variant.facts.sku.as_str(),
        hs: variant.facts.hs_code.as_ref().map(catalog::HsCode::as_str),
        origin: variant.facts.origin.as_ref().map(catalog::Country::as_str),
        weight_g: variant.facts.weight_g,
        facts,
    }
}

/// Facts have changed: what is held is judged anew, at one connection or at all that were told where they sell.
pub async fn facts_changed(tx: &mut WriteTx, ctx: &Ctx, only: Option<&ConnectionId>) -> Result<(), Error> {
    let gated: Vec<ConnectionId> = match only {
        Some(one) => vec![one.clone()],
        None => {
            let channels = crossborder::channels(tx, &ctx.tenant).await?.into_iter();
            channels.filter(|profile| !profile.facts.sells_to.is_empty()).map(|profile| profile.connection).collect()
        }
    };
    let mut due: Vec<_> = gated.iter().flat_map(guards::push_lanes).collect();
    due.sort();
    lanes::make_due_many(tx, ctx, &due, ctx.now_ms()).await?;
    for connection in &gated {
        store::judge_anew(tx, ctx, connection, None).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_reasons_is_cut_and_counted() {
        let reasons: Vec<String> = (1..=4).map(|n| format!("DE: reason {n}")).collect();
        let text = told(&reasons, "MUG");
        assert!(text.contains("reason 2; and 2 more; hint: `entrepot crossborder gates MUG"), "{text}");
        assert!(!told(&reasons[..1], "MUG").contains("more"));
    }
}
