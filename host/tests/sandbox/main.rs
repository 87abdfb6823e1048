//! The sandbox against a connector that misbehaves on request, packed by our own packer and compiled by our own child.

#![allow(clippy::unwrap_used)]

mod bench;
mod calls;
mod carrier;
mod compiled;
mod packed;
mod profile;
mod registry;
mod rig;
