//! The words of the catalogue, and what each may hold. Pure.

use std::fmt;

use crate::ctx::Ctx;
use crate::id::{ProductId, VariantId};
use crate::patch::Patch;

/// A value that cannot be kept, named with its remedy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, serde::Serialize)]
#[error("`{field}` cannot be `{value}`; hint: {remedy}")]
pub struct Problem {
    pub field: &'static str,
    pub value: String,
    pub remedy: String,
}

impl Problem {
    pub(super) fn new(field: &'static str, value: &str, remedy: impl Into<String>) -> Self {
        Self { field, value: value.chars().take(80).collect(), remedy: remedy.into() }
    }
}

macro_rules! text_types {
    ($($(#[$meta:meta])* $name:ident),* $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Problem;
            fn try_from(text: String) -> Result<Self, Problem> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Problem;
            fn from_str(text: &str) -> Result<Self, Problem> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl From<&$name> for crate::store::Value {
            fn from(value: &$name) -> Self {
                Self::from(value.as_str())
            }
        }

        impl From<Option<&$name>> for crate::store::Value {
            fn from(value: Option<&$name>) -> Self {
                Self::from(value.map($name::as_str))
            }
        }

        impl crate::store::FromCell for $name {
            fn from_cell(cell: &crate::store::Value) -> Option<Self> {
                Self::parse(&String::from_cell(cell)?).ok()
            }
        }
    )*};
}

text_types!(
    /// The merchant's own number of a variant, as written: 1 to 128 characters.
    Sku,
    /// GTIN-8, -12, -13 or -14 with a right check digit, digits only.
    Gtin,
    /// Harmonised System code, 6 to 10 digits.
    HsCode,
    /// ISO 3166-1 alpha-2, upper case.
    Country,
);

impl Sku {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let clean = text.trim();
        if clean.is_empty() || clean.chars().count() > 128 || clean.chars().any(char::is_control) {
            return Err(Problem::new("sku", text, "give 1 to 128 characters, without line breaks"));
        }
        Ok(Self(clean.to_owned()))
    }

    pub fn key(&self) -> String {
        Self::key_of(&self.0)
    }

    /// What people mean to be the same: lower case, without white space.
    pub fn key_of(text: &str) -> String {
        text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).flat_map(char::to_lowercase).collect()
    }
}

impl Gtin {
    /// Blanks and hyphens, as printed on packages, are taken out.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12..=14) || digits.bytes().all(|b| b == b'0') {
            return Err(Problem::new("gtin", text, "give the 8, 12, 13 or 14 digits under the bar code, or leave it empty"));
        }
        let (body, check) = digits.split_at(digits.len() - 1);
        let wanted = check_digit(body);
        if check != wanted.to_string() {
            let remedy = format!("the last digit should be {wanted}: compare it with the package, or leave it empty");
            return Err(Problem::new("gtin", text, remedy));
        }
        Ok(Self(digits))
    }

    /// 14 digits: GTINs of different length that name the same thing have the same key.
    pub fn key(&self) -> String {
        format!("{:0>14}", self.0)
    }
}

/// GS1's: weights 3 and 1 in turn from the right, up to the next ten.
fn check_digit(body: &str) -> u32 {
    let sum: u32 = body.bytes().rev().zip([3, 1].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    (10 - sum % 10) % 10
}

impl HsCode {
    /// Dots and blanks, as tariffs print them, are taken out.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '.').collect();
        if !(6..=10).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with("00") {
            return Err(Problem::new("hs_code", text, "give the 6 to 10 digits of the customs tariff, such as 610910, or leave it empty"));
        }
        Ok(Self(digits))
    }
}

impl Country {
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let code = text.trim().to_ascii_uppercase();
        let known = COUNTRIES.as_bytes().chunks(3).any(|known| known.starts_with(code.as_bytes()));
        if code.len() != 2 || !known {
            return Err(Problem::new("origin", text, "give the country's two-letter ISO code, such as DE or CN, or leave it empty"));
        }
        Ok(Self(code))
    }
}

/// ISO 3166-1 alpha-2, and XK, which customs use for Kosovo.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG \
CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU \
GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG \
MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW \
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU \
WF WS XK YE YT ZA ZM ZW ";

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Product {
    pub id: ProductId,
    pub title: String,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What a person decides about a variant.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    pub sku: Sku,
    #[serde(default)]
    pub gtin: Option<Gtin>,
    /// What tells it from its siblings; empty when it has none.
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub weight_g: Option<i64>,
    #[serde(default)]
    pub length_mm: Option<i64>,
    #[serde(default)]
    pub width_mm: Option<i64>,
    #[serde(default)]
    pub height_mm: Option<i64>,
    #[serde(default)]
    pub hs_code: Option<HsCode>,
    #[serde(default)]
    pub origin: Option<Country>,
    /// Units no channel is shown.
    #[serde(default)]
    pub safety: i64,
}

