//! What of an order is taxed as goods, and the question that makes. Pure.

use entrepot_crossborder::ids;
use entrepot_crossborder::quote::{Buyer, Line, National, QuoteInput, Seller};
use entrepot_crossborder::rules::RuleSet;
use sha2::{Digest, Sha256};

use super::Goods;
use crate::crossborder::{Charged, ChargedLine, ChargedTax, Moment, NoQuestion, Part};
use crate::hex::hex;
use crate::id::VariantId;
use crate::money::{Decimal, Error as MoneyError, Exact, Money, RoundingMode};
use crate::orders::model::{Address, ChannelLine, Collector, ExactAmounts};
use crate::orders::{ChannelOrder, LineKind, Personal};

pub struct Basket {
    items: Vec<Item>,
    /// With fees, which follow the goods.
    shipping: Money,
    /// What negative fees and lines take off.
    less: Money,
    /// Paid, but not for goods: tips and vouchers.
    apart: Money,
    pub assumptions: Vec<String>,
}

/// One line of the order that is goods.
struct Item {
    line: String,
    title: String,
    variant: Option<VariantId>,
    pieces: u32,
    total: Money,
    like: Line,
}

impl Basket {
    pub fn of(whole: &ChannelOrder, variant: impl Fn(&str) -> Option<VariantId>, goods: &Goods) -> Result<Self, MoneyError> {
        let zero = Money::zero(whole.currency());
        let mut basket = Self { items: Vec::new(), shipping: zero, less: zero, apart: zero, assumptions: Vec::new() };
        for line in &whole.lines {
            basket.add(line, variant(&line.external_id), goods)?;
        }
        let listed = whole.lines.iter().any(|line| line.kind == LineKind::Shipping);
        if let Some(shipping) = whole.shipping_total.as_ref().filter(|_| !listed) {
            basket.shipping = basket.shipping.checked_add(shipping.shop)?;
        }
        basket.take_off()?;
        // In whatever order a channel sends them.
        basket.items.sort_by(|a, b| a.line.cmp(&b.line));
        Ok(basket)
    }

    fn assume(&mut self, what: &str) {
        if !self.assumptions.iter().any(|known| known == what) {
            self.assumptions.push(what.to_owned());
        }
    }

    fn add(&mut self, line: &ChannelLine, variant: Option<VariantId>, goods: &Goods) -> Result<(), MoneyError> {
        let total = line.total.shop;
        match line.kind {
            LineKind::Tip => {
                self.apart = self.apart.checked_add(total)?;
                self.assume("a tip is not part of what is taxed");
            }
            LineKind::GiftCard => {
                self.apart = self.apart.checked_add(total)?;
                self.assume("a gift card is taxed when it is spent, not when it is sold");
            }
            _ if total.is_negative() => {
                self.less = self.less.checked_sub(total)?;
                self.assume("what is taken off by a fee or line of its own lowers shipping first, then the goods");
            }
            LineKind::Shipping => self.shipping = self.shipping.checked_add(total)?,
            LineKind::Fee => {
                self.shipping = self.shipping.checked_add(total)?;
                self.assume("fees follow the goods, as shipping does");
            }
            LineKind::Physical | LineKind::Custom | LineKind::Digital | LineKind::Other => {
                if line.kind == LineKind::Digital {
                    self.assume("what is downloaded is taxed as goods are");
                }
                self.items.extend(item(line, variant, goods));
            }
        }
        Ok(())
    }

    fn take_off(&mut self) -> Result<(), MoneyError> {
        let of_shipping = if self.less.minor() < self.shipping.minor() { self.less } else { self.shipping };
        self.shipping = self.shipping.checked_sub(of_shipping)?;
        let mut rest = self.less.checked_sub(of_shipping)?;
        let all = Money::sum(self.items.iter().map(|item| &item.total), rest.currency())?;
        if rest.minor() > all.minor() {
            rest = all;
        }
        if rest.minor() > 0 {
            let weights: Vec<u64> = self.items.iter().map(|item| item.total.minor().unsigned_abs()).collect();
            for (item, part) in self.items.iter_mut().zip(rest.allocate(&weights)?) {
                item.total = item.total.checked_sub(part)?;
            }
        }
        Ok(())
    }

