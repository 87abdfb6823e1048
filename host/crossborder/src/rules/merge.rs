//! Laying a merchant's rows over the embedded ones.
//!
//! A dated row with a known key cuts its own period out of the rows below it; the rest of them stays. When the
//! correction says when it was recorded, the row as it was is kept too, known until that day.

use super::load::Parts;
use super::record::{Known, Period, cite};
use super::tables::*;

/// A row of a dated series.
pub(super) trait Dated: Clone {
    fn key(&self) -> String;
    fn period(&self) -> Period;
    fn known(&self) -> Known;
    /// The same row for another period.
    fn with(&self, period: Period, known: Known) -> Self;
}

macro_rules! dated {
    ($type:ty, |$row:ident| $key:expr) => {
        impl Dated for $type {
            fn key(&self) -> String {
                let $row = self;
                $key
            }
            fn period(&self) -> Period {
                self.period
            }
            fn known(&self) -> Known {
                self.known
            }
            fn with(&self, period: Period, known: Known) -> Self {
                let mut row = self.clone();
                let old = &self.cite;
                row.cite = cite(old.rule.clone(), period, old.verification, &old.sources.join(";"), &old.legal);
                row.period = period;
                row.known = known;
                row
            }
        }
    };
}

dated!(TaxRate, |r| format!("{} {} {}", r.jurisdiction, r.tax, r.category));
dated!(DeMinimis, |r| format!("{} {} {}", r.destination, r.from.join("+"), r.mode));
dated!(Tariff, |r| format!("{} {} {}", r.destination, r.hs, r.origin));
dated!(Program, |r| r.series.clone());
dated!(Rule, |r| r.id.clone());
dated!(Restriction, |r| r.id.clone());
dated!(ZoneMember, |r| format!("{} {}", r.zone, r.country));

fn lay<T: Dated>(base: Vec<T>, over: Vec<T>) -> Vec<T> {
    let mut rows = base;
    for new in &over {
        let key = new.key();
        let recorded = new.known().recorded_on;
        let mut next = Vec::with_capacity(rows.len() + 2);
        for old in rows {
            let touched = old.key() == key && old.known().is_current() && old.period().overlaps(&new.period());
            if !touched {
                next.push(old);
                continue;
            }
            if recorded.is_some() {
                let until = Known { retracted_on: recorded, ..old.known() };
                next.push(old.with(old.period(), until));
            }
            let since = Known { recorded_on: recorded.or(old.known().recorded_on), retracted_on: None };
            let (o, n) = (old.period(), new.period());
            if let Some(start) = n.valid_from
                && o.valid_from.is_none_or(|from| from < start)
            {
                let before = Period { valid_from: o.valid_from, valid_to: Some(start) };
                next.push(old.with(before, since));
            }
            if let Some(end) = n.valid_to
                && o.valid_to.is_none_or(|to| end < to)
            {
                let after = Period { valid_from: Some(end), valid_to: o.valid_to };
                next.push(old.with(after, since));
            }
        }
        rows = next;
    }
    rows.extend(over);
    rows
}

/// Undated rows: the newer one with the same key stands.
fn replace<T>(mut base: Vec<T>, over: Vec<T>, key: impl Fn(&T) -> String) -> Vec<T> {
    base.retain(|old| over.iter().all(|new| key(new) != key(old)));
    base.extend(over);
    base
}

pub(super) fn over(base: Parts, over: Parts) -> Parts {
    let mut words = base.description_words;
    words.extend(over.description_words);
    Parts {
        last_checked: over.last_checked.or(base.last_checked),
        sources: replace(base.sources, over.sources, |s| s.id.clone()),
        zones: lay(base.zones, over.zones),
        tax_rates: lay(base.tax_rates, over.tax_rates),
        territories: replace(base.territories, over.territories, |t| t.code.clone()),
        places: replace(base.places, over.places, |p| format!("{} {} {}", p.country, p.region, p.postal)),
        cash_rounding: replace(base.cash_rounding, over.cash_rounding, |c| c.country.clone()),
        fixed_euro: replace(base.fixed_euro, over.fixed_euro, |f| f.code.clone()),
        de_minimis: lay(base.de_minimis, over.de_minimis),
        valuation: replace(base.valuation, over.valuation, |v| v.destination.clone()),
        us_states: replace(base.us_states, over.us_states, |s| s.state.clone()),
        id_formats: replace(base.id_formats, over.id_formats, |f| format!("{} {}", f.scheme, f.country)),
        documents: replace(base.documents, over.documents, |d| d.id.clone()),
        dangerous_goods: replace(base.dangerous_goods, over.dangerous_goods, |d| format!("{} {}", d.un, d.packing.join("/"))),
        restrictions: lay(base.restrictions, over.restrictions),
        description_words: words,
        rounding: replace(base.rounding, over.rounding, |r| r.jurisdiction.clone()),
        tariff: lay(base.tariff, over.tariff),
        programs: lay(base.programs, over.programs),
        rules: lay(base.rules, over.rules),
    }
}
