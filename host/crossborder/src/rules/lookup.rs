//! Finding the row that answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::load::Parts;
use super::merge::Dated;
use super::tables::*;
use super::{Citation, Known, RuleSet, Source, checks};
use crate::fx::FixedEuro;
use crate::money::Decimal;

/// A scheme's numbers were asked for on a day on which no row of it holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{series} is not in force on {date} by the tables of this rule set")]
pub struct NotInForce {
    pub series: String,
    pub date: Date,
}

impl RuleSet {
    pub(super) fn index(parts: Parts, version: String) -> Self {
        let all = Arc::new(parts);
        Self::view(all, version, Known::is_current)
    }

    fn view(all: Arc<Parts>, version: String, keep: impl Fn(&Known) -> bool) -> Self {
        fn kept<T: Dated>(rows: &[T], keep: impl Fn(&Known) -> bool) -> Vec<T> {
            rows.iter().filter(|r| keep(&r.known())).cloned().collect()
        }
        let mut tax_rates: BTreeMap<String, BTreeMap<String, Vec<TaxRate>>> = BTreeMap::new();
        for rate in kept(&all.tax_rates, &keep) {
            let categories = tax_rates.entry(rate.jurisdiction.clone()).or_default();
            categories.entry(rate.category.clone()).or_default().push(rate);
        }
        let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for rule in kept(&all.rules, &keep) {
            rules.entry(rule.jurisdiction.clone()).or_default().push(rule);
        }
        for list in rules.values_mut() {
            list.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.id.cmp(&b.id)));
        }
        let mut programs: BTreeMap<String, Vec<Program>> = BTreeMap::new();
        for program in kept(&all.programs, &keep) {
            programs.entry(program.series.clone()).or_default().push(program);
        }
        let by = |key: &String| key.clone();
        Self {
            version,
            last_checked: all.last_checked.unwrap_or_default(),
            sources: all.sources.iter().map(|s| (by(&s.id), s.clone())).collect(),
            zones: kept(&all.zones, &keep),
            tax_rates,
            territories: all.territories.iter().map(|t| (by(&t.code), t.clone())).collect(),
            de_minimis: kept(&all.de_minimis, &keep),
            valuation: all.valuation.iter().map(|v| (by(&v.destination), v.clone())).collect(),
            us_states: all.us_states.iter().map(|s| (by(&s.state), s.clone())).collect(),
            documents: all.documents.iter().map(|d| (by(&d.id), d.clone())).collect(),
            restrictions: kept(&all.restrictions, &keep),
            rounding: all.rounding.iter().map(|r| (by(&r.jurisdiction), r.clone())).collect(),
            tariff: kept(&all.tariff, &keep),
            programs,
            rules,
            all,
        }
    }

    /// The set as it was known on a day: corrections recorded later are not in it. Its version names the day.
    pub fn as_known_on(&self, date: Date) -> Self {
        let base = self.version.split('@').next().unwrap_or_default();
        let version = format!("{base}@{date}");
        Self::view(Arc::clone(&self.all), version, |known| known.known_on(date))
    }

    /// Hash of everything the set was loaded from; stored with every answer.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The day on which somebody last compared the tables with their sources.
    pub fn last_checked(&self) -> Date {
        self.last_checked
    }

    /// Every row's origin, retracted rows too.
    pub fn citations(&self) -> impl Iterator<Item = &Citation> {
        checks::citations(&self.all)
    }

    pub fn source(&self, id: &str) -> Option<&Source> {
        self.sources.get(id)
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// The zone a country belongs to on a date, with the country whose rates it uses.
    pub fn zone_of(&self, country: &str, date: Date) -> Option<&ZoneMember> {
        self.zones.iter().find(|z| z.country == country && z.period.holds_on(date))
    }

    /// Rates of exactly this jurisdiction and category on a date, by tax name. Empty = not in the table.
    pub fn rates(&self, jurisdiction: &str, category: &str, date: Date) -> Vec<&TaxRate> {
        let mut found: Vec<&TaxRate> = self
            .tax_rates
            .get(jurisdiction)
            .and_then(|categories| categories.get(category))
            .into_iter()
            .flatten()
            .filter(|r| r.period.holds_on(date))
            .collect();
        if found.len() > 1 {
            found.sort_by(|a, b| a.tax.cmp(&b.tax));
        }
        found
    }

    pub fn has_rates(&self, jurisdiction: &str) -> bool {
        self.tax_rates.contains_key(jurisdiction)
    }

    /// Every dated rate, for pages and pushes of tax tables.
    pub fn all_rates(&self) -> impl Iterator<Item = &TaxRate> {
        self.tax_rates.values().flat_map(BTreeMap::values).flatten()
    }

    /// A special territory by country and region: the region code alone (`30`) or whole (`PT-30`).
    pub fn territory(&self, country: &str, region: &str) -> Option<&Territory> {
        self.territories
            .get(region)
            .filter(|t| t.country == country || region.starts_with(country))
            .or_else(|| self.territories.get(&format!("{country}-{region}")))
    }

    /// Special territories of a country, to say what a missing region leaves open.
    pub fn territories_of(&self, country: &str) -> impl Iterator<Item = &Territory> {
        self.territories.values().filter(move |t| t.country == country)
    }

    /// The place an address is in, where the tables know it under another country or region; `None` = as it is written.
    /// A region is compared as `ES-TF`, a postal code by its beginning, without blanks.
    pub fn place(&self, country: &str, region: Option<&str>, postal: Option<&str>) -> Option<&Place> {
        let region = region.map(|r| if r.starts_with(&format!("{country}-")) { r.to_owned() } else { format!("{country}-{r}") });
        let postal: Option<String> = postal.map(|p| p.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect());
        self.all.places.iter().find(|p| {
            p.country == country
                && (p.region.is_empty() || region.as_deref() == Some(p.region.as_str()))
                && (p.postal.is_empty() || postal.as_deref().is_some_and(|given| given.starts_with(&p.postal)))
        })
    }

    pub fn cash_rounding(&self, country: &str, ccy: &str) -> Option<&CashRounding> {
        let mut rows = self.all.cash_rounding.iter();
        rows.find(|r| r.country == country && r.ccy == ccy)
    }

    pub fn fixed_euro(&self, code: &str) -> Option<&FixedEuro> {
        self.all.fixed_euro.iter().find(|f| f.code == code)
    }

    /// The threshold row for a destination; a row naming the dispatch country or mode wins over a general one.
    pub fn de_minimis(&self, destination: &str, from: Option<&str>, mode: Option<&str>, date: Date) -> Option<&DeMinimis> {
        self.de_minimis
            .iter()
            .filter(|r| r.destination == destination && r.period.holds_on(date))
            .filter(|r| r.from.is_empty() || from.is_some_and(|f| r.from.iter().any(|c| c == f)))
            .filter(|r| r.mode.is_empty() || mode == Some(r.mode.as_str()))
            .max_by_key(|r| (!r.from.is_empty(), !r.mode.is_empty()))
    }

    pub fn valuation(&self, destination: &str) -> Option<&Valuation> {
        self.valuation.get(destination)
    }

    pub fn us_state(&self, state: &str) -> Option<&UsState> {
        self.us_states.get(state)
    }

    pub fn id_formats(&self) -> &[IdFormat] {
        &self.all.id_formats
    }

    pub fn document(&self, id: &str) -> Option<&DocumentFields> {
        self.documents.get(id)
    }

    pub fn dangerous_goods(&self, un: &str, packing: &str) -> Option<&DangerousGoods> {
        let mut rows = self.all.dangerous_goods.iter();
        rows.find(|r| r.un == un && packing.split('/').all(|wanted| r.packing.iter().any(|p| p == wanted)))
    }

    pub fn restrictions(&self, jurisdiction: &str, date: Date) -> impl Iterator<Item = &Restriction> {
        self.restrictions.iter().filter(move |r| r.jurisdiction == jurisdiction && r.period.holds_on(date))
    }

    pub fn description_words(&self) -> &[String] {
        &self.all.description_words
    }

    /// Where and how the jurisdiction rounds tax; the row `*` is the general setting.
    pub fn rounding(&self, jurisdiction: &str) -> Option<&RoundingRule> {
        self.rounding.get(jurisdiction).or_else(|| self.rounding.get("*"))
    }

    /// Duty rates for a tariff code: the rows with the longest code that the given one starts with, else, when
    /// only leading digits are known, every row below them. A row naming the origin wins over a general one.
    pub fn duty_rates(&self, destination: &str, hs: &str, origin: Option<&str>, date: Date) -> Vec<&Tariff> {
        let digits: String = hs.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return Vec::new();
        }
        let fits = |r: &&Tariff| {
            r.destination == destination && r.period.holds_on(date) && (r.origin.is_empty() || origin == Some(r.origin.as_str()))
        };
        let rows: Vec<&Tariff> = self.tariff.iter().filter(fits).collect();
        let above = rows.iter().filter(|r| digits.starts_with(&r.hs));
        let mut found: Vec<&Tariff> = match above.map(|r| r.hs.len()).max() {
            Some(longest) => rows.iter().filter(|r| r.hs.len() == longest && digits.starts_with(&r.hs)).copied().collect(),
            None => rows.iter().filter(|r| r.hs.starts_with(&digits)).copied().collect(),
        };
        let named: Vec<String> = found.iter().filter(|r| !r.origin.is_empty()).map(|r| r.hs.clone()).collect();
        found.retain(|r| !r.origin.is_empty() || !named.contains(&r.hs));
        found
    }

    /// The programme of a series in force on a date.
    pub fn program(&self, series: &str, date: Date) -> Result<&Program, NotInForce> {
        self.programs
            .get(series)
            .into_iter()
            .flatten()
            .find(|p| p.period.holds_on(date))
            .ok_or_else(|| NotInForce { series: series.to_owned(), date })
    }

    /// Every programme of a series, whatever its period.
    pub fn programs_of(&self, series: &str) -> impl Iterator<Item = &Program> {
        self.programs.get(series).into_iter().flatten()
    }

    /// Programmes in force on a date that carry a number, by series.
    pub fn programs_with(&self, number: &str, date: Date) -> impl Iterator<Item = &Program> {
        self.programs.values().flatten().filter(move |p| p.period.holds_on(date) && p.number(number).is_some())
    }

    /// Scheme rules of a jurisdiction in force on a date, highest priority first.
    pub fn rules(&self, jurisdiction: &str, date: Date) -> impl Iterator<Item = &Rule> {
        self.rules.get(jurisdiction).into_iter().flatten().filter(move |r| r.period.holds_on(date))
    }

    /// Jurisdictions that have scheme rules.
    pub fn jurisdictions(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }
}

impl Program {
    /// A number of the programme. Asking for one it lacks is answered like a scheme not in force: unknown.
    pub fn number(&self, name: &str) -> Option<Decimal> {
        self.numbers.get(name).copied()
    }

    pub fn brackets(&self, name: &str) -> &[Bracket] {
        self.brackets.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    pub fn list_has(&self, name: &str, value: &str) -> bool {
        self.lists.get(name).is_some_and(|l| l.iter().any(|v| v == value))
    }
}

/// The first bracket that reaches `value`, in the brackets' own unit.
pub fn bracket(brackets: &[Bracket], value: Decimal) -> Option<&Bracket> {
    brackets.iter().find(|b| b.up_to.is_none_or(|to| value <= to) && b.below.is_none_or(|to| value < to))
}

impl RuleSet {
    /// Whether a series exists but begins only after `date`.
    pub fn series_starts_after(&self, series: &str, date: Date) -> bool {
        self.programs.get(series).is_some_and(|rows| rows.iter().all(|p| p.period.valid_from.is_some_and(|from| from > date)))
    }
}