    /// Thresholds ask for the dearest piece, so pieces stay whole units: a total that does not divide becomes two lines.
    fn lines(&self) -> (Vec<Line>, Vec<Part>) {
        let (mut lines, mut parts) = (Vec::new(), Vec::new());
        for item in &self.items {
            let pieces = i64::from(item.pieces);
            let (each, dearer) = (item.total.minor() / pieces, item.total.minor() % pieces);
            let dearer = u32::try_from(dearer).unwrap_or(0);
            let mut positions = Vec::new();
            for (unit_minor, qty) in [(each, item.pieces - dearer), (each + 1, dearer)] {
                if qty > 0 {
                    positions.push(lines.len());
                    lines.push(Line { unit_minor, qty, ..item.like.clone() });
                }
            }
            parts.push(Part { line: item.line.clone(), sku: item.like.sku.clone(), title: item.title.clone(), positions });
        }
        (lines, parts)
    }

    pub fn parts(&self) -> Vec<Part> {
        self.lines().1
    }

    pub fn picture(&self, whole: &ChannelOrder, to: Option<&Destination>, buyer: Option<Buyer>) -> String {
        let lines: Vec<_> = self.items.iter().map(|item| (&item.line, &item.variant, item.pieces, item.total.minor())).collect();
        let said = serde_json::json!({
            "placed_at": whole.placed_at,
            "currency": whole.currency().code(),
            "inclusive": whole.prices_include_tax,
            "to": to.map(|to| (&to.country, &to.region)),
            "buyer": buyer,
            "lines": lines,
            "shipping": self.shipping.minor(),
        });
        hex(Sha256::digest(said.to_string().as_bytes()))
    }

    /// The question without who sells, or why there is none; and where the goods go.
    pub fn question(
        &mut self,
        whole: &ChannelOrder,
        personal: &Personal,
        placed: Moment,
        rules: &RuleSet,
    ) -> (Result<QuoteInput, NoQuestion>, Option<Destination>) {
        let none = |why: &str, sale_stands| NoQuestion { why: why.to_owned(), sale_stands };
        let address = personal.ship_to.as_ref().filter(|address| address.country.is_some());
        if address.is_none() && personal.bill_to.is_some() {
            self.assume("the goods go to the billing address: the order names no other");
        }
        let Some(to) = address.or(personal.bill_to.as_ref()).and_then(|address| Destination::of(address, rules)) else {
            return (Err(none("the order names no country, or the buyer's data were erased", true)), None);
        };
        if self.items.is_empty() {
            return (Err(none("nothing in it is taxed as goods", false)), Some(to));
        }
        let buyer = self.buyer(personal, &to, rules);
        let question = QuoteInput {
            date: placed.on,
            ship_from: None,
            ship_to: to.country.clone(),
            region: to.region.clone(),
            postal_code: None,
            seller: Seller::default(),
            buyer: Some(buyer),
            channel: None,
            mode: None,
            incoterm: None,
            currency: whole.currency(),
            prices_include_tax: whole.prices_include_tax,
            lines: self.lines().0,
            shipping_minor: self.shipping.minor(),
            insurance_minor: 0,
            onward_minor: 0,
            fees: Vec::new(),
            max_rate_age_days: None,
            elect_border: false,
            national: National::default(),
        };
        (Ok(question), Some(to))
    }