impl Facts {
    /// Nothing known but the name.
    pub fn of(sku: Sku) -> Self {
        Self {
            sku,
            gtin: None,
            title: String::new(),
            weight_g: None,
            length_mm: None,
            width_mm: None,
            height_mm: None,
            hs_code: None,
            origin: None,
            safety: 0,
        }
    }

    /// Every way into the catalogue goes through here.
    pub(super) fn checked(mut self) -> Result<Self, Problem> {
        self.title = clean_title("title", &self.title, 0)?;
        for (field, value) in
            [("weight_g", self.weight_g), ("length_mm", self.length_mm), ("width_mm", self.width_mm), ("height_mm", self.height_mm)]
        {
            if let Some(value) = value.filter(|value| !(1..=MAX_MEASURE).contains(value)) {
                return Err(Problem::new(
                    field,
                    &value.to_string(),
                    "give a whole number above zero, or leave it empty if it is not known",
                ));
            }
        }
        if !(0..=MAX_MEASURE).contains(&self.safety) {
            return Err(Problem::new("safety_stock", &self.safety.to_string(), "give a whole number of units, zero or more"));
        }
        Ok(self)
    }
}

/// A thousand tonnes or kilometres: more is a slip of the unit.
const MAX_MEASURE: i64 = 1_000_000_000;

/// Line ends become `\n`; other control characters are refused.
pub fn clean_title(field: &'static str, text: &str, at_least: usize) -> Result<String, Problem> {
    let clean = text.trim().replace("\r\n", "\n");
    let count = clean.chars().count();
    if count < at_least || count > 500 || clean.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        let remedy = format!("give {at_least} to 500 characters, without control characters");
        return Err(Problem::new(field, text, remedy));
    }
    Ok(clean)
}

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Variant {
    pub id: VariantId,
    pub product: ProductId,
    pub product_title: String,
    #[serde(flatten)]
    pub facts: Facts,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Variant {
    pub(super) fn new(ctx: &Ctx, product: &Product, facts: Facts) -> Self {
        Self {
            id: VariantId::new(&ctx.ids),
            product: product.id.clone(),
            product_title: product.title.clone(),
            facts,
            created_at: ctx.now_ms(),
            updated_at: ctx.now_ms(),
        }
    }

    /// `Kettle, red`: for lists and messages.
    pub fn full_title(&self) -> String {
        if self.facts.title.is_empty() { self.product_title.clone() } else { format!("{}, {}", self.product_title, self.facts.title) }
    }

    /// What a text filter looks into.
    pub(super) fn search_text(&self) -> String {
        let gtin = self.facts.gtin.as_ref().map_or("", Gtin::as_str);
        [self.facts.sku.as_str(), gtin, &self.product_title, &self.facts.title].join("\n").to_lowercase()
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VariantPatch {
    pub product: Option<ProductId>,
    pub sku: Option<Sku>,
    pub gtin: Patch<Gtin>,
    pub title: Option<String>,
    pub weight_g: Patch<i64>,
    pub length_mm: Patch<i64>,
    pub width_mm: Patch<i64>,
    pub height_mm: Patch<i64>,
    pub hs_code: Patch<HsCode>,
    pub origin: Patch<Country>,
    pub safety: Option<i64>,
}

impl VariantPatch {
    pub(super) fn onto(self, mut facts: Facts) -> Facts {
        facts.sku = self.sku.unwrap_or(facts.sku);
        facts.title = self.title.unwrap_or(facts.title);
        facts.safety = self.safety.unwrap_or(facts.safety);
        self.gtin.apply(&mut facts.gtin);
        self.weight_g.apply(&mut facts.weight_g);
        self.length_mm.apply(&mut facts.length_mm);
        self.width_mm.apply(&mut facts.width_mm);
        self.height_mm.apply(&mut facts.height_mm);
        self.hs_code.apply(&mut facts.hs_code);
        self.origin.apply(&mut facts.origin);
        facts
    }
}

/// Which variants a list shows; nothing set: all.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    pub text: Option<String>,
    pub product: Option<ProductId>,
}
