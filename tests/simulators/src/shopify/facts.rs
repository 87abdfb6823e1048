//! The plain facts of each object as the GraphQL API writes them: scalars and value objects. References to other objects
//! are resolved in `graph.rs`.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::clock::zulu;
use crate::shopify::model::{Fulfillment, FulfillmentOrder, Item, Level, Line, Order, Parcel, Product, Subscription, Variant};
use crate::shopify::state::State;

pub(crate) const API_VERSION: &str = "2026-10";

pub(crate) fn gid(kind: &str, id: i64) -> String {
    format!("gid://shopify/{kind}/{id}")
}

/// The number in a global id of the kind asked for; nothing for another kind.
pub(crate) fn number(gid: &str, kind: &str) -> Option<i64> {
    let rest = gid.strip_prefix("gid://shopify/")?.strip_prefix(kind)?.strip_prefix('/')?;
    rest.split('?').next()?.parse().ok()
}

/// `Decimal` on the wire: no trailing zeros, but at least one digit after the point.
pub(crate) fn decimal(amount: Decimal) -> String {
    let text = amount.normalize().to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

/// `Money` on the wire: two digits after the point.
pub(crate) fn money(amount: Decimal) -> String {
    format!("{amount:.2}")
}

/// A JSON number with the decimal's own digits.
pub(crate) fn float(amount: Decimal) -> Value {
    serde_json::from_str(&decimal(amount)).unwrap_or(Value::Null)
}

/// One object out of several, for those with more fields than one literal takes.
pub(crate) fn merged<const N: usize>(parts: [Value; N]) -> Value {
    let parts = parts.into_iter().filter_map(|part| if let Value::Object(part) = part { Some(part) } else { None });
    Value::Object(parts.flatten().collect())
}

/// The same amount in the shop's and in the buyer's currency.
pub(crate) fn bag(state: &State, order: &Order, amount: Decimal) -> Value {
    let (currency, rate) = &order.presentment;
    json!({
        "shopMoney": { "amount": decimal(amount), "currencyCode": state.rules.currency },
        "presentmentMoney": { "amount": decimal(State::round(amount * rate)), "currencyCode": currency },
    })
}

fn tax_line(state: &State, order: &Order, amount: Decimal) -> Value {
    json!({
        "title": "Tax", "rate": float(Decimal::new(i64::from(order.tax_bps), 4)),
        "ratePercentage": float(Decimal::new(i64::from(order.tax_bps), 2)), "channelLiable": false, "source": "Shopify",
        "priceSet": bag(state, order, amount),
    })
}

fn tax_lines(state: &State, order: &Order, amount: Decimal) -> Value {
    if order.tax_bps == 0 { json!([]) } else { json!([tax_line(state, order, amount)]) }
}

pub(crate) fn shop(state: &State, domain: &str, zone_offset_minutes: i32, origin: &str) -> Value {
    let sign = if zone_offset_minutes < 0 { '-' } else { '+' };
    let minutes = zone_offset_minutes.abs();
    let offset = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
    json!({
        "id": gid("Shop", 5_900_000_001), "name": "Simulated shop", "email": "owner@example.com",
        "contactEmail": "owner@example.com", "shopOwnerName": "Shop Owner", "myshopifyDomain": domain,
        "currencyCode": state.rules.currency, "enabledPresentmentCurrencies": [state.rules.currency],
        "createdAt": zulu(state.created_at), "updatedAt": zulu(state.created_at), "ianaTimezone": "Etc/UTC",
        "timezoneAbbreviation": "UTC", "timezoneOffset": offset, "timezoneOffsetMinutes": zone_offset_minutes,
        "setupRequired": false, "taxShipping": true, "taxesIncluded": state.rules.taxes_included,
        "unitSystem": "METRIC_SYSTEM", "weightUnit": "KILOGRAMS", "url": origin,
        "plan": { "publicDisplayName": "Basic", "partnerDevelopment": true, "shopifyPlus": false },
        "shopAddress": { "id": gid("ShopAddress", 5_900_000_005), "address1": "Hafenstraße 1", "address2": null, "city": "Hamburg",
            "company": null, "coordinatesValidated": false, "country": "Germany", "countryCodeV2": "DE",
            "formatted": ["Hafenstraße 1", "20457 Hamburg", "Germany"], "formattedArea": "Hamburg, Germany", "latitude": null,
            "longitude": null, "phone": null, "province": null, "provinceCode": null, "zip": "20457" },
        "primaryDomain": { "id": gid("Domain", 5_900_000_002), "host": domain, "sslEnabled": true, "url": origin },
    })
}

pub(crate) fn installation(client_id: &str, scopes: &[String]) -> Value {
    let scopes: Vec<Value> = scopes.iter().map(|scope| json!({ "handle": scope, "description": scope })).collect();
    json!({
        "id": gid("AppInstallation", 5_900_000_003), "accessScopes": scopes,
        "app": { "id": gid("App", 5_900_000_004), "apiKey": client_id, "handle": "hub", "title": "Hub" },
    })
}

pub(crate) fn location(location: &crate::shopify::model::Location) -> Value {
    json!({
        "id": gid("Location", location.id), "legacyResourceId": location.id.to_string(), "name": location.name,
        "activatable": false, "addressVerified": true, "createdAt": zulu(location.created_at),
        "updatedAt": zulu(location.created_at), "deactivatable": true, "deactivatedAt": null, "deletable": false,
        "fulfillsOnlineOrders": true, "hasActiveInventory": true, "hasUnfulfilledOrders": false, "isActive": true,
        "isFulfillmentService": false, "shipsInventory": true,
        "address": { "address1": "Hafenstraße 1", "address2": null, "city": "Hamburg", "country": "Germany",
            "countryCode": "DE", "formatted": ["Hafenstraße 1", "20457 Hamburg", "Germany"], "latitude": null,
            "longitude": null, "phone": null, "province": null, "provinceCode": null, "zip": "20457" },
    })
}

/// One value of an option; its number only has to be the same each time.
fn option_value(product: i64, value: &str) -> Value {
    let number = value.bytes().fold(product, |sum, byte| sum.wrapping_mul(31).wrapping_add(i64::from(byte)) & 0xFFFF_FFFF_FFFF);
    json!({ "id": gid("ProductOptionValue", number), "name": value, "hasVariants": true, "linkedMetafieldValue": null })
}

pub(crate) fn product(state: &State, product: &Product, origin: &str) -> Value {
    let variants: Vec<&Variant> = product.variants.iter().filter_map(|id| state.variants.get(id)).collect();
    let stock: i64 = variants.iter().filter_map(|variant| state.available(variant)).sum();
    let mut options: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in variants.iter().flat_map(|variant| variant.options.clone()) {
        match options.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => options.push((name, vec![value])),
        }
    }
    let price = |price: Option<Decimal>| json!({ "amount": decimal(price.unwrap_or_default()), "currencyCode": state.rules.currency });
    if options.is_empty() {
        options.push(("Title".into(), vec!["Default Title".into()]));
    }
    let options: Vec<Value> = (1_i64..)
        .zip(options)
        .map(|(position, (name, values))| {
            json!({ "id": gid("ProductOption", product.id * 10 + position), "name": name, "position": position,
                "optionValues": values.iter().map(|value| option_value(product.id, value)).collect::<Vec<_>>(), "values": values })
        })
        .collect();
    json!({
        "id": gid("Product", product.id), "legacyResourceId": product.id.to_string(), "title": product.title,
        "handle": product.handle, "status": product.status, "vendor": product.vendor, "productType": "",
        "tags": product.tags, "description": "", "descriptionHtml": "", "createdAt": zulu(product.created_at),
        "updatedAt": zulu(product.updated_at), "publishedAt": zulu(product.created_at), "isGiftCard": false,
        "hasOnlyDefaultVariant": variants.len() == 1 && variants.iter().all(|variant| variant.options.is_empty()),
        "hasOutOfStockVariants": variants.iter().any(|variant| state.available(variant).is_some_and(|left| left <= 0)),
        "onlineStoreUrl": format!("{origin}/products/{}", product.handle), "options": options,
        "totalInventory": stock, "tracksInventory": variants.iter().any(|variant| state.available(variant).is_some()),
        "variantsCount": { "count": variants.len(), "precision": "EXACT" }, "defaultCursor": product.id.to_string(), "category": null, "featuredMedia": null,
        "mediaCount": { "count": 0, "precision": "EXACT" }, "metafield": null, "templateSuffix": null,
        "seo": { "title": null, "description": null },
        "priceRangeV2": { "minVariantPrice": price(variants.iter().map(|variant| variant.price).min()),
            "maxVariantPrice": price(variants.iter().map(|variant| variant.price).max()) },
    })
}

