//! China, India, Japan, Korea.

use jiff::civil::Date;

use super::{Error, above, exact, half_up, in_currency_of, number};
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};
use crate::rules::RuleSet;
use crate::tax::rate_for;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CnCbecChannel {
    /// Within both limits: no duty, reduced taxes.
    Reduced,
    /// One item above the order limit, within the year: full duty and taxes.
    Full,
    OverAnnualLimit,
    OverOrderLimit,
}

/// Retail import through the cross-border e-commerce channel, in CNY. The taxes are zero outside the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CnCbec {
    pub channel: CnCbecChannel,
    pub duty: Money,
    pub consumption_tax: Money,
    pub vat: Money,
    pub total: Money,
    /// Percent, four decimals; only for the reduced channel.
    pub composite_rate_percent: Option<Decimal>,
}

/// What an order through the channel is taxed on.
#[derive(Debug, Clone, Copy)]
pub struct CnOrder {
    pub dutiable: Money,
    /// What the buyer has used of the year's limit, known to customs.
    pub year_to_date: Money,
    pub consumption_rate: Decimal,
    pub duty_rate: Option<Decimal>,
    /// `None` = the standard rate of the date.
    pub vat_rate: Option<Decimal>,
    pub single_item: bool,
}

pub fn cn_cbec(rules: &RuleSet, date: Date, order: &CnOrder) -> Result<CnCbec, Error> {
    let program = rules.program("cn.cbec", date)?;
    in_currency_of(program, order.dutiable)?;
    let ccy = order.dutiable.currency();
    let zero = Money::zero(ccy);
    let outside = |channel| CnCbec { channel, duty: zero, consumption_tax: zero, vat: zero, total: zero, composite_rate_percent: None };
    let year = order.dutiable.checked_add(order.year_to_date)?;
    if above(year, number(program, "annual_limit")?)? {
        return Ok(outside(CnCbecChannel::OverAnnualLimit));
    }
    let over_order = above(order.dutiable, number(program, "order_limit")?)?;
    if over_order && !order.single_item {
        return Ok(outside(CnCbecChannel::OverOrderLimit));
    }
    let (duty, share) = if over_order {
        let rate =
            order.duty_rate.ok_or_else(|| Error::MissingFact { what: "the duty rate of an item above the order limit".to_owned() })?;
        (order.dutiable.mul_rounded(rate, RoundingMode::HalfUp)?, Exact::ONE)
    } else {
        (zero, exact(program, "reduction")?)
    };
    let vat_rate = match order.vat_rate {
        Some(rate) => rate,
        None => rate_for(rules, "CN", "standard", date)?.total()?,
    };
    let consumption = Exact::from_decimal(order.consumption_rate);
    let vat = Exact::from_decimal(vat_rate);
    let rest = Exact::ONE.sub(consumption)?;
    let base = order.dutiable.checked_add(duty)?.exact().div(rest)?.mul(share)?;
    let consumption_tax = half_up(base.mul(consumption)?, ccy)?;
    let vat_tax = half_up(base.mul(vat)?, ccy)?;
    let composite = consumption.add(vat)?.div(rest)?.mul(share)?.mul(Exact::from_int(100))?;
    Ok(CnCbec {
        channel: if over_order { CnCbecChannel::Full } else { CnCbecChannel::Reduced },
        duty,
        consumption_tax,
        vat: vat_tax,
        total: duty.checked_add(consumption_tax)?.checked_add(vat_tax)?,
        composite_rate_percent: if over_order { None } else { Some(composite.to_decimal(4, RoundingMode::HalfUp)?) },
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CnPostal {
    Exempt,
    Taxed(Money),
    /// Above the value limit: sent back or cleared as goods.
    ReturnOrGoodsClearance,
}

/// Personal postal articles in CNY: a small tax is waived whole, a larger one is due whole.
pub fn cn_postal(
    rules: &RuleSet,
    date: Date,
    ship_from: &str,
    value: Money,
    rate: Decimal,
    single_indivisible: bool,
) -> Result<CnPostal, Error> {
    let program = rules.program("cn.postal", date)?;
    in_currency_of(program, value)?;
    let near = program.list_has("near", ship_from);
    let limit = number(program, if near { "value_limit_near" } else { "value_limit" })?;
    if above(value, limit)? && !single_indivisible {
        return Ok(CnPostal::ReturnOrGoodsClearance);
    }
    let tax = value.exact().mul(Exact::from_decimal(rate))?;
    if tax.compare(exact(program, "exempt_tax")?)?.is_le() {
        return Ok(CnPostal::Exempt);
    }
    Ok(CnPostal::Taxed(half_up(tax, value.currency())?))
}

/// What a marketplace withholds from the seller's payout in India: a settlement line, not a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InTcs {
    pub cgst: Money,
    pub sgst: Money,
    pub igst: Money,
    pub total: Money,
}

pub fn in_tcs(rules: &RuleSet, date: Date, supplies: Money, returns: Money, intra_state: bool) -> Result<InTcs, Error> {
    let program = rules.program("in.tcs", date)?;
    in_currency_of(program, supplies)?;
    let ccy = supplies.currency();
    let zero = Money::zero(ccy);
    let net = supplies.checked_sub(returns)?;
    let net = if net.is_negative() { zero } else { net };
    let rate = exact(program, "rate")?;
    let (half, whole) = if intra_state {
        let half = net.exact().mul(rate)?.div(Exact::from_int(2))?;
        (half_up(half, ccy)?, zero)
    } else {
        (zero, half_up(net.exact().mul(rate)?, ccy)?)
    };
    Ok(InTcs { cgst: half, sgst: half, igst: whole, total: half.checked_add(half)?.checked_add(whole)? })
}

/// Japanese import for one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JpPersonal {
    /// Yen with one decimal.
    pub customs_value: Decimal,
    pub exempt: bool,
    /// Consumption tax, whole yen, rounded down.
    pub jct: Money,
}

/// `value` is the retail price when `retail`, else the customs value; both in yen. Duty is not in it.
pub fn jp_personal(rules: &RuleSet, date: Date, value: Exact, retail: bool, duty: Money) -> Result<JpPersonal, Error> {
    let yen = Currency::from_code("JPY")?;
    let share = if retail { exact(rules.program("jp.personal_value", date)?, "share_of_retail")? } else { Exact::ONE };
    let customs = value.mul(share)?;
    let exempt = match rules.program("jp.small", date) {
        Ok(program) => customs.compare(exact(program, "threshold")?)?.is_le(),
        Err(_) => false,
    };
    let rate = rate_for(rules, "JP", "standard", date)?.total()?;
    let jct = if exempt {
        Money::zero(yen)
    } else {
        let base = customs.add(duty.exact())?;
        Money::from_exact_rounded(base.mul(Exact::from_decimal(rate))?, yen, RoundingMode::Floor)?
    };
    Ok(JpPersonal { customs_value: customs.to_decimal(1, RoundingMode::HalfUp)?, exempt, jct })
}

/// Korean personal import in USD; above the limit the whole value is taxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KrPersonal {
    pub exempt: bool,
    pub duty: Money,
    pub vat: Money,
}

pub fn kr_personal(
    rules: &RuleSet,
    date: Date,
    ship_from: &str,
    list_clearance: bool,
    goods: Money,
    cif: Money,
    duty_rate: Option<Decimal>,
) -> Result<KrPersonal, Error> {
    let program = rules.program("kr.personal", date)?;
    in_currency_of(program, goods)?;
    let wide = list_clearance && ship_from == "US";
    let limit = number(program, if wide { "list_clearance_us" } else { "threshold" })?;
    let zero = Money::zero(goods.currency());
    if !above(goods, limit)? {
        return Ok(KrPersonal { exempt: true, duty: zero, vat: zero });
    }
    let rate = duty_rate.ok_or_else(|| Error::MissingFact { what: "the duty rate into KR".to_owned() })?;
    let duty = cif.mul_rounded(rate, RoundingMode::HalfUp)?;
    let vat = cif.checked_add(duty)?.mul_rounded(number(program, "vat_rate")?, RoundingMode::HalfUp)?;
    Ok(KrPersonal { exempt: false, duty, vat })
}
