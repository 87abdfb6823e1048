//! Connector for Shopify shops: Admin GraphQL API.
//!
//! Here are only the exports. What the shop writes becomes canonical records in [`translate`], what we want of it becomes
//! queries in [`requests`] (both pure), [`graphql`] holds the documents, [`calls`] says which queries make up a capability,
//! [`answer`] what an answer means.

pub mod answer;
pub mod calls;
pub mod contract;
mod gid;
pub mod graphql;
pub mod requests;
pub mod settings;
pub mod translate;

use std::cell::Cell;

use answer::Throttle;
use calls::{Hub, Shop};
use contract::*;
use entrepot_documents::{decimal, instant, json};
use entrepot_sdk::{
    cancellations_out, clock, connection, fulfilment_out, listings_in, log, orders_in, pacing, prices_out, stock_out, webhooks,
};
use settings::Settings;

/// Implements the capabilities.
pub struct Shopify;

// The exported names are a component's; no linker of another platform takes them.
#[cfg(target_family = "wasm")]
entrepot_sdk::export_connector!(
    Shopify: connection, orders_in, listings_in, stock_out, prices_out, fulfilment_out, cancellations_out, webhooks
);

/// The hub this component runs in.
struct Sandbox;

impl Hub for Sandbox {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        request.send()
    }

    fn now(&self) -> i64 {
        instant::parse(&clock::now()).unwrap_or_default()
    }

    fn observed(&self, throttle: Throttle) {
        let per_minute = throttle.restore_per_second.saturating_mul(60);
        pacing::observed(requests::BUCKET, throttle.available, throttle.maximum, per_minute);
    }

    fn warn(&self, message: &str) {
        log::warn(message, &[]);
    }
}

fn with_shop<T>(ctx: &Context, run: impl FnOnce(&Shop<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let settings = Settings::parse(&ctx.config_json)?;
    run(&Shop { hub: &Sandbox, settings: &settings, sent: Cell::new(0) })
}

impl connection::Guest for Shopify {
    fn check(ctx: Context) -> Result<Account, Failure> {
        with_shop(&ctx, calls::check)
    }

    fn describe(ctx: Context, what: String) -> Result<Vec<Document>, Failure> {
        with_shop(&ctx, |shop| calls::describe(shop, &what))
    }
}

impl orders_in::Guest for Shopify {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<OrderPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_orders(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<(String, Found)>, Failure> {
        with_shop(&ctx, |shop| calls::orders_by_ids(shop, &external_ids))
    }
}

impl listings_in::Guest for Shopify {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<ListingPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_listings(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<Listing>, Failure> {
        with_shop(&ctx, |shop| calls::listings_by_ids(shop, &external_ids))
    }
}

impl stock_out::Guest for Shopify {
    fn push(ctx: Context, changes: Vec<StockChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_stock(shop, &ctx, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>) -> Result<Vec<StockReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_stock(shop, &listings))
    }
}

impl prices_out::Guest for Shopify {
    fn push(ctx: Context, changes: Vec<PriceChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_prices(shop, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>, price_list: Option<String>) -> Result<Vec<PriceReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_prices(shop, &listings, price_list.as_deref()))
    }
}

impl fulfilment_out::Guest for Shopify {
    fn push(ctx: Context, dispatches: Vec<Dispatch>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::dispatch(shop, &dispatches))
    }

    fn read(ctx: Context, order: String) -> Result<Vec<Shipment>, Failure> {
        with_shop(&ctx, |shop| calls::shipped(shop, &order))
    }
}

impl cancellations_out::Guest for Shopify {
    fn push(ctx: Context, cancellations: Vec<Cancellation>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::cancel(shop, &cancellations))
    }
}

impl webhooks::Guest for Shopify {
    fn ensure(ctx: Context, callback_url: String, topics: Vec<String>) -> Result<Vec<Subscription>, Failure> {
        with_shop(&ctx, |shop| calls::ensure(shop, &callback_url, &topics))
    }

    fn remove(ctx: Context, external_ids: Vec<String>) -> Result<u32, Failure> {
        with_shop(&ctx, |shop| calls::remove(shop, &external_ids))
    }

    fn translate(_: Context, delivery: Delivery) -> Result<Vec<Event>, Failure> {
        translate::delivery(&delivery)
    }
}
