//! Lists by pages. A page ends with an opaque cursor; the next page begins behind it, by key and never by offset, so that
//! rows added or removed meanwhile shift nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub const DEFAULT_LIMIT: u32 = 50;
pub const MAX_LIMIT: u32 = 500;

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page from up to `limit + 1` rows: the surplus row only shows that there is more.
    pub fn cut(mut items: Vec<T>, limit: u32, key: impl FnOnce(&T) -> Cursor) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| key(last).encode());
        Self { items, next_cursor }
    }

    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

/// Which page is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    #[serde(default)]
    pub cursor: Option<String>,
    #[serde(default)]
    pub limit: Option<u32>,
}

impl PageRequest {
    pub fn first(limit: u32) -> Self {
        Self { cursor: None, limit: Some(limit) }
    }

    /// From 1 to [`MAX_LIMIT`].
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    }

    /// The key behind which the page begins. `list` and the number of keys must be those of the list that made the cursor.
    pub fn after(&self, list: &'static str, keys: usize) -> Result<Option<Vec<String>>, BadCursor> {
        self.cursor.as_deref().map(|text| Cursor::decode(text, list, keys)).transpose()
    }
}

/// The sort key of a page's last row.
pub struct Cursor {
    pub list: &'static str,
    pub keys: Vec<String>,
}

impl Cursor {
    pub fn new(list: &'static str, keys: &[&str]) -> Self {
        Self { list, keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    pub fn encode(&self) -> String {
        let parts: Vec<&str> = std::iter::once(self.list).chain(self.keys.iter().map(String::as_str)).collect();
        URL_SAFE_NO_PAD.encode(serde_json::json!(parts).to_string())
    }

    fn decode(text: &str, list: &'static str, keys: usize) -> Result<Vec<String>, BadCursor> {
        let bad = || BadCursor { cursor: text.chars().take(80).collect() };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let parts: Vec<String> = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        match parts.split_first() {
            Some((name, rest)) if name == list && rest.len() == keys => Ok(rest.to_vec()),
            _ => Err(bad()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{cursor}` is not a cursor of this list; hint: use `next_cursor` of the page before unchanged, or leave it out to begin")]
pub struct BadCursor {
    pub cursor: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_page_has_no_cursor_and_the_others_continue_behind_their_last_row() {
        let page = Page::cut(vec!["a", "b", "c"], 2, |last| Cursor::new("letters", &[last]));
        assert_eq!(page.items, ["a", "b"]);
        let next = PageRequest { cursor: page.next_cursor, limit: Some(2) };
        assert_eq!(next.after("letters", 1).unwrap().unwrap(), ["b"]);
        assert_eq!(Page::cut(vec!["c"], 2, |last| Cursor::new("letters", &[last])).next_cursor, None);
    }

    #[test]
    fn a_cursor_of_another_list_or_no_cursor_at_all_is_refused() {
        let other = PageRequest { cursor: Some(Cursor::new("orders", &["x"]).encode()), limit: None };
        assert!(other.after("letters", 1).is_err());
        assert!(other.after("orders", 2).is_err());
        let garbage = PageRequest { cursor: Some("%%%".into()), limit: None };
        assert!(garbage.after("letters", 1).unwrap_err().to_string().contains("%%%"));
    }

    #[test]
    fn a_limit_stays_in_its_range() {
        assert_eq!(PageRequest::first(0).limit(), 1);
        assert_eq!(PageRequest::first(1_000_000).limit(), MAX_LIMIT);
        assert_eq!(PageRequest::default().limit(), DEFAULT_LIMIT);
    }
}
