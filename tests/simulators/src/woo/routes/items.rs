//! Writing to a product or a variation: which fields are taken, which are ignored as the real shop ignores them.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::woo::model::{Item, ManageStock, Meta, StockWriter};
use crate::woo::routes::ApiError;
use crate::woo::state::State;

/// Properties the documents call read-only; writing them changes nothing.
const READ_ONLY: [&str; 24] = [
    "permalink",
    "date_created",
    "date_created_gmt",
    "date_modified",
    "date_modified_gmt",
    "price",
    "price_html",
    "on_sale",
    "purchasable",
    "total_sales",
    "backorders_allowed",
    "backordered",
    "shipping_required",
    "shipping_taxable",
    "shipping_class_id",
    "average_rating",
    "rating_count",
    "related_ids",
    "variations",
    "_links",
    "attributes",
    "images",
    "categories",
    "tags",
];
/// Properties that are taken without being simulated further.
const ACCEPTED: [&str; 20] = [
    "id",
    "name",
    "slug",
    "type",
    "featured",
    "catalog_visibility",
    "short_description",
    "tax_status",
    "tax_class",
    "sold_individually",
    "dimensions",
    "shipping_class",
    "reviews_allowed",
    "purchase_note",
    "menu_order",
    "image",
    "low_stock_amount",
    "downloads",
    "default_attributes",
    "downloadable",
];

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(ApiError::invalid_param(name, &format!("{name} is not of type string."))),
    }
}

fn price(body: &Map<String, Value>, name: &str) -> Result<Option<Option<Decimal>>, ApiError> {
    let Some(text) = text(body, name)? else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(Some(None));
    }
    let parsed = text.parse().map_err(|_| ApiError::invalid_param(name, &format!("{name} is not a decimal.")))?;
    Ok(Some(Some(parsed)))
}

/// WordPress takes `5`, `5.0` and `"5"` for an integer.
fn integer(body: &Map<String, Value>, name: &str) -> Result<Option<i64>, ApiError> {
    let wrong = || ApiError::invalid_param(name, &format!("{name} is not of type integer."));
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => {
            let exact: Decimal = number.to_string().parse().map_err(|_| wrong())?;
            if exact.is_integer() { exact.try_into().map(Some).map_err(|_| wrong()) } else { Err(wrong()) }
        }
        Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

fn boolean(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, ApiError> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text == "true" || text == "1" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" || text == "0" => Ok(Some(false)),
        Some(_) => Err(ApiError::invalid_param(name, &format!("{name} is not of type boolean."))),
    }
}

fn choice<'a>(body: &'a Map<String, Value>, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, ApiError> {
    match text(body, name)? {
        Some(value) if !allowed.contains(&value) => {
            Err(ApiError::invalid_param(name, &format!("{name} is not one of {}.", allowed.join(", "))))
        }
        other => Ok(other),
    }
}

