//! The writes an app may make. What is wrong with the input comes back as `userErrors` beside a null payload; what is wrong
//! with the request itself (a missing directive, a missing field) is an error of the whole field.

use apollo_compiler::resolvers::{FieldError, ResolveInfo};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::shopify::facts::{gid, number};
use crate::shopify::graph::{Ctx, Slot, error};
use crate::shopify::model::{Parcel, Subscription};
use crate::shopify::shipping::Shipment;
use crate::shopify::state::{Resource, State};
use crate::shopify::thing::Thing;
use crate::shopify::{bulk, order_writes, price_lists, quantities};

/// One entry of `userErrors`.
pub(crate) struct UserError {
    pub(crate) code: Option<&'static str>,
    pub(crate) field: Vec<String>,
    pub(crate) message: String,
}

impl UserError {
    pub(crate) fn new(field: &[&str], message: impl Into<String>) -> Self {
        let field = field.iter().map(|part| (*part).to_owned()).collect();
        Self { code: None, field, message: message.into() }
    }

    pub(crate) fn coded(code: &'static str, field: &[&str], message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(field, message) }
    }
}

pub(crate) fn user_errors(errors: &[UserError]) -> Slot {
    let shown = errors.iter().map(|error| {
        let field = if error.field.is_empty() { Value::Null } else { json!(error.field) };
        json!({ "code": error.code, "field": field, "message": error.message })
    });
    Slot::Value(shown.collect())
}

