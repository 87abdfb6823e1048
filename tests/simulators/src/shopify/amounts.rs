//! What follows from an order's lines and payments: sums, taxes, states. Everything is in the shop's currency.

use rust_decimal::Decimal;

use crate::shopify::model::{Line, Order};
use crate::shopify::state::State;

impl Order {
    pub(crate) fn name(&self) -> String {
        format!("#{}", self.number)
    }

    pub(crate) fn share(line: &Line, amount: Decimal, units: i64) -> Decimal {
        State::round((amount * Decimal::from(units)).checked_div(Decimal::from(line.quantity)).unwrap_or_default())
    }

    /// Line prices before discount, for the units first ordered or the present ones.
    pub(crate) fn gross(&self, current: bool) -> Decimal {
        self.lines.iter().map(|line| line.price * Decimal::from(if current { line.current } else { line.quantity })).sum()
    }

    pub(crate) fn discounts(&self, current: bool) -> Decimal {
        self.lines.iter().map(|line| if current { Self::share(line, line.discount, line.current) } else { line.discount }).sum()
    }

    pub(crate) fn tax(&self, current: bool) -> Decimal {
        let lines: Decimal = self.lines.iter().map(|line| if current { Self::share(line, line.tax, line.current) } else { line.tax }).sum();
        lines + self.shipping_tax
    }

    pub(crate) fn subtotal(&self, current: bool) -> Decimal {
        self.gross(current) - self.discounts(current)
    }

    pub(crate) fn total(&self, current: bool) -> Decimal {
        let tax = if self.taxes_included { Decimal::ZERO } else { self.tax(current) };
        if current && self.cancelled_at.is_some() {
            return Decimal::ZERO;
        }
        self.subtotal(current) + self.shipping + tax
    }

    pub(crate) fn refunded(&self) -> Decimal {
        self.transactions.iter().filter(|known| known.kind == "REFUND").map(|known| known.amount).sum()
    }

    pub(crate) fn received(&self) -> Decimal {
        self.transactions.iter().filter(|known| known.kind == "SALE").map(|known| known.amount).sum()
    }

    pub(crate) fn financial_status(&self) -> &'static str {
        let refunded = self.refunded();
        match (self.paid, self.cancelled_at) {
            (false, Some(_)) => "VOIDED",
            (false, None) => "PENDING",
            (true, _) if refunded >= self.received() && refunded > Decimal::ZERO => "REFUNDED",
            (true, _) if refunded > Decimal::ZERO => "PARTIALLY_REFUNDED",
            (true, _) => "PAID",
        }
    }

    pub(crate) fn fulfillment_status(&self) -> &'static str {
        let fulfilled: i64 = self.lines.iter().map(|line| line.fulfilled).sum();
        let open: i64 = self.lines.iter().map(Line::unfulfilled).sum();
        match (fulfilled, open) {
            (0, _) => "UNFULFILLED",
            (_, 0) => "FULFILLED",
            _ => "PARTIALLY_FULFILLED",
        }
    }

    pub(crate) fn line(&self, id: i64) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }
}
