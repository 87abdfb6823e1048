//! What the documents do not show but shops send: both currencies, edits, refunds, tips, odd words.

use entrepot_shopify::contract::*;
use entrepot_shopify::translate;
use serde_json::{Value, json};

use super::documents::deliver;

/// An amount in both currencies, as GraphQL gives it.
pub fn bag(shop: &str, presented: &str) -> Value {
    json!({"shopMoney": {"amount": shop, "currencyCode": "EUR"}, "presentmentMoney": {"amount": presented, "currencyCode": "USD"}})
}

pub fn order_document(id: u64, lines: Vec<Value>) -> Value {
    json!({
        "id": format!("gid://shopify/Order/{id}"), "name": format!("#{id}"), "createdAt": "2026-11-20T10:00:00Z", "updatedAt": "2026-11-20T10:05:00Z",
        "cancelledAt": null, "test": false, "taxesIncluded": true, "displayFinancialStatus": "PAID", "displayFulfillmentStatus": "UNFULFILLED",
        "totalPriceSet": bag("23.00", "25.30"), "subtotalPriceSet": bag("18.00", "19.80"), "totalDiscountsSet": bag("2.00", "2.20"), "totalTaxSet": bag("2.00", "2.20"),
        "totalShippingPriceSet": bag("5.00", "5.50"), "totalRefundedSet": bag("0.0", "0.0"), "tags": ["vip"], "note": null,
        "customer": {"id": "gid://shopify/Customer/9", "displayName": "Žofie Nováková", "defaultEmailAddress": {"emailAddress": "z@example.com"}},
        "shippingAddress": {"name": "Žofie Nováková", "address1": "Ulice 1", "city": "Praha", "zip": "11000", "countryCodeV2": "CZ"},
        "fulfillmentsCount": {"count": 0},
        "shippingLines": {"nodes": [{"id": "gid://shopify/ShippingLine/5", "title": "Post", "originalPriceSet": bag("5.00", "5.50"), "discountAllocations": [], "taxLines": []}]},
        "lineItems": {"nodes": lines, "pageInfo": {"hasNextPage": false}}
    })
}

pub fn line_document(id: u64, quantity: u32, open: u32) -> Value {
    json!({
        "id": format!("gid://shopify/LineItem/{id}"), "title": "Cup", "variantTitle": "Red", "sku": "CUP-R", "quantity": quantity, "currentQuantity": quantity,
        "fulfillableQuantity": open, "requiresShipping": true, "isGiftCard": false, "product": {"id": "gid://shopify/Product/1"},
        "variant": {"id": format!("gid://shopify/ProductVariant/{id}"), "barcode": "4006381333931"}, "originalUnitPriceSet": bag("10.00", "11.00"),
        "discountAllocations": [{"allocatedAmountSet": bag("1.50", "1.65")}, {"allocatedAmountSet": bag("0.50", "0.55")}],
        "taxLines": [{"title": "VAT", "rate": "0.21", "channelLiable": false, "priceSet": bag("3.123", "3.435")}]
    })
}

fn fulfillment(id: u64, status: &str, line: u64, quantity: u32) -> Value {
    json!({"id": format!("gid://shopify/Fulfillment/{id}"), "createdAt": "2026-11-20T12:00:00Z", "status": status, "location": {"id": "gid://shopify/Location/1"},
        "trackingInfo": [{"company": "DHL", "number": "NR1", "url": null}],
        "fulfillmentLineItems": {"nodes": [{"quantity": quantity, "lineItem": {"id": format!("gid://shopify/LineItem/{line}")}}]}})
}

fn refund(line: u64, quantity: u32, kind: &str) -> Value {
    json!({"id": "gid://shopify/Refund/1", "createdAt": "2026-11-20T13:00:00Z", "note": "broken", "totalRefundedSet": bag("10.00", "11.00"),
        "refundLineItems": {"nodes": [{"quantity": quantity, "restockType": kind, "restocked": kind != "NO_RESTOCK", "subtotalSet": bag("10.00", "11.00"), "lineItem": {"id": format!("gid://shopify/LineItem/{line}")}}]}})
}

