use crate::id::{LocationId, VariantId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{units} units cannot be received; hint: give a number above zero, use an adjustment to take goods away")]
    NotPositive { units: i64 },
    #[error("a count of {counted} is not possible; hint: count zero or more")]
    NegativeCount { counted: i64 },
    #[error(
        "{variant} would be left with {left} units on hand while {reserved} are promised to orders; hint: ship or cancel some of those orders first"
    )]
    BelowReserved { variant: VariantId, left: i64, reserved: i64 },
    #[error(
        "a backorder limit of {limit} does not cover what is available now ({available}); hint: give a number of zero or more that does"
    )]
    LimitTooLow { limit: i64, available: i64 },
    #[error("{units} units cannot be kept safe; hint: give zero or more")]
    NegativeSafety { units: i64 },
    #[error("{location} is both where the goods lie and where they go; hint: name two places")]
    SamePlace { location: LocationId },
    #[error("{variant} is a kit, which has no stock of its own; hint: book its components, `entrepot product kit show` names them")]
    Kit { variant: VariantId },
    #[error(
        "{variant} has {on_hand} units on hand and {reserved} promised, and a kit has no stock of its own; hint: ship or release those orders and adjust what is left to zero"
    )]
    OwnStock { variant: VariantId, on_hand: i64, reserved: i64 },
    #[error("{ms} ms is no time to wait for a payment; hint: give more than zero, or none")]
    NoTime { ms: i64 },
    #[error(
        "the ledger adds up to {on_hand} on hand and {reserved} reserved for {variant} at {location}, which no shelf can hold; hint: keep the database as it is and report this"
    )]
    ImpossibleLedger { variant: VariantId, location: LocationId, on_hand: i64, reserved: i64 },
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Location(#[from] crate::locations::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
