//! Sources of exchange rates: a central bank that publishes files, and a service that is asked with an App ID.

mod bank;
mod packed;
mod service;

pub use bank::{CentralBank, CentralBankConfig};
pub use service::{RateService, RateServiceConfig};