#[test]
fn both_moneys_are_kept_and_a_line_adds_up_in_each() {
    let order = translate::order(&order_document(1, vec![line_document(1, 2, 2)]), &[], &[]).unwrap();
    let line = &order.lines[0];
    let presented = |amounts: &Amounts| amounts.presented.clone().map(|money| (money.amount, money.currency));
    assert_eq!((line.total.shop.amount.as_str(), presented(&line.total)), ("18.00", Some(("19.80".into(), "USD".into()))));
    assert_eq!((line.discount.shop.amount.as_str(), presented(&line.discount)), ("2.00", Some(("2.20".into(), "USD".into()))));
    assert_eq!(
        (line.taxes[0].amount.shop.amount.as_str(), line.taxes[0].rate.as_deref(), line.taxes[0].collector),
        ("3.123", Some("0.21"), TaxCollector::Seller)
    );
    assert_eq!((line.title.as_str(), line.gtin.as_deref()), ("Cup - Red", Some("4006381333931")));
    assert!(order.prices_include_tax);
    assert_eq!(order.total.shop.currency, "EUR");
    assert_eq!(order.lines[1].kind, LineKind::Shipping);
    assert_eq!(order.refunded_total, None);
}

#[test]
fn one_currency_has_no_second_side() {
    let mut document = order_document(1, vec![]);
    document["totalPriceSet"] =
        json!({"shopMoney": {"amount": "1200", "currencyCode": "JPY"}, "presentmentMoney": {"amount": "1200", "currencyCode": "JPY"}});
    let order = translate::order(&document, &[], &[]).unwrap();
    assert_eq!((order.total.shop.amount.as_str(), order.total.presented), ("1200", None));
}

#[test]
fn what_left_what_is_open_and_what_stays_add_up() {
    let counts = |quantity: u32, open: u32, shipped: &[Value], cancelled: bool| {
        let mut document = order_document(1, vec![line_document(1, quantity, open)]);
        if cancelled {
            document["cancelledAt"] = json!("2026-11-20T14:00:00Z");
        }
        let order = translate::order(&document, shipped, &[]).unwrap();
        (order.status, order.lines[0].fulfilled, order.lines[0].released)
    };
    assert_eq!(counts(3, 3, &[], false), (OrderStatus::Placed, 0, 0));
    assert_eq!(counts(3, 2, &[fulfillment(1, "SUCCESS", 1, 1)], false), (OrderStatus::Placed, 1, 0));
    assert_eq!(counts(3, 0, &[fulfillment(1, "SUCCESS", 1, 2)], false), (OrderStatus::Completed, 2, 1));
    assert_eq!(counts(3, 3, &[fulfillment(1, "CANCELLED", 1, 3)], false), (OrderStatus::Placed, 0, 0));
    assert_eq!(counts(3, 0, &[], true), (OrderStatus::Cancelled, 0, 3));
    assert_eq!(counts(3, 2, &[fulfillment(1, "SUCCESS", 1, 1)], true), (OrderStatus::Cancelled, 1, 2));
    assert_eq!(counts(3, 0, &[fulfillment(1, "SUCCESS", 1, 3)], false), (OrderStatus::Completed, 3, 0));
}

#[test]
fn without_the_shops_count_a_refund_before_shipping_releases_and_a_return_does_not() {
    let counts = |kind: &str, shipped: &[Value]| {
        let mut line = line_document(1, 2, 0);
        line["fulfillableQuantity"] = Value::Null;
        let order = translate::order(&order_document(1, vec![line]), shipped, &[refund(1, 1, kind)]).unwrap();
        (order.lines[0].fulfilled, order.lines[0].released)
    };
    assert_eq!(counts("CANCEL", &[]), (0, 1));
    assert_eq!(counts("RETURN", &[fulfillment(1, "SUCCESS", 1, 2)]), (2, 0));
    assert_eq!(counts("NO_RESTOCK", &[fulfillment(1, "SUCCESS", 1, 2)]), (2, 0));
}

