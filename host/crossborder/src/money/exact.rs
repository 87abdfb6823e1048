//! Exact rational numbers over `i128`, so that a division inside a formula loses nothing before the one
//! rounding at its end.

use std::cmp::Ordering;

use super::rounding::divide;
use super::{Decimal, Error, RoundingMode};

/// `num / den` with `den > 0`. Not kept in lowest terms: reducing costs more than most formulas need, so it
/// happens only when an operation would overflow otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Exact {
    num: i128,
    den: i128,
}

// Every operation can leave the range, so the operator traits do not fit.
#[allow(clippy::should_implement_trait)]
impl Exact {
    pub const ZERO: Self = Self { num: 0, den: 1 };
    pub const ONE: Self = Self { num: 1, den: 1 };

    pub fn from_int(value: i64) -> Self {
        Self { num: i128::from(value), den: 1 }
    }

    /// `numerator / denominator`; refuses a zero denominator.
    pub fn ratio(numerator: i64, denominator: i64) -> Result<Self, Error> {
        Self::from_int(numerator).div(Self::from_int(denominator))
    }

    pub fn from_decimal(value: Decimal) -> Self {
        let value = value.normalize();
        Self {
            num: value.mantissa(),
            // At most 10^28, which fits.
            den: 10_i128.pow(value.scale()),
        }
    }

    /// Exact decimal text, see [`decimal_from_text`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        decimal_from_text(text).map(Self::from_decimal)
    }

    /// `minor` units of a currency with `exponent` decimals, as a major amount.
    pub fn from_minor(minor: i64, exponent: u8) -> Self {
        Self { num: i128::from(minor), den: 10_i128.pow(u32::from(exponent)) }
    }

    fn reduced(self) -> Self {
        let divisor = gcd(self.num.unsigned_abs(), self.den.unsigned_abs());
        // The divisor divides den, a positive i128, so it fits; zero cannot occur as den > 0.
        let divisor = i128::try_from(divisor).unwrap_or(1).max(1);
        Self { num: self.num / divisor, den: self.den / divisor }
    }

    /// Runs `op` on the operands as they are and, if that overflows, once more in lowest terms.
    fn with_room(self, other: Self, op: impl Fn(Self, Self) -> Option<Self>) -> Result<Self, Error> {
        op(self, other).or_else(|| op(self.reduced(), other.reduced())).ok_or(Error::OutOfRange)
    }

    pub fn add(self, other: Self) -> Result<Self, Error> {
        self.with_room(other, |a, b| {
            if a.den == b.den {
                return Some(Self { num: a.num.checked_add(b.num)?, den: a.den });
            }
            Some(Self { num: a.num.checked_mul(b.den)?.checked_add(b.num.checked_mul(a.den)?)?, den: a.den.checked_mul(b.den)? })
        })
    }

    pub fn neg(self) -> Self {
        Self { num: self.num.saturating_neg(), den: self.den }
    }

    pub fn sub(self, other: Self) -> Result<Self, Error> {
        self.add(other.neg())
    }

    pub fn mul(self, other: Self) -> Result<Self, Error> {
        self.with_room(other, |a, b| Some(Self { num: a.num.checked_mul(b.num)?, den: a.den.checked_mul(b.den)? })).or_else(|_| {
            // Cross-cancel before giving up: (a/b)(c/d) with a against d and c against b.
            let left = Self { num: self.num, den: other.den }.reduced();
            let right = Self { num: other.num, den: self.den }.reduced();
            let num = left.num.checked_mul(right.num).ok_or(Error::OutOfRange)?;
            let den = left.den.checked_mul(right.den).ok_or(Error::OutOfRange)?;
            Ok(Self { num, den })
        })
    }

    pub fn div(self, other: Self) -> Result<Self, Error> {
        if other.num == 0 {
            return Err(Error::DivisionByZero);
        }
        let flipped = if other.num < 0 {
            Self { num: other.den.saturating_neg(), den: other.num.checked_neg().ok_or(Error::OutOfRange)? }
        } else {
            Self { num: other.den, den: other.num }
        };
        self.mul(flipped)
    }

    pub fn is_zero(self) -> bool {
        self.num == 0
    }

    pub fn is_negative(self) -> bool {
        self.num < 0
    }

    /// Exact comparison; an error only when even lowest terms leave `i128`.
    pub fn compare(self, other: Self) -> Result<Ordering, Error> {
        Ok(self.sub(other)?.num.cmp(&0))
    }

    /// The value times `10^places`, rounded to an integer.
    pub fn scaled(self, places: u32, mode: RoundingMode) -> Result<i128, Error> {
        let factor = 10_i128.checked_pow(places).ok_or(Error::OutOfRange)?;
        if let Some(num) = self.num.checked_mul(factor) {
            return Ok(divide(num, self.den, mode));
        }
        let small = Self { num: factor, den: self.den }.reduced();
        let num = self.num.checked_mul(small.num).ok_or(Error::OutOfRange)?;
        Ok(divide(num, small.den, mode))
    }

    /// Rounded to `places` decimals.
    pub fn to_decimal(self, places: u32, mode: RoundingMode) -> Result<Decimal, Error> {
        let scaled = self.scaled(places, mode)?;
        Decimal::try_from_i128_with_scale(scaled, places).map_err(|_| Error::OutOfRange)
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Plain decimal text, `-?digits[.digits]`, exactly. Signs other than a leading minus, exponents, separators
/// and blanks are refused: they come from another format and would be guessed at.
pub fn decimal_from_text(text: &str) -> Result<Decimal, Error> {
    let bad = || Error::BadNumber { text: text.chars().take(40).collect() };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(bad()),
        None => (digits, ""),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(bad());
    }
    Decimal::from_str_exact(text).map_err(|_| Error::OutOfRange)
}
