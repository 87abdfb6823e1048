//! What a Shopify shop keeps. Money is an exact decimal in the shop's currency, instants are Unix milliseconds (shown to the
//! second), ids are the numbers inside `gid://shopify/Type/number`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::buyer::Buyer;

#[derive(Clone, Debug)]
pub(crate) struct Location {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) created_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) title: String,
    pub(crate) handle: String,
    /// `ACTIVE`, `DRAFT`, `ARCHIVED`
    pub(crate) status: &'static str,
    pub(crate) vendor: String,
    pub(crate) tags: Vec<String>,
    pub(crate) variants: Vec<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Variant {
    pub(crate) id: i64,
    pub(crate) product: i64,
    /// The inventory item: what is counted, apart from what is sold.
    pub(crate) item: i64,
    pub(crate) sku: String,
    pub(crate) barcode: Option<String>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) price: Decimal,
    pub(crate) compare_at_price: Option<Decimal>,
    /// Sells on when the stock is used up.
    pub(crate) continue_selling: bool,
    pub(crate) taxable: bool,
    pub(crate) requires_shipping: bool,
    pub(crate) grams: i64,
    pub(crate) position: usize,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Variant {
    pub(crate) fn title(&self) -> String {
        if self.options.is_empty() {
            return "Default Title".to_owned();
        }
        self.options.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" / ")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: i64,
    pub(crate) variant: i64,
    pub(crate) tracked: bool,
    pub(crate) levels: BTreeMap<i64, Level>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// Stock of one item at one location. `on_hand = available + committed`; only these two are kept.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) id: i64,
    pub(crate) available: i64,
    pub(crate) committed: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

impl Level {
    pub(crate) fn on_hand(&self) -> i64 {
        self.available + self.committed
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) id: i64,
    /// 0 for a custom line.
    pub(crate) variant: i64,
    pub(crate) product: i64,
    pub(crate) title: String,
    pub(crate) variant_title: Option<String>,
    pub(crate) sku: String,
    pub(crate) vendor: String,
    pub(crate) price: Decimal,
    /// Units as first ordered; an edit leaves them alone.
    pub(crate) quantity: i64,
    /// Units after edits and refunds.
    pub(crate) current: i64,
    /// Units shipped, also those that came back.
    pub(crate) fulfilled: i64,
    pub(crate) refunded: i64,
    /// Shipped units that were refunded.
    pub(crate) returned: i64,
    /// Units refunded before they were shipped, which will be shipped all the same.
    pub(crate) kept: i64,
    pub(crate) discount: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) requires_shipping: bool,
    pub(crate) gift_card: bool,
    pub(crate) taxable: bool,
    pub(crate) grams: i64,
}

impl Line {
    pub(crate) fn name(&self) -> String {
        match &self.variant_title {
            Some(variant) => format!("{} - {variant}", self.title),
            None => self.title.clone(),
        }
    }

    pub(crate) fn original_total(&self) -> Decimal {
        self.price * Decimal::from(self.quantity)
    }

