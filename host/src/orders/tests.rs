#![allow(clippy::unwrap_used)]

mod kits;
mod storm;
mod waiting;

use std::sync::Arc;

use futures::future::BoxFuture;

use super::model::{Amounts, ChannelLine, ChannelOrder, ExactAmounts, Payment, Status};
use super::*;
use crate::catalog::{self, Facts, Part, Sku};
use crate::id::{Entropy, LocationId};
use crate::money::{Currency, Money};
use crate::secrets::{MasterKey, Vault};
use crate::store::tests::TestDb;
use crate::{locations, on_both};

/// A catalogue, shelves and a channel that says what we like. Clones are the same.
#[derive(Clone)]
pub struct Workshop {
    pub db: Arc<TestDb>,
    pub ctx: Ctx,
    pub vault: Vault,
    pub connection: ConnectionId,
    pub place: LocationId,
}

/// A line of an order as a channel tells it.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub sku: String,
    pub quantity: i64,
    pub fulfilled: i64,
    pub released: i64,
    /// Units that a refund put back on the shelf.
    pub restocked: i64,
}

pub fn sold(sku: &str, quantity: i64) -> Said {
    Said { sku: sku.into(), quantity, ..Said::default() }
}

pub fn picture(external_id: &str, updated_at: i64, lines: &[Said]) -> ChannelOrder {
    let eur = |minor: i64| Money::new(minor, Currency::from_code("EUR").unwrap());
    let amounts = |minor: i64| Amounts { shop: eur(minor), presented: None };
    let line = |(n, said): (usize, &Said)| ChannelLine {
        external_id: n.to_string(),
        kind: LineKind::Physical,
        listing: None,
        sku: Some(said.sku.clone()),
        gtin: None,
        title: said.sku.clone(),
        quantity: said.quantity,
        fulfilled: said.fulfilled,
        released: said.released,
        unit_price: ExactAmounts { shop: "1.00".into(), presented: None },
        total: amounts(100 * said.quantity),
        discount: amounts(0),
        taxes: Vec::new(),
        location: None,
        extras: Default::default(),
    };
    let back = lines.iter().enumerate().filter(|(_, said)| said.restocked > 0).map(|(n, said)| model::RefundLine {
        line: n.to_string(),
        quantity: said.restocked,
        restocked: Some(true),
        amount: None,
    });
    let back: Vec<_> = back.collect();
    let refund = model::ChannelRefund {
        external_id: "r".into(),
        created_at: None,
        amount: amounts(0),
        reason: None,
        lines: back.clone(),
        extras: Default::default(),
    };
    ChannelOrder {
        external_id: external_id.into(),
        number: external_id.into(),
        status: Status::Placed,
        channel_status: "open".into(),
        payment: Payment::Paid,
        test: false,
        placed_at: 1_700_000_000_000,
        updated_at: 1_700_000_000_000 + updated_at,
        cancelled_at: None,
        prices_include_tax: true,
        lines: lines.iter().enumerate().map(line).collect(),
        subtotal: None,
        shipping_total: None,
        discount_total: None,
        tax_total: None,
        total: amounts(lines.iter().map(|said| 100 * said.quantity).sum()),
        refunded_total: None,
        personal: None,
        shipments: Vec::new(),
        refunds: if back.is_empty() { Vec::new() } else { vec![refund] },
        tags: Vec::new(),
        extras: Default::default(),
    }
}

impl Workshop {
    pub async fn open(db: TestDb) -> Self {
        let ctx = db.ctx();
        Self::of(Arc::new(db), ctx).await
    }

    pub async fn of(db: Arc<TestDb>, ctx: Ctx) -> Self {
        let entropy = Entropy::seeded(11);
        let vault = Vault::new(MasterKey::random(&entropy), Vec::new(), entropy);
        let by = ctx.clone();
        let place = db.store.write(move |tx| Box::pin(async move { locations::ensure_default(tx, &by).await })).await.unwrap();
        let connection = ConnectionId::new(&ctx.ids);
        Self { db, ctx, vault, connection, place }
    }

