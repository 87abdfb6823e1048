use entrepot_crossborder::fx;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no series of rates `{series}`; hint: `entrepot rate sources` lists those there are")]
    UnknownSeries { series: String },
    #[error("the history of `{series}` is still being read; hint: choose it when `entrepot rate sources` says that it is ready")]
    NotReady { series: String },
    #[error("`{text}` is no kind of rate; hint: use mid, bid, ask, customs or fixed")]
    BadKind { text: String },
    #[error("`{text}` names no series of rates; hint: write SOURCE/KIND/BASE, such as ecb/mid/EUR")]
    BadSeries { text: String },
    #[error("`{text}` is no purpose of rates; hint: use prices, tax or orders")]
    BadPurpose { text: String },
    #[error("`{text}` is not a currency code; hint: use three capital letters, such as USD")]
    BadCode { text: String },
    #[error("{quote} {value} for {published_on} cannot be a rate: it must be above zero; hint: leave out what was not published")]
    NotPositive { quote: String, value: String, published_on: jiff::civil::Date },
    #[error("a rate of {currency} in {currency} says nothing; hint: name two currencies")]
    SamePair { currency: String },
    #[error("line {line}: {what}; hint: {remedy}")]
    BadFile { line: u64, what: String, remedy: &'static str },
    #[error("{0}")]
    Sheet(#[from] crate::sheet::Error),
    #[error("{0}")]
    Rates(#[from] fx::Error),
    #[error("{0}")]
    Money(#[source] crate::money::Error),
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