pub(crate) fn variant(state: &State, variant: &Variant) -> Value {
    let stock = state.available(variant);
    let title = variant.title();
    let product = state.products.get(&variant.product).map(|product| product.title.clone()).unwrap_or_default();
    let options = if variant.options.is_empty() {
        json!([{ "name": "Title", "value": "Default Title", "optionValue": option_value(variant.product, "Default Title") }])
    } else {
        variant
            .options
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value, "optionValue": option_value(variant.product, value) }))
            .collect()
    };
    json!({
        "id": gid("ProductVariant", variant.id), "legacyResourceId": variant.id.to_string(), "title": title,
        "displayName": format!("{product} - {title}"), "sku": variant.sku, "barcode": variant.barcode,
        "price": money(variant.price), "compareAtPrice": variant.compare_at_price.map(money),
        "availableForSale": variant.continue_selling || stock.is_none_or(|stock| stock > 0),
        "inventoryPolicy": if variant.continue_selling { "CONTINUE" } else { "DENY" },
        "inventoryQuantity": stock.unwrap_or_default(), "sellableOnlineQuantity": stock.unwrap_or_default(),
        "position": variant.position, "taxable": variant.taxable, "selectedOptions": options,
        "image": null, "metafield": null, "requiresComponents": false,
        "unitPrice": null, "createdAt": zulu(variant.created_at), "updatedAt": zulu(variant.updated_at),
        "defaultCursor": variant.id.to_string(),
    })
}