    /// A business is who gave a tax number whose form is right; whether it is registered is for its office to say.
    fn buyer(&mut self, personal: &Personal, to: &Destination, rules: &RuleSet) -> Buyer {
        let number = personal.buyer.as_ref().and_then(|buyer| buyer.tax_number.as_deref()).map(str::trim).filter(|text| !text.is_empty());
        let Some(number) = number else {
            self.assume("the buyer gave no tax number and is taken for a consumer");
            return Buyer::Consumer;
        };
        let scheme = match to.country.as_str() {
            "GB" => "gb_vat",
            _ => "eu_vat",
        };
        match ids::validate(rules, scheme, number) {
            Ok(verdict) if verdict.is_valid() || verdict.reason == ids::Reason::NotCovered => {
                self.assume("the buyer's tax number has the right form; whether it is registered was not asked");
                Buyer::Business
            }
            Ok(_) if rules.zone_of(&to.country, rules.last_checked()).is_some_and(|z| z.zone == "EU") || to.country == "GB" => {
                self.assume("the buyer's tax number does not have the form of one, so the buyer is taken for a consumer");
                Buyer::Consumer
            }
            _ => {
                self.assume("the buyer gave a tax number, whose form cannot be judged here, and is taken for a business");
                Buyer::Business
            }
        }
    }

    pub fn charged(&self, whole: &ChannelOrder) -> Result<Charged, MoneyError> {
        let taxed = || whole.lines.iter().filter(|line| !matches!(line.kind, LineKind::Tip | LineKind::GiftCard));
        let parts = || taxed().flat_map(|line| &line.taxes);
        let mut exact = Exact::ZERO;
        let mut collectors = Vec::new();
        for part in parts() {
            let amount = Exact::parse(&part.amount.shop)?;
            exact = exact.add(amount)?;
            if amount.compare(Exact::ZERO)?.is_ne() && !collectors.contains(&part.collector) {
                collectors.push(part.collector);
            }
        }
        let summed = Money::from_exact_rounded(exact, whole.currency(), RoundingMode::HalfUp)?;
        let tax = whole.tax_total.as_ref().map(|tax| tax.shop).or_else(|| parts().next().is_some().then_some(summed));
        let line = |line: &ChannelLine| ChargedLine {
            line: line.external_id.clone(),
            taxes: line
                .taxes
                .iter()
                .map(|part| ChargedTax {
                    title: part.title.clone(),
                    rate: part.rate.clone(),
                    amount: shop(&part.amount),
                    collector: part.collector.as_str().to_owned(),
                })
                .collect(),
        };
        Ok(Charged {
            tax,
            collector: match collectors[..] {
                [Collector::Seller] => Some("seller".to_owned()),
                [Collector::Channel] => Some("marketplace".to_owned()),
                _ => None,
            },
            paid: whole.total.shop.checked_sub(self.apart)?,
            prices_include_tax: whole.prices_include_tax,
            lines: whole.lines.iter().map(line).collect(),
        })
    }
}

/// `None` where nothing was sold on it.
fn item(line: &ChannelLine, variant: Option<VariantId>, goods: &Goods) -> Option<Item> {
    let pieces = u32::try_from(line.quantity).ok().filter(|pieces| *pieces > 0)?;
    let facts = variant.as_ref().and_then(|variant| goods.goods.get(variant));
    let known = variant.as_ref().and_then(|variant| goods.known.get(variant));
    let like = Line {
        sku: known.map(|variant| variant.facts.sku.to_string()).or_else(|| line.sku.clone()),
        unit_minor: 0,
        qty: pieces,
        kind: facts.and_then(|facts| facts.kind.clone()),
        category: facts.and_then(|facts| facts.category.clone()),
        hs: known.and_then(|variant| variant.facts.hs_code.as_ref()).map(ToString::to_string),
        origin: known.and_then(|variant| variant.facts.origin.as_ref()).map(ToString::to_string),
        duty_rate: None,
        duty_rate_max: None,
    };
    Some(Item { line: line.external_id.clone(), title: line.title.clone(), variant, pieces, total: line.total.shop, like })
}

fn shop(amounts: &ExactAmounts) -> String {
    amounts.shop.parse::<Decimal>().map_or_else(|_| amounts.shop.clone(), |value| value.normalize().to_string())
}

/// Where the goods go, as the tables know it.
pub struct Destination {
    pub country: String,
    pub region: Option<String>,
}

