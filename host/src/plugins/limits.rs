//! What one call may use, and the limiter that remembers what it refused.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Bounds of one call. The defaults are those of the design; a manifest may lower them and an operator raise them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub memory_bytes: usize,
    /// Processor time, counted in ticks of the epoch while the guest itself runs.
    pub cpu: Duration,
    /// Wall time, host calls included.
    pub wall: Duration,
    /// Bytes a guest may make the host copy in one result.
    pub copied_bytes: usize,
    pub requests: u32,
    pub parallel_requests: u32,
    pub body_bytes: usize,
    pub transferred_bytes: usize,
    pub log_lines: u32,
    pub log_line_bytes: usize,
    pub state_operations: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            cpu: Duration::from_secs(5),
            wall: Duration::from_secs(60),
            copied_bytes: 16 << 20,
            requests: 100,
            parallel_requests: 8,
            body_bytes: 8 << 20,
            transferred_bytes: 64 << 20,
            log_lines: 1_000,
            log_line_bytes: 4 << 10,
            state_operations: 1_000,
        }
    }
}

/// Elements over all tables of an instance; a component needs a few thousand at most.
const TABLE_ELEMENTS: usize = 100_000;

/// Refuses growth beyond the bound and remembers that it did: to the guest a refusal looks like any other trap.
pub struct MemoryLimiter {
    memory_bytes: usize,
    used_bytes: usize,
    denied: bool,
}

impl MemoryLimiter {
    pub fn new(memory_bytes: usize) -> Self {
        Self { memory_bytes, used_bytes: 0, denied: false }
    }

    pub fn denied(&self) -> bool {
        self.denied
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Over all memories of the instance: a component may bring several.
        let used = self.used_bytes.saturating_sub(current).saturating_add(desired);
        let allowed = used <= self.memory_bytes;
        if allowed {
            self.used_bytes = used;
        } else {
            self.denied = true;
        }
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= TABLE_ELEMENTS;
        self.denied |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}