pub(crate) fn item(state: &State, item: &Item) -> Value {
    let variant = state.variants.get(&item.variant);
    let grams = variant.map(|variant| variant.grams).unwrap_or_default();
    let weight = json!({ "unit": "GRAMS", "value": float(Decimal::from(grams)) });
    json!({
        "id": gid("InventoryItem", item.id), "legacyResourceId": item.id.to_string(),
        "sku": variant.map(|variant| variant.sku.clone()), "tracked": item.tracked,
        "createdAt": zulu(item.created_at), "updatedAt": zulu(item.updated_at), "countryCodeOfOrigin": null,
        "duplicateSkuCount": 0, "harmonizedSystemCode": null, "provinceCodeOfOrigin": null, "unitCost": null, "inventoryHistoryUrl": null,
        "locationsCount": { "count": item.levels.len(), "precision": "EXACT" },
        "measurement": { "id": gid("InventoryItemMeasurement", item.id), "weight": weight },
        "requiresShipping": variant.is_none_or(|variant| variant.requires_shipping),
    })
}

pub(crate) fn level_gid(item: i64, level: &Level) -> String {
    format!("{}?inventory_item_id={item}", gid("InventoryLevel", level.id))
}

pub(crate) fn level(item: i64, level: &Level) -> Value {
    json!({
        "id": level_gid(item, level), "canDeactivate": false, "createdAt": zulu(level.created_at),
        "deactivationAlert": null, "isActive": true, "updatedAt": zulu(level.updated_at),
    })
}

/// The named quantities of a level; a name the API does not know is refused.
pub(crate) fn quantities(item: i64, level: &Level, names: &[String]) -> Result<Value, String> {
    names
        .iter()
        .map(|name| {
            let quantity = match name.as_str() {
                "available" => level.available,
                "on_hand" => level.on_hand(),
                "committed" => level.committed,
                "incoming" | "reserved" | "damaged" | "safety_stock" | "quality_control" => 0,
                _ => return Err(format!("The quantity name '{name}' is invalid.")),
            };
            let id = format!("{}?inventory_item_id={item}&name={name}", gid("InventoryQuantity", level.id));
            Ok(json!({ "id": id, "name": name, "quantity": quantity, "updatedAt": zulu(level.updated_at) }))
        })
        .collect()
}

pub(crate) fn address(order: &Order, own: i64) -> Value {
    let buyer = &order.buyer;
    let or_null = |text: &str| {
        if text.is_empty() { Value::Null } else { json!(text) }
    };
    json!({
        "id": gid("MailingAddress", own), "firstName": buyer.first_name, "lastName": buyer.last_name,
        "name": format!("{} {}", buyer.first_name, buyer.last_name), "company": or_null(&buyer.company),
        "address1": buyer.address_1, "address2": or_null(&buyer.address_2), "city": buyer.city,
        "country": buyer.country_name, "countryCodeV2": buyer.country, "province": or_null(&buyer.region_name),
        "provinceCode": or_null(&buyer.region), "zip": buyer.postcode, "phone": or_null(&buyer.phone),
        "coordinatesValidated": false, "latitude": null, "longitude": null, "timeZone": null,
        "formatted": [buyer.address_1, format!("{} {}", buyer.postcode, buyer.city), buyer.country_name],
        "formattedArea": format!("{}, {}", buyer.city, buyer.country_name),
    })
}

