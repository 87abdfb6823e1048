//! Which currency, which tax, what it costs landed, and which rule said so.

pub mod fx;
pub mod money;
