//! The tax of orders that came in or changed: from the order, the catalogue and the connection's profile to one frozen answer.
//!
//! A lane of its own, one per merchant, because running totals have one writer (two orders worked out at once would both see
//! the total before the other), and because an order must come in, and its stock be reserved, whatever the tax tables say of
//! it. The lane looks at what `crossborder::note` wrote in the order's own unit of work, oldest sales first.

mod basket;

use std::collections::BTreeMap;

use entrepot_crossborder::rules::RuleSet;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;

use basket::Basket;

use super::error::ending;
use super::{Error, Sync};
use crate::catalog::{self, Variant};
use crate::crossborder::{self, GoodsFacts, Moment, Refunded, Sold, Terms, Work};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, OrderId, VariantId};
use crate::lanes::{self, Claim, Handler, HandlerError, LaneKey, LaneKind, Outcome};
use crate::orders::{self, ChannelOrder, OrderView, Payment, Personal, Status};
use crate::pricing;
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
    // The lane first: its handler holds it before it touches what is noted.
    lanes::make_due(tx, ctx, &lane(), ctx.now_ms()).await?;
    Ok(crossborder::note(tx, ctx, order, placed_at).await?)
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
                lanes::make_due(tx, &ctx, &lane(), ctx.now_ms()).await?;
                for (order, placed_at) in &wanted {
                    crossborder::note_anew(tx, &ctx, order, *placed_at).await?;
                }
                Ok::<_, Error>(())
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
    let terms = terms(tx, ctx, &view.connection, &variants).await?;
    crossborder::keep(tx, ctx, &sold, &terms).await?;
    tracing::debug!(order = %work.order, version, "tax worked out");
    Ok(())
}

/// How the prices of an order's goods were made: by which rate of the merchant's own, and with which markup.
async fn terms(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, variants: &[VariantId]) -> Result<Terms, Error> {
    let policy = pricing::policy(tx, &ctx.tenant, connection).await?;
    let Some(rate) = policy.locked_rate else { return Ok(Terms { own_rate: None, markup_bps: policy.markup_bps }) };
    let bases = pricing::bases(tx, &ctx.tenant, variants).await?;
    let from = bases.values().find_map(|base| Some(base.price?.currency()));
    Ok(Terms { own_rate: from.map(|currency| (currency, rate)), markup_bps: policy.markup_bps })
}

/// In the unit of work in which rates became known: orders that wait for one are looked at again.
pub async fn rates_came(tx: &mut WriteTx, ctx: &Ctx) -> Result<(), Error> {
    let waiting = crossborder::unlocked(tx, &ctx.tenant, 1_000).await?;
    if waiting.is_empty() {
        return Ok(());
    }
    lanes::make_due(tx, ctx, &lane(), ctx.now_ms()).await?;
    for (order, placed_at) in &waiting {
        crossborder::note(tx, ctx, order, *placed_at).await?;
    }
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
    let of = |line: &str| view.lines.iter().find(|l| l.external_id == line).and_then(|l| l.variant.clone());
    let mut basket = Basket::of(whole, of, goods)?;
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
        parts: basket.parts(),
        assumptions: basket.assumptions,
        question,
    })
}