pub(crate) fn order(state: &State, order: &Order) -> Value {
    let bag = |amount: Decimal| bag(state, order, amount);
    let shipping_back = order.refunds.iter().filter_map(|id| state.refunds.get(id)).map(|refund| refund.shipping.0).sum();
    let zero = Decimal::ZERO;
    let units: i64 = order.lines.iter().map(|line| line.quantity).sum();
    let current: i64 = order.lines.iter().map(|line| line.current).sum();
    let weight: i64 = order.lines.iter().map(|line| line.grams * line.quantity).sum();
    let open: i64 = order.lines.iter().map(Line::unfulfilled).sum();
    let outstanding = if order.paid || order.cancelled_at.is_some() { zero } else { order.total(true) };
    let address = address(order, order.id * 10 + 1);
    let who = json!({
        "id": gid("Order", order.id), "legacyResourceId": order.id.to_string(), "name": order.name(),
        "number": order.number, "createdAt": zulu(order.created_at), "updatedAt": zulu(order.updated_at),
        "cartToken": order.token, "checkoutToken": order.token, "registeredSourceUrl": null, "additionalFees": [],
        "metafield": null, "paymentTerms": null, "transactionsCount": { "count": order.transactions.len(), "precision": "EXACT" },
        "processedAt": zulu(order.created_at), "cancelledAt": order.cancelled_at.map(zulu),
        "cancelReason": order.cancel_reason, "closed": order.closed_at.is_some(),
        "cancellation": order.cancelled_at.map(|_| json!({ "staffNote": order.staff_note })),
        "closedAt": order.closed_at.map(zulu), "confirmed": true,
        "confirmationNumber": order.token.to_uppercase().chars().take(9).collect::<String>(),
        "test": order.test, "edited": order.edited, "note": order.note, "tags": order.tags, "poNumber": null,
        "customAttributes": [], "app": { "id": gid("OrderApp", 580_111), "name": "Online Store" },
        "email": order.buyer.email, "phone": order.buyer.phone, "clientIp": "203.0.113.7", "customerLocale": "en",
    });
    let state_of_it = json!({
        "billingAddress": address, "shippingAddress": address, "displayAddress": address,
        "billingAddressMatchesShippingAddress": true, "customer": customer(order),
        "currencyCode": state.rules.currency, "presentmentCurrencyCode": order.presentment.0,
        "displayFinancialStatus": order.financial_status(), "displayFulfillmentStatus": order.fulfillment_status(),
        "returnStatus": if order.returns.is_empty() { "NO_RETURN" } else { "IN_PROGRESS" },
        "fulfillable": open > 0 && order.cancelled_at.is_none(), "fullyPaid": order.paid, "unpaid": !order.paid,
        "refundable": order.received() > order.refunded(), "restockable": current > 0, "merchantEditable": open > 0,
        "requiresShipping": order.lines.iter().any(|line| line.requires_shipping), "estimatedTaxes": false,
        "dutiesIncluded": false, "taxExempt": false, "taxesIncluded": order.taxes_included,
        "discountCode": order.discount_code, "sourceName": "web", "sourceIdentifier": null,
        "discountCodes": order.discount_code.iter().collect::<Vec<_>>(), "paymentGatewayNames": ["bogus"],
        "subtotalLineItemsQuantity": units, "currentSubtotalLineItemsQuantity": current,
        "totalWeight": weight.to_string(), "currentTotalWeight": weight.to_string(),
        "fulfillmentsCount": { "count": order.fulfillments.len(), "precision": "EXACT" },
    });
    let money = json!({
        "subtotalPriceSet": bag(order.subtotal(false)), "currentSubtotalPriceSet": bag(order.subtotal(true)),
        "totalPriceSet": bag(order.total(false)), "originalTotalPriceSet": bag(order.total(false)),
        "currentTotalPriceSet": bag(order.total(true)), "totalTaxSet": bag(order.tax(false)),
        "currentTotalTaxSet": bag(order.tax(true)), "totalDiscountsSet": bag(order.discounts(false)),
        "currentTotalDiscountsSet": bag(order.discounts(true)), "cartDiscountAmountSet": bag(order.discounts(false)),
        "currentCartDiscountAmountSet": bag(order.discounts(true)), "totalShippingPriceSet": bag(order.shipping),
        "currentShippingPriceSet": bag(order.shipping), "totalReceivedSet": bag(order.received()),
        "totalRefundedSet": bag(order.refunded()), "totalRefundedShippingSet": bag(shipping_back), "refundDiscrepancySet": bag(zero),
        "netPaymentSet": bag(order.received() - order.refunded()), "totalOutstandingSet": bag(outstanding),
        "totalCapturableSet": bag(zero), "totalTipReceivedSet": bag(zero), "currentTotalDutiesSet": null,
        "originalTotalDutiesSet": null, "currentTotalAdditionalFeesSet": null, "originalTotalAdditionalFeesSet": null,
        "totalCashRoundingAdjustment": { "paymentSet": bag(zero), "refundSet": bag(zero) },
        "taxLines": tax_lines(state, order, order.tax(false)), "currentTaxLines": tax_lines(state, order, order.tax(true)),
        "shippingLine": shipping_line(state, order),
    });
    merged([who, state_of_it, money])
}

