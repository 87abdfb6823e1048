//! Typed calls into a connector, and what can become of one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::Instant;
use wasmtime::{Store, Trap};

use super::engine::Loaded;
use super::gate::Access;
use super::limits::Limits;
use super::services::{CallScope, Nothing, Services};
use super::v1::CallState;
use super::wire::{self, Context, Failure};
use crate::ctx::Tenant;
use crate::id::ConnectionId;

/// Why a call gave no result. `code` is stable and has a page of its own.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connector, or the host on its behalf, says why.
    #[error("{}", .0.message)]
    Failed(Failure),
    #[error("the connector used its whole budget of {budget_ms} ms of processor time")]
    CpuTimeout { budget_ms: u64 },
    #[error("the connector did not answer within {limit_ms} ms")]
    WallTimeout { limit_ms: u64 },
    #[error("the connector asked for more than {limit_bytes} bytes of memory")]
    OutOfMemory { limit_bytes: usize },
    #[error("the connector's answer is larger than {limit_bytes} bytes")]
    PayloadTooLarge { limit_bytes: usize },
    #[error("the connector crashed: {trap}")]
    Crash { trap: String },
    #[error("the connector does not fit this hub: {missing}")]
    Incompatible { missing: String },
    #[error("the connector does not offer `{capability}`")]
    Unsupported { capability: &'static str },
    #[error("the connection's other calls did not end within {waited_ms} ms")]
    Busy { waited_ms: u64 },
    #[error("the hub is stopping")]
    Stopped,
    #[error("the sandbox could not be set up: {0}")]
    Host(String),
}

impl CallError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "plugin-failure",
            Self::CpuTimeout { .. } => "cpu-timeout",
            Self::WallTimeout { .. } => "wall-timeout",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::Crash { .. } => "plugin-crash",
            Self::Incompatible { .. } => "incompatible",
            Self::Unsupported { .. } => "unsupported",
            Self::Busy { .. } => "busy",
            Self::Stopped => "stopped",
            Self::Host(_) => "sandbox-failed",
        }
    }

    pub(super) fn host(error: wasmtime::Error) -> Self {
        Self::Host(format!("{error:#}"))
    }
}

/// Makes calls for one connection (or for none). Cheap to clone.
#[derive(Clone)]
pub struct Caller {
    pub loaded: Loaded,
    pub services: Services,
    pub tenant: Tenant,
    pub connection: Option<ConnectionId>,
    pub plugin: Arc<str>,
    pub dry_run: bool,
}

impl Caller {
    pub fn offers(&self, capability: &str) -> bool {
        self.loaded.exports.names().contains(&capability)
    }

    /// What this kind of call gets: pure ones reach nothing and are short.
    fn lend(&self, access: Access) -> (Services, Limits) {
        let (all, mut limits) = (&self.services, self.loaded.limits);
        let services = match access {
            Access::Read | Access::Write => all.clone(),
            Access::Pure | Access::Verify => {
                limits.cpu = limits.cpu.min(PURE_CPU);
                limits.wall = limits.wall.min(PURE_WALL);
                let nothing = Nothing::services(all.clock.clone());
                let secrets = if access == Access::Verify { all.secrets.clone() } else { nothing.secrets.clone() };
                Services { log: all.log.clone(), secrets, ..nothing }
            }
        };
        (services, limits)
    }

