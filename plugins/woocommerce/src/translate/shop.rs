//! The shop itself: who it is, its currency and time zone, and the lists people choose from.

use serde_json::Value;

use crate::contract::{Account, Document};
use crate::json::{Doc, Refusal, text_extra};

/// What `check` reads; the parts that a shop may refuse or not have are optional.
pub struct ShopDocuments {
    /// `GET /`, the index of the REST API.
    pub index: Option<Value>,
    /// `GET /wc/v3/settings/general`.
    pub general: Option<Value>,
    /// `GET /wc/v3/data/currencies/current`.
    pub currency: Value,
    /// `GET /wc/v3/system_status`.
    pub status: Option<Value>,
}

pub fn account(documents: &ShopDocuments, origin: &str) -> Result<Account, Refusal> {
    let index = documents.index.as_ref().and_then(|index| Doc::new(index).ok());
    let text = |key: &str| index.and_then(|index| index.loose_text(key));
    let mut extras = Vec::new();
    extras.extend(version(documents.status.as_ref()).map(|version| text_extra("woocommerce-version", &version)));
    Ok(Account {
        external_id: text("home").or_else(|| text("url")).unwrap_or_else(|| origin.to_owned()),
        name: text("name").map(|name| super::text::plain(&name)).unwrap_or_else(|| origin.to_owned()),
        currency: Some(currency(&documents.currency)?),
        country: setting(documents.general.as_ref(), "woocommerce_default_country")
            .and_then(|text| text.split(':').next().map(str::to_owned))
            .filter(|code| code.len() == 2),
        time_zone: text("timezone_string").or_else(|| text("gmt_offset").and_then(|hours| offset(&hours))),
        scopes: Vec::new(),
        extras,
    })
}

/// ISO 4217 out of `data/currencies/current`.
pub fn currency(document: &Value) -> Result<String, Refusal> {
    let code = Doc::new(document)?.text("code")?;
    code.filter(|code| code.len() == 3)
        .map(|code| code.to_ascii_uppercase())
        .ok_or_else(|| Refusal::new("code", "expected the shop's currency, found none"))
}

/// One of the shop's shipping methods.
pub fn shipping_method(document: &Value) -> Result<Document, Refusal> {
    let doc = Doc::new(document)?;
    let id = doc.text("id")?.ok_or_else(|| Refusal::new("id", "expected a method's id, found none"))?;
    Ok(Document { title: doc.text("title")?.unwrap_or_else(|| id.clone()), external_id: id, extras: doc.rest(&["id", "title", "_links"]) })
}

/// WooCommerce's own version.
pub fn version(status: Option<&Value>) -> Option<String> {
    Some(status?.get("environment")?.get("version")?.as_str()?.to_owned())
}

fn setting(settings: Option<&Value>, id: &str) -> Option<String> {
    let found = settings?.as_array()?.iter().find(|item| item.get("id").and_then(Value::as_str) == Some(id))?;
    Some(found.get("value")?.as_str()?.to_owned())
}

/// `5.5` hours to `+05:30`.
fn offset(hours: &str) -> Option<String> {
    let minutes = crate::decimal::parse(hours)?.checked_mul(rust_decimal::Decimal::from(60))?;
    let minutes = crate::decimal::floor(minutes)?;
    let sign = if minutes < 0 { '-' } else { '+' };
    Some(format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60))
}
