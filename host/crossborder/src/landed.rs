//! Landed cost: what goods cost at the buyer's door. Customs value, then duty, then the tax base, then tax,
//! then fees; duty and tax are each rounded once, half up, to the currency.

use crate::money::{Decimal, Error as MoneyError, Exact, Money, RoundingMode};
use crate::rules::{DutyBase, TaxBase};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the tax rate is missing: the destination taxes imports, so no rate is not the same as zero")]
    NoTaxRate,
    #[error("the duty is missing: give a rate, a flat amount, or say that the goods are relieved")]
    NoDuty,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Who pays duty, tax and fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Incoterm {
    /// The buyer, at delivery.
    #[serde(rename = "DAP")]
    Dap,
    /// The seller.
    #[serde(rename = "DDP")]
    Ddp,
}

/// The duty of a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// A fraction of the duty base.
    Rate(Decimal),
    Flat(Money),
    Relieved,
}

/// What travels and how the destination values it.
#[derive(Debug, Clone, Copy)]
pub struct Shipment {
    pub goods: Money,
    pub freight: Money,
    pub insurance: Money,
    /// Transport inside the destination, part of the tax base in the EU and the UK.
    pub onward: Money,
    pub duty_base: DutyBase,
    pub tax_base: TaxBase,
    pub duty: Option<Duty>,
    pub tax_rate: Option<Decimal>,
    pub fees: Money,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landed {
    pub customs_value: Money,
    pub duty: Money,
    pub tax_base: Money,
    pub tax: Money,
    pub fees: Money,
    pub total: Money,
}

impl Landed {
    /// What falls on the buyer at delivery and on the seller.
    pub fn by_incoterm(&self, incoterm: Incoterm) -> Result<(Money, Money), MoneyError> {
        let charges = self.duty.checked_add(self.tax)?.checked_add(self.fees)?;
        let zero = Money::zero(charges.currency());
        Ok(match incoterm {
            Incoterm::Dap => (charges, zero),
            Incoterm::Ddp => (zero, charges),
        })
    }
}

/// The value duty is charged on.
pub fn customs_value(base: DutyBase, goods: Money, freight: Money, insurance: Money) -> Result<Money, MoneyError> {
    match base {
        DutyBase::Fob => Ok(goods),
        DutyBase::Cif => goods.checked_add(freight)?.checked_add(insurance),
    }
}

fn tax_base_of(s: &Shipment, duty: Money) -> Result<Money, MoneyError> {
    let ti = s.freight.checked_add(s.insurance)?;
    match s.tax_base {
        TaxBase::None => Ok(Money::zero(s.goods.currency())),
        TaxBase::FobPlusDuty => s.goods.checked_add(duty),
        TaxBase::FobPlusDutyPlusTi | TaxBase::CifPlusDuty => s.goods.checked_add(duty)?.checked_add(ti),
        TaxBase::FobPlusTenthPlusDuty => {
            let raised = s.goods.exact().mul(Exact::ratio(11, 10)?)?;
            Money::from_exact_rounded(raised, s.goods.currency(), RoundingMode::HalfUp)?.checked_add(duty)
        }
        TaxBase::CifPlusDutyPlusOnward => s.goods.checked_add(duty)?.checked_add(ti)?.checked_add(s.onward),
    }
}

pub fn landed_cost(s: &Shipment) -> Result<Landed, Error> {
    let ccy = s.goods.currency();
    let customs_value = customs_value(s.duty_base, s.goods, s.freight, s.insurance)?;
    let duty = match s.duty.ok_or(Error::NoDuty)? {
        Duty::Rate(rate) => customs_value.mul_rounded(rate, RoundingMode::HalfUp)?,
        Duty::Flat(amount) => amount,
        Duty::Relieved => Money::zero(ccy),
    };
    let tax_base = tax_base_of(s, duty)?;
    let tax = match (s.tax_base, s.tax_rate) {
        (TaxBase::None, _) => Money::zero(ccy),
        (_, Some(rate)) => tax_base.mul_rounded(rate, RoundingMode::HalfUp)?,
        (_, None) => return Err(Error::NoTaxRate),
    };
    let parts = [s.goods, s.freight, s.insurance, s.onward, duty, tax, s.fees];
    Ok(Landed { customs_value, duty, tax_base, tax, fees: s.fees, total: Money::sum(&parts, ccy)? })
}

/// How a charge is spread over lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadBy {
    Weight,
    Value,
    Qty,
}

#[derive(Debug, Clone, Copy)]
pub struct UnitLine {
    pub unit: Money,
    pub qty: u64,
    pub weight_g: u64,
}

/// Cost of each line with its share of every charge, and the cost of one piece at four decimals.
pub fn landed_units(lines: &[UnitLine], charges: &[(SpreadBy, Money)]) -> Result<Vec<(Money, Decimal)>, MoneyError> {
    let mut costs = Vec::with_capacity(lines.len());
    let mut values = Vec::with_capacity(lines.len());
    for line in lines {
        let qty = i64::try_from(line.qty).map_err(|_| MoneyError::OutOfRange)?;
        let value = line.unit.checked_mul_int(qty)?;
        values.push(u64::try_from(value.minor()).map_err(|_| MoneyError::NegativeWeight)?);
        costs.push(value);
    }
    for (by, charge) in charges {
        let mut weights = Vec::with_capacity(lines.len());
        for (line, value) in lines.iter().zip(&values) {
            weights.push(match by {
                SpreadBy::Weight => line.weight_g.checked_mul(line.qty).ok_or(MoneyError::OutOfRange)?,
                SpreadBy::Value => *value,
                SpreadBy::Qty => line.qty,
            });
        }
        for (cost, part) in costs.iter_mut().zip(charge.allocate(&weights)?) {
            *cost = cost.checked_add(part)?;
        }
    }
    costs
        .into_iter()
        .zip(lines)
        .map(|(cost, line)| {
            let qty = i64::try_from(line.qty).map_err(|_| MoneyError::OutOfRange)?;
            let unit = cost.exact().div(Exact::from_int(qty))?;
            Ok((cost, unit.to_decimal(4, RoundingMode::HalfUp)?))
        })
        .collect()
}

/// A delivered-duty-paid price that leaves the seller its net amounts: (duty, tax, all-in).
pub fn ddp_price(
    goods: Money,
    shipping: Money,
    duty_base: DutyBase,
    duty_rate: Decimal,
    tax_rate: Decimal,
) -> Result<(Money, Money, Money), MoneyError> {
    let net = goods.checked_add(shipping)?;
    let value = customs_value(duty_base, goods, shipping, Money::zero(goods.currency()))?;
    let duty = value.mul_rounded(duty_rate, RoundingMode::HalfUp)?;
    let with_duty = net.checked_add(duty)?;
    let tax = with_duty.mul_rounded(tax_rate, RoundingMode::HalfUp)?;
    Ok((duty, tax, with_duty.checked_add(tax)?))
}
