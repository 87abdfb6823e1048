//! The tax of orders that came in or changed: from the order, the catalogue and the connection's profile to one frozen answer.
//!
//! A lane of its own, one per merchant, because running totals have one writer (two orders worked out at once would both see
//! the total before the other), and because an order must come in, and its stock be reserved, whatever the tax tables say of
//! it. The lane looks at what `crossborder::note` wrote in the order's own unit of work, oldest sales first.

use std::collections::BTreeMap;

use entrepot_crossborder::ids;
use entrepot_crossborder::quote::{Buyer, Line, National, QuoteInput, Seller};
use entrepot_crossborder::rules::RuleSet;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::error::ending;
use super::{Error, Sync};
use crate::catalog::{self, Variant};
use crate::crossborder::{self, Charged, ChargedLine, ChargedTax, GoodsFacts, Moment, NoQuestion, Part, Refunded, Sold, Work};
use crate::ctx::Ctx;
use crate::id::{OrderId, VariantId};
use crate::lanes::{self, Claim, Handler, HandlerError, LaneKey, LaneKind, Outcome};
use crate::money::{Decimal, Exact, Money, RoundingMode};
use crate::orders::model::{Address, ChannelLine, Collector, ExactAmounts};
use crate::orders::{self, ChannelOrder, LineKind, OrderView, Payment, Personal, Status};
use crate::store::WriteTx;

pub struct Tax(pub Sync);

/// Orders in one unit of work.
const BATCH: u32 = 20;

/// The lane on which the tax of a merchant's orders is worked out.
pub fn lane() -> LaneKey {
    LaneKey::of_hub(LaneKind::Tax, "orders")
}

/// In the unit of work in which the order was stored.
pub async fn wanted(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, placed_at: i64) -> Result<(), Error> {
    crossborder::note(tx, ctx, order, placed_at).await?;
    Ok(lanes::make_due(tx, ctx, &lane(), ctx.now_ms()).await?)
}

/// Orders whose answer lacks something are worked out anew, or the one that is named. Returns how many.
pub async fn again(sync: &Sync, ctx: &Ctx, only: Option<OrderId>) -> Result<usize, Error> {
    let mut conn = sync.store.read().await?;
    let mut wanted = Vec::new();
    match only {
        Some(id) => {
            let order = orders::find(&mut conn, &ctx.tenant, &id).await?.ok_or_else(|| orders::Error::Missing(id.clone()))?;
            wanted.push((id, order.placed_at));
        }
        None => {
            let mut request = crate::page::PageRequest::first(crate::page::MAX_LIMIT);
            loop {
                let page = crossborder::standings(&mut conn, &ctx.tenant, true, &request).await?;
                wanted.extend(page.items.into_iter().map(|standing| (standing.order, standing.placed_at)));
                match page.next_cursor {
                    Some(cursor) => request.cursor = Some(cursor),
                    None => break,
                }
            }
        }
    }
    drop(conn);
    let (count, ctx) = (wanted.len(), ctx.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                for (order, placed_at) in &wanted {
                    crossborder::note_anew(tx, &ctx, order, *placed_at).await?;
                }
                Ok::<_, Error>(lanes::make_due(tx, &ctx, &lane(), ctx.now_ms()).await?)
            })
        })
        .await?;
    Ok(count)
}

impl Handler for Tax {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    loop {
        let (inner, ctx, claim) = (sync.clone(), ctx.clone(), claim.clone());
        let more = sync.store.write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let waiting = crossborder::waiting(tx, &ctx.tenant, BATCH).await?;
                for work in &waiting {
                    one(tx, &ctx, &inner, work).await?;
                    crossborder::finish(tx, &ctx, work).await?;
                }
                if waiting.is_empty() {
                    lanes::finish(tx, &ctx, &claim, Outcome::Done).await?;
                }
                Ok::<_, Error>(!waiting.is_empty())
            })
        });
        if !more.await? {
            return Ok(());
        }
    }
}

