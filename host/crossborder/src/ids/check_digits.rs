//! The check-digit algorithms, a closed set named by the rows of `id_formats.json`.
//!
//! Each sees text that already matched its pattern; a text it cannot read is a format error (`None`).

use serde::Deserialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// No public algorithm.
    FormatOnly,
    #[serde(rename = "iso7064_mod11_10")]
    Iso7064Mod1110,
    FrSiren,
    #[serde(rename = "be_mod97")]
    BeMod97,
    #[serde(rename = "nl_mod11_or_mod97")]
    NlMod11OrMod97,
    AtDigitSum,
    #[serde(rename = "dk_mod11")]
    DkMod11,
    #[serde(rename = "fi_mod11")]
    FiMod11,
    ItLuhnOffice,
    #[serde(rename = "pl_mod11")]
    PlMod11,
    #[serde(rename = "pt_mod11")]
    PtMod11,
    SeLuhn,
    #[serde(rename = "lu_mod89")]
    LuMod89,
    GrPowers,
    #[serde(rename = "gb_mod97")]
    GbMod97,
    #[serde(rename = "ch_mod11")]
    ChMod11,
    #[serde(rename = "no_mod11")]
    NoMod11,
    #[serde(rename = "au_mod89")]
    AuMod89,
    #[serde(rename = "in_luhn36")]
    InLuhn36,
    #[serde(rename = "jp_mod9")]
    JpMod9,
    #[serde(rename = "br_mod11")]
    BrMod11,
    EoriGb,
    #[serde(rename = "gtin_mod10")]
    GtinMod10,
    #[serde(rename = "upu_s10")]
    UpuS10,
    HsChapter,
}

impl Check {
    pub(super) fn passes(self, text: &str) -> Option<bool> {
        let d = digits(text);
        match self {
            Self::FormatOnly => Some(true),
            Self::Iso7064Mod1110 => mod_11_10(&d),
            Self::FrSiren => fr(text),
            Self::BeMod97 => {
                let body = number(d.get(..8)?);
                Some(97 - body % 97 == number(d.get(8..10)?))
            }
            Self::NlMod11OrMod97 => nl(text, &d),
            Self::AtDigitSum => {
                let sum: u64 = d.get(..7)?.iter().zip([1, 2, 1, 2, 1, 2, 1]).map(|(d, w)| d * w / 10 + d * w % 10).sum();
                // At most 7 x 9, so the subtraction holds.
                Some((96 - sum) % 10 == *d.get(7)?)
            }
            Self::DkMod11 => Some(weighted(&d, &[2, 7, 6, 5, 4, 3, 2, 1])? % 11 == 0),
            Self::FiMod11 => Some(weighted(&d, &[7, 9, 10, 5, 8, 4, 2, 1])? % 11 == 0),
            Self::ItLuhnOffice => {
                let office = number(d.get(7..10)?);
                let known = (1..=100).contains(&office) || matches!(office, 120 | 121 | 888 | 999);
                Some(number(d.get(..7)?) != 0 && known && luhn(&d))
            }
            Self::PlMod11 => Some(weighted(&d, &[6, 5, 7, 2, 3, 4, 5, 6, 7])? % 11 == *d.get(9)?),
            Self::PtMod11 => {
                let check = 11 - weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2])? % 11;
                Some((if check >= 10 { 0 } else { check }) == *d.get(8)?)
            }
            Self::SeLuhn => Some(luhn(d.get(..10)?)),
            Self::LuMod89 => Some(number(d.get(..6)?) % 89 == number(d.get(6..8)?)),
            Self::GrPowers => {
                let sum = weighted(&d, &[256, 128, 64, 32, 16, 8, 4, 2])?;
                Some(sum % 11 % 10 == *d.get(8)?)
            }
            Self::GbMod97 => gb(text, &d),
            Self::ChMod11 => eleven_minus(&d, &[5, 4, 3, 2, 7, 6, 5, 4]),
            Self::NoMod11 => eleven_minus(&d, &[3, 2, 7, 6, 5, 4, 3, 2]),
            Self::AuMod89 => {
                let mut d = d;
                let first = d.first_mut()?;
                *first = first.checked_sub(1)?;
                Some(weighted(&d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19])? % 89 == 0)
            }
            Self::InLuhn36 => in_gstin(text, &d),
            Self::JpMod9 => {
                let sum: u64 = d.get(1..13)?.iter().rev().zip([1, 2].into_iter().cycle()).map(|(d, w)| d * w).sum();
                Some(9 - sum % 9 == *d.first()?)
            }
            Self::BrMod11 => br(text),
            Self::EoriGb => {
                let uk = text.starts_with("GB") || text.starts_with("XI");
                let twelve = text.len() == 14 && d.len() == 12;
                if uk && !twelve { None } else { Some(true) }
            }
            Self::GtinMod10 => {
                let (check, body) = d.split_last()?;
                let weights = [3, 1].into_iter().cycle();
                let sum: u64 = body.iter().rev().zip(weights).map(|(d, w)| d * w).sum();
                Some((10 - sum % 10) % 10 == *check)
            }
            Self::UpuS10 => {
                let check = 11 - weighted(&d, &[8, 6, 4, 2, 3, 5, 9, 7])? % 11;
                let check = match check {
                    10 => 0,
                    11 => 5,
                    other => other,
                };
                Some(check == *d.get(8)?)
            }
            Self::HsChapter => {
                let chapter = number(d.get(..2)?);
                Some((1..=97).contains(&chapter) && chapter != 77)
            }
        }
    }
}

