//! A place in a list that grows while it is read: rows sorted by an instant, oldest first.
//!
//! Pages by number would skip a row whenever another one moves to the end of the list. So a page begins at the instant of the
//! last row seen, which is then seen twice. Only where a whole page has one instant are rows of it skipped by number.

use serde_json::{Value, json};

use crate::moment;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Rows at or after this instant, milliseconds since 1970.
    pub from_ms: i64,
    /// Rows of exactly that instant that were seen.
    pub skip: usize,
}

impl Place {
    pub fn start(from_ms: i64) -> Self {
        Self { from_ms, skip: 0 }
    }

    /// `ListOptions` of the page that begins here.
    pub fn options(&self, column: &str, take: usize) -> Value {
        let mut filter = json!({});
        // The shop keeps parts of milliseconds and shows none, and "after" is strict.
        filter[column] = json!({ "after": moment::format(self.from_ms.saturating_sub(1)) });
        json!({ "take": take, "skip": self.skip, "sort": { column: "ASC" }, "filter": filter })
    }

    /// Where the next page begins after one of `rows` rows that ends with the instant `last_ms`; `None` after the last page.
    pub fn next(&self, rows: usize, take: usize, last_ms: Option<i64>) -> Option<Self> {
        match last_ms.filter(|_| rows >= take) {
            Some(last) if last > self.from_ms => Some(Self::start(last)),
            Some(_) => Some(Self { from_ms: self.from_ms, skip: self.skip + rows }),
            None => None,
        }
    }

    pub fn json(&self) -> Value {
        json!({ "from": moment::format(self.from_ms), "skip": self.skip })
    }

    pub fn parse(value: &Value) -> Option<Self> {
        let skip = usize::try_from(value.get("skip")?.as_u64()?).ok()?;
        Some(Self { from_ms: moment::parse(value.get("from")?.as_str()?)?, skip })
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_page_begins_with_the_last_row_of_the_one_before() {
        let start = Place::start(1_000);
        assert_eq!(start.next(3, 3, Some(1_500)), Some(Place::start(1_500)));
        assert_eq!(start.next(2, 3, Some(1_500)), None, "the list has ended");
        assert_eq!(start.next(0, 3, None), None);
    }

    #[test]
    fn a_page_of_one_instant_does_not_come_again_for_ever() {
        let tied = Place::start(1_000).next(3, 3, Some(1_000)).unwrap_or(Place::start(0));
        assert_eq!(tied, Place { from_ms: 1_000, skip: 3 });
        assert_eq!(tied.next(3, 3, Some(2_000)), Some(Place::start(2_000)));
    }

    #[test]
    fn rows_of_the_very_millisecond_are_asked_for_although_after_is_strict() {
        let options = Place::start(1_500).options("updatedAt", 20);
        assert_eq!(options["filter"]["updatedAt"]["after"], "1970-01-01T00:00:01.499Z");
        // A second column would come first: the shop sorts in the order of its schema, where the id stands before the instants.
        assert_eq!(options["sort"].to_string(), r#"{"updatedAt":"ASC"}"#);
    }
}
