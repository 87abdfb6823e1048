//! The simulated shops under one face, for stories that play with either as the seller.

use std::sync::Arc;

use entrepot::clock::Clock;
use entrepot_simulators::shopify::{Basket, NewVariant, ShopifyRefused};
use entrepot_simulators::woo::{NewProduct, Purchase, Refused};
use entrepot_simulators::{Buyer, Delivery, Fault, Faults, RequestSeen, ShopifyConfig, ShopifyShop, WebhookCounts, WooConfig, WooShop};
use rust_decimal::Decimal;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Woo,
    Shopify,
}

impl Kind {
    pub fn connector(self) -> &'static str {
        match self {
            Self::Woo => "woocommerce",
            Self::Shopify => "shopify",
        }
    }

    pub fn other(self) -> Self {
        match self {
            Self::Woo => Self::Shopify,
            Self::Shopify => Self::Woo,
        }
    }
}

/// Something both shops sell.
#[derive(Clone, Copy, Debug)]
pub struct Article {
    pub sku: &'static str,
    pub gtin: &'static str,
    pub title: &'static str,
    pub cents: i64,
    pub stock: i64,
}

pub const MUG: Article = Article { sku: "MUG", gtin: "4006381333931", title: "Mug", cents: 1250, stock: 10 };
pub const LAMP: Article = Article { sku: "LAMP", gtin: "4012345678901", title: "Lamp", cents: 4900, stock: 5 };

/// A simulated shop. Cheap to clone.
#[derive(Clone)]
pub enum Shop {
    Woo(Arc<WooShop>),
    Shopify(Arc<ShopifyShop>),
}

/// A shop refused what a person asked for.
#[derive(Debug)]
pub enum Refusal {
    Woo(Refused),
    Shopify(ShopifyRefused),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Woo(refused)
    }
}

impl From<ShopifyRefused> for Refusal {
    fn from(refused: ShopifyRefused) -> Self {
        Self::Shopify(refused)
    }
}

/// The same act in either shop.
macro_rules! either {
    ($shop:expr, $name:ident => $act:expr) => {
        match $shop {
            Shop::Woo($name) => $act,
            Shop::Shopify($name) => $act,
        }
    };
}

impl Shop {
    pub async fn open(kind: Kind, seed: u64, clock: &Clock, articles: &[Article]) -> Self {
        let clock = clock.clone();
        let clock: entrepot_simulators::Clock = Arc::new(move || clock.now_ms());
        let shop = match kind {
            Kind::Woo => Self::Woo(Arc::new(WooShop::start(WooConfig { clock, ..WooConfig::seeded(seed) }).await.unwrap())),
            Kind::Shopify => {
                Self::Shopify(Arc::new(ShopifyShop::start(ShopifyConfig { clock, ..ShopifyConfig::seeded(seed) }).await.unwrap()))
            }
        };
        for article in articles {
            shop.offer(article);
        }
        shop
    }

    pub fn offer(&self, article: &Article) {
        let price = Decimal::new(article.cents, 2);
        match self {
            Self::Woo(shop) => {
                shop.add_product(NewProduct::new(article.sku, article.title, price).stock(article.stock).gtin(article.gtin));
            }
            Self::Shopify(shop) => {
                shop.add_product(article.title, vec![NewVariant::new(article.sku, price).stock(article.stock).barcode(article.gtin)]);
            }
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Woo(_) => Kind::Woo,
            Self::Shopify(_) => Kind::Shopify,
        }
    }

    pub fn woo(&self) -> &WooShop {
        match self {
            Self::Woo(shop) => shop,
            Self::Shopify(_) => panic!("this is the Shopify shop"),
        }
    }

    pub fn shopify(&self) -> &ShopifyShop {
        match self {
            Self::Shopify(shop) => shop,
            Self::Woo(_) => panic!("this is the WooCommerce shop"),
        }
    }

    pub fn origin(&self) -> String {
        either!(self, shop => shop.origin())
    }

