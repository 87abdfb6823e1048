//! Which currency, which tax, what it costs landed, and which rule said so.

pub mod check;
pub mod documents;
pub mod fx;
pub mod gates;
pub mod ids;
pub mod landed;
pub mod money;
pub mod pricing;
pub mod quote;
pub mod report;
pub mod rules;
pub mod screening;
pub mod tax;
pub mod thresholds;
