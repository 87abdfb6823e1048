//! The two shops under one name, as far as the story needs them.

use std::sync::Arc;

use entrepot_simulators::{Buyer, Faults, ShopifyConfig, ShopifyShop, WooConfig, WooShop};
use entrepot_simulators::{shopify, woo};
use rust_decimal::Decimal;

/// A simulated shop. Cheap to clone.
#[derive(Clone)]
pub enum Shop {
    Woo(Arc<WooShop>),
    Shopify(Arc<ShopifyShop>),
}

/// A product that both shops sell.
#[derive(Clone, Debug)]
pub struct Article {
    pub sku: String,
    pub title: String,
    pub gtin: String,
    pub cents: i64,
    pub stock: i64,
}

/// A push that arrived: when, which SKU, and what the shop showed afterwards.
pub struct Arrival {
    pub at_ms: i64,
    pub sku: String,
    pub shows: i64,
}

impl Shop {
    pub async fn woo(seed: u64, articles: &[Article]) -> std::io::Result<Self> {
        let shop = WooShop::start(WooConfig::seeded(seed)).await?;
        for article in articles {
            let product = woo::NewProduct::new(&article.sku, &article.title, Decimal::new(article.cents, 2));
            shop.add_product(product.stock(article.stock).gtin(&article.gtin));
        }
        Ok(Self::Woo(Arc::new(shop)))
    }

    pub async fn shopify(seed: u64, articles: &[Article]) -> std::io::Result<Self> {
        let shop = ShopifyShop::start(ShopifyConfig::seeded(seed)).await?;
        for article in articles {
            let variant = shopify::NewVariant::new(&article.sku, Decimal::new(article.cents, 2));
            shop.add_product(&article.title, vec![variant.stock(article.stock).barcode(&article.gtin)]);
        }
        Ok(Self::Shopify(Arc::new(shop)))
    }

    pub fn connector(&self) -> &'static str {
        match self {
            Self::Woo(_) => "woocommerce",
            Self::Shopify(_) => "shopify",
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Woo(_) => "WooCommerce shop",
            Self::Shopify(_) => "Shopify shop",
        }
    }

    pub fn origin(&self) -> String {
        match self {
            Self::Woo(shop) => shop.origin(),
            Self::Shopify(shop) => shop.origin(),
        }
    }

    pub fn settings(&self) -> serde_json::Value {
        match self {
            Self::Woo(shop) => serde_json::json!({ "origin": shop.origin(), "currency": "EUR" }),
            Self::Shopify(shop) => serde_json::json!({ "origin": shop.origin() }),
        }
    }

    /// By the names of the connector's manifest.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Woo(shop) => {
                vec![("consumer-key", shop.consumer_key().to_owned()), ("consumer-secret", shop.consumer_secret().to_owned())]
            }
            Self::Shopify(shop) => vec![("client-id", shop.client_id().to_owned()), ("client-secret", shop.client_secret().to_owned())],
        }
    }

    /// Returns the order's id, or nothing when the shop itself has none left to sell.
    pub fn sell(&self, sku: &str, units: i64, buyer: u64) -> Option<i64> {
        match self {
            Self::Woo(shop) => shop.place_order(woo::Purchase::of(sku, units).buyer(Buyer::number(buyer))).ok(),
            Self::Shopify(shop) => shop.place_order(shopify::Basket::of(sku, units).buyer(Buyer::number(buyer))).ok(),
        }
    }

    pub fn cancel(&self, order: i64) -> bool {
        match self {
            Self::Woo(shop) => shop.cancel_order(order).is_ok(),
            Self::Shopify(shop) => shop.cancel_order(order).is_ok(),
        }
    }

    pub fn shows(&self, sku: &str) -> Option<i64> {
        match self {
            Self::Woo(shop) => shop.stock_of(sku),
            Self::Shopify(shop) => shop.stock_of(sku),
        }
    }

    /// External ids of every order of the shop.
    pub fn orders(&self) -> Vec<i64> {
        match self {
            Self::Woo(shop) => shop.orders().iter().map(|order| order.id).collect(),
            Self::Shopify(shop) => shop.orders().iter().map(|order| order.id).collect(),
        }
    }

    /// The order's id as the connector writes it.
    pub fn external_id(&self, order: i64) -> String {
        match self {
            Self::Woo(_) => order.to_string(),
            Self::Shopify(_) => format!("gid://shopify/Order/{order}"),
        }
    }

    pub fn arrivals(&self) -> Vec<Arrival> {
        match self {
            Self::Woo(shop) => shop.pushes().into_iter().map(|w| Arrival { at_ms: w.at_ms, sku: w.sku, shows: w.after }).collect(),
            Self::Shopify(shop) => shop.pushes().into_iter().map(|w| Arrival { at_ms: w.at_ms, sku: w.sku, shows: w.after }).collect(),
        }
    }

    /// Webhooks posted, and how many of them were repeats.
    pub fn webhooks(&self) -> (u64, u64) {
        let counts = match self {
            Self::Woo(shop) => shop.webhook_counts(),
            Self::Shopify(shop) => shop.webhook_counts(),
        };
        (counts.sent, counts.duplicates_sent)
    }

    pub fn faults(&self, turn: impl FnOnce(&mut Faults)) {
        match self {
            Self::Woo(shop) => shop.faults(turn),
            Self::Shopify(shop) => shop.faults(turn),
        }
    }

    pub async fn settled(&self) {
        match self {
            Self::Woo(shop) => shop.deliveries_idle().await,
            Self::Shopify(shop) => shop.deliveries_idle().await,
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Woo(shop) => shop.stop().await,
            Self::Shopify(shop) => shop.stop().await,
        }
    }
}
