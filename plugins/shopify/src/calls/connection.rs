//! Who the shop is, and its locations.

use super::{Shop, list, next_page, text};
use crate::contract::{Account, Document, Failure};
use crate::requests;
use crate::translate;

/// What the connector cannot do without.
const SCOPES: [&str; 5] = ["read_orders", "read_products", "read_inventory", "write_inventory", "read_locations"];

pub fn check(shop: &Shop<'_>) -> Result<Account, Failure> {
    let answer = shop.ask(&requests::shop())?;
    // The address is behind no scope today; a shop that refuses it is still a shop.
    let country = shop.ask(&requests::shop_address()).ok();
    let country = country.and_then(|answer| text(&answer.data, &["shop", "shopAddress", "countryCodeV2"]).map(str::to_owned));
    let account = translate::account(&answer.data, country).map_err(|refusal| refusal.into_failure("The shop's account"))?;
    let has = |scope: &str| {
        let writes = scope.replacen("read_", "write_", 1);
        account.scopes.iter().any(|granted| granted == scope || *granted == writes)
    };
    let missing: Vec<&str> = SCOPES.into_iter().filter(|scope| !has(scope)).collect();
    if !account.scopes.is_empty() && !missing.is_empty() {
        return Err(Failure::new(
            crate::contract::Fault::Permission,
            format!("The app lacks the access scopes {}; add them to the app and release a new version of it.", missing.join(", ")),
        ));
    }
    Ok(account)
}

pub fn describe(shop: &Shop<'_>, what: &str) -> Result<Vec<Document>, Failure> {
    match what {
        "locations" => locations(shop),
        // The shop takes any carrier's name.
        "carriers" => Ok(Vec::new()),
        _ => Err(Failure::unsupported(format!("Shopify has no list of \"{what}\"; there are locations, carriers."))),
    }
}

fn locations(shop: &Shop<'_>) -> Result<Vec<Document>, Failure> {
    let mut locations = Vec::new();
    let mut after = None;
    loop {
        let answer = shop.ask(&requests::locations(after.as_deref()))?;
        for document in list(&answer.data, &["locations", "nodes"]) {
            locations.push(translate::location(document).map_err(|refusal| refusal.into_failure("location"))?);
        }
        after = answer.data.get("locations").and_then(next_page);
        if after.is_none() {
            return Ok(locations);
        }
    }
}