    pub async fn write<T: Send + 'static>(
        &self,
        work: impl for<'t> FnOnce(&'t mut WriteTx, Ctx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let ctx = self.ctx.clone();
        self.db.store.write(move |tx| work(tx, ctx)).await
    }

    /// A variant with units on the first shelf.
    pub async fn good(&self, sku: &str, units: i64) -> VariantId {
        let (sku, place) = (sku.to_owned(), self.place.clone());
        let made = self.write(move |tx, ctx| {
            Box::pin(async move {
                let product = catalog::create_product(tx, &ctx, "Thing").await?;
                let variant =
                    catalog::create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(&sku).map_err(catalog::Error::from)?)).await?;
                if units > 0 {
                    stock::receive(tx, &ctx, &variant.id, &place, units, "opening").await?;
                }
                Ok(variant.id)
            })
        });
        made.await.unwrap()
    }

    pub async fn kit(&self, kit: &VariantId, parts: &[(&VariantId, i64)]) -> Result<bool, Error> {
        let kit = kit.clone();
        let parts: Vec<Part> =
            parts.iter().map(|(component, quantity)| Part { component: (*component).clone(), quantity: *quantity }).collect();
        self.write(move |tx, ctx| {
            Box::pin(async move {
                stock::refuse_own(tx, &ctx, &kit).await?;
                Ok(catalog::set_components(tx, &ctx, &kit, &parts).await?)
            })
        })
        .await
    }

    /// As the channel's picture arrives: lines are found by SKU, what is given back goes to whoever waits.
    pub async fn take(&self, order: &ChannelOrder) -> Result<Ingested, Error> {
        let (order, vault, connection) = (order.clone(), self.vault.clone(), self.connection.clone());
        self.write(move |tx, ctx| {
            Box::pin(async move {
                let skus: Vec<&str> = order.lines.iter().filter_map(|line| line.sku.as_deref()).collect();
                let known = catalog::find_by_skus(tx, &ctx.tenant, &skus).await?;
                let variant = |line: &ChannelLine| Some((line.external_id.clone(), known.get(line.sku.as_deref()?)?.id.clone()));
                let found: Resolution = order.lines.iter().filter_map(variant).collect();
                let names = [order.external_id.as_str()].into();
                claim(tx, &ctx, &connection, &names, found.values().cloned().collect()).await?;
                let origin = Origin { connection, since_at: 0, authoritative: true };
                let ingested = ingest(tx, &ctx, &vault, &origin, &order, &found).await?;
                if let Ingested::Stored { change, .. } = &ingested {
                    fill_short(tx, &ctx, &change.freed).await?;
                }
                Ok(ingested)
            })
        })
        .await
    }

    pub async fn placed(&self, external_id: &str, lines: &[Said]) -> OrderId {
        match self.take(&picture(external_id, 0, lines)).await.unwrap() {
            Ingested::Stored { order, .. } => order,
            other => panic!("{other:?}"),
        }
    }

    pub async fn receive(&self, variant: &VariantId, units: i64) {
        let (variant, place, reference) = (variant.clone(), self.place.clone(), self.ctx.ids.body());
        let received = self.write(move |tx, ctx| {
            Box::pin(async move {
                let variants = [variant];
                stock::receive(tx, &ctx, &variants[0], &place, units, &reference).await?;
                fill_short(tx, &ctx, &variants).await
            })
        });
        received.await.unwrap();
    }

    /// (on hand, reserved); the books must add up.
    pub async fn books(&self, variant: &VariantId) -> (i64, i64) {
        let mut conn = self.db.store.read().await.unwrap();
        assert_eq!(stock::audit(&mut conn, &self.ctx.tenant).await.unwrap(), Vec::<String>::new());
        let found = stock::availability(&mut conn, &self.ctx.tenant, std::slice::from_ref(variant)).await.unwrap();
        (found[variant].on_hand, found[variant].reserved)
    }

    pub async fn view(&self, order: &OrderId) -> OrderView {
        find(&mut self.db.store.read().await.unwrap(), &self.ctx.tenant, order).await.unwrap().unwrap()
    }
}