#[test]
fn kinds_of_lines_are_told_apart() {
    let line = |change: fn(&mut Value)| {
        let mut line = line_document(1, 1, 1);
        change(&mut line);
        translate::order(&order_document(1, vec![line]), &[], &[]).unwrap().lines.remove(0).kind
    };
    assert_eq!(line(|_| {}), LineKind::Physical);
    assert_eq!(line(|l| l["requiresShipping"] = json!(false)), LineKind::Digital);
    assert_eq!(
        line(|l| {
            l["isGiftCard"] = json!(true);
            l["requiresShipping"] = json!(false);
        }),
        LineKind::GiftCard
    );
    assert_eq!(
        line(|l| {
            l["variant"] = Value::Null;
            l["product"] = Value::Null;
            l["sku"] = Value::Null;
        }),
        LineKind::Custom
    );
    assert_eq!(
        line(|l| {
            l["variant"] = Value::Null;
            l["product"] = Value::Null;
            l["sku"] = Value::Null;
            l["title"] = json!("Tip");
            l["variantTitle"] = Value::Null;
        }),
        LineKind::Tip
    );
    assert_eq!(line(|l| l["variant"] = Value::Null), LineKind::Physical, "a deleted variant leaves its SKU");
}

#[test]
fn fees_and_duties_are_lines_with_stable_ids() {
    let mut document = order_document(1, vec![]);
    document["originalTotalAdditionalFeesSet"] = bag("1.00", "1.10");
    document["originalTotalDutiesSet"] = bag("2.00", "2.20");
    let order = translate::order(&document, &[], &[]).unwrap();
    let fees: Vec<(&str, LineKind)> = order.lines.iter().skip(1).map(|line| (line.external_id.as_str(), line.kind)).collect();
    assert_eq!(fees, [("gid://shopify/Order/1#fees", LineKind::Fee), ("gid://shopify/Order/1#duties", LineKind::Fee)]);
}

#[test]
fn each_word_for_the_payment_means_one_thing() {
    let cases = [
        (json!("PENDING"), PaymentStatus::Pending),
        (json!("AUTHORIZED"), PaymentStatus::Authorized),
        (json!("PARTIALLY_PAID"), PaymentStatus::Pending),
        (json!("PAID"), PaymentStatus::Paid),
        (json!("PARTIALLY_REFUNDED"), PaymentStatus::PartiallyRefunded),
        (json!("REFUNDED"), PaymentStatus::Refunded),
        (json!("VOIDED"), PaymentStatus::Failed),
        (json!("NEW_WORD"), PaymentStatus::Unknown),
        (Value::Null, PaymentStatus::Unknown),
    ];
    for (word, payment) in cases {
        let mut document = order_document(1, vec![]);
        document["displayFinancialStatus"] = word;
        assert_eq!(translate::order(&document, &[], &[]).unwrap().payment, payment);
    }
}