async fn one(tx: &mut WriteTx, ctx: &Ctx, sync: &Sync, work: &Work) -> Result<(), Error> {
    let Some(view) = orders::find(tx, &ctx.tenant, &work.order).await? else { return Ok(()) };
    let whole: ChannelOrder = serde_json::from_value(view.document.clone())?;
    // Not sales: never asked for money.
    if whole.test || whole.status == Status::Draft {
        return Ok(());
    }
    let personal = orders::personal(tx, ctx, &sync.vault, &work.order).await?.unwrap_or_default();
    let variants: Vec<VariantId> = view.lines.iter().filter_map(|line| line.variant.clone()).collect();
    let known = catalog::find_many(tx, &ctx.tenant, &variants).await?;
    let goods = crossborder::goods_of(tx, &ctx.tenant, &variants).await?;
    let rules = crossborder::rules(tx, &ctx.tenant).await?;
    let zone = lanes::schedule::zone_of_merchant(tx, &ctx.tenant).await?;
    let sold = sold(&view, &whole, &personal, &Goods { known, goods }, &rules, &zone)?;
    let version = crossborder::freeze(tx, ctx, &sold, work.anew).await?;
    tracing::debug!(order = %work.order, version, "tax worked out");
    Ok(())
}

struct Goods {
    known: BTreeMap<VariantId, Variant>,
    goods: BTreeMap<VariantId, GoodsFacts>,
}

/// The order as the tax room sees it. Pure.
fn sold(
    view: &OrderView,
    whole: &ChannelOrder,
    personal: &Personal,
    goods: &Goods,
    rules: &RuleSet,
    zone: &TimeZone,
) -> Result<Sold, Error> {
    let moment = |at: i64| Moment { at, on: crossborder::day(at, zone) };
    let placed = moment(whole.placed_at);
    let mut basket = Basket::new(whole.currency());
    for line in &whole.lines {
        let variant = view.lines.iter().find(|l| l.external_id == line.external_id).and_then(|l| l.variant.as_ref());
        basket.add(line, variant, goods)?;
    }
    let listed = whole.lines.iter().any(|line| line.kind == LineKind::Shipping);
    if let Some(shipping) = whole.shipping_total.as_ref().filter(|_| !listed) {
        basket.shipping = basket.shipping.checked_add(shipping.shop)?;
    }
    let (question, ship_to) = basket.question(whole, personal, placed, rules);
    let fulfilled = view.lines.iter().any(|line| line.fulfilled > 0) || view.status == Status::Completed;
    let paid = matches!(view.payment, Payment::Authorized | Payment::Paid | Payment::PartiallyRefunded | Payment::Refunded);
    let cancelled = (whole.status == Status::Cancelled || whole.payment == Payment::Failed)
        .then(|| moment(whole.cancelled_at.unwrap_or(whole.updated_at)));
    let refund = |refund: &orders::model::ChannelRefund| Refunded {
        external_id: refund.external_id.clone(),
        moment: moment(refund.created_at.unwrap_or(whole.updated_at)),
        amount: refund.amount.shop,
        lines: refund.lines.iter().filter_map(|part| Some((part.line.clone(), part.amount.as_ref()?.shop))).collect(),
    };
    Ok(Sold {
        order: view.id.clone(),
        connection: view.connection.clone(),
        number: whole.number.clone(),
        placed_at: whole.placed_at,
        sold_on: placed.on,
        counted: paid || fulfilled,
        cancelled,
        picture: basket.picture(whole, ship_to.as_ref(), question.as_ref().ok().and_then(|q| q.buyer)),
        charged: basket.charged(whole)?,
        refunds: whole.refunds.iter().map(refund).collect(),
        parts: basket.parts,
        assumptions: basket.assumptions,
        question,
    })
}

/// What of the order is taxed as goods.
struct Basket {
    lines: Vec<Line>,
    parts: Vec<Part>,
    /// Line, variant, pieces and their total, by line: what makes a picture, in whatever order a channel sends it.
    seen: Vec<(String, Option<VariantId>, i64, i64)>,
    shipping: Money,
    /// Paid, but not for goods: tips and vouchers.
    apart: Money,
    assumptions: Vec<String>,
}

impl Basket {
    fn new(currency: crate::money::Currency) -> Self {
        let zero = Money::zero(currency);
        Self { lines: Vec::new(), parts: Vec::new(), seen: Vec::new(), shipping: zero, apart: zero, assumptions: Vec::new() }
    }