    /// By the names of the connector's manifest.
    pub fn secrets(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Woo(shop) => vec![("consumer-key", shop.consumer_key().into()), ("consumer-secret", shop.consumer_secret().into())],
            Self::Shopify(shop) => vec![("client-id", shop.client_id().into()), ("client-secret", shop.client_secret().into())],
        }
    }

    pub fn sell(&self, sku: &str, units: i64) -> Result<i64, Refusal> {
        self.sell_to(sku, units, Buyer::number(1))
    }

    pub fn sell_to(&self, sku: &str, units: i64, buyer: Buyer) -> Result<i64, Refusal> {
        Ok(match self {
            Self::Woo(shop) => shop.place_order(Purchase::of(sku, units).buyer(buyer))?,
            Self::Shopify(shop) => shop.place_order(Basket::of(sku, units).buyer(buyer))?,
        })
    }

    /// Sells more than there is, as a shop does whose own guard failed.
    pub fn oversell(&self, sku: &str, units: i64) -> i64 {
        match self {
            Self::Woo(shop) => shop.place_order(Purchase::of(sku, units).oversell()).unwrap(),
            Self::Shopify(shop) => shop.place_order(Basket::of(sku, units).oversell()).unwrap(),
        }
    }

    pub fn cancel(&self, order: i64) {
        match self {
            Self::Woo(shop) => shop.cancel_order(order).unwrap(),
            Self::Shopify(shop) => shop.cancel_order(order).unwrap(),
        }
    }

    pub fn edit(&self, order: i64, sku: &str, units: i64) {
        match self {
            Self::Woo(shop) => shop.edit_order(order, sku, units).unwrap(),
            Self::Shopify(shop) => shop.edit_order(order, sku, units).unwrap(),
        }
    }

    pub fn ship(&self, order: i64, number: &str) {
        match self {
            Self::Woo(shop) => shop.ship_order(order, "DHL", number).unwrap(),
            Self::Shopify(shop) => drop(shop.ship_order(order, "DHL", number).unwrap()),
        }
    }

    pub fn refund(&self, order: i64, lines: &[(&str, i64)], restock: bool) {
        match self {
            Self::Woo(shop) => drop(shop.refund_order(order, lines, restock).unwrap()),
            Self::Shopify(shop) => drop(shop.refund_order(order, lines, restock).unwrap()),
        }
    }

    /// The merchant types a price or a quantity in the shop's own admin.
    pub fn reprice(&self, sku: &str, price: Decimal) {
        match self {
            Self::Woo(shop) => shop.set_price(sku, price).unwrap(),
            Self::Shopify(shop) => shop.set_price(sku, price).unwrap(),
        }
    }

    pub fn restock(&self, sku: &str, units: i64) {
        match self {
            Self::Woo(shop) => shop.set_stock(sku, units).unwrap(),
            Self::Shopify(shop) => shop.set_stock(sku, units).unwrap(),
        }
    }

    pub fn shows(&self, sku: &str) -> Option<i64> {
        either!(self, shop => shop.stock_of(sku))
    }

    /// In the smallest unit of the shop's currency.
    pub fn cents(&self, sku: &str) -> Option<i64> {
        cents(either!(self, shop => shop.price_of(sku))?)
    }

    pub fn list_cents(&self, list: &str, sku: &str) -> Option<i64> {
        match self {
            Self::Woo(_) => None,
            Self::Shopify(shop) => cents(shop.list_price_of(list, sku)?),
        }
    }

    pub fn list_price_writes(&self) -> usize {
        self.writes_with("priceListFixedPricesAdd")
    }

    /// Requests of the hub that wrote a price and took effect.
    pub fn price_writes(&self) -> usize {
        self.writes_with(match self {
            Self::Woo(_) => "regular_price",
            Self::Shopify(_) => "productVariantsBulkUpdate",
        })
    }

    fn writes_with(&self, word: &str) -> usize {
        let took = |seen: &&RequestSeen| matches!(seen.fault, None | Some(Fault::LoseAnswer | Fault::TruncateBody));
        self.requests().iter().filter(|seen| seen.method != "GET" && seen.body.contains(word)).filter(took).count()
    }

    /// Units written by the hub, oldest first: (SKU, quantity afterwards).
    pub fn pushes(&self) -> Vec<(String, i64)> {
        match self {
            Self::Woo(shop) => shop.pushes().into_iter().map(|write| (write.sku, write.after)).collect(),
            Self::Shopify(shop) => shop.pushes().into_iter().map(|write| (write.sku, write.after)).collect(),
        }
    }

    /// Of [`Shop::pushes`] those that changed something.
    pub fn effects(&self) -> Vec<(String, i64)> {
        match self {
            Self::Woo(shop) => shop.pushes().into_iter().filter(|w| w.before != w.after).map(|w| (w.sku, w.after)).collect(),
            Self::Shopify(shop) => shop.pushes().into_iter().filter(|w| w.before != w.after).map(|w| (w.sku, w.after)).collect(),
        }
    }

    /// How often this tracking number was written to the order.
    pub fn times_told(&self, order: i64, number: &str) -> usize {
        match self {
            Self::Woo(shop) => shop.notes_of(order).iter().filter(|(text, _)| text.contains(number)).count(),
            Self::Shopify(shop) => shop.tracking_of(order).iter().filter(|parcel| parcel.numbers.iter().any(|n| n == number)).count(),
        }
    }

    /// Whether the shop itself takes the order for shipped.
    pub fn is_shipped(&self, order: i64) -> bool {
        match self {
            Self::Woo(shop) => shop.order(order).unwrap().status == "completed",
            Self::Shopify(shop) => shop.order(order).unwrap().fulfillment_status == "FULFILLED",
        }
    }

    /// The order's id as the connector writes it.
    pub fn external_id(&self, order: i64) -> String {
        match self {
            Self::Woo(_) => order.to_string(),
            Self::Shopify(_) => format!("gid://shopify/Order/{order}"),
        }
    }

    pub fn faults(&self, turn: impl FnOnce(&mut Faults)) {
        either!(self, shop => shop.faults(turn));
    }

    pub fn requests(&self) -> Vec<RequestSeen> {
        either!(self, shop => shop.requests())
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        either!(self, shop => shop.deliveries())
    }

    pub fn webhook_counts(&self) -> WebhookCounts {
        either!(self, shop => shop.webhook_counts())
    }

    pub async fn settled(&self) {
        either!(self, shop => shop.deliveries_idle().await);
    }

    pub async fn stop(&self) {
        either!(self, shop => shop.stop().await);
    }

    pub async fn restart(&self) {
        either!(self, shop => shop.restart().await).unwrap();
    }
}

fn cents(price: Decimal) -> Option<i64> {
    let cents = (price * Decimal::ONE_HUNDRED).round();
    i64::try_from(cents.mantissa() / 10i128.pow(cents.scale())).ok()
}
