//! Import charges of single countries, one formula each. Every number is read from the programme in force on
//! the date, so a correction of the data needs no new build.

mod americas;
mod asia;
mod europe;

pub use americas::{
    BrRemessa, CaImport, MxCourier, UsEntry, UsNexus, UsNexusWhy, UsRule, UsSourcing, br_remessa, ca_import, mx_courier, us_entry,
    us_nexus, us_sourcing,
};
pub use asia::{
    CnCbec, CnCbecChannel, CnOrder, CnPostal, InTcs, JpPersonal, KrPersonal, cn_cbec, cn_postal, in_tcs, jp_personal, kr_personal,
};
pub use europe::{ChImport, TrPostal, ch_import, tr_postal};

use super::Error;
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};
use crate::rules::Program;

fn number(program: &Program, what: &'static str) -> Result<Decimal, Error> {
    program.number(what).ok_or_else(|| Error::MissingNumber { program: program.id.clone(), what })
}

fn exact(program: &Program, what: &'static str) -> Result<Exact, Error> {
    number(program, what).map(Exact::from_decimal)
}

/// An amount of the programme's own currency; refuses any other.
fn in_currency_of(program: &Program, amount: Money) -> Result<(), Error> {
    let wanted = Currency::from_code(&program.ccy)?;
    if amount.currency() == wanted {
        Ok(())
    } else {
        Err(Error::Money(crate::money::Error::CurrencyMismatch { left: amount.currency(), right: wanted }))
    }
}

fn above(amount: Money, limit: Decimal) -> Result<bool, Error> {
    Ok(amount.exact().compare(Exact::from_decimal(limit))?.is_gt())
}

fn half_up(value: Exact, currency: Currency) -> Result<Money, Error> {
    Ok(Money::from_exact_rounded(value, currency, RoundingMode::HalfUp)?)
}