fn digits(text: &str) -> Vec<u64> {
    text.chars().filter_map(|c| c.to_digit(10)).map(u64::from).collect()
}

fn number(digits: &[u64]) -> u64 {
    digits.iter().fold(0, |acc, d| acc * 10 + d)
}

/// Sum of digit times weight over the first `weights.len()` digits.
fn weighted(digits: &[u64], weights: &[u64]) -> Option<u64> {
    let digits = digits.get(..weights.len())?;
    Some(digits.iter().zip(weights).map(|(d, w)| d * w).sum())
}

fn luhn(digits: &[u64]) -> bool {
    let sum: u64 = digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 0 { *d } else { d * 2 / 10 + d * 2 % 10 }).sum();
    sum.is_multiple_of(10)
}

/// The next digit is 11 minus the weighted sum mod 11; 11 becomes 0 and 10 does not exist.
fn eleven_minus(digits: &[u64], weights: &[u64]) -> Option<bool> {
    let check = (11 - weighted(digits, weights)? % 11) % 11;
    Some(check != 10 && check == *digits.get(weights.len())?)
}

/// ISO 7064 MOD 11,10.
fn mod_11_10(digits: &[u64]) -> Option<bool> {
    let (check, body) = digits.split_last()?;
    let product = body.iter().fold(10, |product, d| {
        let sum = (product + d) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    Some((11 - product) % 10 == *check)
}

/// Letters count from A = 10; digits stand for themselves.
fn base36(c: char) -> Option<u64> {
    c.to_digit(36).map(u64::from)
}

fn fr(text: &str) -> Option<bool> {
    let key = text.get(2..4)?;
    let siren = digits(text.get(4..)?);
    if !luhn(&siren) {
        return Some(false);
    }
    // A key with letters has no public rule.
    Some(match key.parse::<u64>() {
        Ok(key) => key == (12 + 3 * (number(&siren) % 97)) % 97,
        Err(_) => true,
    })
}

fn nl(text: &str, d: &[u64]) -> Option<bool> {
    let eleven = weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2])? % 11 == *d.get(8)?;
    let mut rest = 0;
    for c in text.chars() {
        let value = base36(c)?;
        rest = (rest * if value >= 10 { 100 } else { 10 } + value) % 97;
    }
    Some(eleven || rest == 1)
}

fn gb(text: &str, d: &[u64]) -> Option<bool> {
    // Government and health bodies have three digits and no check.
    if text.starts_with("GBGD") || text.starts_with("GBHA") {
        return Some(true);
    }
    let total = weighted(d, &[8, 7, 6, 5, 4, 3, 2])? + number(d.get(7..9)?);
    Some(total.is_multiple_of(97) || (total + 55).is_multiple_of(97))
}

fn in_gstin(text: &str, d: &[u64]) -> Option<bool> {
    let state = number(d.get(..2)?);
    let mut sum = 0;
    for (i, c) in text.chars().rev().enumerate() {
        let value = base36(c)? * if i % 2 == 0 { 1 } else { 2 };
        sum += value / 36 + value % 36;
    }
    Some((1..=38).contains(&state) && sum % 36 == 0)
}

/// Letters count as their ASCII code minus that of `0`.
fn br(text: &str) -> Option<bool> {
    let values: Vec<u64> = text.bytes().map(|b| u64::from(b.wrapping_sub(b'0'))).collect();
    let check = |weights: &[u64]| {
        let rest = weighted(&values, weights)? % 11;
        Some(if rest < 2 { 0 } else { 11 - rest })
    };
    let first = check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])?;
    let second = check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])?;
    Some(values.get(12) == Some(&first) && values.get(13) == Some(&second))
}