#[test]
fn a_webhook_and_a_poll_of_the_same_order_give_the_same_record() {
    let set = |shop: &str, presented: &str| json!({"shop_money": {"amount": shop, "currency_code": "EUR"}, "presentment_money": {"amount": presented, "currency_code": "USD"}});
    let body = json!({
        "id": 1, "admin_graphql_api_id": "gid://shopify/Order/1", "name": "#1", "created_at": "2026-11-20T11:00:00+01:00", "updated_at": "2026-11-20T10:05:00Z",
        "currency": "EUR", "presentment_currency": "USD", "test": false, "taxes_included": true, "financial_status": "paid", "fulfillment_status": null, "tags": "vip",
        "total_price": "23.00", "total_price_set": set("23.00", "25.30"), "subtotal_price_set": set("18.00", "19.80"), "total_discounts_set": set("2.00", "2.20"), "total_tax_set": set("2.00", "2.20"),
        "total_shipping_price_set": set("5.00", "5.50"), "email": "z@example.com", "customer": {"id": 9, "first_name": "Žofie", "last_name": "Nováková"},
        "shipping_address": {"name": "Žofie Nováková", "address1": "Ulice 1", "city": "Praha", "zip": "11000", "country_code": "CZ"},
        "shipping_lines": [{"id": 5, "title": "Post", "price": "5.00", "price_set": set("5.00", "5.50"), "discount_allocations": [], "tax_lines": []}],
        "line_items": [{"id": 1, "title": "Cup", "variant_title": "Red", "sku": "CUP-R", "quantity": 2, "fulfillable_quantity": 2, "requires_shipping": true, "gift_card": false, "product_id": 1, "variant_id": 1,
            "price": "10.00", "price_set": set("10.00", "11.00"), "discount_allocations": [{"amount": "1.50", "amount_set": set("1.50", "1.65")}, {"amount": "0.50", "amount_set": set("0.50", "0.55")}],
            "tax_lines": [{"title": "VAT", "rate": 0.21, "price": "3.123", "channel_liable": false, "price_set": set("3.123", "3.435")}]}],
        "fulfillments": [], "refunds": []
    });
    let Ok([Event::Order(mut hooked)]) = deliver("orders/create", &body).map(|events| <[Event; 1]>::try_from(events).unwrap()) else {
        panic!()
    };
    let mut polled = translate::order(&order_document(1, vec![line_document(1, 2, 2)]), &[], &[]).unwrap();
    for order in [&mut hooked, &mut polled] {
        // What only one side tells (a barcode, extras) is no part of the comparison.
        order.extras.clear();
        order.lines.iter_mut().for_each(|line| {
            line.extras.clear();
            line.gtin = None;
        });
    }
    assert_eq!(hooked, polled);
}

#[test]
fn deliveries_become_the_right_events() {
    let hint = |id: &str| Event::OrderChanged(OrderHint { external_id: id.into(), updated_at: None });
    assert_eq!(deliver("refunds/create", &json!({"id": 1, "order_id": 7})).unwrap(), [hint("gid://shopify/Order/7")]);
    assert_eq!(deliver("orders/edited", &json!({"order_edit": {"id": 1, "order_id": 7}})).unwrap(), [hint("gid://shopify/Order/7")]);
    assert_eq!(deliver("orders/delete", &json!({"id": 7})).unwrap(), [Event::OrderRemoved("gid://shopify/Order/7".into())]);
    assert_eq!(deliver("products/delete", &json!({"id": 7})).unwrap(), [Event::ListingRemoved("gid://shopify/Product/7".into())]);
    let product = json!({"id": 7, "variants": [{"id": 8}], "variant_gids": [{"admin_graphql_api_id": "gid://shopify/ProductVariant/8"}, {"admin_graphql_api_id": "gid://shopify/ProductVariant/9"}]});
    assert_eq!(
        deliver("products/update", &product).unwrap(),
        [Event::ListingChanged("gid://shopify/ProductVariant/8".into()), Event::ListingChanged("gid://shopify/ProductVariant/9".into())]
    );
    let level = json!({"inventory_item_id": 5, "location_id": 6, "available": -2, "updated_at": "2026-11-20T11:00:00+01:00"});
    let expected = ListingLevels {
        listing: "inventory-item=gid://shopify/InventoryItem/5".into(),
        levels: vec![Level { location: Some("gid://shopify/Location/6".into()), quantity: -2 }],
        updated_at: Some("2026-11-20T10:00:00Z".into()),
    };
    assert_eq!(deliver("inventory_levels/update", &level).unwrap(), [Event::Levels(expected)]);
    assert!(
        matches!(deliver("app/uninstalled", &json!({"id": 1, "myshopify_domain": "a.myshopify.com"})).unwrap().as_slice(), [Event::AccessRevoked(why)] if why.contains("a.myshopify.com"))
    );
    assert!(matches!(deliver("themes/publish", &json!({})).unwrap().as_slice(), [Event::Ignored(_)]));
}

