//! Every request against the documented parameters and properties: names, types, and nothing read-only is written.

use entrepot_woocommerce::contract::*;
use entrepot_woocommerce::requests::{self, Call};
use entrepot_woocommerce::translate::ListingId;
use serde_json::{Value, json};

use super::specs;

fn money(amount: &str) -> Money {
    Money { amount: amount.to_owned(), currency: "USD".to_owned() }
}

fn dispatch() -> Dispatch {
    Dispatch {
        key: "k".into(),
        order: "727".into(),
        reference: "shp_1".into(),
        lines: vec![ShipmentLine { line: "315".into(), quantity: 2 }],
        tracking: vec![Tracking { number: "1Z".into(), carrier: Some("UPS".into()), url: None }],
        shipped_at: "2026-11-21T10:00:00Z".into(),
        notify_buyer: true,
        completes_order: true,
    }
}

fn refund() -> RefundOrder {
    RefundOrder {
        key: "k".into(),
        order: "727".into(),
        amount: Amounts { shop: money("9.50"), presented: None },
        lines: vec![RefundLine {
            line: "315".into(),
            quantity: 1,
            restocked: Some(true),
            amount: Some(Amounts { shop: money("9.50"), presented: None }),
        }],
        reason: Some("broken".into()),
        pay_out: false,
    }
}

/// Rows of one table of one page.
fn rows(page: &str, heading: &str) -> Vec<Value> {
    let table = specs::table(page).unwrap();
    table.get(heading).unwrap_or_else(|| panic!("{page} has no table {heading}")).as_array().unwrap().clone()
}

fn check_query(page: &str, call: &Call) {
    let parameters = rows(page, "Available parameters");
    for (name, value) in &call.query {
        let row = parameters.iter().find(|row| row["name"] == *name).unwrap_or_else(|| panic!("{page}: no parameter {name}"));
        let fits = match row["type"].as_str().unwrap() {
            "integer" => value.parse::<u64>().is_ok(),
            "boolean" => matches!(value.as_str(), "true" | "false"),
            _ => !value.is_empty(),
        };
        assert!(fits, "{page}: {name}={value} is no {}", row["type"]);
        check_options(&row["description"], value, &format!("{page}?{name}"));
    }
}

/// Where the description lists options, the value is one of them.
fn check_options(description: &Value, value: &str, place: &str) {
    let text = description.as_str().unwrap();
    let Some((_, options)) = text.split_once("Options: ") else { return };
    let listed: Vec<&str> = options.split("Default").next().unwrap().split('`').skip(1).step_by(2).collect();
    assert!(listed.contains(&value), "{place}: {value} is not one of {listed:?}");
}

