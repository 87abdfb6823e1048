//! What must be true of a set before it may answer: no two rows of a series hold on one day, no day inside a
//! series is uncovered, and every row names sources that exist.

use std::collections::{BTreeMap, BTreeSet};

use super::LoadError;
use super::load::Parts;
use super::merge::Dated;
use super::record::{Citation, Known};

pub(super) fn check(parts: &Parts) -> Result<(), LoadError> {
    series(&parts.tax_rates, true)?;
    series(&parts.de_minimis, true)?;
    series(&parts.tariff, false)?;
    series(&parts.programs, true)?;
    series(&parts.rules, false)?;
    series(&parts.restrictions, false)?;
    series(&parts.zones, false)?;
    let known: BTreeSet<&str> = parts.sources.iter().map(|s| s.id.as_str()).collect();
    for citation in citations(parts) {
        for id in &citation.sources {
            if !known.contains(id.as_str()) {
                return Err(LoadError::UnknownSource { row: citation.rule.clone(), source_id: id.clone() });
            }
        }
        if citation.sources.is_empty() && !citation.verification.may_lack_source() {
            return Err(LoadError::NoSource { row: citation.rule.clone(), verification: citation.verification.to_string() });
        }
    }
    limits_name_programs(parts)
}

pub(super) fn citations(parts: &Parts) -> impl Iterator<Item = &Citation> {
    let dated = parts.tax_rates.iter().map(|r| &r.cite);
    dated
        .chain(parts.zones.iter().map(|r| &r.cite))
        .chain(parts.territories.iter().map(|r| &r.cite))
        .chain(parts.places.iter().map(|r| &r.cite))
        .chain(parts.cash_rounding.iter().map(|r| &r.cite))
        .chain(parts.de_minimis.iter().map(|r| &r.cite))
        .chain(parts.valuation.iter().map(|r| &r.cite))
        .chain(parts.us_states.iter().map(|r| &r.cite))
        .chain(parts.id_formats.iter().map(|r| &r.cite))
        .chain(parts.documents.iter().map(|r| &r.cite))
        .chain(parts.dangerous_goods.iter().map(|r| &r.cite))
        .chain(parts.restrictions.iter().map(|r| &r.cite))
        .chain(parts.rounding.iter().map(|r| &r.cite))
        .chain(parts.tariff.iter().map(|r| &r.cite))
        .chain(parts.programs.iter().map(|r| &r.cite))
        .chain(parts.rules.iter().map(|r| &r.cite))
        .map(std::sync::Arc::as_ref)
}

fn known_together(a: Known, b: Known) -> bool {
    let ends_before = |end: Option<_>, start: Option<_>| matches!((end, start), (Some(e), Some(s)) if e <= s);
    !ends_before(a.retracted_on, b.recorded_on) && !ends_before(b.retracted_on, a.recorded_on)
}

fn series<T: Dated>(rows: &[T], gaps_matter: bool) -> Result<(), LoadError> {
    let mut by_key: BTreeMap<String, Vec<&T>> = BTreeMap::new();
    for row in rows {
        by_key.entry(row.key()).or_default().push(row);
    }
    for (key, mut rows) in by_key {
        rows.sort_by_key(|r| r.period().valid_from);
        for (index, a) in rows.iter().enumerate() {
            for b in &rows[index + 1..] {
                if a.period().overlaps(&b.period()) && known_together(a.known(), b.known()) {
                    let from = b.period().valid_from.map_or("any day".into(), |d| d.to_string());
                    return Err(LoadError::Overlap { row: key, from });
                }
            }
        }
        if gaps_matter {
            let current: Vec<_> = rows.iter().filter(|r| r.known().is_current()).collect();
            for pair in current.windows(2) {
                let (end, start) = (pair[0].period().valid_to, pair[1].period().valid_from);
                if let (Some(end), Some(start)) = (end, start)
                    && end < start
                {
                    return Err(LoadError::Gap { row: key, from: end.to_string(), to: start.to_string() });
                }
            }
        }
    }
    Ok(())
}

/// A rule that points at a programme or number that does not exist would never say so at run time.
fn limits_name_programs(parts: &Parts) -> Result<(), LoadError> {
    let exists = |series: &str, number: Option<&str>| {
        parts.programs.iter().any(|p| p.series == series && number.is_none_or(|n| p.numbers.contains_key(n)))
    };
    let bad = |rule: &str, what: String| LoadError::BadFile { file: "rules.json".to_owned(), what: format!("{rule}: {what}") };
    for rule in &parts.rules {
        for series in rule.program.iter().chain(&rule.duty_program) {
            if !exists(series, None) {
                return Err(bad(&rule.id, format!("programme \"{series}\" is not in programs.json")));
            }
        }
        for condition in &rule.when {
            check_limits(condition, &mut |series, number| {
                if exists(series, Some(number)) {
                    Ok(())
                } else {
                    let what = format!("number \"{number}\" of \"{series}\" is not in programs.json");
                    Err(bad(&rule.id, what))
                }
            })?;
        }
    }
    Ok(())
}

fn check_limits(condition: &super::Condition, exists: &mut dyn FnMut(&str, &str) -> Result<(), LoadError>) -> Result<(), LoadError> {
    match condition {
        super::Condition::Compare { limit: super::Limit::Program { program, number }, .. } => exists(program, number),
        super::Condition::Not(inner) => check_limits(inner, exists),
        super::Condition::Any(inner) => inner.iter().try_for_each(|c| check_limits(c, exists)),
        _ => Ok(()),
    }
}