#[test]
fn refunds_in_two_currencies_are_read_and_not_guessed() {
    let body = json!({"id": 7, "currency": "EUR", "presentment_currency": "USD", "line_items": [], "refunds": [{"id": 1}], "updated_at": "2026-11-20T10:00:00Z"});
    assert!(
        matches!(deliver("orders/updated", &body).unwrap().as_slice(), [Event::OrderChanged(hint)] if hint.external_id == "gid://shopify/Order/7")
    );
}

#[test]
fn refusals_name_the_field_and_the_value() {
    let refused = |change: fn(&mut Value)| {
        let mut document = order_document(1, vec![line_document(1, 1, 1)]);
        change(&mut document);
        translate::order(&document, &[], &[]).unwrap_err().to_string()
    };
    let cases: [(String, &str, &str); 4] = [
        (refused(|o| o["totalPriceSet"]["shopMoney"]["amount"] = json!("12,5")), "totalPriceSet.shopMoney.amount", "12,5"),
        (refused(|o| o["totalPriceSet"]["shopMoney"]["currencyCode"] = json!("EURO")), "totalPriceSet.shopMoney.currencyCode", "EURO"),
        (refused(|o| o["lineItems"]["nodes"][0]["quantity"] = json!("1.5")), "lineItems.nodes[0].quantity", "1.5"),
        (refused(|o| o["updatedAt"] = json!("now")), "updatedAt", "now"),
    ];
    for (message, field, value) in cases {
        assert!(message.contains(field) && message.contains(value), "{message}");
    }
}

#[test]
fn a_variant_becomes_a_listing_with_its_levels_and_its_handle() {
    let document = json!({
        "id": "gid://shopify/ProductVariant/1", "sku": "CUP-R", "barcode": "4006381333931", "price": "10.00", "compareAtPrice": "12.00", "title": "Red", "updatedAt": "2026-11-20T10:00:00Z",
        "selectedOptions": [{"name": "Colour", "value": "Red"}], "product": {"id": "gid://shopify/Product/1", "title": "Cup", "status": "ACTIVE", "onlineStoreUrl": "https://a.example/cup"},
        "inventoryItem": {"id": "gid://shopify/InventoryItem/5", "tracked": true, "harmonizedSystemCode": "6912.00", "countryCodeOfOrigin": "CZ", "measurement": {"weight": {"unit": "POUNDS", "value": "0.5"}},
            "inventoryLevels": {"nodes": [{"location": {"id": "gid://shopify/Location/1"}, "quantities": [{"name": "available", "quantity": -3}]}, {"location": {"id": "gid://shopify/Location/2"}, "quantities": [{"name": "available", "quantity": 8}]}]}}
    });
    let listing = translate::listing(&document, "EUR").unwrap();
    assert_eq!(
        (listing.title.as_str(), listing.weight_g, listing.hs_code.as_deref(), listing.origin.as_deref()),
        ("Cup", Some(227), Some("691200"), Some("CZ"))
    );
    assert_eq!(listing.levels.iter().map(|level| level.quantity).collect::<Vec<_>>(), [-3, 8]);
    assert_eq!(listing.handles, [Extra { key: "inventory-item".into(), json: "\"gid://shopify/InventoryItem/5\"".into() }]);
    assert_eq!((listing.tracking, listing.parent.as_deref()), (StockTracking::Tracked, Some("gid://shopify/Product/1")));
    assert!(listing.extras.iter().any(|extra| extra.key == "compareAtPrice"));
}

proptest::proptest! {
    #[test]
    fn no_text_in_any_field_makes_the_translation_panic(text in ".{0,40}", at in 0usize..40) {
        let mut document = order_document(1, vec![line_document(1, 1, 1)]);
        let keys: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        document[&keys[at % keys.len()]] = json!(text);
        let _ = translate::order(&document, &[], &[]);
    }
}