fn customer(order: &Order) -> Value {
    let buyer = &order.buyer;
    json!({
        "id": gid("Customer", order.customer), "legacyResourceId": order.customer.to_string(),
        "firstName": buyer.first_name, "lastName": buyer.last_name,
        "displayName": format!("{} {}", buyer.first_name, buyer.last_name), "locale": "en", "note": null,
        "numberOfOrders": "1", "tags": [], "taxExempt": false, "verifiedEmail": true,
        "createdAt": zulu(order.created_at), "updatedAt": zulu(order.created_at),
        "defaultEmailAddress": { "emailAddress": buyer.email }, "defaultPhoneNumber": { "phoneNumber": buyer.phone },
        "defaultAddress": address(order, order.id * 10 + 2),
    })
}

pub(crate) fn shipping_line(state: &State, order: &Order) -> Value {
    let price = bag(state, order, order.shipping);
    json!({
        "id": gid("ShippingLine", order.shipping_line), "title": "Standard", "code": "Standard", "custom": false,
        "carrierIdentifier": null, "deliveryCategory": null, "phone": null, "shippingRateHandle": null,
        "source": "shopify", "isRemoved": false, "discountAllocations": [], "originalPriceSet": price,
        "discountedPriceSet": price, "currentDiscountedPriceSet": price,
        "taxLines": tax_lines(state, order, order.shipping_tax),
    })
}

pub(crate) fn discount_application(order: &Order) -> Option<Value> {
    let code = order.discount_code.as_ref()?;
    let (currency, rate) = &order.presentment;
    let amount = decimal(State::round(order.discounts(false) * rate));
    Some(json!({
        "__typename": "DiscountCodeApplication", "allocationMethod": "ACROSS", "code": code, "index": 0,
        "targetSelection": "ALL", "targetType": "LINE_ITEM",
        "value": { "__typename": "MoneyV2", "amount": amount, "currencyCode": currency },
    }))
}

pub(crate) fn line(state: &State, order: &Order, line: &Line) -> Value {
    let bag = |amount: Decimal| bag(state, order, amount);
    let total = line.original_total();
    let unit = (total - line.discount).checked_div(Decimal::from(line.quantity)).unwrap_or_default();
    let before_tax = if order.taxes_included { total - line.discount - line.tax } else { total - line.discount };
    let allocations: Vec<Value> = discount_application(order)
        .filter(|_| line.discount > Decimal::ZERO)
        .map(|application| json!({ "allocatedAmountSet": bag(line.discount), "discountApplication": application }))
        .into_iter()
        .collect();
    let status = match line.unfulfilled() {
        0 if line.fulfilled > 0 => "fulfilled",
        _ if line.fulfilled > 0 => "partial",
        _ => "unfulfilled",
    };
    json!({
        "id": gid("LineItem", line.id), "name": line.name(), "title": line.title, "variantTitle": line.variant_title,
        "sku": if line.variant == 0 { Value::Null } else { json!(line.sku) },
        "vendor": if line.vendor.is_empty() { Value::Null } else { json!(line.vendor) },
        "quantity": line.quantity, "currentQuantity": line.current, "fulfillableQuantity": line.unfulfilled(),
        "nonFulfillableQuantity": line.quantity - line.current, "unfulfilledQuantity": line.unfulfilled(),
        "refundableQuantity": line.quantity - line.refunded, "fulfillmentStatus": status, "isGiftCard": line.gift_card,
        "merchantEditable": line.unfulfilled() > 0, "requiresShipping": line.requires_shipping, "restockable": true,
        "taxable": line.taxable, "image": null, "duties": [], "customAttributes": [], "discountAllocations": allocations,
        "weight": { "unit": "GRAMS", "value": float(Decimal::from(line.grams)) },
        "originalUnitPriceSet": bag(line.price), "originalTotalSet": bag(total), "totalDiscountSet": bag(line.discount),
        "discountedTotalSet": bag(total - line.discount), "discountedUnitPriceSet": bag(unit),
        "discountedUnitPriceAfterAllDiscountsSet": bag(unit), "priceAfterAllDiscountsBeforeTaxesSet": bag(before_tax),
        "unfulfilledOriginalTotalSet": bag(line.price * Decimal::from(line.unfulfilled())),
        "unfulfilledDiscountedTotalSet": bag(unit * Decimal::from(line.unfulfilled())),
        "taxLines": if line.taxable { tax_lines(state, order, line.tax) } else { json!([]) },
    })
}

