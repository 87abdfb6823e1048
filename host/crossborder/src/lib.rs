//! Which currency, which tax, what it costs landed, and which rule said so.

pub mod fx;
pub mod ids;
pub mod landed;
pub mod money;
pub mod pricing;
pub mod rules;
pub mod tax;
