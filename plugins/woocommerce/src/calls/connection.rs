//! Who the shop is.

use super::Shop;
use crate::contract::{Account, Document, Failure};
use crate::requests;
use crate::translate::{self, ShopDocuments};

/// Reading orders by the time of their change came with this version; earlier ones ignore the bound without a word.
const OLDEST: (u32, u32) = (5, 8);

/// The currency is behind the key, so it proves the credential; the rest adds to the picture where the key may see it.
pub fn check(shop: &Shop<'_>) -> Result<Account, Failure> {
    let currency = shop.ask(&requests::current_currency())?.document;
    // Orders are what the connection is for: a key that may not read them is of no use.
    shop.ask(&requests::orders_page(shop.hub.now(), "any", 0, 1))?;
    let optional = [requests::index(), requests::general_settings(), requests::system_status()];
    let mut answers = shop.ask_all(&optional).into_iter().map(|answer| answer.ok().map(|answer| answer.document));
    let documents =
        ShopDocuments { currency, index: answers.next().flatten(), general: answers.next().flatten(), status: answers.next().flatten() };
    if let Some(version) = translate::version(documents.status.as_ref()).filter(|version| is_too_old(version)) {
        return Err(Failure::config(format!(
            "The shop runs WooCommerce {version}; this connector needs {}.{} or newer. Update the shop.",
            OLDEST.0, OLDEST.1
        )));
    }
    translate::account(&documents, &shop.settings.origin).map_err(|refusal| refusal.into_failure("The shop's settings"))
}

/// WooCommerce keeps one quantity per product: it has no locations. Its core knows no carriers either.
pub fn describe(shop: &Shop<'_>, what: &str) -> Result<Vec<Document>, Failure> {
    match what {
        "locations" | "carriers" => Ok(Vec::new()),
        "shipping-methods" => {
            let answer = shop.ask(&requests::shipping_methods())?;
            let methods = answer.document.as_array().map(Vec::as_slice).unwrap_or_default();
            (methods.iter())
                .map(|method| translate::shipping_method(method).map_err(|refusal| refusal.into_failure("shipping method")))
                .collect()
        }
        _ => Err(Failure::unsupported(format!("WooCommerce has no list of \"{what}\"; there are locations, carriers, shipping-methods."))),
    }
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}
