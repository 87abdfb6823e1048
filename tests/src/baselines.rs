//! The programs that the hub is measured against. Each is as short and as fast as the plain libraries allow, and leaves out
//! whatever the hub adds: accounts, dedupe by rule, sandbox, retries, audit.
//!
//! - `B0` answers 200. - `B1` checks an HMAC first. - `B2` commits every request to SQLite with full sync. - `B3` commits
//!   groups of requests. - `B4` writes an order, its movements, stock and desired rows. - `B5` maps an order's JSON natively.

pub mod accept;
pub mod bare;
pub mod map;
pub mod orders;
pub mod signed;
