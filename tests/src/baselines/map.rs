//! B5: a WooCommerce order's JSON becomes a record, in plain Rust without a sandbox.

use serde::Deserialize;

/// An order as the shop sends it: made up, all fields of the format.
pub const SAMPLE: &[u8] = include_bytes!("order.json");

#[derive(Deserialize)]
struct Wire {
    id: u64,
    number: String,
    status: String,
    currency: String,
    date_created_gmt: String,
    total: String,
    total_tax: String,
    shipping_total: String,
    billing: Address,
    shipping: Address,
    line_items: Vec<Item>,
}

#[derive(Deserialize)]
struct Address {
    first_name: String,
    last_name: String,
    address_1: String,
    address_2: String,
    city: String,
    postcode: String,
    country: String,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: u64,
    product_id: u64,
    variation_id: u64,
    sku: Option<String>,
    name: String,
    quantity: i64,
    total: String,
    total_tax: String,
}

#[derive(Debug)]
pub struct Order {
    pub external_id: String,
    pub number: String,
    pub state: &'static str,
    pub currency: String,
    pub placed: String,
    pub totals: [String; 3],
    /// Name, address, country, and how to reach them.
    pub people: [Vec<String>; 2],
    pub lines: Vec<Line>,
}

#[derive(Debug)]
pub struct Line {
    pub external_ids: [String; 2],
    pub sku: Option<String>,
    pub title: String,
    pub quantity: i64,
    pub amounts: [String; 2],
}

pub fn order(body: &[u8]) -> serde_json::Result<Order> {
    let wire: Wire = serde_json::from_slice(body)?;
    let state = match wire.status.as_str() {
        "processing" => "paid",
        "completed" => "done",
        "cancelled" | "refunded" | "failed" => "cancelled",
        _ => "open",
    };
    Ok(Order {
        external_id: wire.id.to_string(),
        number: wire.number,
        state,
        currency: wire.currency,
        placed: wire.date_created_gmt + "Z",
        totals: [wire.total, wire.total_tax, wire.shipping_total],
        people: [person(wire.billing), person(wire.shipping)],
        lines: wire.line_items.into_iter().map(line).collect(),
    })
}

fn person(a: Address) -> Vec<String> {
    let name = format!("{} {}", a.first_name, a.last_name);
    let contact = [a.email, a.phone].into_iter().flatten();
    [name, a.address_1, a.address_2, a.postcode, a.city, a.country].into_iter().chain(contact).collect()
}

fn line(item: Item) -> Line {
    let offer = if item.variation_id > 0 { format!("{}:{}", item.product_id, item.variation_id) } else { item.product_id.to_string() };
    let (external_ids, amounts) = ([item.id.to_string(), offer], [item.total, item.total_tax]);
    Line { external_ids, sku: item.sku, title: item.name, quantity: item.quantity, amounts }
}

#[test]
fn the_sample_maps_to_three_lines() {
    let order = order(SAMPLE).unwrap();
    assert_eq!((order.lines.len(), order.state, order.lines[1].external_ids[1].as_str()), (3, "paid", "91:914"));
}