    /// Runs one guest call on the guests' runtime, in a fresh instance, under all limits.
    pub(super) async fn run<T, F>(&self, capability: &'static str, access: Access, call: F) -> Result<T, CallError>
    where
        T: Send + 'static,
        F: FnOnce(Store<CallState>, Loaded) -> BoxFuture<'static, Finished<T>> + Send + 'static,
    {
        crate::store::assert_no_write_open();
        let (services, limits) = self.lend(access);
        let _slots = self.loaded.engine.gates().enter(access, &self.loaded.gate, self.connection.as_ref(), limits.wall).await?;
        let scope = CallScope {
            tenant: self.tenant.clone(),
            connection: self.connection.clone(),
            plugin: self.plugin.clone(),
            capability,
            dry_run: self.dry_run,
            deadline: Instant::now() + limits.wall,
        };
        let store = self.loaded.engine.store(CallState::new(scope, services, limits));
        let guests = self.loaded.engine.guests()?;
        let call = call(store, self.loaded.clone());
        // Dropping the caller's future stops the guest too: nobody waits for its answer any more.
        let mut task = AbortOnDrop(guests.spawn(tokio::time::timeout(limits.wall, call)));
        let finished = (&mut task.0).await;
        if let Ok(Ok((_, store))) = &finished {
            store.data().report_dropped_lines();
        }
        match finished {
            Ok(Ok((Ok(Ok(value)), _))) => Ok(value),
            Ok(Ok((Ok(Err(failure)), _))) => Err(CallError::Failed(failure)),
            Ok(Ok((Err(error), store))) => Err(name_error(error, &store)),
            Ok(Err(_)) => Err(CallError::WallTimeout { limit_ms: limits.wall.as_millis() as u64 }),
            Err(error) if error.is_panic() => Err(CallError::Host("the host panicked during a call".into())),
            Err(_) => Err(CallError::Stopped),
        }
    }
}

/// Budgets of pure calls: a delivery of a megabyte takes a few milliseconds.
const PURE_CPU: Duration = Duration::from_secs(2);
const PURE_WALL: Duration = Duration::from_secs(10);

/// What came of a guest call, with the store that knows why.
pub(super) type Finished<T> = (wasmtime::Result<Result<T, Failure>>, Store<CallState>);

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the engine reports becomes one of our own names.
fn name_error(error: wasmtime::Error, store: &Store<CallState>) -> CallError {
    let state = store.data();
    let text = format!("{error:#}");
    if state.cpu_exhausted() || matches!(error.downcast_ref::<Trap>(), Some(Trap::Interrupt)) {
        return CallError::CpuTimeout { budget_ms: state.limits.cpu.as_millis() as u64 };
    }
    if state.memory.denied() {
        return CallError::OutOfMemory { limit_bytes: state.limits.memory_bytes };
    }
    // The engine has no type for this one; its words are pinned by a test.
    if text.contains("fuel allocated for hostcalls") {
        return CallError::PayloadTooLarge { limit_bytes: state.limits.copied_bytes };
    }
    let trap = error.downcast_ref::<Trap>().map_or(text, ToString::to_string);
    CallError::Crash { trap }
}

impl Caller {
    /// Whether the connector's own scheme accepts this delivery. The vault is the only thing it reaches.
    pub async fn webhook_verify(&self, headers: Vec<(String, String)>, body: Vec<u8>, public_url: String) -> Result<bool, CallError> {
        if self.loaded.exports.webhook_verify.is_none() {
            return Err(CallError::Unsupported { capability: "webhook-verify" });
        }
        self.run("webhook-verify", Access::Verify, move |mut store, loaded| {
            Box::pin(async move {
                let result = async {
                    let instance = loaded.pre.instantiate_async(&mut store).await?;
                    let Some(indices) = &loaded.exports.webhook_verify else {
                        return Err(wasmtime::Error::msg("the interface is gone"));
                    };
                    let guest = indices.load(&mut store, &instance)?;
                    guest.call_verify(&mut store, &headers, &body, &public_url).await
                }
                .await;
                (result, store)
            })
        })
        .await
    }
}

macro_rules! calls {
    ($($(#[$meta:meta])* $name:ident = $access:ident $interface:ident $capability:literal . $function:ident ( $($arg:ident: $ty:ty => $pass:expr),* ) -> $result:ty;)*) => {
        impl Caller {$(
            $(#[$meta])*
            pub async fn $name(&self, ctx: Context $(, $arg: $ty)*) -> Result<$result, CallError> {
                if self.loaded.exports.$interface.is_none() {
                    return Err(CallError::Unsupported { capability: $capability });
                }
                self.run($capability, Access::$access, move |mut store, loaded| Box::pin(async move {
                    let result = async {
                        let instance = loaded.pre.instantiate_async(&mut store).await?;
                        let Some(indices) = &loaded.exports.$interface else {
                            return Err(wasmtime::Error::msg("the interface is gone"));
                        };
                        let guest = indices.load(&mut store, &instance)?;
                        guest.$function(&mut store, &ctx $(, $pass)*).await
                    }.await;
                    (result, store)
                })).await
            }
        )*}
    };
}

calls! {
    check = Read connection "connection".call_check() -> wire::Account;
    describe = Read connection "connection".call_describe(what: String => &what) -> Vec<wire::Document>;
    orders_pull = Read orders_in "orders-in".call_pull(cursor: Option<String> => cursor.as_deref(), limit: u32 => limit) -> wire::orders_in::OrderPage;
    orders_get = Read orders_in "orders-in".call_get(ids: Vec<String> => &ids) -> Vec<(String, wire::orders_in::Found)>;
    listings_pull = Read listings_in "listings-in".call_pull(cursor: Option<String> => cursor.as_deref(), limit: u32 => limit) -> wire::listings_in::ListingPage;
    listings_get = Read listings_in "listings-in".call_get(ids: Vec<String> => &ids) -> Vec<wire::commerce::Listing>;
    stock_push = Write stock_out "stock-out".call_push(changes: Vec<wire::stock_out::StockChange> => &changes) -> Vec<wire::Outcome>;
    stock_read = Read stock_out "stock-out".call_read(listings: Vec<wire::commerce::ListingRef> => &listings) -> Vec<wire::stock_out::Reading>;
    prices_push = Write prices_out "prices-out".call_push(changes: Vec<wire::prices_out::PriceChange> => &changes) -> Vec<wire::Outcome>;
    prices_read = Read prices_out "prices-out".call_read(listings: Vec<wire::commerce::ListingRef> => &listings, price_list: Option<String> => price_list.as_deref()) -> Vec<wire::prices_out::Reading>;
    fulfilment_push = Write fulfilment_out "fulfilment-out".call_push(dispatches: Vec<wire::fulfilment_out::Dispatch> => &dispatches) -> Vec<wire::Outcome>;
    fulfilment_read = Read fulfilment_out "fulfilment-out".call_read(order: String => &order) -> Vec<wire::commerce::Shipment>;
    cancellations_push = Write cancellations_out "cancellations-out".call_push(cancellations: Vec<wire::cancellations_out::Cancellation> => &cancellations) -> Vec<wire::Outcome>;
    webhooks_ensure = Write webhooks "webhooks".call_ensure(callback_url: String => &callback_url, topics: Vec<String> => &topics) -> Vec<wire::webhooks::Subscription>;
    webhooks_remove = Write webhooks "webhooks".call_remove(ids: Vec<String> => &ids) -> u32;
    /// Pure: no network, no state.
    webhooks_translate = Pure webhooks "webhooks".call_translate(delivery: wire::webhooks::Delivery => &delivery) -> Vec<wire::webhooks::Event>;
    refunds_push = Write refunds "refunds".call_push(refunds: Vec<wire::refunds::RefundOrder> => &refunds) -> Vec<wire::Outcome>;
    refunds_read = Read refunds "refunds".call_read(order: String => &order) -> Vec<wire::commerce::Refund>;
    returns_pull = Read returns "returns".call_pull(cursor: Option<String> => cursor.as_deref(), limit: u32 => limit) -> wire::returns::ReturnPage;
    returns_get = Read returns "returns".call_get(ids: Vec<String> => &ids) -> Vec<wire::commerce::ReturnRequest>;
    offers_push = Write offers_out "offers-out".call_push(offers: Vec<wire::offers_out::Offer> => &offers) -> Vec<wire::Outcome>;
    offers_poll = Read offers_out "offers-out".call_poll(tokens: Vec<String> => &tokens) -> Vec<wire::Outcome>;
    login_step = Read signing "signing".call_login_step(step: String => &step) -> wire::signing::StepPlan;
    rates_quote = Read rates "rates".call_quote(request: wire::rates::QuoteRequest => &request) -> Vec<wire::rates::Rate>;
    shipments_create = Write shipments "shipments".call_create(request: wire::shipments::LabelRequest => &request) -> wire::shipments::Bought;
    shipments_find = Read shipments "shipments".call_find(reference: String => &reference) -> Option<wire::shipments::Bought>;
    shipments_label = Read shipments "shipments".call_label(id: String => &id, format: String => &format) -> String;
    shipments_cancel = Write shipments "shipments".call_cancel(id: String => &id) -> wire::Outcome;
    tracking_poll = Read tracking "tracking".call_poll(numbers: Vec<String> => &numbers) -> Vec<wire::tracking::Progress>;
    addresses_validate = Read addresses "addresses".call_validate(address: wire::commerce::Address => &address) -> wire::addresses::Verdict;
    pickup_request = Write handover "handover".call_request_pickup(request: wire::handover::PickupRequest => &request) -> wire::Outcome;
    pickup_cancel = Write handover "handover".call_cancel_pickup(id: String => &id) -> wire::Outcome;
    handover_manifest = Read handover "handover".call_manifest(shipments: Vec<String> => &shipments) -> String;
    rates_pull = Read rates_in "rates-in".call_pull(cursor: Option<String> => cursor.as_deref(), limit: u32 => limit) -> wire::rates_in::RatePage;
}
