//! The sandbox's profile, its clock of epochs, and the runtime on which guests run.
//!
//! Only what components of the contract need is switched on: every other WebAssembly proposal is attack surface. The ticker
//! is an operating-system thread, because a guest that spins could keep a timer of the same runtime from firing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, OptLevel, Store};

use super::call::CallError;
use super::gate::{Gates, PluginGate};
use super::limits::Limits;
use super::manifest::Capability;
use super::v1::{self, CallState};

/// Epochs per second: 100. A guest is asked to yield each tick.
pub const TICK: Duration = Duration::from_millis(10);

/// The engine and everything linked once. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<CallState>,
    /// Taken when dropped, because a runtime may not be dropped where it could block another.
    guests: Option<tokio::runtime::Runtime>,
    stop: Arc<AtomicBool>,
    gates: Gates,
}

/// A component ready to be called.
#[derive(Clone)]
pub struct Loaded {
    pub(super) engine: Engine,
    pub(super) pre: InstancePre<CallState>,
    pub(super) exports: Arc<v1::Exports>,
    pub(super) gate: PluginGate,
    pub limits: Limits,
}

/// The configuration on which precompiled code depends; the compiling child uses the same one.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_multi_memory(true)
        .wasm_bulk_memory(true)
        .wasm_simd(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        // Small guests: reserving 4 GiB of address space for each would only cost page tables.
        .memory_reservation(64 << 20)
        .memory_guard_size(64 << 10);
    config
}

impl Loaded {
    /// The same connector with only these interfaces, and with slots of its own.
    pub(super) fn restricted(&self, granted: &[Capability]) -> Self {
        let exports = self.exports.restricted(|name| granted.iter().any(|capability| capability.as_str() == name));
        Self { exports: Arc::new(exports), gate: PluginGate::default(), ..self.clone() }
    }
}

impl Engine {
    pub fn new() -> Result<Self, CallError> {
        Self::with_concurrency(0)
    }

    /// `calls`: how many guests run at once; 0 means eight a core.
    pub fn with_concurrency(calls: usize) -> Result<Self, CallError> {
        let engine = wasmtime::Engine::new(&config()).map_err(CallError::host)?;
        let linker = v1::linker(&engine).map_err(CallError::host)?;
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).max(2))
            .thread_name("guest")
            .enable_all()
            .build()
            .map_err(|error| CallError::host(error.into()))?;
        let stop = Arc::new(AtomicBool::new(false));
        start_ticker(engine.clone(), stop.clone()).map_err(|error| CallError::host(error.into()))?;
        Ok(Self(Arc::new(Inner { engine, linker, guests: Some(guests), stop, gates: Gates::new(calls) })))
    }

    pub fn raw(&self) -> &wasmtime::Engine {
        &self.0.engine
    }

    /// Prepares a compiled component: resolves its imports, finds which interfaces it exports.
    pub fn load(&self, component: &Component, limits: Limits) -> Result<Loaded, CallError> {
        let pre = self.0.linker.instantiate_pre(component).map_err(|error| CallError::Incompatible { missing: format!("{error:#}") })?;
        let exports = Arc::new(v1::Exports::find(&pre));
        Ok(Loaded { engine: self.clone(), pre, exports, gate: PluginGate::default(), limits })
    }

    pub(super) fn guests(&self) -> Result<&tokio::runtime::Handle, CallError> {
        self.0.guests.as_ref().map(tokio::runtime::Runtime::handle).ok_or(CallError::Stopped)
    }

    pub(super) fn gates(&self) -> &Gates {
        &self.0.gates
    }

    /// A store for one call: limiter, budget of copies, epoch deadline.
    pub(super) fn store(&self, state: CallState) -> Store<CallState> {
        let copied = state.limits.copied_bytes;
        let mut store = Store::new(&self.0.engine, state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(copied);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        store
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

fn start_ticker(engine: wasmtime::Engine, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let tick = move || {
        while !stop.load(Ordering::Acquire) {
            std::thread::sleep(TICK);
            engine.increment_epoch();
        }
    };
    std::thread::Builder::new().name("epoch".into()).spawn(tick).map(drop)
}