fn payload(name: &'static str, field: &'static str, result: Result<Slot, Vec<UserError>>) -> Slot {
    let (slot, errors) = match result {
        Ok(slot) => (slot, Vec::new()),
        Err(errors) => (Slot::null(), errors),
    };
    Slot::Payload(name, vec![(field, slot), ("userErrors", user_errors(&errors))])
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

pub(crate) fn run(ctx: &Ctx<'_>, info: &ResolveInfo<'_>, args: &Value) -> Result<Slot, FieldError> {
    let key = info.field_selections().first().map(|field| field.response_key().to_string()).unwrap_or_default();
    match info.field_name() {
        "inventorySetQuantities" => quantities::set(ctx, &key, args),
        "inventoryAdjustQuantities" => quantities::adjust(ctx, &key, args),
        "inventoryActivate" => quantities::activate(ctx, &key, args),
        "refundCreate" => order_writes::refund(ctx, &key, args),
        "orderCancel" => Ok(ctx.write(|state| order_writes::cancel(state, args, ctx.now))),
        "orderUpdate" => {
            let result = ctx.write(|state| order_writes::update(state, &args["input"], ctx.now));
            Ok(payload("OrderUpdatePayload", "order", result))
        }
        "tagsAdd" => {
            let result = ctx.write(|state| order_writes::add_tags(state, args, ctx.now));
            Ok(payload("TagsAddPayload", "node", result))
        }
        "fulfillmentCreate" => {
            let result = ctx.write(|state| create_fulfillment(state, &args["fulfillment"], ctx.now));
            Ok(payload("FulfillmentCreatePayload", "fulfillment", result))
        }
        "fulfillmentTrackingInfoUpdate" => {
            let result = ctx.write(|state| update_tracking(state, args, ctx.now));
            Ok(payload("FulfillmentTrackingInfoUpdatePayload", "fulfillment", result))
        }
        "fulfillmentCancel" => {
            let result = ctx.write(|state| {
                let id = text(args, "id").and_then(|id| number(id, "Fulfillment"));
                let known = id.and_then(|id| state.fulfillments.get(&id)).filter(|known| known.status == "SUCCESS");
                let id = known.map(|known| known.id).ok_or_else(|| vec![UserError::new(&["id"], "Fulfillment not found.")])?;
                state.unship(id, ctx.now);
                Ok(Slot::One(Thing::Fulfillment(id)))
            });
            Ok(payload("FulfillmentCancelPayload", "fulfillment", result))
        }
        "priceListFixedPricesAdd" => Ok(ctx.write(|state| price_lists::add_fixed(state, args))),
        "bulkOperationRunQuery" => Ok(bulk::run(ctx, args)),
        "bulkOperationCancel" => Ok(bulk::cancel(ctx, args)),
        "productVariantsBulkUpdate" => Ok(ctx.write(|state| update_variants(state, args, ctx.now))),
        "webhookSubscriptionCreate" => {
            let result = ctx.write(|state| subscribe(state, args, ctx.now));
            Ok(payload("WebhookSubscriptionCreatePayload", "webhookSubscription", result))
        }
        "webhookSubscriptionUpdate" => {
            let result = ctx.write(|state| update_subscription(state, args, ctx.now));
            Ok(payload("WebhookSubscriptionUpdatePayload", "webhookSubscription", result))
        }
        "webhookSubscriptionDelete" => {
            let result = ctx.write(|state| {
                let id = text(args, "id").and_then(|id| number(id, "WebhookSubscription"));
                let gone = id.and_then(|id| state.subscriptions.remove(&id));
                let missing = || vec![UserError::new(&["id"], "Webhook subscription does not exist")];
                Ok(Slot::Value(json!(gid("WebhookSubscription", gone.ok_or_else(missing)?.id))))
            });
            Ok(payload("WebhookSubscriptionDeletePayload", "deletedWebhookSubscriptionId", result))
        }
        other => Err(error(format!("{other} is not simulated"))),
    }
}

fn parcel(tracking: &Value) -> Parcel {
    let list = |one: &str, many: &str| {
        let several = tracking.get(many).and_then(Value::as_array).into_iter().flatten();
        let mut all: Vec<String> = several.filter_map(Value::as_str).map(str::to_owned).collect();
        if let Some(single) = text(tracking, one) {
            all.insert(0, single.to_owned());
        }
        all.dedup();
        all
    };
    Parcel { company: text(tracking, "company").map(str::to_owned), numbers: list("number", "numbers"), urls: list("url", "urls") }
}

fn create_fulfillment(state: &mut State, input: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let parts = input["lineItemsByFulfillmentOrder"].as_array().cloned().unwrap_or_default();
    let mut shipment = Shipment {
        parts: Vec::new(),
        parcel: parcel(&input["trackingInfo"]),
        notified: input["notifyCustomer"].as_bool().unwrap_or_default(),
    };
    let refuse = |index: usize, rest: &[&str], message: String| {
        let index = index.to_string();
        let path = [&["fulfillment", "lineItemsByFulfillmentOrder", &index], rest].concat();
        vec![UserError::new(&path, message)]
    };
    let mut whose = None;
    for (index, part) in parts.iter().enumerate() {
        let id = text(part, "fulfillmentOrderId").and_then(|id| number(id, "FulfillmentOrder"));
        let missing = || refuse(index, &["fulfillmentOrderId"], "Fulfillment order does not exist.".into());
        let opened = id.and_then(|id| state.fulfillment_orders.get(&id)).ok_or_else(missing)?;
        if !matches!(opened.status, "OPEN" | "IN_PROGRESS") {
            let status = opened.status.to_lowercase();
            let message = format!("Fulfillment order {} has an unfulfillable status= {status}.", opened.id);
            return Err(refuse(index, &[], message));
        }
        if *whose.get_or_insert((opened.order, opened.location)) != (opened.order, opened.location) {
            let message = "All fulfillment orders must be of the same order and assigned to the same location.";
            return Err(refuse(index, &[], message.into()));
        }
        let mut lines = Vec::new();
        for line in part["fulfillmentOrderLineItems"].as_array().into_iter().flatten() {
            let own = text(line, "id").and_then(|id| number(id, "FulfillmentOrderLineItem"));
            let units = line["quantity"].as_i64().unwrap_or_default();
            let known = own.and_then(|own| opened.lines.iter().find(|line| line.id == own));
            let open = known.filter(|known| units >= 1 && units <= known.remaining);
            let message = "Invalid fulfillment order line item quantity requested.";
            lines.push((open.ok_or_else(|| refuse(index, &["fulfillmentOrderLineItems"], message.into()))?.id, units));
        }
        shipment.parts.push((opened.id, lines));
    }
    let Some((order, _)) = whose else {
        let path = ["fulfillment", "lineItemsByFulfillmentOrder"];
        return Err(vec![UserError::new(&path, "At least one fulfillment order must be given.")]);
    };
    Ok(Slot::One(Thing::Fulfillment(state.ship(order, shipment, now))))
}

fn update_tracking(state: &mut State, args: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let id = text(args, "fulfillmentId").and_then(|id| number(id, "Fulfillment")).unwrap_or_default();
    let missing = || vec![UserError::new(&["fulfillmentId"], "Fulfillment does not exist.")];
    let known = state.fulfillments.get_mut(&id).ok_or_else(missing)?;
    known.parcel = parcel(&args["trackingInfoInput"]);
    known.notified |= args["notifyCustomer"].as_bool().unwrap_or_default();
    known.updated_at = now;
    let order = known.order;
    state.announce("FULFILLMENTS_UPDATE", Resource::Fulfillment(id));
    state.touch_order(order, now);
    Ok(Slot::One(Thing::Fulfillment(id)))
}

/// `Money` comes as text; some clients send a number, which the channel takes too.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

fn update_variants(state: &mut State, args: &Value, now: i64) -> Slot {
    let product = text(args, "productId").and_then(|id| number(id, "Product")).unwrap_or_default();
    let inputs = args["variants"].as_array().cloned().unwrap_or_default();
    let partial = args["allowPartialUpdates"].as_bool().unwrap_or_default();
    let mut errors = Vec::new();
    let mut good = Vec::new();
    if !state.products.contains_key(&product) {
        errors.push(UserError::coded("PRODUCT_DOES_NOT_EXIST", &["productId"], "Product does not exist"));
    }
    let exists = errors.is_empty();
    for (index, input) in inputs.iter().enumerate().filter(|_| exists) {
        let at = index.to_string();
        let id = text(input, "id").and_then(|id| number(id, "ProductVariant"));
        let found = id.and_then(|id| state.variants.get(&id)).filter(|variant| variant.product == product);
        let Some(variant) = found else {
            let path = ["variants", &at, "id"];
            errors.push(UserError::coded("PRODUCT_VARIANT_DOES_NOT_EXIST", &path, "Product variant does not exist"));
            continue;
        };
        if input.get("price").and_then(decimal).is_some_and(|price| price < Decimal::ZERO) {
            let path = ["variants", &at, "price"];
            errors.push(UserError::coded("GREATER_THAN_OR_EQUAL_TO", &path, "Price must be greater than or equal to 0"));
            continue;
        }
        good.push((variant.id, input.clone()));
    }
    if !errors.is_empty() && !partial {
        good.clear();
    }
    for (id, input) in &good {
        let Some(variant) = state.variants.get_mut(id) else {
            continue;
        };
        if let Some(price) = input.get("price").and_then(decimal) {
            variant.price = price;
        }
        if let Some(price) = input.get("compareAtPrice") {
            variant.compare_at_price = decimal(price);
        }
        if let Some(barcode) = input.get("barcode") {
            variant.barcode = barcode.as_str().map(str::to_owned);
        }
        if let Some(policy) = text(input, "inventoryPolicy") {
            variant.continue_selling = policy == "CONTINUE";
        }
        if let Some(taxable) = input.get("taxable").and_then(Value::as_bool) {
            variant.taxable = taxable;
        }
        variant.updated_at = now;
    }
    if !good.is_empty() {
        state.touch_product(product, now);
    }
    let known = state.products.contains_key(&product);
    let variants = if errors.is_empty() || partial {
        Slot::Many(good.iter().map(|(id, _)| Slot::One(Thing::Variant(*id))).collect())
    } else {
        Slot::null()
    };
    Slot::Payload(
        "ProductVariantsBulkUpdatePayload",
        vec![
            ("product", Slot::maybe(known.then_some(Thing::Product(product)))),
            ("productVariants", variants),
            ("userErrors", user_errors(&errors)),
        ],
    )
}

pub(crate) fn strings(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn checked_uri(input: &Value) -> Result<String, Vec<UserError>> {
    let path = ["webhookSubscription", "callbackUrl"];
    let uri = text(input, "uri").or_else(|| text(input, "callbackUrl")).unwrap_or_default();
    if uri.is_empty() {
        return Err(vec![UserError::new(&path, "Address can't be blank")]);
    }
    // Plain http stands for "behind TLS" here, as everywhere in this crate.
    if !(uri.starts_with("https://") || uri.starts_with("http://")) {
        return Err(vec![UserError::new(&path, "Address is invalid")]);
    }
    Ok(uri.to_owned())
}

fn subscribe(state: &mut State, args: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let input = &args["webhookSubscription"];
    let topic = text(args, "topic").unwrap_or_default().to_owned();
    let uri = checked_uri(input)?;
    if state.subscriptions.values().any(|known| known.topic == topic && known.uri == uri) {
        let path = ["webhookSubscription", "callbackUrl"];
        return Err(vec![UserError::new(&path, "Address for this topic has already been taken")]);
    }
    let id = state.next_id();
    let known = Subscription {
        id,
        topic,
        uri,
        name: text(input, "name").map(str::to_owned),
        filter: text(input, "filter").map(str::to_owned),
        include_fields: strings(input, "includeFields"),
        failures: 0,
        created_at: now,
        updated_at: now,
    };
    state.subscriptions.insert(id, known);
    Ok(Slot::One(Thing::Subscription(id)))
}

fn update_subscription(state: &mut State, args: &Value, now: i64) -> Result<Slot, Vec<UserError>> {
    let input = &args["webhookSubscription"];
    let id = text(args, "id").and_then(|id| number(id, "WebhookSubscription")).unwrap_or_default();
    let missing = || vec![UserError::new(&["id"], "Webhook subscription does not exist")];
    let known = state.subscriptions.get_mut(&id).ok_or_else(missing)?;
    if text(input, "uri").or_else(|| text(input, "callbackUrl")).is_some() {
        known.uri = checked_uri(input)?;
    }
    if input.get("includeFields").is_some() {
        known.include_fields = strings(input, "includeFields");
    }
    if input.get("filter").is_some() {
        known.filter = text(input, "filter").map(str::to_owned);
    }
    known.updated_at = now;
    Ok(Slot::One(Thing::Subscription(id)))
}
