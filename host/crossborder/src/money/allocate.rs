//! Largest-remainder allocation: the parts add up exactly, no part is off by a whole unit, and a refund
//! mirrors its sale.

use super::{Decimal, Error};

/// Splits `total` by `weights`. Left-over units go by falling fractional part, ties to the lower index; a
/// negative total is the mirror of the positive one; a zero weight gets zero.
pub fn split(total: i64, weights: &[Decimal]) -> Result<Vec<i64>, Error> {
    let scale = weights.iter().map(|w| w.normalize().scale()).max().unwrap_or(0);
    let mut whole = Vec::with_capacity(weights.len());
    for weight in weights {
        let weight = weight.normalize();
        if weight.is_sign_negative() && !weight.is_zero() {
            return Err(Error::NegativeWeight);
        }
        let factor = 10_u128.pow(scale - weight.scale());
        let value = weight.mantissa().unsigned_abs().checked_mul(factor).ok_or(Error::OutOfRange)?;
        whole.push(value);
    }
    split_whole(total, &whole)
}

pub(super) fn split_whole(total: i64, weights: &[u128]) -> Result<Vec<i64>, Error> {
    let sum = weights.iter().try_fold(0_u128, |acc, w| acc.checked_add(*w)).ok_or(Error::OutOfRange)?;
    if sum == 0 {
        return Err(Error::ZeroWeights);
    }
    let amount = u128::from(total.unsigned_abs());
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given = 0_u128;
    for (index, weight) in weights.iter().enumerate() {
        let product = amount.checked_mul(*weight).ok_or(Error::OutOfRange)?;
        given += product / sum;
        parts.push(product / sum);
        remainders.push((product % sum, index));
    }
    // The left-over is smaller than the number of non-zero remainders, so a zero weight is never reached.
    remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = usize::try_from(amount - given).map_err(|_| Error::OutOfRange)?;
    for (_, index) in remainders.iter().take(left) {
        parts[*index] += 1;
    }
    let negative = total < 0;
    parts
        .into_iter()
        .map(|part| {
            let part = i128::try_from(part).map_err(|_| Error::OutOfRange)?;
            i64::try_from(if negative { -part } else { part }).map_err(|_| Error::OutOfRange)
        })
        .collect()
}
