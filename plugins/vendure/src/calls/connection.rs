//! Who the shop is, and its stock locations.

use super::{Shop, rows};
use crate::contract::{Account, Document, Failure, Fault};
use crate::requests::{self, MANY};
use crate::translate;

pub fn check(shop: &Shop<'_>) -> Result<Account, Failure> {
    let answer = shop.ask(&requests::shop()).map_err(|failure| match failure.fault {
        // Any key may ask this much, so it is the key.
        Fault::Permission => Failure { fault: Fault::Auth, ..failure },
        _ => failure,
    })?;
    translate::account(&answer.data).map_err(|refusal| refusal.into_failure("The shop's account"))
}

pub fn describe(shop: &Shop<'_>, what: &str) -> Result<Vec<Document>, Failure> {
    match what {
        "locations" => locations(shop),
        // The shop takes any carrier's name.
        "carriers" => Ok(Vec::new()),
        _ => Err(Failure::unsupported(format!("Vendure has no list of \"{what}\"; there are locations, carriers."))),
    }
}

pub(super) fn locations(shop: &Shop<'_>) -> Result<Vec<Document>, Failure> {
    let mut locations = Vec::new();
    loop {
        let answer = shop.ask(&requests::locations(locations.len()))?;
        let page = rows(&answer.data, "stockLocations");
        for document in page {
            locations.push(translate::location(document).map_err(|refusal| refusal.into_failure("stock location"))?);
        }
        if page.len() < MANY {
            return Ok(locations);
        }
    }
}
