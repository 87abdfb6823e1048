//! Connector for Vendure shops: Admin API.
//!
//! Here are only the exports. What the shop writes becomes canonical records in [`translate`], what we want of it becomes
//! queries in [`requests`] (both pure), [`graphql`] holds the documents, [`calls`] says which queries make up a capability,
//! [`answer`] what an answer means. [`place`] is how a list is read that grows meanwhile.

pub mod answer;
pub mod calls;
pub mod contract;
pub mod graphql;
mod moment;
pub mod place;
pub mod requests;
pub mod settings;
pub mod translate;

use calls::{Hub, Shop};
use contract::*;
use entrepot_documents::{decimal, instant, json};
use entrepot_sdk::{cancellations_out, clock, connection, fulfilment_out, listings_in, log, orders_in, prices_out, stock_out, webhooks};
use settings::Settings;

/// Implements the capabilities.
pub struct Vendure;

// The exported names are a component's; no linker of another platform takes them.
#[cfg(target_family = "wasm")]
entrepot_sdk::export_connector!(
    Vendure: connection, orders_in, listings_in, stock_out, prices_out, fulfilment_out, cancellations_out, webhooks
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

    fn warn(&self, message: &str) {
        log::warn(message, &[]);
    }
}

fn with_shop<T>(ctx: &Context, run: impl FnOnce(&Shop<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let settings = Settings::parse(&ctx.config_json)?;
    run(&Shop { hub: &Sandbox, settings: &settings })
}

impl connection::Guest for Vendure {
    fn check(ctx: Context) -> Result<Account, Failure> {
        with_shop(&ctx, calls::check)
    }

    fn describe(ctx: Context, what: String) -> Result<Vec<Document>, Failure> {
        with_shop(&ctx, |shop| calls::describe(shop, &what))
    }
}

impl orders_in::Guest for Vendure {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<OrderPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_orders(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<(String, Found)>, Failure> {
        with_shop(&ctx, |shop| calls::orders_by_ids(shop, &external_ids))
    }
}

impl listings_in::Guest for Vendure {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<ListingPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_listings(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<Listing>, Failure> {
        with_shop(&ctx, |shop| calls::listings_by_ids(shop, &external_ids))
    }
}

impl stock_out::Guest for Vendure {
    fn push(ctx: Context, changes: Vec<StockChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_stock(shop, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>) -> Result<Vec<StockReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_stock(shop, &listings))
    }
}

impl prices_out::Guest for Vendure {
    fn push(ctx: Context, changes: Vec<PriceChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_prices(shop, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>, price_list: Option<String>) -> Result<Vec<PriceReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_prices(shop, &listings, price_list.as_deref()))
    }
}

impl fulfilment_out::Guest for Vendure {
    fn push(ctx: Context, dispatches: Vec<Dispatch>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::dispatch(shop, &dispatches))
    }

    fn read(ctx: Context, order: String) -> Result<Vec<Shipment>, Failure> {
        with_shop(&ctx, |shop| calls::shipped(shop, &order))
    }
}

impl cancellations_out::Guest for Vendure {
    fn push(ctx: Context, cancellations: Vec<Cancellation>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::cancel(shop, &cancellations))
    }
}

impl webhooks::Guest for Vendure {
    /// The shop cannot be told where to send: whoever runs the relay enters the hub's address there.
    fn ensure(_: Context, _: String, _: Vec<String>) -> Result<Vec<Subscription>, Failure> {
        Ok(Vec::new())
    }

    fn remove(_: Context, _: Vec<String>) -> Result<u32, Failure> {
        Ok(0)
    }

    fn translate(_: Context, delivery: Delivery) -> Result<Vec<Event>, Failure> {
        translate::delivery(&delivery)
    }
}
