//! Faults on purpose: nothing acknowledged is lost, nothing is done twice, whatever stops, repeats, stalls or lies.
//!
//! Each runs a few times here and often with `ENTREPOT_FAULTS=full`; a failing round names its seed
//! ([`entrepot_tests::chance`]).

mod backlog;
mod bombs;
mod channel;
mod clock;
mod cluster;
mod desk;
mod disk;
mod disorder;
mod ground;
mod histories;
mod kill;
mod lost;
mod nodes;
mod poison;
mod power;
mod upgrade;
