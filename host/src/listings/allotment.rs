//! How much of a variant one connection may show, over all its listings; beside it stands what a single listing may show.
//!
//! Allotments only ever lower what is published. What an order takes, it takes from everything there is.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::model::WHOLE_BPS;
use super::store;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, VariantId};
use crate::store::{Sql, WriteTx};

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allotment {
    /// The last units are shown on this connection only, as far as it lists the variant.
    #[serde(default)]
    pub at_least: i64,
    /// Never more than this on this connection.
    #[serde(default)]
    pub at_most: Option<i64>,
    /// Part of what could be shown, in 1/10000.
    #[serde(default = "whole")]
    pub share_bps: i64,
}

fn whole() -> i64 {
    WHOLE_BPS
}

impl Default for Allotment {
    fn default() -> Self {
        Self { at_least: 0, at_most: None, share_bps: WHOLE_BPS }
    }
}

impl Allotment {
    fn check(&self) -> Result<(), Error> {
        let refuse = |field, value, remedy| Err(Error::Publication { field, value, remedy });
        match self {
            Self { at_least, .. } if *at_least < 0 => refuse("the least", *at_least, "give zero or more units"),
            Self { at_most: Some(most), .. } if *most < 0 => refuse("the most", *most, "give zero or more units, or none"),
            Self { at_least, at_most: Some(most), .. } if at_least > most => {
                refuse("the least", *at_least, "give no more than the most this connection may show")
            }
            Self { share_bps, .. } if !(0..=WHOLE_BPS).contains(share_bps) => {
                refuse("the share", *share_bps, "give 0 to 10000, in 1/10000")
            }
            _ => Ok(()),
        }
    }

    /// The connection's part of `sellable` units, of which what is kept for others is taken off already.
    pub fn pool(&self, sellable: i64) -> i64 {
        let sellable = sellable.max(0);
        let share = i128::from(sellable) * i128::from(self.share_bps.clamp(0, WHOLE_BPS)) / i128::from(WHOLE_BPS);
        let share = i64::try_from(share).unwrap_or(sellable);
        share.max(self.at_least.min(sellable)).min(self.at_most.unwrap_or(i64::MAX))
    }
}

/// A row as the merchant has set it. No variant: for all that have none of their own.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Allotted {
    pub connection: ConnectionId,
    pub variant: Option<VariantId>,
    #[serde(flatten)]
    pub allotment: Allotment,
}

/// What the rows mean for one connection and some variants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allotments {
    own: BTreeMap<VariantId, Allotment>,
    kept: BTreeMap<VariantId, i64>,
}

impl Allotments {
    pub fn of(&self, variant: &VariantId) -> Allotment {
        self.own.get(variant).copied().unwrap_or_default()
    }

    /// Units that other connections alone are shown.
    pub fn kept_for_others(&self, variant: &VariantId) -> i64 {
        self.kept.get(variant).copied().unwrap_or(0)
    }

    /// `listed`: which other connections offer which variants.
    fn resolve(connection: &ConnectionId, variants: &[VariantId], rows: &[Allotted], listed: &BTreeSet<(ConnectionId, VariantId)>) -> Self {
        let named = |of: &ConnectionId, variant: Option<&VariantId>| {
            rows.iter().find(|row| row.connection == *of && row.variant.as_ref() == variant).map(|row| row.allotment)
        };
        let of = |connection: &ConnectionId, variant: &VariantId| named(connection, Some(variant)).or_else(|| named(connection, None));
        let others: BTreeSet<&ConnectionId> = rows.iter().map(|row| &row.connection).filter(|other| *other != connection).collect();
        let mut found = Self::default();
        for variant in variants {
            if let Some(own) = of(connection, variant) {
                found.own.insert(variant.clone(), own);
            }
            let keeps = |other: &&&ConnectionId| listed.contains(&((**other).clone(), variant.clone()));
            let kept: i64 = others.iter().filter(keeps).filter_map(|other| of(other, variant)).map(|allotment| allotment.at_least).sum();
            if kept > 0 {
                found.kept.insert(variant.clone(), kept);
            }
        }
        found
    }
}

/// What the merchant's rows mean for one connection and these variants.
pub async fn allotments(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    variants: &[VariantId],
) -> Result<Allotments, Error> {
    let rows = store::allotment::of_variants(conn, tenant, variants).await?;
    if rows.is_empty() {
        return Ok(Allotments::default());
    }
    let keeps = rows.iter().any(|row| row.connection != *connection && row.allotment.at_least > 0);
    let listed = if keeps { store::allotment::listed(conn, tenant, variants).await? } else { BTreeSet::new() };
    Ok(Allotments::resolve(connection, variants, &rows, &listed))
}

/// Every row, by connection.
pub async fn list_allotments(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Vec<Allotted>, Error> {
    store::allotment::list(conn, tenant, connection).await
}

/// Sets one row, or takes it away. Returns whether that is a change.
pub async fn set_allotment(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    variant: Option<&VariantId>,
    allotment: Option<&Allotment>,
) -> Result<bool, Error> {
    match allotment {
        Some(allotment) => {
            allotment.check()?;
            store::allotment::put(tx, ctx, connection, variant, allotment).await
        }
        None => store::allotment::remove(tx, ctx, connection, variant).await,
    }
}

#[cfg(test)]
mod tests;
