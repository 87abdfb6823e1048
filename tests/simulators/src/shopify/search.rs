//! The search syntax of the `query` argument, as far as the simulated lists use it: `field:value` with a comparator, terms
//! joined by blanks or AND, alternatives by OR, a minus or NOT before a term. A field the list does not know is ignored
//! with a warning, as the channel does.

use crate::clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Clone, Debug)]
pub(crate) struct Term {
    field: String,
    comparator: Comparator,
    value: String,
    negated: bool,
}

/// Alternatives of terms that must all hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search(Vec<Vec<Term>>);

/// What one row offers to compare with.
pub(crate) enum Facet {
    Text(String),
    Number(i64),
    /// Unix milliseconds, compared to the second.
    Instant(i64),
    /// Any of these texts matches.
    Several(Vec<String>),
}

impl Search {
    pub(crate) fn parse(query: &str) -> Self {
        let mut alternatives = vec![Vec::new()];
        let mut negated = false;
        for token in tokens(query) {
            match token.as_str() {
                "AND" => {}
                "OR" => alternatives.push(Vec::new()),
                "NOT" => negated = true,
                term => {
                    if let Some(current) = alternatives.last_mut() {
                        current.push(parse_term(term, negated));
                    }
                    negated = false;
                }
            }
        }
        Self(alternatives)
    }

    /// True when the row matches. `facet` answers nothing for a field the list does not know.
    pub(crate) fn matches(&self, facet: impl Fn(&str) -> Option<Facet>) -> bool {
        let holds = |term: &Term| match facet(&term.field) {
            Some(facet) => term.holds(&facet) != term.negated,
            None => true,
        };
        self.0.iter().any(|terms| terms.iter().all(holds))
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|term| term.field.as_str())
    }
}

/// Splits on blanks outside quotes; brackets are dropped.
fn tokens(query: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut quote = None;
    for letter in query.chars() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), closing) if open == closing => quote = None,
            (None, blank) if blank.is_whitespace() => tokens.push(String::new()),
            (None, '(' | ')') => {}
            (_, other) => {
                if let Some(token) = tokens.last_mut() {
                    token.push(other);
                }
            }
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn parse_term(term: &str, negated: bool) -> Term {
    let (negated, term) = match term.strip_prefix('-') {
        Some(rest) => (!negated, rest),
        None => (negated, term),
    };
    let Some((field, value)) = term.split_once(':') else {
        return Term { field: "default".into(), comparator: Comparator::Equal, value: term.into(), negated };
    };
    let comparators =
        [(">=", Comparator::GreaterOrEqual), ("<=", Comparator::LessOrEqual), (">", Comparator::Greater), ("<", Comparator::Less)];
    let found = comparators.into_iter().find_map(|(sign, comparator)| Some((value.strip_prefix(sign)?, comparator)));
    let (value, comparator) = found.unwrap_or((value, Comparator::Equal));
    Term { field: field.to_lowercase(), comparator, value: value.to_owned(), negated }
}

impl Term {
    fn compare<T: PartialOrd>(&self, left: &T, right: &T) -> bool {
        match self.comparator {
            Comparator::Equal => left == right,
            Comparator::Greater => left > right,
            Comparator::GreaterOrEqual => left >= right,
            Comparator::Less => left < right,
            Comparator::LessOrEqual => left <= right,
        }
    }

    fn holds(&self, facet: &Facet) -> bool {
        let wanted = self.value.to_lowercase();
        let same = |text: &String| self.value == "*" || self.value.split(',').any(|one| text.eq_ignore_ascii_case(one));
        match facet {
            Facet::Text(text) if self.field == "default" => text.to_lowercase().contains(&wanted),
            Facet::Text(text) => match wanted.strip_suffix('*') {
                Some(prefix) => text.to_lowercase().starts_with(prefix),
                None => same(text),
            },
            Facet::Several(texts) => texts.iter().any(same),
            Facet::Number(number) => {
                let value = self.value.rsplit('/').next().unwrap_or_default();
                value.parse().is_ok_and(|value: i64| self.compare(number, &value))
            }
            Facet::Instant(at) => {
                clock::parse(&self.value, 0).is_some_and(|value| self.compare(&at.div_euclid(1000), &value.div_euclid(1000)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str) -> bool {
        Search::parse(query).matches(|field| match field {
            "updated_at" => Some(Facet::Instant(1_795_169_100_500)),
            "sku" => Some(Facet::Text("TEE-S".into())),
            "id" => Some(Facet::Number(42)),
            _ => None,
        })
    }

    #[test]
    fn terms_comparators_quotes_and_alternatives_are_read_as_documented() {
        assert!(finds("updated_at:>='2026-11-20T10:05:00Z'"));
        assert!(finds("updated_at:>=2026-11-20T10:05:00Z AND sku:tee-s"));
        assert!(!finds("updated_at:>'2026-11-20T10:05:00Z'"));
        assert!(finds("sku:NOPE OR id:>=42"));
        assert!(!finds("-sku:TEE-S"));
        assert!(!finds("NOT sku:TEE*"));
        assert!(finds("unknown:1 sku:TEE*"));
    }
}