    pub(crate) fn unfulfilled(&self) -> i64 {
        (self.current + self.kept + self.returned - self.fulfilled).max(0)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct FulfillmentOrder {
    pub(crate) id: i64,
    pub(crate) order: i64,
    pub(crate) location: i64,
    pub(crate) status: &'static str,
    pub(crate) lines: Vec<FulfillmentOrderLine>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct FulfillmentOrderLine {
    pub(crate) id: i64,
    pub(crate) line: i64,
    pub(crate) total: i64,
    pub(crate) remaining: i64,
}

/// A parcel as the shop shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub company: Option<String>,
    pub numbers: Vec<String>,
    pub urls: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fulfillment {
    pub(crate) id: i64,
    pub(crate) order: i64,
    pub(crate) fulfillment_orders: Vec<i64>,
    pub(crate) name: String,
    /// `SUCCESS` or `CANCELLED`
    pub(crate) status: &'static str,
    pub(crate) location: i64,
    pub(crate) parcel: Parcel,
    /// (own id, line of the order, units)
    pub(crate) lines: Vec<(i64, i64, i64)>,
    pub(crate) notified: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// What a refund does with the units it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restock {
    /// They were not shipped and will not be: sold again.
    Cancel,
    /// They were shipped and came back: sold again.
    Return,
    /// The stock is left alone; what was to be shipped is shipped.
    No,
    /// They were not shipped and will not be, and are not sold again either.
    Drop,
}

impl Restock {
    /// As the API names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cancel => "CANCEL",
            Self::Return => "RETURN",
            Self::No | Self::Drop => "NO_RESTOCK",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct RefundLine {
    pub(crate) id: i64,
    pub(crate) line: i64,
    pub(crate) quantity: i64,
    pub(crate) restock: Restock,
    pub(crate) subtotal: Decimal,
    pub(crate) tax: Decimal,
}

#[derive(Clone, Debug)]
pub(crate) struct Refund {
    pub(crate) id: i64,
    pub(crate) order: i64,
    pub(crate) note: String,
    pub(crate) lines: Vec<RefundLine>,
    pub(crate) amount: Decimal,
    /// Shipping paid back, net, and its tax; part of `amount`.
    pub(crate) shipping: (Decimal, Decimal),
    pub(crate) created_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) id: i64,
    pub(crate) order: i64,
    pub(crate) name: String,
    pub(crate) status: &'static str,
    /// (own id, line of the order, units, the fulfillment line they came with)
    pub(crate) lines: Vec<(i64, i64, i64, i64)>,
    pub(crate) created_at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) id: i64,
    /// `SALE` or `REFUND`
    pub(crate) kind: &'static str,
    pub(crate) amount: Decimal,
    pub(crate) at: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) number: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) cancelled_at: Option<i64>,
    /// As the API names it (`CUSTOMER`).
    pub(crate) cancel_reason: Option<String>,
    pub(crate) staff_note: Option<String>,
    pub(crate) closed_at: Option<i64>,
    pub(crate) paid: bool,
    pub(crate) test: bool,
    pub(crate) edited: bool,
    /// The buyer's currency and its rate to the shop's (buyer = shop x rate).
    pub(crate) presentment: (String, Decimal),
    pub(crate) buyer: Buyer,
    pub(crate) customer: i64,
    pub(crate) note: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) lines: Vec<Line>,
    pub(crate) shipping: Decimal,
    pub(crate) shipping_tax: Decimal,
    pub(crate) shipping_line: i64,
    pub(crate) discount_code: Option<String>,
    pub(crate) tax_bps: u32,
    pub(crate) taxes_included: bool,
    pub(crate) location: i64,
    pub(crate) fulfillment_orders: Vec<i64>,
    pub(crate) fulfillments: Vec<i64>,
    pub(crate) refunds: Vec<i64>,
    pub(crate) returns: Vec<i64>,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) token: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) id: i64,
    /// As the API names it (`ORDERS_CREATE`).
    pub(crate) topic: String,
    pub(crate) uri: String,
    pub(crate) name: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) include_fields: Vec<String>,
    pub(crate) failures: u32,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

/// A subscription as the app's owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    pub id: i64,
    pub topic: String,
    pub uri: String,
    /// Consecutive failed deliveries.
    pub failures: u32,
}

/// One write to the shop's available stock, by whomever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelWrite {
    pub at_ms: i64,
    pub sku: String,
    pub location: i64,
    pub before: i64,
    pub after: i64,
    pub by: LevelWriter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelWriter {
    /// Over the API: a push of the hub.
    Api,
    /// The merchant, in the shop's own admin.
    Admin,
    /// The shop itself, for the order with this id.
    Order(i64),
}

/// One group of API stock changes, as the adjustment history shows it.
#[derive(Clone, Debug)]
pub(crate) struct Adjustment {
    pub(crate) reason: String,
    pub(crate) reference: Option<String>,
    pub(crate) at: i64,
    /// (item, location, quantity name, delta, quantity after)
    pub(crate) changes: Vec<(i64, i64, String, i64, i64)>,
}

/// An order as the merchant sees it in the shop's own admin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopifyOrderView {
    pub id: i64,
    pub name: String,
    pub financial_status: &'static str,
    pub fulfillment_status: &'static str,
    pub cancelled: bool,
    /// (SKU, units after edits and refunds)
    pub lines: Vec<(String, i64)>,
    pub total: Decimal,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
}
