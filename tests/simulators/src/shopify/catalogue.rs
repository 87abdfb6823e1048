//! What a merchant types into the shop when adding products, and what a buyer puts into the basket.

use rust_decimal::Decimal;

use crate::buyer::Buyer;

/// One variant; a product without options has exactly one.
#[derive(Clone, Debug)]
pub struct NewVariant {
    pub(crate) sku: String,
    pub(crate) price: Decimal,
    pub(crate) barcode: Option<String>,
    pub(crate) options: Vec<(String, String)>,
    pub(crate) stock: i64,
    pub(crate) tracked: bool,
    pub(crate) continue_selling: bool,
    pub(crate) requires_shipping: bool,
    pub(crate) grams: i64,
}

impl NewVariant {
    /// Tracked, shipped, nothing on the shelf yet.
    pub fn new(sku: impl Into<String>, price: Decimal) -> Self {
        Self {
            sku: sku.into(),
            price,
            barcode: None,
            options: Vec::new(),
            stock: 0,
            tracked: true,
            continue_selling: false,
            requires_shipping: true,
            grams: 0,
        }
    }

    /// Available units at the shop's first location.
    pub fn stock(mut self, units: i64) -> Self {
        self.stock = units;
        self
    }

    pub fn barcode(mut self, gtin: impl Into<String>) -> Self {
        self.barcode = Some(gtin.into());
        self
    }

    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn untracked(mut self) -> Self {
        self.tracked = false;
        self
    }

    pub fn continue_selling(mut self) -> Self {
        self.continue_selling = true;
        self
    }

    pub fn digital(mut self) -> Self {
        self.requires_shipping = false;
        self
    }

    pub fn grams(mut self, grams: i64) -> Self {
        self.grams = grams;
        self
    }
}

/// A basket on its way through the checkout.
#[derive(Clone, Debug)]
pub struct Basket {
    pub(crate) lines: Vec<(String, i64)>,
    /// (title, price): lines without a variant, such as a tip or a service.
    pub(crate) custom: Vec<(String, Decimal)>,
    pub(crate) buyer: Buyer,
    pub(crate) shipping: Decimal,
    pub(crate) discount: Option<(String, Decimal)>,
    pub(crate) presentment: Option<(String, Decimal)>,
    pub(crate) note: Option<String>,
    pub(crate) paid: bool,
    pub(crate) test: bool,
    pub(crate) oversell: bool,
}

impl Basket {
    /// Paid at once, shipping free.
    pub fn of(sku: impl Into<String>, units: i64) -> Self {
        Self {
            lines: vec![(sku.into(), units)],
            custom: Vec::new(),
            buyer: Buyer::default(),
            shipping: Decimal::ZERO,
            discount: None,
            presentment: None,
            note: None,
            paid: true,
            test: false,
            oversell: false,
        }
    }

    pub fn and(mut self, sku: impl Into<String>, units: i64) -> Self {
        self.lines.push((sku.into(), units));
        self
    }

    /// A line without a variant; it is neither shipped nor counted.
    pub fn custom_line(mut self, title: impl Into<String>, price: Decimal) -> Self {
        self.custom.push((title.into(), price));
        self
    }

    pub fn buyer(mut self, buyer: Buyer) -> Self {
        self.buyer = buyer;
        self
    }

    pub fn shipping(mut self, amount: Decimal) -> Self {
        self.shipping = amount;
        self
    }

    pub fn discount(mut self, code: impl Into<String>, amount: Decimal) -> Self {
        self.discount = Some((code.into(), amount));
        self
    }

    /// The buyer pays in another currency: buyer's amount = shop's amount x `rate`.
    pub fn presentment(mut self, currency: impl Into<String>, rate: Decimal) -> Self {
        self.presentment = Some((currency.into(), rate));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }

    pub fn unpaid(mut self) -> Self {
        self.paid = false;
        self
    }

    pub fn test(mut self) -> Self {
        self.test = true;
        self
    }

    /// Sells even what the shop does not have (two buyers, one last unit).
    pub fn oversell(mut self) -> Self {
        self.oversell = true;
        self
    }
}

/// Why the shop's own checkout or admin refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShopifyRefused {
    #[error("the shop has {left} of {sku}, {wanted} were wanted; ask for oversell() to sell it anyway")]
    OutOfStock { sku: String, wanted: i64, left: i64 },
    #[error("the shop has no variant with SKU {0}; add it first")]
    NoSuchSku(String),
    #[error("the shop has no order {0}")]
    NoSuchOrder(i64),
    #[error("order {order} has no open line with SKU {sku}")]
    NoSuchLine { order: i64, sku: String },
    #[error("order {0} is cancelled and cannot be edited")]
    Cancelled(i64),
    #[error("order {0} has nothing left to ship")]
    NothingToShip(i64),
    #[error("order {0} cannot be cancelled: it is cancelled or partly shipped")]
    NotCancellable(i64),
}