    fn assume(&mut self, what: &str) {
        if !self.assumptions.iter().any(|known| known == what) {
            self.assumptions.push(what.to_owned());
        }
    }

    fn add(&mut self, line: &ChannelLine, variant: Option<&VariantId>, goods: &Goods) -> Result<(), Error> {
        let total = line.total.shop;
        match line.kind {
            LineKind::Shipping => self.shipping = self.shipping.checked_add(total)?,
            LineKind::Fee => {
                self.shipping = self.shipping.checked_add(total)?;
                if !total.is_zero() {
                    self.assume("fees follow the goods, as shipping does");
                }
            }
            LineKind::Tip => {
                self.apart = self.apart.checked_add(total)?;
                self.assume("a tip is not part of what is taxed");
            }
            LineKind::GiftCard => {
                self.apart = self.apart.checked_add(total)?;
                self.assume("a gift card is taxed when it is spent, not when it is sold");
            }
            LineKind::Physical | LineKind::Custom | LineKind::Digital | LineKind::Other => {
                if line.kind == LineKind::Digital {
                    self.assume("what is downloaded is taxed as goods are");
                }
                self.pieces(line, variant, goods);
            }
        }
        Ok(())
    }

    /// Thresholds ask for the dearest piece, so pieces stay whole units: a total that does not divide becomes two lines.
    fn pieces(&mut self, line: &ChannelLine, variant: Option<&VariantId>, goods: &Goods) {
        let total = line.total.shop.minor();
        let Ok(quantity) = u32::try_from(line.quantity) else { return };
        if quantity == 0 || total < 0 {
            return;
        }
        let facts = variant.and_then(|variant| goods.goods.get(variant));
        let known = variant.and_then(|variant| goods.known.get(variant));
        let (each, dearer) = (total / i64::from(quantity), total % i64::from(quantity));
        let dearer = u32::try_from(dearer).unwrap_or(0);
        self.seen.push((line.external_id.clone(), variant.cloned(), line.quantity, total));
        self.seen.sort();
        let mut positions = Vec::new();
        for (unit_minor, qty) in [(each, quantity - dearer), (each + 1, dearer)] {
            if qty == 0 {
                continue;
            }
            positions.push(self.lines.len());
            self.lines.push(Line {
                sku: known.map(|variant| variant.facts.sku.to_string()).or_else(|| line.sku.clone()),
                unit_minor,
                qty,
                kind: facts.and_then(|facts| facts.kind.clone()),
                category: facts.and_then(|facts| facts.category.clone()),
                hs: known.and_then(|variant| variant.facts.hs_code.as_ref()).map(ToString::to_string),
                origin: known.and_then(|variant| variant.facts.origin.as_ref()).map(ToString::to_string),
                duty_rate: None,
                duty_rate_max: None,
            });
        }
        let (line_id, sku, title) = (line.external_id.clone(), line.sku.clone(), line.title.clone());
        self.parts.push(Part { line: line_id, sku, title, positions });
    }

    /// The question without who sells, or why there is none; and where the goods go.
    fn question(
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
        if self.lines.is_empty() {
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
            lines: self.lines.clone(),
            shipping_minor: self.shipping.minor().max(0),
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

    fn picture(&self, whole: &ChannelOrder, to: Option<&Destination>, buyer: Option<Buyer>) -> String {
        let said = serde_json::json!({
            "placed_at": whole.placed_at,
            "currency": whole.currency().code(),
            "inclusive": whole.prices_include_tax,
            "to": to.map(|to| (&to.country, &to.region)),
            "buyer": buyer,
            "lines": self.seen,
            "shipping": self.shipping.minor(),
        });
        Sha256::digest(said.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn charged(&self, whole: &ChannelOrder) -> Result<Charged, Error> {
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

fn shop(amounts: &ExactAmounts) -> String {
    amounts.shop.parse::<Decimal>().map_or_else(|_| amounts.shop.clone(), |value| value.normalize().to_string())
}

/// Where the goods go, as the tables know it.
struct Destination {
    country: String,
    region: Option<String>,
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
