//! What a WooCommerce shop keeps: products and variations, orders, refunds, notes, webhooks. Money is an exact decimal,
//! instants are Unix milliseconds (shown to the second, as the channel does).

use rust_decimal::Decimal;
use serde_json::Value;

use crate::buyer::Buyer;
use crate::outbox::Reception;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Variable,
    Variation,
}

/// Whose number counts: the item's own, its parent's (`"parent"` on the wire), or nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManageStock {
    Own,
    Parent,
    No,
}

/// A custom field as WooCommerce keeps them everywhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Meta {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) value: Value,
}

/// A product or a variation: the wire shapes differ, the bookkeeping does not.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: i64,
    /// 0 for a product of its own.
    pub(crate) parent: i64,
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) sku: String,
    pub(crate) gtin: String,
    pub(crate) status: String,
    pub(crate) description: String,
    pub(crate) regular_price: Option<Decimal>,
    pub(crate) sale_price: Option<Decimal>,
    pub(crate) manage_stock: ManageStock,
    pub(crate) stock: i64,
    /// Only asked when nobody counts.
    pub(crate) in_stock: bool,
    /// `no`, `notify` or `yes`.
    pub(crate) backorders: String,
    pub(crate) is_virtual: bool,
    pub(crate) weight: String,
    /// (attribute, options) on a product, (attribute, the one option) on a variation.
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    pub(crate) variations: Vec<i64>,
    pub(crate) meta: Vec<Meta>,
    pub(crate) total_sales: i64,
    pub(crate) created_at: i64,
    pub(crate) modified_at: i64,
}

impl Item {
    pub(crate) fn price(&self) -> Option<Decimal> {
        self.sale_price.or(self.regular_price)
    }

    pub(crate) fn backorders_allowed(&self) -> bool {
        self.backorders != "no"
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) product: i64,
    pub(crate) variation: i64,
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    /// Net of tax, before and after discount.
    pub(crate) subtotal: Decimal,
    pub(crate) total: Decimal,
    pub(crate) subtotal_tax: Decimal,
    pub(crate) total_tax: Decimal,
    /// Units taken out of the shop's own stock for this line and not put back.
    pub(crate) reduced: i64,
    pub(crate) refunded: i64,
    /// Refunded units that went back on the shelf.
    pub(crate) restocked: i64,
    pub(crate) meta: Vec<Meta>,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) amount: Decimal,
    pub(crate) reason: String,
    pub(crate) paid_back: bool,
    /// (line of the order, units, net amount)
    pub(crate) lines: Vec<(i64, i64, Decimal)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) at: i64,
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) to_customer: bool,
}

/// What the shop knows about a parcel, however it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    pub id: String,
    pub provider: String,
    pub number: String,
    pub link: String,
}

/// Coupon, fee and shipping charges of an order, net of tax.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) id: i64,
    pub(crate) label: String,
    pub(crate) amount: Decimal,
    pub(crate) tax: Decimal,
}

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) status: String,
    pub(crate) currency: String,
    pub(crate) created_via: &'static str,
    pub(crate) created_at: i64,
    pub(crate) modified_at: i64,
    pub(crate) paid_at: Option<i64>,
    pub(crate) completed_at: Option<i64>,
    pub(crate) buyer: Buyer,
    pub(crate) note: String,
    pub(crate) transaction_id: String,
    pub(crate) tax_bps: u32,
    pub(crate) lines: Vec<Line>,
    pub(crate) shipping: Option<Extra>,
    pub(crate) fee: Option<Extra>,
    pub(crate) coupon: Option<Extra>,
    pub(crate) refunds: Vec<Refund>,
    pub(crate) notes: Vec<Note>,
    pub(crate) meta: Vec<Meta>,
    /// Id of the tax line; it exists when any tax is due.
    pub(crate) tax_line: i64,
}

impl Order {
    pub(crate) fn extras(&self) -> impl Iterator<Item = &Extra> {
        self.shipping.iter().chain(self.fee.iter())
    }

    pub(crate) fn cart_tax(&self) -> Decimal {
        self.lines.iter().map(|line| line.total_tax).sum::<Decimal>() + self.fee.iter().map(|fee| fee.tax).sum::<Decimal>()
    }

    pub(crate) fn shipping_tax(&self) -> Decimal {
        self.shipping.iter().map(|shipping| shipping.tax).sum()
    }

    pub(crate) fn total(&self) -> Decimal {
        self.lines.iter().map(|line| line.total).sum::<Decimal>()
            + self.extras().map(|extra| extra.amount).sum::<Decimal>()
            + self.cart_tax()
            + self.shipping_tax()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) topic: String,
    pub(crate) delivery_url: String,
    pub(crate) secret: String,
    pub(crate) failures: u32,
    pub(crate) created_at: i64,
    pub(crate) modified_at: i64,
    /// What the receiver said to the first, unsigned ping.
    pub(crate) ping: Option<Reception>,
}

/// A webhook as the merchant sees it in the shop's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookView {
    pub id: i64,
    pub topic: String,
    pub status: String,
    pub delivery_url: String,
    pub secret: String,
    /// Consecutive deliveries that were not answered 2xx.
    pub failures: u32,
    pub ping: Option<Reception>,
}

/// One write to the shop's stock, by whomever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockWrite {
    pub at_ms: i64,
    pub item_id: i64,
    pub sku: String,
    pub before: i64,
    pub after: i64,
    pub by: StockWriter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockWriter {
    /// Over the REST API: a push of the hub.
    Api,
    /// The merchant, in the shop's own admin.
    Admin,
    /// The shop itself, for an order with this id.
    Order(i64),
}

/// An order as the merchant sees it in the shop's own admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    pub id: i64,
    pub status: String,
    /// (SKU, units)
    pub lines: Vec<(String, i64)>,
    pub total: Decimal,
    pub currency: String,
    pub created_at_ms: i64,
    pub modified_at_ms: i64,
}
