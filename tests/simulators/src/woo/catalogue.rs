//! What a merchant types into the shop when adding products, and what a buyer puts into the basket.

use rust_decimal::Decimal;

use crate::buyer::Buyer;
use crate::woo::model::ManageStock;

/// A simple product, or the shared part of a variable one.
#[derive(Clone, Debug)]
pub struct NewProduct {
    pub(crate) sku: String,
    pub(crate) gtin: String,
    pub(crate) name: String,
    pub(crate) price: Decimal,
    pub(crate) sale_price: Option<Decimal>,
    pub(crate) manage_stock: ManageStock,
    pub(crate) stock: i64,
    pub(crate) backorders: bool,
    pub(crate) is_virtual: bool,
    pub(crate) status: &'static str,
    pub(crate) weight: String,
}

impl NewProduct {
    /// Published, counted (`manage_stock: true`), nothing on the shelf yet.
    pub fn new(sku: impl Into<String>, name: impl Into<String>, price: Decimal) -> Self {
        Self {
            sku: sku.into(),
            gtin: String::new(),
            name: name.into(),
            price,
            sale_price: None,
            manage_stock: ManageStock::Own,
            stock: 0,
            backorders: false,
            is_virtual: false,
            status: "publish",
            weight: String::new(),
        }
    }

    pub fn stock(mut self, stock: i64) -> Self {
        self.stock = stock;
        self
    }

    pub fn gtin(mut self, gtin: impl Into<String>) -> Self {
        self.gtin = gtin.into();
        self
    }

    pub fn sale_price(mut self, price: Decimal) -> Self {
        self.sale_price = Some(price);
        self
    }

    /// `No`: the shop does not count. `Parent` (only for a variation): the product's count is shared.
    pub fn manage_stock(mut self, manage: ManageStock) -> Self {
        self.manage_stock = manage;
        self
    }

    pub fn backorders(mut self) -> Self {
        self.backorders = true;
        self
    }

    pub fn digital(mut self) -> Self {
        self.is_virtual = true;
        self
    }

    pub fn draft(mut self) -> Self {
        self.status = "draft";
        self
    }

    /// Weight in the shop's unit, as typed.
    pub fn weight(mut self, weight: impl Into<String>) -> Self {
        self.weight = weight.into();
        self
    }
}

/// One variation of a variable product: its own product data plus the options that make it different.
#[derive(Clone, Debug)]
pub struct NewVariation {
    pub(crate) product: NewProduct,
    pub(crate) options: Vec<(String, String)>,
}

impl NewVariation {
    pub fn new(product: NewProduct, options: &[(&str, &str)]) -> Self {
        let options = options.iter().map(|(name, option)| ((*name).to_owned(), (*option).to_owned())).collect();
        Self { product, options }
    }
}

/// A basket on its way through the checkout.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub(crate) lines: Vec<(String, i64)>,
    pub(crate) buyer: Buyer,
    pub(crate) status: String,
    pub(crate) shipping: Decimal,
    pub(crate) fee: Option<(String, Decimal)>,
    pub(crate) coupon: Option<(String, Decimal)>,
    pub(crate) note: String,
    pub(crate) currency: Option<String>,
    pub(crate) oversell: bool,
}

impl Purchase {
    /// Paid at once (`processing`), shipping free.
    pub fn of(sku: impl Into<String>, units: i64) -> Self {
        Self {
            lines: vec![(sku.into(), units)],
            buyer: Buyer::default(),
            status: "processing".to_owned(),
            shipping: Decimal::ZERO,
            fee: None,
            coupon: None,
            note: String::new(),
            currency: None,
            oversell: false,
        }
    }

    pub fn and(mut self, sku: impl Into<String>, units: i64) -> Self {
        self.lines.push((sku.into(), units));
        self
    }

    pub fn buyer(mut self, buyer: Buyer) -> Self {
        self.buyer = buyer;
        self
    }

    /// `pending` and `failed` do not lower the shop's stock, `on-hold`, `processing` and `completed` do.
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = status.into();
        self
    }

    pub fn shipping(mut self, amount: Decimal) -> Self {
        self.shipping = amount;
        self
    }

    pub fn fee(mut self, label: impl Into<String>, amount: Decimal) -> Self {
        self.fee = Some((label.into(), amount));
        self
    }

    pub fn coupon(mut self, code: impl Into<String>, amount: Decimal) -> Self {
        self.coupon = Some((code.into(), amount));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }

    /// For shops that sell in several currencies; prices are taken as they stand.
    pub fn currency(mut self, code: impl Into<String>) -> Self {
        self.currency = Some(code.into());
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
pub enum Refused {
    #[error("the shop has {left} of {sku}, {wanted} were wanted; ask for oversell() to sell it anyway")]
    OutOfStock { sku: String, wanted: i64, left: i64 },
    #[error("the shop has no product with SKU {0}; add it first")]
    NoSuchSku(String),
    #[error("the shop has no order {0}")]
    NoSuchOrder(i64),
    #[error("order {order} has no line with that many units of {sku} left")]
    NoSuchLine { order: i64, sku: String },
    #[error("{sku} is not counted by this shop, so its stock cannot be set")]
    NotCounted { sku: String },
}
