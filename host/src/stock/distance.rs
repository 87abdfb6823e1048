//! How far two countries are, in the sense of goods: the same, the same customs area, or apart.

use std::sync::OnceLock;

use entrepot_crossborder::rules::RuleSet;

pub const SAME: u8 = 0;
const SAME_AREA: u8 = 1;
pub const APART: u8 = 2;

/// Where either is not known, they are apart.
pub fn between(from: Option<&str>, to: Option<&str>, now_ms: i64) -> u8 {
    match (from, to) {
        (Some(from), Some(to)) if from == to => SAME,
        (Some(from), Some(to)) if share_an_area(from, to, now_ms) => SAME_AREA,
        _ => APART,
    }
}

fn share_an_area(from: &str, to: &str, now_ms: i64) -> bool {
    static RULES: OnceLock<Option<RuleSet>> = OnceLock::new();
    let Some(rules) = RULES.get_or_init(|| RuleSet::builtin().ok()) else { return false };
    let Some(date) = date(now_ms) else { return false };
    let zone = |country: &str| rules.zone_of(country, date).map(|member| member.zone.clone());
    zone(from).is_some_and(|area| zone(to) == Some(area))
}

fn date(now_ms: i64) -> Option<jiff::civil::Date> {
    Some(jiff::Timestamp::from_millisecond(now_ms).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customs_area_is_nearer_than_the_rest_of_the_world() {
        let now = 1_795_176_000_000;
        assert_eq!(between(Some("DE"), Some("DE"), now), SAME);
        assert_eq!(between(Some("DE"), Some("FR"), now), SAME_AREA);
        assert_eq!(between(Some("DE"), Some("US"), now), APART);
        assert_eq!(between(Some("US"), Some("JP"), now), APART);
        assert_eq!(between(None, Some("DE"), now), APART);
        assert_eq!(between(None, None, now), APART);
    }
}
