//! Orders as a WooCommerce shop's webhooks carry them, by the thousand: signed, distinct, of known lines.

use serde_json::{Value, json};

use crate::baselines::{map, signed};
use crate::load;
use crate::site;

/// Three lines of the articles with these numbers; everything else is the sample order's.
pub fn order(id: u64, articles: [usize; 3]) -> Vec<u8> {
    let mut order: Value = serde_json::from_slice(map::SAMPLE).unwrap();
    (order["id"], order["number"]) = (json!(id), json!(id.to_string()));
    for (line, article) in order["line_items"].as_array_mut().unwrap().iter_mut().zip(articles) {
        line["product_id"] = json!(site::external_id(article).parse::<u64>().unwrap());
        line["variation_id"] = json!(0);
        line["sku"] = json!(site::sku(article));
    }
    serde_json::to_vec(&order).unwrap()
}

/// How many units the lines of [`order`] sell.
pub const UNITS: [i64; 3] = [2, 1, 3];

/// Three different articles for order `n`, spread over all of them.
pub fn articles(n: u64, of: usize) -> [usize; 3] {
    let first = usize::try_from(n).unwrap() * 7;
    [first % of, (first + 331) % of, (first + 662) % of]
}

/// The request that delivers a body.
pub fn post(path: &str, topic: &str, body: &[u8]) -> Vec<u8> {
    load::post(path, &[(signed::HEADER, &signed::sign(body)), ("x-wc-webhook-topic", topic)], body)
}
