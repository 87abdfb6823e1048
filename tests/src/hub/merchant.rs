//! What a story sees of a hub, and what it does in the merchant's place.

use std::net::SocketAddr;

use entrepot::catalog;
use entrepot::connections::Connection;
use entrepot::fulfilment::{Dispatch, Shipment};
use entrepot::id::{OrderId, VariantId};
use entrepot::inbox;
use entrepot::lanes::{self, LaneKey};
use entrepot::orders::{self, OrderView};
use entrepot::stock::{self, Availability};
use entrepot::store::ReadConn;
use entrepot::sync::{self, golive};

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