fn check_body(page: &str, heading: &str, body: &Value, by_path: &[&str]) {
    let properties = rows(page, heading);
    for (name, value) in body.as_object().unwrap() {
        if by_path.contains(&name.as_str()) {
            continue;
        }
        let row = properties.iter().find(|row| row["name"] == *name).unwrap_or_else(|| panic!("{page}: no property {name} in {heading}"));
        let description = row["description"].as_str().unwrap();
        let read_only = description.contains("read-only") && !description.contains("mandatory");
        assert!(!read_only, "{page}: {name} is read-only");
        let kind = row["type"].as_str().unwrap();
        let fits = match kind {
            "integer" => value.is_u64() || value.is_i64(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "number" => value.is_number(),
            "date-time" | "string" => value.is_string(),
            other => panic!("{page}: {name} has the unknown type {other}"),
        };
        assert!(fits, "{page}: {name} is {value}, documented as {kind}");
        if let Some(text) = value.as_str() {
            check_options(&row["description"], text, &format!("{page}.{name}"));
        }
    }
}

#[test]
fn reads_use_documented_parameters_only() {
    if specs::folder().is_none() {
        return;
    }
    check_query("orders", &requests::orders_page(1_700_000_000, "any", 100, 100));
    check_query("orders", &requests::orders_page(1_700_000_000, "trash", 0, 90));
    check_query("orders", &requests::orders_by_ids(&["1", "2"]));
    check_query("products", &requests::products_page(50, 50));
    check_query("products", &requests::products_by_ids(&["1", "2"]));
    check_query("product-variations", &requests::variations_page("22", 0, 100));
    check_query("product-variations", &requests::variations_by_ids("22", &["732"]));
    check_query("order-refunds", &requests::list_refunds("723"));
    check_query("order-notes", &requests::list_notes("723"));
    check_query("webhooks", &requests::webhooks_page(1));
    check_query("webhooks", &requests::delete_webhook("142"));
}

#[test]
fn the_polls_bound_is_in_utc_without_a_zone_and_says_so() {
    let call = requests::orders_page(1_700_000_000, "any", 0, 100);
    assert!(call.query.contains(&("modified_after", "2023-11-14T22:13:20".to_owned())));
    assert!(call.query.contains(&("dates_are_gmt", "true".to_owned())));
}

#[test]
fn writes_set_documented_writable_properties_of_the_right_type() {
    if specs::folder().is_none() {
        return;
    }
    let product = ListingId::parse("93").unwrap();
    let variation = ListingId::parse("22/732").unwrap();
    for (listing, page, heading) in
        [(&product, "products", "Product properties"), (&variation, "product-variations", "Product variation properties")]
    {
        check_body(page, heading, &requests::stock_fields(listing, 5), &["id"]);
        check_body(page, heading, &requests::price_fields(listing, &money("9.99"), None), &["id"]);
        check_body(page, heading, &requests::price_fields(listing, &money("9.99"), Some(&money("12.00"))), &["id"]);
    }
    check_body("orders", "Order properties", &requests::mark_shipped(&dispatch()), &["id"]);
    check_body("orders", "Order properties", &requests::cancel_order("727"), &["id"]);
    for mark in requests::mark_shipped(&dispatch())["meta_data"].as_array().unwrap() {
        check_body("orders", "Order - Meta data properties", mark, &[]);
    }
    check_body("order-notes", "Order note properties", requests::create_note(&dispatch()).body.as_ref().unwrap(), &[]);
    let created = requests::create_refund(&refund(), "mark").body.unwrap();
    check_body("order-refunds", "Order refund properties", &created, &[]);
    for line in created["line_items"].as_array().unwrap() {
        check_body("order-refunds", "Order refund - Line items properties", line, &["id"]);
    }
    check_body(
        "webhooks",
        "Webhook properties",
        requests::create_webhook("order.updated", "https://hub.example/x").body.as_ref().unwrap(),
        &[],
    );
    check_body("webhooks", "Webhook properties", requests::revive_webhook("142").body.as_ref().unwrap(), &[]);
}

#[test]
fn a_recorded_refund_moves_no_money_and_an_exact_amount_stays_exact() {
    let body = requests::create_refund(&refund(), "mark").body.unwrap();
    assert_eq!(body["api_refund"], json!(false));
    assert_eq!(body["api_restock"], json!(true));
    assert_eq!(body["line_items"][0]["refund_total"].to_string(), "9.5");
}

#[test]
fn batches_are_what_the_documents_show() {
    let call = requests::batch_variations("22", vec![json!({"id": 732})]);
    assert_eq!((call.method, call.path.as_str()), ("POST", "/wc/v3/products/22/variations/batch"));
    assert_eq!(call.body.unwrap(), json!({"update": [{"id": 732}]}));
}

#[test]
fn the_webhook_secret_is_a_name_in_the_request_and_never_a_value() {
    let settings = super::documents::settings();
    let request = requests::create_webhook("order.updated", "https://hub.example/x").request(&settings).unwrap();
    assert_eq!(request.raw().credentials, ["api", "webhook-secret"]);
}
