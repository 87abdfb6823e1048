//! Received deliveries: verified over their raw bytes, recorded once, handed to their lane.

pub mod verify;
