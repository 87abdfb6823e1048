//! What a story sees of a hub, and what it does in the merchant's place.

use std::net::SocketAddr;

use entrepot::catalog;
use entrepot::connections::Connection;
use entrepot::fulfilment::{Dispatch, Shipment};
use entrepot::id::{OrderId, VariantId};
use entrepot::inbox;
use entrepot::lanes::{self, LaneKey};
use entrepot::listings::{self, Listing};
use entrepot::money::Money;
use entrepot::orders::{self, OrderView};
use entrepot::pricing::{self, Base, Policy};
use entrepot::stock::{self, Availability};
use entrepot::store::ReadConn;
use entrepot::sync::guards::{self, Limits, Scope};
use entrepot::sync::imports;
use entrepot::sync::push::Field;
use entrepot::sync::{self, fanout, golive, plan};

use super::TestHub;
use crate::shop::{Kind, Shop};

impl TestHub {
    pub async fn read(&self) -> ReadConn {
        self.app.store.read().await.unwrap()
    }

    pub fn kinds(&self) -> Vec<Kind> {
        self.seats.iter().map(|(shop, _)| shop.kind()).collect()
    }

    pub fn shop(&self, kind: Kind) -> Shop {
        self.seats.iter().find(|(shop, _)| shop.kind() == kind).unwrap().0.clone()
    }

