//! Which currency, which tax, what it costs landed, and which rule said so.

pub mod money;
