//! Every sentence of the pages, in English. A second language is a second file like this one.

pub const TITLE: &str = "Entrepot";
pub const LANGUAGE: &str = "en";
pub const FAILED: &str = "This page could not be made. The hub's log says why.";
pub const NEEDS_LINK: &str = "This page opens with a one-time link. `entrepot login` on the hub's machine prints one.";
pub const LINK_SPENT: &str = "This link was used before or is older than ten minutes. `entrepot login` prints a new one.";
pub const OPEN: &str = "Open the overview";
pub const OPEN_WHY: &str = "The link works once. This browser stays signed in for twelve hours.";

pub const ORDERS_TODAY: &str = "Orders today";
pub const NEED_YOU: &str = "Need somebody";
pub const TIME_TO_CHANNEL: &str = "Time to channel";
pub const MEDIAN: &str = "median";
pub const P99: &str = "99 of 100";
pub const NO_PUSH_YET: &str = "nothing told yet";
pub const UNSENT_NOW: &str = "Waiting to be told";

pub const CONNECTIONS: &str = "Connections";
pub const CONNECTION: &str = "Connection";
pub const STATE: &str = "State";
pub const HEALTH: &str = "Health";
pub const LISTINGS: &str = "Listings linked";
pub const PARKED: &str = "parked";
pub const NO_CONNECTIONS: &str = "No connection yet. `entrepot connection add PLUGIN` adds one.";

pub const STOCK: &str = "Stock";
pub const SKU: &str = "SKU";
pub const ON_HAND: &str = "On hand";
pub const RESERVED: &str = "Reserved";
pub const AVAILABLE: &str = "Available";
pub const NOT_LISTED: &str = "not listed";
pub const NOT_TOLD: &str = "not told";
/// The shop changed it itself; it is read before it is told again.
pub const UNSURE: &str = "to be read";
pub const WAITS: &str = "waits";
pub const NO_STOCK: &str = "Nothing in the catalogue yet. `entrepot product import FILE.csv` fills it.";
pub const MORE_STOCK: &str = "Only the first variants by SKU are shown; `entrepot stock list` shows all.";

pub const TROUBLE: &str = "Needs a look";
pub const NO_TROUBLE: &str = "Nothing stands still, nothing was refused.";
pub const STANDS_STILL: &str = "stands still";
pub const TRIES_AGAIN: &str = "tries again";
pub const REFUSED: &str = "refused";
pub const NOT_SENT: &str = "not sent";

pub const ORDERS: &str = "Latest orders";
pub const ORDER: &str = "Order";
pub const PLACED: &str = "Placed";
pub const TOTAL: &str = "Total";
pub const TIMELINE: &str = "Timeline";
pub const NO_ORDERS: &str = "No order yet.";
pub const IS_PARKED: &str = "unknown article";
pub const IS_OVERSOLD: &str = "oversold";
pub const UPDATED: &str = "As of";
pub const UNIT_MS: &str = "ms";
pub const UNIT_S: &str = "s";
pub const UTC: &str = "UTC";