impl Destination {
    fn of(address: &Address, rules: &RuleSet) -> Option<Self> {
        let country = address.country.as_deref()?.to_ascii_uppercase();
        let region = address.region_code.clone();
        match rules.place(&country, region.as_deref(), address.postal_code.as_deref()) {
            Some(place) => {
                let region = if place.is_region.is_empty() { region } else { Some(place.is_region.clone()) };
                Some(Self { country: place.is_country.clone(), region })
            }
            None => Some(Self { country, region }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::money::Currency;
    use crate::orders::Payment;
    use crate::orders::model::{Amounts, Buyer as Person, Status, TaxPart};

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::from_code("EUR").unwrap())
    }

    fn amounts(minor: i64) -> Amounts {
        Amounts { shop: eur(minor), presented: None }
    }

    fn line(id: &str, kind: LineKind, quantity: i64, total: i64, taxes: &[(&str, Collector)]) -> ChannelLine {
        let exact = |text: &str| ExactAmounts { shop: text.into(), presented: None };
        let tax = |(amount, collector): &(&str, Collector)| TaxPart {
            title: "VAT".into(),
            code: None,
            rate: Some("0.19".into()),
            amount: exact(amount),
            collector: *collector,
        };
        ChannelLine {
            external_id: id.into(),
            kind,
            listing: None,
            sku: Some(format!("SKU-{id}")),
            gtin: None,
            title: id.into(),
            quantity,
            fulfilled: 0,
            released: 0,
            unit_price: exact("0"),
            total: amounts(total),
            discount: amounts(0),
            taxes: taxes.iter().map(tax).collect(),
            location: None,
            extras: BTreeMap::new(),
        }
    }

    fn order(lines: Vec<ChannelLine>) -> ChannelOrder {
        let total = lines.iter().map(|line| line.total.shop.minor()).sum();
        ChannelOrder {
            external_id: "1".into(),
            number: "1".into(),
            status: Status::Placed,
            channel_status: "open".into(),
            payment: Payment::Paid,
            test: false,
            placed_at: 0,
            updated_at: 0,
            cancelled_at: None,
            prices_include_tax: true,
            lines,
            subtotal: None,
            shipping_total: None,
            discount_total: None,
            tax_total: None,
            total: amounts(total),
            refunded_total: None,
            personal: None,
            shipments: Vec::new(),
            refunds: Vec::new(),
            tags: Vec::new(),
            extras: BTreeMap::new(),
        }
    }

    fn nothing() -> Goods {
        Goods { known: BTreeMap::new(), goods: BTreeMap::new() }
    }

    fn basket(order: &ChannelOrder) -> Basket {
        Basket::of(order, |_| None, &nothing()).unwrap()
    }

    fn to(country: &str, region: Option<&str>, postal: Option<&str>, tax_number: Option<&str>) -> Personal {
        let address = Address {
            country: Some(country.into()),
            region_code: region.map(str::to_owned),
            postal_code: postal.map(str::to_owned),
            ..Address::default()
        };
        let buyer = Person { tax_number: tax_number.map(str::to_owned), ..Person::default() };
        Personal { buyer: Some(buyer), ship_to: Some(address), ..Personal::default() }
    }

    fn ask(order: &ChannelOrder, personal: &Personal) -> (Basket, Result<QuoteInput, NoQuestion>) {
        let mut basket = basket(order);
        let placed = Moment { at: 0, on: jiff::civil::date(2026, 3, 10) };
        let question = basket.question(order, personal, placed, &RuleSet::builtin().unwrap()).0;
        (basket, question)
    }

    #[test]
    fn a_total_that_does_not_divide_keeps_its_pieces_and_its_cents() {
        let order = order(vec![line("a", LineKind::Physical, 3, 1_000, &[]), line("b", LineKind::Physical, 2, 500, &[])]);
        let (lines, parts) = basket(&order).lines();
        assert_eq!(lines.iter().map(|l| (l.unit_minor, l.qty)).collect::<Vec<_>>(), [(333, 2), (334, 1), (250, 2)]);
        assert_eq!(parts.iter().map(|p| p.positions.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn a_discount_written_as_a_fee_lowers_shipping_and_then_the_goods() {
        let order = order(vec![
            line("a", LineKind::Physical, 1, 3_000, &[]),
            line("b", LineKind::Physical, 1, 1_000, &[]),
            line("c", LineKind::Shipping, 1, 500, &[]),
            line("d", LineKind::Fee, 1, -900, &[]),
        ]);
        let (_, question) = ask(&order, &to("DE", None, None, None));
        let question = question.unwrap();
        assert_eq!(question.shipping_minor, 0);
        assert_eq!(question.lines.iter().map(|l| l.unit_minor).collect::<Vec<_>>(), [2_700, 900]);
    }

    #[test]
    fn tips_and_vouchers_are_apart_and_an_order_of_nothing_else_asks_nothing() {
        let order = order(vec![line("a", LineKind::Tip, 1, 300, &[]), line("b", LineKind::GiftCard, 1, 5_000, &[])]);
        let (basket, question) = ask(&order, &to("DE", None, None, None));
        let none = question.unwrap_err();
        assert!(!none.sale_stands && none.why.contains("nothing"));
        assert_eq!(basket.charged(&order).unwrap().paid, eur(0));
    }

    #[test]
    fn the_order_of_lines_makes_no_other_picture_and_an_amount_does() {
        let (a, b) = (line("a", LineKind::Physical, 1, 300, &[]), line("b", LineKind::Physical, 1, 500, &[]));
        let picture = |order: &ChannelOrder| basket(order).picture(order, None, Some(Buyer::Consumer));
        let one = picture(&order(vec![a.clone(), b.clone()]));
        assert_eq!(one, picture(&order(vec![b.clone(), a.clone()])));
        assert_ne!(one, picture(&order(vec![a, line("b", LineKind::Physical, 1, 501, &[])])));
    }

    #[test]
    fn a_postal_code_tells_the_territory_and_is_not_kept() {
        let order = order(vec![line("a", LineKind::Physical, 1, 300, &[])]);
        let (_, question) = ask(&order, &to("ES", Some("ES-TF"), Some("38001"), None));
        let question = question.unwrap();
        assert_eq!((question.ship_to.as_str(), question.region.as_deref(), question.postal_code), ("ES", Some("ES-CN"), None));
        let (_, question) = ask(&order, &to("GB", None, Some("BT1 1AA"), None));
        assert_eq!(question.unwrap().region.as_deref(), Some("XI"));
        let (_, none) = ask(&order, &Personal::default());
        assert!(none.unwrap_err().sale_stands, "not knowing is not unselling");
    }

    #[test]
    fn a_business_is_who_gave_a_tax_number_in_the_right_form() {
        let order = order(vec![line("a", LineKind::Physical, 1, 300, &[])]);
        let buyer = |country: &str, number: Option<&str>| ask(&order, &to(country, None, None, number)).1.unwrap().buyer;
        assert_eq!(buyer("DE", None), Some(Buyer::Consumer));
        assert_eq!(buyer("DE", Some("DE 136 695 976")), Some(Buyer::Business));
        assert_eq!(buyer("DE", Some("DE136695977")), Some(Buyer::Consumer), "the check digit is wrong");
        assert_eq!(buyer("US", Some("12-3456789")), Some(Buyer::Business), "cannot be judged here");
    }

    #[test]
    fn what_the_channel_charged_is_summed_exactly_and_its_collector_told_only_if_all_agree() {
        use Collector::{Channel, Seller, Unknown};
        let charged = |taxes: &[(&str, Collector)]| {
            let order = order(vec![line("a", LineKind::Physical, 1, 300, taxes)]);
            let charged = basket(&order).charged(&order).unwrap();
            (charged.tax.map(|tax| tax.minor()), charged.collector)
        };
        assert_eq!(charged(&[("0.225", Seller), ("0.22", Seller)]), (Some(45), Some("seller".into())));
        assert_eq!(charged(&[("1.00", Channel), ("0", Seller)]), (Some(100), Some("marketplace".into())));
        assert_eq!(charged(&[("1.00", Channel), ("1.00", Seller)]), (Some(200), None));
        assert_eq!(charged(&[("1.00", Unknown)]), (Some(100), None));
        assert_eq!(charged(&[]), (None, None));
    }
}
