//! Every answer against the property tables of the official pages: each documented property is there, with the documented
//! type, and nothing is there that neither the tables nor the list of newer properties below knows.

use entrepot_simulators::woo::{NewProduct, Purchase};
use entrepot_simulators::{WooConfig, WooShop};
use serde_json::{Value, json};

use super::{Client, euros, shop};
use crate::receiver::Receiver;
use crate::specs;

/// Properties that shops of today send and the tables (older) do not list, or lost in their making: `Attributes` rows
/// without id and name, for one.
const NEWER: [(&str, &[&str]); 13] = [
    ("Product", &["global_unique_id", "low_stock_amount", "attributes", "has_options", "_links"]),
    ("Product variation", &["global_unique_id", "low_stock_amount", "attributes", "name", "type", "parent_id", "_links"]),
    ("Product - Attributes", &["id", "name", "slug", "position"]),
    ("Product variation - Attributes", &["id", "name"]),
    ("Order", &["payment_url", "is_editable", "needs_payment", "needs_processing", "currency_symbol", "_links"]),
    ("Order - Shipping", &["phone"]),
    ("Order - Line items", &["global_unique_id", "image", "parent_name"]),
    ("Order - Tax lines", &["rate_percent"]),
    ("Order - Meta data", &["display_key", "display_value"]),
    ("Order - Shipping lines", &["instance_id", "tax_status"]),
    ("Order - Fee lines", &["amount"]),
    ("Order - Coupon lines", &["discount_type", "nominal_amount", "free_shipping"]),
    ("Order refund", &["parent_id", "shipping_lines", "tax_lines", "fee_lines", "_links"]),
];

/// Where the tables say one type and the examples of the same page (and shops) show another.
const OTHERWISE: [(&str, &str, &str); 6] = [
    ("Order - Line items", "price", "number"),
    ("Order refund - Line items", "price", "number"),
    ("Order - Tax lines", "rate_id", "integer"),
    ("Product variation", "shipping_class_id", "integer"),
    ("Order refund - Line items", "tax_class", "string"),
    ("Setting group", "sub_groups", "array"),
];

struct Tables(Value);

impl Tables {
    fn read(file: &str) -> Option<Self> {
        specs::json(&format!("woocommerce/fields/{file}.json")).map(Self)
    }

    fn rows(&self, table: &str) -> Option<&Vec<Value>> {
        self.0.get(format!("{table} properties"))?.as_array()
    }

    /// Checks one object against `table`, then the objects inside it against the tables their rows point at.
    fn check(&self, table: &str, object: &Value, wrong: &mut Vec<String>) {
        let Some(rows) = self.rows(table) else { return wrong.push(format!("no table {table}")) };
        let newer = NEWER.iter().find(|(known, _)| *known == table).map_or(&[][..], |(_, names)| names);
        let documented: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        for name in object.as_object().unwrap().keys().filter(|name| *name != "_links") {
            if !documented.contains(&name.as_str()) && !newer.contains(&name.as_str()) {
                wrong.push(format!("{table}: {name} is not documented"));
            }
        }
        for row in rows {
            let (name, words) = (row["name"].as_str().unwrap(), row["description"].as_str().unwrap());
            if words.contains("write-only") {
                if object.get(name).is_some() {
                    wrong.push(format!("{table}: {name} is write-only"));
                }
                continue;
            }
            let Some(value) = object.get(name) else {
                wrong.push(format!("{table}: {name} is missing"));
                continue;
            };
            let other = OTHERWISE.iter().find(|(known, field, _)| (*known, *field) == (table, name));
            let kind = other.map_or(row["type"].as_str().unwrap(), |(_, _, kind)| kind);
            if !fits(name, kind, value) {
                wrong.push(format!("{table}: {name} is {value}, not {kind}"));
            }
            if let Some(inner) = linked_table(words) {
                // The tax rows inside lines are documented as tax lines, but shown as {id, total, subtotal}.
                if inner.ends_with("Taxes") {
                    continue;
                }
                for value in value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]) {
                    self.check(&inner, &value, wrong);
                }
            }
        }
    }
}

/// The name in `See [Order - Billing properties](#…)`.
fn linked_table(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("See [")?;
    rest.split_once(" properties]").map(|(name, _)| name.to_owned())
}