    /// As it is stored now.
    pub async fn connection(&self, kind: Kind) -> Connection {
        let (_, connection) = self.seats.iter().find(|(shop, _)| shop.kind() == kind).unwrap();
        entrepot::connections::get(&mut self.read().await, &self.app.ctx.tenant, &connection.id).await.unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn webhook_path(&self, kind: Kind) -> String {
        format!("/webhooks/{}", self.connection(kind).await.webhook_path)
    }

    pub async fn variant(&self, sku: &str) -> VariantId {
        catalog::resolve(&mut self.read().await, &self.app.ctx.tenant, sku).await.unwrap().id
    }

    pub async fn stock(&self, sku: &str) -> Availability {
        let variant = self.variant(sku).await;
        let found = stock::availability(&mut self.read().await, &self.app.ctx.tenant, std::slice::from_ref(&variant)).await.unwrap();
        found.get(&variant).copied().unwrap_or_default()
    }

    /// (on hand, reserved)
    pub async fn books(&self, sku: &str) -> (i64, i64) {
        let stock = self.stock(sku).await;
        (stock.on_hand, stock.reserved)
    }

    pub async fn find_order(&self, kind: Kind, order: i64) -> Option<OrderId> {
        let (external, connection) = (self.shop(kind).external_id(order), self.connection(kind).await);
        orders::find_external(&mut self.read().await, &self.app.ctx.tenant, &connection.id, &external).await.unwrap()
    }

    pub async fn order(&self, kind: Kind, order: i64) -> OrderView {
        let id = self.find_order(kind, order).await.unwrap_or_else(|| panic!("the hub does not have order {order}"));
        orders::find(&mut self.read().await, &self.app.ctx.tenant, &id).await.unwrap().unwrap()
    }

    pub async fn count_orders(&self) -> usize {
        orders::list(&mut self.read().await, &self.app.ctx.tenant, &orders::Filter::default(), None, 500).await.unwrap().len()
    }

    /// Recorded deliveries, newest first.
    pub async fn deliveries(&self) -> Vec<inbox::Row> {
        inbox::list(&mut self.read().await, &self.app.ctx.tenant, &inbox::Filter::default(), None, 500).await.unwrap()
    }

    pub async fn refusals(&self) -> Vec<sync::Refused> {
        sync::refusals(&mut self.read().await, &self.app.ctx.tenant, 500).await.unwrap()
    }

    /// How far a shop's stream has come; `None` before its first page.
    pub async fn import(&self, kind: Kind, stream: &str) -> Option<imports::Seen> {
        let connection = self.connection(kind).await.id;
        let found = imports::list(&mut self.read().await, &self.app.ctx, Some(&connection)).await.unwrap();
        found.into_iter().find(|seen| seen.import.stream == stream)
    }

    pub async fn shipments(&self, order: &OrderId) -> Vec<Shipment> {
        entrepot::fulfilment::of_order(&mut self.read().await, &self.app.ctx.tenant, order).await.unwrap()
    }

    pub async fn lanes(&self, filter: lanes::Filter) -> Vec<lanes::Lane> {
        lanes::list(&mut self.read().await, &self.app.ctx, filter, None, 1_000).await.unwrap()
    }

    // Acting as the merchant

    /// Everything still open leaves, with this tracking number.
    pub async fn ship(&self, kind: Kind, order: i64, number: &str) -> Shipment {
        let id = self.find_order(kind, order).await.unwrap();
        let tracking = vec![orders::model::Tracking { number: number.into(), carrier: Some("DHL".into()), url: None }];
        sync::writeback::ship(&self.app.sync, &self.app.ctx, &id, Dispatch { lines: Vec::new(), tracking }).await.unwrap()
    }

    pub async fn receive(&self, sku: &str, units: i64, reference: &str) {
        let change = golive::StockChange {
            variant: self.variant(sku).await,
            location: None,
            kind: golive::StockChangeKind::Receive(units),
            reference: reference.into(),
        };
        assert!(golive::stock_set(&self.app.store, &self.app.ctx, change).await.unwrap());
    }

    pub async fn count(&self, sku: &str, units: i64, reference: &str) {
        let change = golive::StockChange {
            variant: self.variant(sku).await,
            location: None,
            kind: golive::StockChangeKind::Count(units),
            reference: reference.into(),
        };
        assert!(golive::stock_set(&self.app.store, &self.app.ctx, change).await.unwrap());
    }

    pub async fn set_price(&self, sku: &str, price: Money) {
        self.set_base(sku, move |base| base.price = Some(price)).await;
    }

    pub async fn set_cost(&self, sku: &str, cost: Money) {
        self.set_base(sku, move |base| base.cost = Some(cost)).await;
    }

    /// As `PATCH /prices/variants/SKU` does.
    async fn set_base(&self, sku: &str, edit: impl FnOnce(&mut Base) + Send + 'static) {
        let (ctx, variant) = (self.app.ctx.clone(), self.variant(sku).await);
        let set = self.app.store.write(move |tx| {
            Box::pin(async move {
                let one = std::slice::from_ref(&variant);
                fanout::prices_changed(tx, &ctx, Some(one)).await?;
                let mut base = pricing::bases(tx, &ctx.tenant, one).await?.remove(&variant).unwrap_or_default();
                edit(&mut base);
                pricing::set_base(tx, &ctx, &variant, &base).await?;
                Ok::<_, sync::Error>(())
            })
        });
        set.await.unwrap();
    }

    /// As `PUT /prices/channels/CONNECTION` does.
    pub async fn set_policy(&self, kind: Kind, policy: Policy) {
        let (ctx, connection) = (self.app.ctx.clone(), self.connection(kind).await.id);
        let set = self.app.store.write(move |tx| {
            Box::pin(async move {
                if pricing::pushes(tx, &ctx.tenant, &connection).await? {
                    lanes::make_due(tx, &ctx, &Field::Price.lane(&connection), ctx.now_ms()).await?;
                    fanout::all_of(tx, &ctx, &connection, Field::Price).await?;
                }
                pricing::set_policy(tx, &ctx, &connection, &policy).await?;
                Ok::<_, sync::Error>(())
            })
        });
        set.await.unwrap();
    }

    /// The plan of a connection's prices, applied.
    pub async fn apply_prices(&self, kind: Kind) -> plan::Plan {
        let plan = plan::plan_prices(&self.app.sync, &self.app.ctx, &self.connection(kind).await).await.unwrap();
        plan::accept(&self.app.sync, &self.app.ctx, &plan.id).await.unwrap();
        plan
    }

    /// What a live connection was not told yet, applied.
    pub async fn let_through(&self, kind: Kind) -> plan::Plan {
        let plan = plan::plan(&self.app.sync, &self.app.ctx, &self.connection(kind).await).await.unwrap();
        plan::accept(&self.app.sync, &self.app.ctx, &plan.id).await.unwrap();
        plan
    }

    pub async fn unsent(&self, kind: Kind) -> Vec<sync::Unsent> {
        let connection = self.connection(kind).await.id;
        sync::unsent(&mut self.read().await, &self.app.ctx.tenant, Some(&connection), 500).await.unwrap()
    }

    pub async fn set_limits(&self, kind: Kind, limits: Limits) {
        let (ctx, connection) = (self.app.ctx.clone(), self.connection(kind).await.id);
        let set = self.app.store.write(move |tx| Box::pin(async move { guards::set_limits(tx, &ctx, &connection, limits).await }));
        set.await.unwrap();
    }

    pub async fn pause(&self, scope: Scope, subject: &str) {
        let (ctx, subject) = (self.app.ctx.clone(), subject.to_owned());
        self.app.store.write(move |tx| Box::pin(async move { guards::pause(tx, &ctx, scope, &subject).await })).await.unwrap();
    }

    pub async fn resume(&self, scope: Scope, subject: &str) {
        let (ctx, subject) = (self.app.ctx.clone(), subject.to_owned());
        self.app.store.write(move |tx| Box::pin(async move { guards::resume(tx, &ctx, scope, &subject).await })).await.unwrap();
    }

    pub async fn listing(&self, kind: Kind, sku: &str) -> Listing {
        let (connection, variant) = (self.connection(kind).await.id, self.variant(sku).await);
        let found = listings::listings_of_variants(&mut self.read().await, &self.app.ctx.tenant, &[variant]).await.unwrap();
        found.into_iter().find(|listing| listing.connection == connection).unwrap()
    }

    pub async fn make_due(&self, lane: LaneKey) {
        let ctx = self.app.ctx.clone();
        let due = self.app.store.write(move |tx| Box::pin(async move { lanes::make_due(tx, &ctx, &lane, ctx.now_ms()).await }));
        due.await.unwrap();
    }

    /// Asks a shop for what changed, as the schedule does every two minutes.
    pub async fn poll(&self, kind: Kind) {
        self.make_due(sync::poll_lane(&self.connection(kind).await.id)).await;
    }
}
