//! Which variant a listing is: by GTIN, then by SKU, then by SKU without case and white space. Pure.
//!
//! One candidate is a link; several, or two that contradict each other, are a person's decision. A wrong link sells the
//! wrong goods, a missing one only waits.

use super::model::Listing;
use crate::catalog::{Gtin, Variant};
use crate::id::VariantId;

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Link(VariantId),
    Ambiguous,
    NoMatch,
}

/// A variant that a listing may be, as people know it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Candidate {
    pub variant: VariantId,
    pub sku: String,
    pub title: String,
}

impl Candidate {
    fn of(variant: &Variant) -> Self {
        Self { variant: variant.id.clone(), sku: variant.facts.sku.to_string(), title: variant.full_title() }
    }
}

/// What the catalogue has under the listing's numbers.
#[derive(Clone, Copy, Default)]
pub struct Found<'a> {
    pub by_gtin: &'a [Variant],
    pub by_sku: Option<&'a Variant>,
    /// The one of `by_sku` among them.
    pub by_sku_key: &'a [Variant],
}

pub struct Judgement {
    pub verdict: Verdict,
    pub candidates: Vec<Candidate>,
    pub why: String,
}

pub fn judge(listing: &Listing, found: Found<'_>) -> Judgement {
    let sku = listing.sku.as_deref().unwrap_or_default();
    let gtin_text = listing.gtin.as_deref().unwrap_or_default();
    let gtin = Gtin::parse(gtin_text).ok();
    match (found.by_gtin, found.by_sku) {
        ([one], Some(other)) if one.id != other.id => {
            let why = format!("GTIN {gtin_text} is `{}`, but SKU `{sku}` is another variant", one.facts.sku);
            ambiguous([one, other], why)
        }
        ([one], _) => link(one, format!("same GTIN {gtin_text}")),
        ([], Some(one)) => by_sku(one, gtin.as_ref(), format!("same SKU `{sku}`")),
        ([], None) => match found.by_sku_key {
            [] => Judgement { verdict: Verdict::NoMatch, candidates: Vec::new(), why: nothing(sku, gtin_text, gtin.is_some()) },
            [one] => by_sku(one, gtin.as_ref(), format!("SKU `{sku}` is `{}` but for case and blanks", one.facts.sku)),
            several => ambiguous(several, format!("{} SKUs are `{sku}` but for case and blanks", several.len())),
        },
        (several, Some(one)) if several.iter().any(|variant| variant.id == one.id) => {
            link(one, format!("same SKU `{sku}`, one of {} with GTIN {gtin_text}", several.len()))
        }
        (several, _) => ambiguous(several, format!("{} variants have GTIN {gtin_text}", several.len())),
    }
}

/// A SKU is only a name: it does not stand against two different bar codes.
fn by_sku(variant: &Variant, gtin: Option<&Gtin>, why: String) -> Judgement {
    match (gtin, &variant.facts.gtin) {
        (Some(theirs), Some(ours)) if theirs.key() != ours.key() => {
            ambiguous([variant], format!("{why}, but its GTIN is {ours} and the listing's is {theirs}"))
        }
        _ => link(variant, why),
    }
}

fn link(variant: &Variant, why: String) -> Judgement {
    Judgement { verdict: Verdict::Link(variant.id.clone()), candidates: vec![Candidate::of(variant)], why }
}

fn ambiguous<'a>(candidates: impl IntoIterator<Item = &'a Variant>, why: String) -> Judgement {
    Judgement { verdict: Verdict::Ambiguous, candidates: candidates.into_iter().map(Candidate::of).collect(), why }
}

fn nothing(sku: &str, gtin: &str, gtin_is_valid: bool) -> String {
    match (sku, gtin) {
        ("", "") => "the listing has neither SKU nor GTIN".into(),
        ("", gtin) if !gtin_is_valid => format!("the listing has no SKU, and `{gtin}` is no GTIN"),
        ("", gtin) => format!("no variant has GTIN {gtin}, and the listing has no SKU"),
        (sku, "") => format!("no variant has SKU `{sku}`"),
        (sku, gtin) if !gtin_is_valid => format!("no variant has SKU `{sku}`, and `{gtin}` is no GTIN"),
        (sku, gtin) => format!("no variant has SKU `{sku}` or GTIN {gtin}"),
    }
}