/// Checks the whole body first, then applies it: a refused item changes nothing.
pub(super) fn apply(state: &mut State, id: i64, body: &Map<String, Value>, now: i64) -> Result<(), ApiError> {
    let manage = match body.get("manage_stock") {
        Some(Value::String(word)) if word == "parent" => Some(ManageStock::Parent),
        _ => boolean(body, "manage_stock")?.map(|own| if own { ManageStock::Own } else { ManageStock::No }),
    };
    let quantity = integer(body, "stock_quantity")?;
    let stock_status = choice(body, "stock_status", &["instock", "outofstock", "onbackorder"])?;
    let backorders = choice(body, "backorders", &["no", "notify", "yes"])?;
    let status = choice(body, "status", &["draft", "pending", "private", "publish"])?;
    let regular_price = price(body, "regular_price")?;
    let sale_price = price(body, "sale_price")?;
    let sku = text(body, "sku")?;
    if let Some(sku) = sku.filter(|sku| !sku.is_empty())
        && state.find_sku(sku).is_some_and(|other| other.id != id)
    {
        return Err(ApiError::new(400, "product_invalid_sku", "Invalid or duplicated SKU."));
    }
    let (name, description) = (text(body, "name")?, text(body, "description")?);
    let (gtin, weight) = (text(body, "global_unique_id")?, text(body, "weight")?);
    let is_virtual = boolean(body, "virtual")?;
    let metas = meta_data(body)?;
    complain(state, body);

    let fresh_ids: Vec<i64> = metas.iter().map(|_| state.next_id()).collect();
    let Some(item) = state.items.get_mut(&id) else {
        return Ok(());
    };
    let set = |slot: &mut String, value: Option<&str>| {
        if let Some(value) = value {
            value.clone_into(slot);
        }
    };
    set(&mut item.name, name);
    set(&mut item.description, description);
    set(&mut item.sku, sku);
    set(&mut item.gtin, gtin);
    set(&mut item.weight, weight);
    set(&mut item.status, status);
    set(&mut item.backorders, backorders);
    item.manage_stock = manage.unwrap_or(item.manage_stock);
    item.regular_price = regular_price.unwrap_or(item.regular_price);
    item.sale_price = sale_price.unwrap_or(item.sale_price);
    item.is_virtual = is_virtual.unwrap_or(item.is_virtual);
    if item.manage_stock == ManageStock::No
        && let Some(status) = stock_status
    {
        item.in_stock = status != "outofstock";
    }
    merge_meta(&mut item.meta, metas, fresh_ids);
    item.modified_at = now;
    write_quantity(state, id, quantity, now);
    state.announce("product.updated", id);
    Ok(())
}

/// A quantity counts only where the item itself counts; elsewhere the shop drops it without a word.
fn write_quantity(state: &mut State, id: i64, quantity: Option<i64>, now: i64) {
    let Some(quantity) = quantity else { return };
    let own = state.items.get(&id).is_some_and(|item: &Item| item.manage_stock == ManageStock::Own);
    if own {
        state.write_stock(id, quantity, StockWriter::Api, now);
    } else {
        state.oddities.push(format!("stock_quantity for item {id}, which does not count itself: ignored"));
    }
}

fn complain(state: &mut State, body: &Map<String, Value>) {
    const TAKEN: [&str; 15] = [
        "manage_stock",
        "stock_quantity",
        "stock_status",
        "backorders",
        "status",
        "regular_price",
        "sale_price",
        "sku",
        "name",
        "description",
        "global_unique_id",
        "weight",
        "virtual",
        "meta_data",
        "parent_id",
    ];
    for name in body.keys().map(String::as_str) {
        if READ_ONLY.contains(&name) {
            state.oddities.push(format!("product field {name} is read-only or not simulated: ignored"));
        } else if !TAKEN.contains(&name) && !ACCEPTED.contains(&name) {
            state.oddities.push(format!("product field {name} is not documented: ignored"));
        }
    }
}

/// (id, key, value) of every custom field in a request.
pub(super) fn meta_data(body: &Map<String, Value>) -> Result<Vec<(Option<i64>, String, Value)>, ApiError> {
    let wrong = || ApiError::invalid_param("meta_data", "meta_data is not of type array.");
    let Some(list) = body.get("meta_data") else {
        return Ok(Vec::new());
    };
    let list = list.as_array().ok_or_else(wrong)?;
    list.iter()
        .map(|entry| {
            let key = entry.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok((entry.get("id").and_then(Value::as_i64), key, entry.get("value").cloned().unwrap_or(Value::Null)))
        })
        .collect()
}

/// By id where one is given, else by key; a null value removes the field.
pub(super) fn merge_meta(kept: &mut Vec<Meta>, given: Vec<(Option<i64>, String, Value)>, fresh_ids: Vec<i64>) {
    for ((id, key, value), fresh) in given.into_iter().zip(fresh_ids) {
        let at = kept.iter().position(|meta| id.map_or(meta.key == key, |id| meta.id == id));
        match at {
            Some(at) if value.is_null() => {
                kept.remove(at);
            }
            Some(at) => kept[at].value = value,
            None if value.is_null() => {}
            None => kept.push(Meta { id: fresh, key, value }),
        }
    }
}
