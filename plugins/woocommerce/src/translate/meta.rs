//! Meta data: the key-value pairs that extensions hang on orders, lines and products.

use serde_json::Value;

use crate::json::{Doc, Refusal};

/// Keys of our own marks on an order and on a refund; our reference follows. One key per shipment, so that writing one
/// can never overwrite another.
pub const OUR_SHIPMENT: &str = "_entrepot_shipment_";
pub const OUR_REFUND: &str = "_entrepot_refund";

/// Where extensions keep the article number of a product, best known first.
const GTIN_KEYS: [&str; 10] =
    ["_global_unique_id", "_gtin", "gtin", "_ean", "ean", "_alg_ean", "_wpm_gtin_code", "hwp_product_gtin", "_barcode", "barcode"];
const HS_CODE_KEYS: [&str; 5] = ["_hs_code", "hs_code", "_wc_hs_code", "wf_hs_code", "_harmonized_code"];
const ORIGIN_KEYS: [&str; 4] = ["_country_of_origin", "country_of_origin", "_origin_country", "_wf_country_of_origin"];
const TAX_NUMBER_KEYS: [&str; 7] =
    ["_billing_vat_number", "_vat_number", "vat_number", "_billing_eu_vat_number", "_billing_vat", "_billing_cnpj", "_billing_cpf"];
const PAYMENT_MODE_KEYS: [&str; 2] = ["_wcpay_mode", "_payment_mode"];

/// The meta data of one document.
pub struct Meta<'a> {
    pairs: Vec<(&'a str, &'a Value)>,
}

impl<'a> Meta<'a> {
    pub fn of(doc: Doc<'a>) -> Result<Self, Refusal> {
        let items = doc.list("meta_data")?;
        let pair = |item: &'a Value| Some((item.get("key")?.as_str()?, item.get("value")?));
        Ok(Self { pairs: items.iter().filter_map(pair).collect() })
    }

    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// A text or number as text.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.pairs.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, *value)))
    }

    fn first(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.text(key))
    }

    pub fn gtin_candidates(&self) -> impl Iterator<Item = String> {
        GTIN_KEYS.iter().filter_map(|key| self.text(key))
    }

    pub fn hs_code(&self) -> Option<String> {
        self.first(&HS_CODE_KEYS)
    }

    pub fn origin(&self) -> Option<String> {
        self.first(&ORIGIN_KEYS)
    }

    pub fn tax_number(&self) -> Option<String> {
        self.first(&TAX_NUMBER_KEYS)
    }

    /// Whether a payment extension marks the order as practice.
    pub fn is_test(&self) -> bool {
        self.first(&PAYMENT_MODE_KEYS).is_some_and(|mode| matches!(mode.as_str(), "test" | "sandbox"))
    }

    /// Whether a gift-card extension sold a card with this line.
    pub fn is_gift_card(&self) -> bool {
        let names_gift_card = |key: &str| {
            let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
            key.to_ascii_lowercase().contains("giftcard")
        };
        self.pairs.iter().any(|(key, _)| names_gift_card(key) || key.starts_with("wc_gc_"))
    }
}
