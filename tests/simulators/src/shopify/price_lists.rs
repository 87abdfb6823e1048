//! Price lists: prices of their own for other markets or groups of buyers, beside the ones of the catalogue.

use std::collections::BTreeMap;

use apollo_compiler::resolvers::FieldError;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::shopify::facts::{gid, number};
use crate::shopify::graph::Slot;
use crate::shopify::mutations::{UserError, text, user_errors};
use crate::shopify::page::{Row, page};
use crate::shopify::search::{Facet, Search};
use crate::shopify::state::State;
use crate::shopify::thing::Thing;

#[derive(Clone, Debug)]
pub(crate) struct PriceList {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) currency: String,
    /// Price and struck-through price by variant.
    pub(crate) fixed: BTreeMap<i64, (Decimal, Option<Decimal>)>,
}

pub(crate) fn facts(list: &PriceList) -> Value {
    json!({
        "id": gid("PriceList", list.id), "name": list.name, "currency": list.currency, "fixedPricesCount": list.fixed.len(),
        "catalog": null, "parent": null,
    })
}

fn row(list: &PriceList, variant: i64, (price, compare_at): (Decimal, Option<Decimal>)) -> Slot {
    let money = |amount: Decimal| json!({ "amount": amount.to_string(), "currencyCode": list.currency });
    Slot::Payload(
        "PriceListPrice",
        vec![
            ("compareAtPrice", Slot::Value(compare_at.map_or(Value::Null, money))),
            ("originType", Slot::Value(json!("FIXED"))),
            ("price", Slot::Value(money(price))),
            ("variant", Slot::One(Thing::Variant(variant))),
        ],
    )
}

/// Only fixed prices are simulated: a list without an adjustment has no others.
pub(crate) fn prices(list: &PriceList, args: &Value) -> Result<Slot, FieldError> {
    let search = Search::parse(text(args, "query").unwrap_or_default());
    let wanted = |variant: i64| {
        search.matches(|field| match field {
            "variant_id" => Some(Facet::Number(variant)),
            _ => None,
        })
    };
    let none = text(args, "originType") == Some("RELATIVE");
    let rows = list.fixed.iter().filter(|(variant, _)| !none && wanted(**variant));
    page(rows.map(|(variant, price)| Row::of(*variant, row(list, *variant, *price))).collect(), args, false).map(Slot::Page)
}

pub(crate) fn add_fixed(state: &mut State, args: &Value) -> Slot {
    let decimal = |money: &Value| money.get("amount").and_then(Value::as_str).and_then(|text| text.parse::<Decimal>().ok());
    let inputs = args["prices"].as_array().cloned().unwrap_or_default();
    let id = text(args, "priceListId").and_then(|id| number(id, "PriceList")).unwrap_or_default();
    let mut errors = Vec::new();
    let mut good = Vec::new();
    match state.price_lists.get(&id) {
        None => errors.push(UserError::coded("PRICE_LIST_NOT_FOUND", &["priceListId"], "Price list does not exist.")),
        Some(list) => {
            for (index, input) in inputs.iter().enumerate() {
                let at = index.to_string();
                let variant = text(input, "variantId").and_then(|id| number(id, "ProductVariant"));
                let currency = text(&input["price"], "currencyCode");
                match (variant.filter(|id| state.variants.contains_key(id)), decimal(&input["price"])) {
                    (None, _) => {
                        let path = ["prices", &at, "variantId"];
                        errors.push(UserError::coded("VARIANT_NOT_FOUND", &path, "Product variant does not exist."));
                    }
                    _ if currency != Some(&list.currency) => {
                        let path = ["prices", &at, "price", "currencyCode"];
                        let message = "The currency of the price must be that of the price list.";
                        errors.push(UserError::coded("PRICE_LIST_CURRENCY_MISMATCH", &path, message));
                    }
                    (Some(_), None) => errors.push(UserError::coded("BLANK", &["prices", &at, "price"], "Price can't be blank.")),
                    (Some(variant), Some(price)) => good.push((variant, (price, decimal(&input["compareAtPrice"])))),
                }
            }
        }
    }
    // All or nothing, as the channel does.
    let rows = match state.price_lists.get_mut(&id) {
        Some(list) if errors.is_empty() => {
            list.fixed.extend(good.iter().copied());
            let list = list.clone();
            Slot::Many(good.into_iter().map(|(variant, price)| row(&list, variant, price)).collect())
        }
        _ => Slot::null(),
    };
    Slot::Payload("PriceListFixedPricesAddPayload", vec![("prices", rows), ("userErrors", user_errors(&errors))])
}
