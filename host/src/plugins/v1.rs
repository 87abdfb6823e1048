//! Major 1 of the contract: its bindings, the host's side of its imports, and which interfaces a component exports.

mod imports;

use std::time::Duration;

use tokio::time::Instant;
use wasmtime::UpdateDeadline;
use wasmtime::component::{HasSelf, InstancePre, Linker, ResourceTable};

use super::engine::TICK;
use super::limits::{Limits, MemoryLimiter};
use super::services::{CallScope, Services};

mod bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/v1/types", "../wit/v1/host", "../wit/v1/channel"],
        world: "entrepot:channel/channel",
        imports: { default: async },
        exports: { default: async },
        with: { "entrepot:host/blobs.blob": super::imports::Blob },
    });
}

/// Carriers have interfaces of their own and share everything else.
mod carrier_bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/v1/types", "../wit/v1/host", "../wit/v1/channel", "../wit/v1/carrier"],
        inline: "
            package entrepot:hub;
            world carrier-exports {
                export entrepot:carrier/rates@1.0.0;
                export entrepot:carrier/shipments@1.0.0;
                export entrepot:carrier/tracking@1.0.0;
                export entrepot:carrier/addresses@1.0.0;
                export entrepot:carrier/handover@1.0.0;
            }
        ",
        world: "entrepot:hub/carrier-exports",
        exports: { default: async },
        with: {
            "entrepot:types/base": super::bindings::entrepot::types::base,
            "entrepot:types/commerce": super::bindings::entrepot::types::commerce,
        },
    });
}

/// Sources of facts about money.
mod finance_bindings {
    wasmtime::component::bindgen!({
        path: ["../wit/v1/types", "../wit/v1/host", "../wit/v1/channel", "../wit/v1/finance"],
        inline: "
            package entrepot:hub;
            world finance-exports {
                export entrepot:finance/rates-in@1.0.0;
            }
        ",
        world: "entrepot:hub/finance-exports",
        exports: { default: async },
        with: { "entrepot:types/base": super::bindings::entrepot::types::base },
    });
}

/// The records of the contract as they cross the boundary.
pub mod wire {
    pub use super::bindings::entrepot::host::{http, state, vault};
    pub use super::bindings::entrepot::types::base::{
        Account, Amounts, Context, Document, Extra, Failure, Fault, Money, Outcome, OutcomeState, Sent,
    };
    pub use super::bindings::entrepot::types::commerce;
    pub use super::bindings::exports::entrepot::channel::{
        cancellations_out, connection, fulfilment_out, listings_in, offers_out, orders_in, prices_out, refunds, returns, signing,
        stock_out, webhooks,
    };
    pub use super::carrier_bindings::exports::entrepot::carrier::{addresses, handover, rates, shipments, tracking};
    pub use super::finance_bindings::exports::entrepot::finance::rates_in;
}

/// Everything one call carries on the host's side.
pub struct CallState {
    pub scope: CallScope,
    pub services: Services,
    pub limits: Limits,
    pub memory: MemoryLimiter,
    table: ResourceTable,
    ticks_left: u64,
    cpu_exhausted: bool,
    requests: u32,
    transferred: usize,
    log_lines: u32,
    log_dropped: u32,
    state_operations: u32,
    blobs: imports::BlobShelf,
}

/// Handles a guest may hold at once.
const HANDLES: usize = 256;

impl CallState {
    pub fn new(scope: CallScope, services: Services, limits: Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            scope,
            services,
            limits,
            memory: MemoryLimiter::new(limits.memory_bytes),
            table,
            ticks_left: (limits.cpu.as_millis() / TICK.as_millis()) as u64,
            cpu_exhausted: false,
            requests: 0,
            transferred: 0,
            log_lines: 0,
            log_dropped: 0,
            state_operations: 0,
            blobs: imports::BlobShelf::default(),
        }
    }

    pub fn cpu_exhausted(&self) -> bool {
        self.cpu_exhausted
    }

    pub fn report_dropped_lines(&self) {
        if self.log_dropped > 0 {
            let message = format!("{} more log lines of this call were dropped", self.log_dropped);
            self.services.log.emit(&self.scope, tracing::Level::WARN, &message, &[]);
        }
    }

    /// Called at most once per tick, and only while the guest runs: waiting costs no processor time.
    pub fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.ticks_left == 0 {
            self.cpu_exhausted = true;
            return Ok(UpdateDeadline::Interrupt);
        }
        self.ticks_left -= 1;
        Ok(UpdateDeadline::Yield(1))
    }

    fn remaining(&self) -> Duration {
        self.scope.deadline.saturating_duration_since(Instant::now())
    }
}

pub fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    bindings::Channel::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    Ok(linker)
}

macro_rules! exports {
    ($($field:ident: $bindings:ident $package:ident = $name:literal),* $(,)?) => {
        /// Which interfaces a component exports: each is optional, its absence a normal answer.
        pub struct Exports {
            $(pub $field: Option<$bindings::exports::entrepot::$package::$field::GuestIndices>),*
        }

        impl Exports {
            pub fn find(pre: &InstancePre<CallState>) -> Self {
                Self { $($field: $bindings::exports::entrepot::$package::$field::GuestIndices::new(pre).ok()),* }
            }

            /// Without the interfaces that were not granted: to a caller they are absent.
            pub fn restricted(&self, granted: impl Fn(&str) -> bool) -> Self {
                Self { $($field: if granted($name) { self.$field.clone() } else { None }),* }
            }

            /// In the contract's words and order.
            pub fn names(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field.is_some() { names.push($name); })*
                names
            }
        }
    };
}

exports! {
    connection: bindings channel = "connection",
    orders_in: bindings channel = "orders-in",
    listings_in: bindings channel = "listings-in",
    stock_out: bindings channel = "stock-out",
    prices_out: bindings channel = "prices-out",
    fulfilment_out: bindings channel = "fulfilment-out",
    cancellations_out: bindings channel = "cancellations-out",
    refunds: bindings channel = "refunds",
    returns: bindings channel = "returns",
    offers_out: bindings channel = "offers-out",
    webhooks: bindings channel = "webhooks",
    webhook_verify: bindings channel = "webhook-verify",
    signing: bindings channel = "signing",
    rates: carrier_bindings carrier = "rates",
    shipments: carrier_bindings carrier = "shipments",
    tracking: carrier_bindings carrier = "tracking",
    addresses: carrier_bindings carrier = "addresses",
    handover: carrier_bindings carrier = "handover",
    rates_in: finance_bindings finance = "rates-in",
}
