//! What the documents do not show but shops send: odd states, scales, numbers, languages.

use entrepot_woocommerce::contract::*;
use entrepot_woocommerce::settings::{Settings, WeightUnit};
use entrepot_woocommerce::translate::{self, Offered, Units};
use serde_json::{Value, json};

use super::documents::settings;

pub fn order_document(id: u64) -> Value {
    json!({
        "id": id, "number": id.to_string(), "status": "processing", "currency": "EUR",
        "date_created_gmt": "2026-11-20T10:00:00", "date_modified_gmt": "2026-11-20T10:05:00", "date_paid_gmt": "2026-11-20T10:01:00",
        "date_completed_gmt": null, "discount_total": "0.00", "shipping_total": "5.00", "total": "23.00", "total_tax": "0.00",
        "prices_include_tax": true, "customer_id": 0, "billing": {"first_name": "Žofie", "country": "cz", "email": "z@example.com"},
        "shipping": {"first_name": "", "last_name": "", "address_1": "", "city": ""},
        "line_items": [
            {"id": 1, "name": "Cup &amp; saucer", "product_id": 93, "variation_id": 0, "quantity": 2, "subtotal": "20.00", "total": "18.00", "total_tax": "0", "taxes": [], "sku": "CUP", "price": 9},
        ],
        "shipping_lines": [{"id": 2, "method_title": "Post", "total": "5.00", "total_tax": "0.00", "taxes": []}],
        "fee_lines": [], "coupon_lines": [{"id": 9, "code": "TEN", "discount": "2.00"}], "refunds": [], "meta_data": [], "tax_lines": []
    })
}

fn translated(document: &Value) -> Order {
    translate::order(document, None, &settings()).unwrap()
}

fn refused(document: &Value) -> String {
    translate::order(document, None, &settings()).unwrap_err().to_string()
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut document = order_document(7);
    change(&mut document);
    document
}

#[test]
fn an_order_keeps_its_money_exactly_as_the_shop_wrote_it() {
    let order = translated(&order_document(7));
    assert_eq!(order.total.shop, Money { amount: "23.00".into(), currency: "EUR".into() });
    let line = &order.lines[0];
    assert_eq!(
        (line.unit_price.shop.amount.as_str(), line.total.shop.amount.as_str(), line.discount.shop.amount.as_str()),
        ("9", "18.00", "2.00")
    );
    assert_eq!(line.title, "Cup & saucer");
    assert_eq!(line.listing.as_deref(), Some("93"));
    assert!(!order.prices_include_tax, "the shop's line amounts never contain tax");
    assert!(order.extras.iter().any(|extra| extra.key == "prices_include_tax" && extra.json == "true"));
    assert!(order.extras.iter().any(|extra| extra.key == "coupon_lines"));
    assert_eq!(order.ship_to, None, "a blank address is none");
}

#[test]
fn a_float_the_shop_prints_long_stays_digit_for_digit() {
    let document = entrepot_documents::json::parse(
        &order_document(7)
            .to_string()
            .replace("\"price\":9}", "\"price\":6.3333333333333339}")
            .replace("\"price\":9,", "\"price\":6.3333333333333339,"),
    )
    .unwrap();
    assert_eq!(translated(&document).lines[0].unit_price.shop.amount, "6.3333333333333339");
}

#[test]
fn each_state_of_the_shop_means_one_thing() {
    let cases = [
        ("pending", OrderStatus::Placed),
        ("on-hold", OrderStatus::Placed),
        ("processing", OrderStatus::Placed),
        ("completed", OrderStatus::Completed),
        ("cancelled", OrderStatus::Cancelled),
        ("refunded", OrderStatus::Completed),
        ("failed", OrderStatus::Cancelled),
        ("trash", OrderStatus::Cancelled),
        ("checkout-draft", OrderStatus::Draft),
        ("packing", OrderStatus::Other),
    ];
    for (word, status) in cases {
        let order = translated(&with(|order| order["status"] = json!(word)));
        assert_eq!((order.status, order.channel_status.as_str()), (status, word));
    }
}

