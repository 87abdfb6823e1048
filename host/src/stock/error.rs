use crate::id::VariantId;

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
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}
