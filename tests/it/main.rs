//! Stories: what happens between two shops, told through the hub's own doors with the real connectors in the sandbox.

#![allow(clippy::unwrap_used)]

mod arrivals;
mod backup;
mod changes;
mod dead;
mod documents;
mod doors;
mod erasure;
mod faults;
mod golive;
mod guards;
mod imports;
mod journey;
mod moving;
mod prices;
mod rates;
mod shelves;
mod tax;
mod trouble;
mod vendure;