fn fits(name: &str, kind: &str, value: &Value) -> bool {
    match kind {
        "integer" if name == "stock_quantity" => value.is_null() || value.is_i64(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" if name == "manage_stock" => value.is_boolean() || value == "parent",
        "boolean" => value.is_boolean(),
        // Custom fields and tracking lists are structured in life, whatever the table says.
        "string" if name == "value" => true,
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "date-time" => {
            let shape = |text: &str| text.len() == 19 && text.as_bytes()[10] == b'T' && !text.ends_with('Z');
            value.is_null() || value.as_str().is_some_and(shape)
        }
        _ => false,
    }
}

fn check(file: &str, table: &str, objects: &[Value]) {
    let Some(tables) = Tables::read(file) else { return };
    assert!(!objects.is_empty());
    let mut wrong = Vec::new();
    for object in objects {
        tables.check(table, object, &mut wrong);
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

#[tokio::test]
async fn orders_refunds_and_notes_have_the_documented_properties_and_types() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let purchase = Purchase::of("MUG", 2).and("TEE-M", 3).and("TEE-L", 1).shipping(euros(490));
    let order = shop.place_order(purchase.coupon("TENOFF", euros(1000)).fee("Gift wrap", euros(250))).unwrap();
    shop.place_order(Purchase::of("MUG", 1).status("pending")).unwrap();
    shop.refund_order(order, &[("MUG", 1)], true).unwrap();
    let body = json!({ "note": "Packed", "customer_note": true });
    assert_eq!(client.post(&format!("/orders/{order}/notes"), body).await.status, 201);
    let meta = json!({ "meta_data": [{ "key": "hub", "value": { "parcels": [1, 2] } }] });
    assert_eq!(client.put(&format!("/orders/{order}"), meta).await.status, 200);

    let orders = list(&client.get("/orders").await.body);
    assert_eq!(orders.len(), 2);
    let full = orders.iter().find(|found| found["id"] == order).unwrap();
    for part in ["line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines", "refunds", "meta_data"] {
        assert!(!full[part].as_array().unwrap().is_empty(), "{part} is empty, so nothing of it was checked");
    }
    check("orders", "Order", &orders);
    check("order-refunds", "Order refund", &list(&client.get(&format!("/orders/{order}/refunds")).await.body));
    let notes = list(&client.get(&format!("/orders/{order}/notes")).await.body);
    assert!(notes.iter().any(|note| note["note"] == "Packed" && note["customer_note"] == true));
    // `added_by_user` is asked for when writing and never shown.
    let notes: Vec<Value> = notes
        .into_iter()
        .map(|mut note| {
            note["added_by_user"] = json!(false);
            note
        })
        .collect();
    check("order-notes", "Order note", &notes);
}

#[tokio::test]
async fn products_variations_and_webhooks_have_the_documented_properties_and_types() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    shop.add_product(NewProduct::new("SALE", "Sale", euros(900)).sale_price(euros(700)).backorders());
    shop.add_product(NewProduct::new("PDF", "Manual", euros(500)).digital());
    check("products", "Product", &list(&client.get("/products?per_page=100").await.body));
    let parent = shop.id_of("TEE").unwrap();
    let variations = list(&client.get(&format!("/products/{parent}/variations")).await.body);
    assert_eq!(variations.len(), 3);
    check("product-variations", "Product variation", &variations);
    let receiver = Receiver::start().await;
    client.subscribe("order.updated", &receiver.url).await;
    check("webhooks", "Webhook", &list(&client.get("/webhooks").await.body));
    check("settings", "Setting group", &list(&client.get("/settings").await.body));
    check("shipping-methods", "Shipping method", &list(&client.get("/shipping_methods").await.body));
}

#[tokio::test]
async fn what_the_examples_show_is_there_too() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    shop.place_order(Purchase::of("MUG", 1)).unwrap();
    let parent = shop.id_of("TEE").unwrap();
    let pairs = [
        ("orders/02-retrieve-an-order", client.get("/orders").await.body[0].clone()),
        ("products/03-retrieve-a-product", client.get("/products").await.body[0].clone()),
        ("product-variations/02-retrieve-a-product-variation", client.get(&format!("/products/{parent}/variations")).await.body[0].clone()),
        ("data/08-retrieve-current-currency", client.get("/data/currencies/current").await.body),
    ];
    for (sample, ours) in pairs {
        let Some(sample) = specs::json(&format!("woocommerce/samples/{sample}.json")) else { return };
        for (name, value) in sample.as_object().unwrap() {
            let mine = ours.get(name).unwrap_or_else(|| panic!("{name} is missing"));
            let same = std::mem::discriminant(value) == std::mem::discriminant(mine);
            assert!(same || value.is_null() || mine.is_null() || name == "manage_stock", "{name}: {mine}, not like {value}");
        }
    }
}

#[tokio::test]
async fn money_keeps_the_currency_s_digits_and_the_sums_agree() {
    for (tax_bps, included, decimals) in [(1900, false, 2), (1900, true, 2), (0, false, 2), (825, false, 2), (1000, false, 0)] {
        let config = WooConfig { tax_bps, prices_include_tax: included, decimals, ..WooConfig::seeded(3) };
        let shop = WooShop::start(config).await.unwrap();
        let price = rust_decimal::Decimal::new(if decimals == 0 { 1999 } else { 199_900 }, if decimals == 0 { 0 } else { 4 });
        shop.add_product(NewProduct::new("A", "A", price).stock(100));
        shop.add_product(NewProduct::new("B", "B", price + price).stock(100));
        let purchase = Purchase::of("A", 3).and("B", 1).shipping(euros(490).round()).coupon("X", euros(700).round());
        shop.place_order(purchase).unwrap();
        let order = Client::of(&shop).get("/orders").await.body[0].clone();
        let sum = |list: &str, field: &str| -> rust_decimal::Decimal {
            order[list].as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap()).sum()
        };
        let whole = sum("line_items", "total")
            + sum("line_items", "total_tax")
            + sum("shipping_lines", "total")
            + sum("shipping_lines", "total_tax");
        let total = order["total"].as_str().unwrap();
        assert_eq!(total.parse::<rust_decimal::Decimal>().unwrap(), whole);
        let digits = total.split_once('.').map_or(0, |(_, digits)| digits.len());
        assert_eq!(digits, decimals as usize, "{total}");
        if included {
            assert_eq!(sum("line_items", "subtotal") + sum("line_items", "subtotal_tax"), price * rust_decimal::Decimal::from(5));
        }
    }
}