#[test]
fn a_state_of_the_shops_own_means_what_the_merchant_says() {
    let settings = Settings::parse(r#"{"origin":"https://example.com","states":{"wc-packing":"placed","sent":"completed"}}"#).unwrap();
    let status = |word: &str| translate::order(&with(|order| order["status"] = json!(word)), None, &settings).unwrap().status;
    assert_eq!(status("packing"), OrderStatus::Placed);
    assert_eq!(status("sent"), OrderStatus::Completed);
    assert_eq!(status("other"), OrderStatus::Other);
}

#[test]
fn a_completed_order_has_left_and_a_cancelled_one_stays() {
    let counts = |document: &Value| {
        let line = translated(document).lines.remove(0);
        (line.quantity, line.fulfilled, line.released)
    };
    assert_eq!(counts(&order_document(7)), (2, 0, 0));
    assert_eq!(
        counts(&with(|order| {
            order["status"] = json!("completed");
            order["date_completed_gmt"] = json!("2026-11-20T12:00:00");
        })),
        (2, 2, 0)
    );
    assert_eq!(counts(&with(|order| order["status"] = json!("cancelled"))), (2, 0, 2));
    assert_eq!(counts(&with(|order| order["status"] = json!("refunded"))), (2, 0, 2));
    assert_eq!(
        counts(&with(|order| {
            order["status"] = json!("refunded");
            order["date_completed_gmt"] = json!("2026-11-20T12:00:00");
        })),
        (2, 2, 0)
    );
    assert_eq!(counts(&with(|order| order["status"] = json!("checkout-draft"))), (2, 0, 0));
}

fn refund_document(at: &str, quantity: i64) -> Value {
    json!({"id": 50, "date_created_gmt": at, "amount": "9.00", "reason": "", "line_items": [
        {"id": 60, "product_id": 93, "variation_id": 0, "quantity": quantity, "total": "-9.00", "meta_data": [{"key": "_refunded_item_id", "value": "1"}]}]})
}

#[test]
fn a_refund_before_the_completion_releases_and_one_after_it_does_not() {
    let order = |refunded: &str| {
        let document = with(|order| {
            order["status"] = json!("completed");
            order["date_completed_gmt"] = json!("2026-11-20T12:00:00");
            order["refunds"] = json!([{"id": 50, "total": "-9.00"}]);
        });
        translate::order(&document, Some(&[refund_document(refunded, -1)]), &settings()).unwrap()
    };
    let before = order("2026-11-20T11:00:00");
    assert_eq!((before.lines[0].fulfilled, before.lines[0].released), (1, 1));
    let after = order("2026-11-21T11:00:00");
    assert_eq!((after.lines[0].fulfilled, after.lines[0].released), (2, 0));
    assert_eq!(after.payment, PaymentStatus::PartiallyRefunded);
    assert_eq!((after.refunds[0].lines[0].line.as_str(), after.refunds[0].lines[0].quantity), ("1", 1));
}

#[test]
fn a_refund_without_its_mark_is_matched_by_product_only_if_one_line_fits() {
    let mut refund = refund_document("2026-11-20T11:00:00", -1);
    refund["line_items"][0]["meta_data"] = json!([]);
    let single = translate::refunds(std::slice::from_ref(&refund), &order_document(7)).unwrap();
    assert_eq!(single[0].lines[0].line, "1");
    let double = with(|order| {
        let mut second = order["line_items"][0].clone();
        second["id"] = json!(3);
        order["line_items"].as_array_mut().unwrap().push(second);
    });
    assert!(translate::refunds(std::slice::from_ref(&refund), &double).unwrap()[0].lines.is_empty());
}

#[test]
fn kinds_of_lines_are_told_apart_where_the_document_tells() {
    let document = with(|order| {
        order["line_items"] = json!([
            {"id": 1, "name": "Mug", "product_id": 5, "variation_id": 6, "quantity": 1, "total": "1.00"},
            {"id": 2, "name": "Card", "product_id": 8, "variation_id": 0, "quantity": 1, "total": "1.00", "meta_data": [{"id": 1, "key": "wc_gc_giftcard_to", "value": "x"}]},
            {"id": 3, "name": "Service", "product_id": 0, "variation_id": 0, "quantity": 1, "total": "1.00"},
        ]);
        order["fee_lines"] =
            json!([{"id": 4, "name": "Tip for the team", "total": "2.00"}, {"id": 5, "name": "Packing", "total": "-1.00"}]);
    });
    let kinds: Vec<LineKind> = translated(&document).lines.iter().map(|line| line.kind).collect();
    assert_eq!(kinds, [LineKind::Physical, LineKind::GiftCard, LineKind::Custom, LineKind::Shipping, LineKind::Tip, LineKind::Fee]);
    assert_eq!(translated(&document).lines[0].listing.as_deref(), Some("5/6"));
}

#[test]
fn tax_parts_of_any_scale_keep_their_digits_and_find_their_rate() {
    let document = with(|order| {
        order["tax_lines"] = json!([{"id": 1, "rate_id": 75, "label": "State Tax", "rate_code": "US-CA", "rate_percent": 7.25}]);
        order["line_items"][0]["taxes"] =
            json!([{"id": 75, "total": "0.225", "subtotal": "0.225"}, {"id": 76, "total": "", "subtotal": ""}]);
    });
    let taxes = translated(&document).lines.remove(0).taxes;
    assert_eq!(taxes.len(), 1);
    assert_eq!(
        (taxes[0].title.as_str(), taxes[0].rate.as_deref(), taxes[0].amount.shop.amount.as_str()),
        ("State Tax", Some("0.0725"), "0.225")
    );
}

#[test]
fn currencies_without_decimals_and_with_three_are_kept_as_written() {
    for (currency, amount) in [("JPY", "1200"), ("KWD", "1.234"), ("jpy", "1200.00")] {
        let order = translated(&with(|order| {
            order["currency"] = json!(currency);
            order["total"] = json!(amount);
        }));
        assert_eq!(order.total.shop, Money { amount: amount.into(), currency: currency.to_uppercase() });
    }
}

#[test]
fn refusals_name_the_field_and_the_value() {
    let cases: [(fn(&mut Value), &str, &str); 7] = [
        (|o| o["total"] = json!("12,50"), "total", "12,50"),
        (|o| o["currency"] = json!("euro"), "currency", "euro"),
        (|o| o["line_items"][0]["quantity"] = json!(1.5), "line_items[0].quantity", "1.5"),
        (|o| o["line_items"][0]["quantity"] = json!(-1), "line_items[0].quantity", "-1"),
        (|o| o["date_created_gmt"] = json!("yesterday"), "date_created_gmt", "yesterday"),
        (|o| o["id"] = json!("abc"), "id", "abc"),
        (|o| o["line_items"] = json!("none"), "line_items", "none"),
    ];
    for (change, field, value) in cases {
        let message = refused(&with(change));
        assert!(message.contains(field) && message.contains(value), "{message}");
    }
    assert!(
        refused(&with(|o| {
            o["date_created_gmt"] = Value::Null;
            o["date_modified_gmt"] = Value::Null;
        }))
        .contains("date_created_gmt")
    );
}

#[test]
fn missing_members_and_nulls_do_not_stop_an_order() {
    let bare = json!({"id": 5, "status": "processing", "currency": "USD", "total": "1.00", "date_created_gmt": "2026-11-20T10:00:00"});
    let order = translated(&bare);
    assert_eq!((order.number.as_str(), order.lines.len(), order.buyer), ("5", 0, None));
    let mut nulls = order_document(7);
    for (key, value) in nulls.as_object_mut().unwrap() {
        if !matches!(key.as_str(), "id" | "currency" | "total" | "date_created_gmt") {
            *value = Value::Null;
        }
    }
    assert_eq!(translated(&nulls).status, OrderStatus::Other);
}

fn product(change: impl FnOnce(&mut Value)) -> Listing {
    let mut document = json!({"id": 93, "type": "simple", "name": "Cup", "status": "publish", "price": "21.99", "manage_stock": true, "stock_quantity": 5, "weight": "0.35"});
    change(&mut document);
    match translate::listing(&document, None, &Units { currency: Some("EUR".into()), weight: WeightUnit::Kilogram }).unwrap() {
        Offered::Listing(listing) => *listing,
        Offered::NotSellable(why) => panic!("{why}"),
    }
}

#[test]
fn quantities_come_in_every_shape_and_are_floored() {
    let level = |quantity: Value| product(|p| p["stock_quantity"] = quantity).levels.first().map(|level| level.quantity);
    assert_eq!(level(json!(5)), Some(5));
    assert_eq!(level(json!("5")), Some(5));
    assert_eq!(level(json!("55.4")), Some(55));
    assert_eq!(level(json!(55.4)), Some(55));
    assert_eq!(level(json!(-2)), Some(-2));
    assert_eq!(level(json!("-0.5")), Some(-1));
    assert_eq!(level(Value::Null), None);
    let parts = product(|p| p["stock_quantity"] = json!("55.4"));
    assert!(parts.extras.iter().any(|extra| extra.key == "stock_quantity" && extra.json == "\"55.4\""));
}

#[test]
fn who_counts_the_stock_is_told() {
    assert_eq!(product(|_| {}).tracking, StockTracking::Tracked);
    let uncounted = product(|p| p["manage_stock"] = json!(false));
    assert_eq!((uncounted.tracking, uncounted.levels.len()), (StockTracking::Untracked, 0));
    let document = json!({"id": 732, "type": "variation", "parent_id": 22, "manage_stock": "parent", "stock_quantity": 9, "price": "9"});
    let units = Units { currency: None, weight: WeightUnit::Gram };
    let Offered::Listing(variation) = translate::listing(&document, None, &units).unwrap() else { panic!() };
    assert_eq!(
        (variation.external_id.as_str(), variation.parent.as_deref(), variation.tracking),
        ("22/732", Some("22"), StockTracking::Parent)
    );
    assert!(variation.levels.is_empty());
}

#[test]
fn a_variation_without_its_product_is_refused_by_name() {
    let units = Units { currency: None, weight: WeightUnit::Gram };
    let refusal = translate::listing(&json!({"id": 732, "type": "variation"}), None, &units).unwrap_err();
    assert!(refusal.to_string().contains("parent_id"));
}

#[test]
fn article_numbers_count_only_with_a_right_check_digit() {
    assert_eq!(product(|p| p["global_unique_id"] = json!("4006381333931")).gtin.as_deref(), Some("4006381333931"));
    assert_eq!(product(|p| p["global_unique_id"] = json!("4006381333932")).gtin, None);
    assert_eq!(
        product(|p| p["meta_data"] = json!([{"id": 1, "key": "_ean", "value": "4006-3813-3393-1"}])).gtin.as_deref(),
        Some("4006381333931")
    );
}

#[test]
fn weights_become_grams() {
    let grams = |unit: WeightUnit, weight: &str| {
        let document = json!({"id": 93, "type": "simple", "weight": weight});
        let Offered::Listing(listing) = translate::listing(&document, None, &Units { currency: None, weight: unit }).unwrap() else {
            panic!()
        };
        listing.weight_g
    };
    assert_eq!(grams(WeightUnit::Kilogram, "0.35"), Some(350));
    assert_eq!(grams(WeightUnit::Gram, "0.5"), Some(1));
    assert_eq!(grams(WeightUnit::Pound, "1"), Some(454));
    assert_eq!(grams(WeightUnit::Ounce, "2"), Some(57));
    assert_eq!(grams(WeightUnit::Kilogram, ""), None);
}

fn deliver(topic: &str, body: &str) -> Result<Vec<Event>, Failure> {
    let delivery = Delivery { topic: topic.into(), headers: Vec::new(), body: body.into(), received_at: "2026-11-21T10:00:00Z".into() };
    translate::delivery(&delivery, &settings())
}

#[test]
fn deliveries_become_the_right_events() {
    assert_eq!(deliver("order.deleted", r#"{"id": 7}"#).unwrap(), [Event::OrderRemoved("7".into())]);
    assert_eq!(deliver("product.deleted", r#"{"id": 7}"#).unwrap(), [Event::ListingRemoved("7".into())]);
    assert!(
        matches!(deliver("order.created", &order_document(7).to_string()).unwrap().as_slice(), [Event::Order(order)] if order.external_id == "7")
    );
    let refunded = with(|order| order["refunds"] = json!([{"id": 50, "total": "-9.00"}]));
    assert_eq!(
        deliver("order.updated", &refunded.to_string()).unwrap(),
        [Event::OrderChanged(OrderHint { external_id: "7".into(), updated_at: Some("2026-11-20T10:05:00Z".into()) })]
    );
    let variable = json!({"id": 22, "type": "variable", "name": "Shirt", "manage_stock": false, "variations": [732, 733]});
    assert_eq!(
        deliver("product.updated", &variable.to_string()).unwrap(),
        [Event::ListingChanged("22/732".into()), Event::ListingChanged("22/733".into())]
    );
    for topic in ["coupon.created", "customer.updated", "action.woocommerce_add_to_cart", "order", ""] {
        assert!(matches!(deliver(topic, "{}").unwrap().as_slice(), [Event::Ignored(_)]), "{topic}");
    }
}

#[test]
fn a_body_that_is_no_order_is_refused_in_words() {
    for body in ["", "[]", "null", "{}", "{\"id\": 0}", "webhook_id=1"] {
        let failure = deliver("order.updated", body).unwrap_err();
        assert_eq!(failure.fault, Fault::Invalid, "{body}");
        assert!(!failure.message.is_empty());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_in_any_field_makes_the_translation_panic(text in ".{0,40}", at in 0usize..40) {
        let mut document = order_document(7);
        let keys: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
        let key = &keys[at % keys.len()];
        document[key] = json!(text);
        let _ = translate::order(&document, None, &settings());
    }
}
