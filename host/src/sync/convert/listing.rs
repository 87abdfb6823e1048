//! Listings: from the contract's record to the hub's.

use super::{Refusal, decimal, external_id, extras, instant, money, refuse};
use crate::listings::{ChannelListing, Status, Tracking};
use crate::plugins::wire::commerce;

pub fn listing(listing: commerce::Listing) -> Result<ChannelListing, Refusal> {
    let price = listing.price.map(|price| {
        // Known currency, plain decimal; a price list may carry more decimals than a booked amount.
        money("price", "0", &price.currency)?;
        Ok::<_, Refusal>((decimal("price", &price.amount)?, price.currency))
    });
    let gtin = listing.gtin.filter(|gtin| !gtin.trim().is_empty());
    let mut levels = Vec::new();
    for level in listing.levels {
        let location = level.location.filter(|location| !location.is_empty());
        if levels.iter().any(|(known, _)| *known == location) {
            return refuse("levels", format!("location `{}` appears twice", location.unwrap_or_default()));
        }
        levels.push((location, i64::from(level.quantity)));
    }
    Ok(ChannelListing {
        external_id: external_id("external-id", listing.external_id)?,
        parent: listing.parent,
        sku: listing.sku.map(|sku| sku.trim().to_owned()).filter(|sku| !sku.is_empty()),
        gtin: gtin.map(|gtin| gtin.trim().to_owned()),
        title: listing.title,
        options: listing.options,
        status: match listing.status {
            commerce::ListingStatus::Active => Status::Active,
            commerce::ListingStatus::Draft => Status::Draft,
            commerce::ListingStatus::Archived => Status::Archived,
            commerce::ListingStatus::Other => Status::Other,
        },
        price: price.transpose()?,
        tracking: match listing.tracking {
            commerce::StockTracking::Tracked => Tracking::Tracked,
            commerce::StockTracking::Untracked => Tracking::Untracked,
            commerce::StockTracking::Parent => Tracking::Parent,
        },
        levels,
        weight_g: listing.weight_g,
        hs_code: listing.hs_code,
        origin: listing.origin,
        url: listing.url,
        updated_at: listing.updated_at.map(|at| instant("updated-at", &at)).transpose()?,
        handles: serde_json::to_value(extras("handles", listing.handles)?).unwrap_or_default(),
        extras: serde_json::to_value(extras("listing", listing.extras)?).unwrap_or_default(),
    })
}
