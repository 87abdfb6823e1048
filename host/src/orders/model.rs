//! Canonical orders, pure: the strict form of what a connector reports, and what we keep of it.
//!
//! Counts of a line: `quantity` is ordered now, `fulfilled` has left, `released` will never leave; what is open is the rest.

use serde::{Deserialize, Serialize};

use crate::id::{ConnectionId, OrderId, VariantId};
use crate::money::{Currency, Money};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($variant),* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// Where the sale stands, apart from money and parcels.
    Status { Draft = "draft", Placed = "placed", Completed = "completed", Cancelled = "cancelled", Other = "other" }
}
words! {
    Payment {
        Pending = "pending", Authorized = "authorized", Paid = "paid", PartiallyRefunded = "partially-refunded",
        Refunded = "refunded", Failed = "failed", Unknown = "unknown",
    }
}
words! {
    /// Only physical lines need stock and a variant.
    LineKind {
        Physical = "physical", Digital = "digital", GiftCard = "gift-card", Tip = "tip", Fee = "fee", Shipping = "shipping",
        Custom = "custom", Other = "other",
    }
}
words! {
    /// Who pays a tax to the authority.
    Collector { Seller = "seller", Channel = "channel", Unknown = "unknown" }
}

/// An amount in the shop's currency and, where it differs, in the buyer's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Amounts {
    pub shop: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<Money>,
}

/// The same for amounts of any scale, as exact decimal text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExactAmounts {
    pub shop: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Address {
    pub name: Option<String>,
    pub company: Option<String>,
    pub lines: Vec<String>,
    pub city: Option<String>,
    pub region_code: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub country: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub extras: Extras,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Buyer {
    pub external_id: Option<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub locale: Option<String>,
    pub tax_number: Option<String>,
    #[serde(default)]
    pub extras: Extras,
}

/// What has no field of its own yet.
pub type Extras = std::collections::BTreeMap<String, serde_json::Value>;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaxPart {
    pub title: String,
    pub code: Option<String>,
    /// A fraction as exact decimal text.
    pub rate: Option<String>,
    pub amount: ExactAmounts,
    pub collector: Collector,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelLine {
    pub external_id: String,
    pub kind: LineKind,
    pub listing: Option<String>,
    pub sku: Option<String>,
    pub gtin: Option<String>,
    pub title: String,
    pub quantity: i64,
    pub fulfilled: i64,
    pub released: i64,
    pub unit_price: ExactAmounts,
    pub total: Amounts,
    pub discount: Amounts,
    pub taxes: Vec<TaxPart>,
    pub location: Option<String>,
    pub extras: Extras,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tracking {
    pub number: String,
    pub carrier: Option<String>,
    pub url: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LineUnits {
    pub line: String,
    pub quantity: i64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelShipment {
    pub external_id: String,
    pub shipped_at: Option<i64>,
    pub tracking: Vec<Tracking>,
    pub lines: Vec<LineUnits>,
    pub location: Option<String>,
    pub status: Option<String>,
    pub extras: Extras,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefundLine {
    pub line: String,
    pub quantity: i64,
    pub restocked: Option<bool>,
    pub amount: Option<Amounts>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelRefund {
    pub external_id: String,
    pub created_at: Option<i64>,
    pub amount: Amounts,
    pub reason: Option<String>,
    pub lines: Vec<RefundLine>,
    pub extras: Extras,
}

/// One order as a channel knows it now: a complete picture.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChannelOrder {
    pub external_id: String,
    pub number: String,
    pub status: Status,
    pub channel_status: String,
    pub payment: Payment,
    pub test: bool,
    pub placed_at: i64,
    pub updated_at: i64,
    pub cancelled_at: Option<i64>,
    pub prices_include_tax: bool,
    pub lines: Vec<ChannelLine>,
    pub subtotal: Option<Amounts>,
    pub shipping_total: Option<Amounts>,
    pub discount_total: Option<Amounts>,
    pub tax_total: Option<Amounts>,
    pub total: Amounts,
    pub refunded_total: Option<Amounts>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub personal: Option<Personal>,
    pub shipments: Vec<ChannelShipment>,
    pub refunds: Vec<ChannelRefund>,
    pub tags: Vec<String>,
    pub extras: Extras,
}

/// Everything about the buyer; sealed at rest.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Personal {
    pub buyer: Option<Buyer>,
    pub ship_to: Option<Address>,
    pub bill_to: Option<Address>,
    pub note: Option<String>,
}

impl ChannelOrder {
    pub fn currency(&self) -> Currency {
        self.total.shop.currency()
    }

    /// Shipped units of a line that a refund put back on the shelf.
    pub fn returned(&self, line: &ChannelLine) -> i64 {
        let restocked: i64 = self
            .refunds
            .iter()
            .flat_map(|refund| &refund.lines)
            .filter(|part| part.line == line.external_id && part.restocked == Some(true))
            .map(|part| part.quantity)
            .sum();
        // Refunds first count against what never left; the rest must have come back.
        (restocked - line.released).clamp(0, line.fulfilled)
    }

    /// Why this order holds no stock, if it does not.
    pub fn holds_nothing_because(&self, since_at: i64) -> Option<&'static str> {
        match () {
            () if self.test => Some("test"),
            () if self.status == Status::Draft => Some("draft"),
            () if self.placed_at < since_at => Some("before-since"),
            () if self.payment == Payment::Failed => Some("payment-failed"),
            () => None,
        }
    }
}

/// An order as we keep it.
#[derive(Clone, Debug, Serialize)]
pub struct OrderView {
    pub id: OrderId,
    pub connection: ConnectionId,
    pub external_id: String,
    pub number: String,
    pub status: Status,
    pub channel_status: String,
    pub payment: Payment,
    pub placed_at: i64,
    pub updated_at: i64,
    pub ingested_at: i64,
    pub revision: i64,
    pub holds: String,
    pub unmapped: i64,
    pub short: i64,
    pub total: Money,
    pub tax: Option<Money>,
    pub shipping: Option<Money>,
    pub discount: Option<Money>,
    pub refunded: Option<Money>,
    pub presented_total: Option<Money>,
    pub prices_include_tax: bool,
    pub lines: Vec<LineView>,
    pub events: Vec<EventView>,
    /// The rest of what the channel said, without personal data.
    pub document: serde_json::Value,
}

#[derive(Clone, Debug, Serialize)]
pub struct LineView {
    pub external_id: String,
    pub kind: LineKind,
    pub listing: Option<String>,
    pub variant: Option<VariantId>,
    pub sku: Option<String>,
    pub title: String,
    pub quantity: i64,
    pub fulfilled: i64,
    pub released: i64,
    pub returned: i64,
    pub short: i64,
    pub unit_price: String,
    pub total: Money,
    pub discount: Money,
}

#[derive(Clone, Debug, Serialize)]
pub struct EventView {
    pub at: i64,
    pub actor: String,
    pub what: String,
    pub detail: serde_json::Value,
}