pub(crate) fn fulfillment_order(state: &State, part: &FulfillmentOrder) -> Value {
    let actions = match part.status {
        "OPEN" | "IN_PROGRESS" => vec!["CREATE_FULFILLMENT", "HOLD", "MOVE"],
        _ => vec![],
    };
    let actions: Vec<Value> = actions.into_iter().map(|action| json!({ "action": action, "externalUrl": null })).collect();
    let order = state.orders.get(&part.order);
    let destination = order.map(|order| {
        let buyer = &order.buyer;
        json!({ "id": gid("FulfillmentOrderDestination", part.id), "firstName": buyer.first_name,
            "lastName": buyer.last_name, "company": null, "address1": buyer.address_1, "address2": buyer.address_2,
            "city": buyer.city, "province": buyer.region_name, "zip": buyer.postcode, "countryCode": buyer.country,
            "email": buyer.email, "phone": buyer.phone, "location": null })
    });
    json!({
        "id": gid("FulfillmentOrder", part.id), "status": part.status, "requestStatus": "UNSUBMITTED",
        "createdAt": zulu(part.created_at), "updatedAt": zulu(part.updated_at), "fulfillAt": zulu(part.created_at),
        "fulfillBy": null, "orderId": gid("Order", part.order), "orderName": order.map(Order::name),
        "orderProcessedAt": order.map(|order| zulu(order.created_at)), "supportedActions": actions,
        "destination": destination, "fulfillmentHolds": [],
        "deliveryMethod": { "id": gid("DeliveryMethod", part.id), "methodType": "SHIPPING", "presentedName": "Standard",
            "serviceCode": "Standard", "sourceReference": null, "minDeliveryDateTime": null, "maxDeliveryDateTime": null },
    })
}

pub(crate) fn tracking(parcel: &Parcel) -> Value {
    let count = parcel.numbers.len().max(parcel.urls.len());
    (0..count)
        .map(|index| json!({ "company": parcel.company, "number": parcel.numbers.get(index), "url": parcel.urls.get(index) }))
        .collect()
}

pub(crate) fn fulfillment(known: &Fulfillment) -> Value {
    let units: i64 = known.lines.iter().map(|(_, _, units)| units).sum();
    let display = if known.status == "CANCELLED" { "CANCELED" } else { "FULFILLED" };
    json!({
        "id": gid("Fulfillment", known.id), "legacyResourceId": known.id.to_string(), "name": known.name,
        "status": known.status, "displayStatus": display, "createdAt": zulu(known.created_at),
        "updatedAt": zulu(known.updated_at), "deliveredAt": null, "estimatedDeliveryAt": null, "inTransitAt": null,
        "requiresShipping": true, "totalQuantity": units,
        "service": { "id": gid("FulfillmentService", 5_900_000_006), "handle": "manual", "serviceName": "Manual", "type": "MANUAL",
            "inventoryManagement": false, "requiresShippingMethod": true, "trackingSupport": false },
    })
}

pub(crate) fn subscription(known: &Subscription) -> Value {
    json!({
        "id": gid("WebhookSubscription", known.id), "legacyResourceId": known.id.to_string(), "topic": known.topic,
        "uri": known.uri, "callbackUrl": known.uri, "name": known.name, "filter": known.filter, "format": "JSON",
        "includeFields": known.include_fields, "metafieldNamespaces": [], "createdAt": zulu(known.created_at),
        "updatedAt": zulu(known.updated_at),
        "apiVersion": { "displayName": API_VERSION, "handle": API_VERSION, "supported": true },
        "endpoint": { "__typename": "WebhookHttpEndpoint", "callbackUrl": known.uri },
    })
}
