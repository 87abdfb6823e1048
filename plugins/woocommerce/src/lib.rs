//! Connector for WooCommerce shops: REST API v3.
//!
//! Here are only the exports. What the shop writes becomes canonical records in [`translate`], what we want of it becomes
//! calls in [`requests`] (both pure), [`calls`] says which calls make up a capability, [`answer`] what an answer means.

pub mod answer;
pub mod calls;
pub mod contract;
pub mod requests;
pub mod settings;
pub mod translate;

use calls::{Hub, Shop};
use contract::*;
use entrepot_documents::{decimal, instant, json};
use entrepot_sdk::{
    cancellations_out, clock, connection, fulfilment_out, http, listings_in, log, orders_in, prices_out, refunds, stock_out, webhooks,
};
use settings::Settings;

/// Implements the capabilities.
pub struct WooCommerce;

// The exported names are a component's; no linker of another platform takes them.
#[cfg(target_family = "wasm")]
entrepot_sdk::export_connector!(
    WooCommerce: connection, orders_in, listings_in, stock_out, prices_out, fulfilment_out, cancellations_out, refunds, webhooks
);

/// The hub this component runs in.
struct Sandbox;

/// Calls of one shop at a time: small hosts share a machine with many others.
const PARALLEL: u32 = 4;

impl Hub for Sandbox {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        request.send()
    }

    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>> {
        http::Request::send_many(requests, PARALLEL)
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

impl connection::Guest for WooCommerce {
    fn check(ctx: Context) -> Result<Account, Failure> {
        with_shop(&ctx, calls::check)
    }

    fn describe(ctx: Context, what: String) -> Result<Vec<Document>, Failure> {
        with_shop(&ctx, |shop| calls::describe(shop, &what))
    }
}

impl orders_in::Guest for WooCommerce {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<OrderPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_orders(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<(String, Found)>, Failure> {
        with_shop(&ctx, |shop| calls::orders_by_ids(shop, &external_ids))
    }
}

impl listings_in::Guest for WooCommerce {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<ListingPage, Failure> {
        with_shop(&ctx, |shop| calls::pull_listings(shop, cursor.as_deref(), limit))
    }

    fn get(ctx: Context, external_ids: Vec<String>) -> Result<Vec<Listing>, Failure> {
        with_shop(&ctx, |shop| calls::listings_by_ids(shop, &external_ids))
    }
}

impl stock_out::Guest for WooCommerce {
    fn push(ctx: Context, changes: Vec<StockChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_stock(shop, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>) -> Result<Vec<StockReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_stock(shop, &listings))
    }
}

impl prices_out::Guest for WooCommerce {
    fn push(ctx: Context, changes: Vec<PriceChange>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_prices(shop, &changes))
    }

    fn read(ctx: Context, listings: Vec<ListingRef>, price_list: Option<String>) -> Result<Vec<PriceReading>, Failure> {
        with_shop(&ctx, |shop| calls::read_prices(shop, &listings, price_list.as_deref()))
    }
}

impl fulfilment_out::Guest for WooCommerce {
    fn push(ctx: Context, dispatches: Vec<Dispatch>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::dispatch(shop, &dispatches))
    }

    fn read(ctx: Context, order: String) -> Result<Vec<Shipment>, Failure> {
        with_shop(&ctx, |shop| calls::shipped(shop, &order))
    }
}

impl cancellations_out::Guest for WooCommerce {
    fn push(ctx: Context, cancellations: Vec<Cancellation>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::cancel(shop, &cancellations))
    }
}

impl refunds::Guest for WooCommerce {
    fn push(ctx: Context, refunds: Vec<RefundOrder>) -> Result<Vec<Outcome>, Failure> {
        with_shop(&ctx, |shop| calls::push_refunds(shop, &ctx, &refunds))
    }

    fn read(ctx: Context, order: String) -> Result<Vec<Refund>, Failure> {
        with_shop(&ctx, |shop| calls::read_refunds(shop, &order))
    }
}

impl webhooks::Guest for WooCommerce {
    fn ensure(ctx: Context, callback_url: String, topics: Vec<String>) -> Result<Vec<Subscription>, Failure> {
        with_shop(&ctx, |shop| calls::ensure(shop, &callback_url, &topics))
    }

    fn remove(ctx: Context, external_ids: Vec<String>) -> Result<u32, Failure> {
        with_shop(&ctx, |shop| calls::remove(shop, &external_ids))
    }

    fn translate(ctx: Context, delivery: Delivery) -> Result<Vec<Event>, Failure> {
        translate::delivery(&delivery, &Settings::parse(&ctx.config_json)?)
    }
}
