//! How much of a variant channels may be shown, before what the merchant holds back for a channel or a listing.
//!
//! A kit is worth what its scarcest component allows. Units kept safe are taken off where they are kept: per place at the
//! place, a component's own from the component. What orders may take is never lowered here.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Level;
use super::{Error, store};
use crate::catalog;
use crate::ctx::Tenant;
use crate::id::{LocationId, VariantId};
use crate::store::Sql;

/// One variant that is counted, and how much of it one unit of what is sold takes.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Share {
    variant: VariantId,
    per_unit: i64,
    /// Over all places; of a variant sold as it is, the listing takes its own off.
    safety: i64,
    at: BTreeMap<LocationId, i64>,
}

/// What can be shown of one variant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sellable {
    shares: Vec<Share>,
    kit: bool,
}

impl Sellable {
    /// Sold as it is.
    pub fn plain(variant: &VariantId, levels: &[Level]) -> Self {
        let share = Share { variant: variant.clone(), per_unit: 1, safety: 0, at: by_place(levels) };
        Self { shares: vec![share], kit: false }
    }

    /// Of (component, units of it in one kit, units of it kept safe, levels).
    pub fn kit<'a>(components: impl IntoIterator<Item = (&'a VariantId, i64, i64, &'a [Level])>) -> Self {
        let share = |(variant, per_unit, safety, levels): (&VariantId, i64, i64, &[Level])| Share {
            variant: variant.clone(),
            per_unit,
            safety,
            at: by_place(levels),
        };
        Self { shares: components.into_iter().map(share).collect(), kit: true }
    }

    pub fn is_kit(&self) -> bool {
        self.kit
    }

    /// What is counted when this is sold.
    pub fn counted(&self) -> impl Iterator<Item = &VariantId> {
        self.shares.iter().map(|share| &share.variant)
    }

    /// Whole units over some places, or over all. `kept`: units of a counted variant that somebody else alone is shown.
    pub fn total(&self, among: Option<&BTreeSet<LocationId>>, kept: impl Fn(&VariantId) -> i64) -> i64 {
        let of = |share: &Share| {
            let here = share.at.iter().filter(|(place, _)| among.is_none_or(|among| among.contains(place)));
            let units: i64 = here.map(|(_, units)| units).sum();
            (units - share.safety - kept(&share.variant)).div_euclid(share.per_unit)
        };
        self.shares.iter().map(of).min().unwrap_or(0)
    }

    /// Whole units that one place can hand out by itself.
    pub fn at(&self, place: &LocationId) -> i64 {
        self.shares.iter().map(|share| share.at.get(place).copied().unwrap_or(0).div_euclid(share.per_unit)).min().unwrap_or(0)
    }
}

fn by_place(levels: &[Level]) -> BTreeMap<LocationId, i64> {
    levels.iter().map(|level| (level.location.clone(), level.showable())).collect()
}

pub async fn sellable(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Sellable>, Error> {
    let recipes = catalog::recipes(conn, tenant, variants).await?;
    let components: BTreeSet<&VariantId> = recipes.values().flat_map(|recipe| recipe.keys()).collect();
    let plain = variants.iter().filter(|variant| !recipes.contains_key(variant));
    let counted: Vec<VariantId> = plain.chain(components.iter().copied()).cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let levels = store::levels_of(conn, tenant, &counted).await?;
    let components: Vec<VariantId> = components.into_iter().cloned().collect();
    let safety = catalog::safety_of(conn, tenant, &components).await?;
    let at = |variant: &VariantId| levels.get(variant).map_or(&[] as &[Level], Vec::as_slice);
    let of = |variant: &VariantId| match recipes.get(variant) {
        None => Sellable::plain(variant, at(variant)),
        Some(recipe) => Sellable::kit(recipe.iter().map(|(c, per_unit)| (c, *per_unit, safety.get(c).copied().unwrap_or(0), at(c)))),
    };
    Ok(variants.iter().map(|variant| (variant.clone(), of(variant))).collect())
}
