//! What tests and measurements of the whole product share.
//!
//! Stories: [`hub::TestHub`] is the real hub between simulated shops ([`shop`]) with the real connectors ([`connectors`]) in
//! the sandbox and time in its hand; the stories themselves are in `it/`. [`site`] is a hub on the machine's clock, in this
//! process or in ones that can be killed ([`child`]). [`real`] is a shop that nobody here wrote.
//! [`powercut`] is a disk that loses what was not synced; [`former`] makes databases of other versions of the program.
//!
//! Measuring: the small programs the hub is compared with, and the load that drives both. A figure of the hub means little
//! on its own: machines differ. Each is a ratio against a [`baselines`] program that does the bare minimum of the same work,
//! measured in the same run on the same machine ([`figures`]). Times are microseconds, named `_us`.

// Programs that measure stop at the first surprise, and their figures are estimates for people.
#![allow(clippy::unwrap_used, clippy::float_arithmetic)]

pub mod baselines;
pub mod chance;
pub mod child;
pub mod connectors;
pub mod figures;
pub mod former;
pub mod hub;
pub mod load;
pub mod post;
pub mod powercut;
pub mod real;
pub mod report;
pub mod sale;
pub mod shop;
pub mod site;
