//! Query parameters as WordPress reads them, and the paging every list shares.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde_json::Value;

use crate::clock;
use crate::faults::Fault;
use crate::server::{Played, json, set_header};
use crate::woo::routes::{ApiError, only_fields};
use crate::woo::shop::Inner;

pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The last value wins, as in PHP.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `a=1,2`, `a[]=1&a[]=2` and `a[0]=1&a[1]=2` are the same list.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let named = |known: &str| known == name || known.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        let values = self.0.iter().filter(|(known, _)| named(known)).flat_map(|(_, value)| value.split(','));
        values.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
    }

    pub(crate) fn ids(&self, name: &str) -> Result<Vec<i64>, ApiError> {
        let parsed = self.list(name).iter().map(|id| id.parse()).collect::<Result<Vec<i64>, _>>();
        parsed.map_err(|_| ApiError::invalid_param(name, &format!("{name}[0] is not of type integer.")))
    }

    pub(crate) fn truthy(&self, name: &str) -> bool {
        matches!(self.text(name), Some("true" | "1"))
    }

    pub(crate) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, ApiError> {
        match self.text(name) {
            Some(value) if !allowed.contains(&value) => {
                Err(ApiError::invalid_param(name, &format!("{name} is not one of {}.", allowed.join(", "))))
            }
            other => Ok(other),
        }
    }

    fn number(&self, name: &str, default: usize, least: usize, most: usize) -> Result<usize, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let number: usize = text.parse().map_err(|_| ApiError::invalid_param(name, &format!("{name} is not of type integer.")))?;
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        let why = if most == usize::MAX {
            format!("{name} must be greater than or equal to {least}")
        } else {
            format!("{name} must be between {least} (inclusive) and {most} (inclusive)")
        };
        Err(ApiError::invalid_param(name, &why))
    }

    /// A date limit in Unix milliseconds: local to the site unless it carries an offset or `dates_are_gmt` is set.
    pub(crate) fn instant(&self, inner: &Inner, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let offset = if self.truthy("dates_are_gmt") { 0 } else { inner.config.zone_offset_minutes };
        match clock::parse(text, offset) {
            Some(instant) => Ok(Some(instant)),
            None => Err(ApiError::invalid_param(name, "Invalid date.")),
        }
    }

    /// True when an instant lies inside the four date limits; the shop compares whole seconds, limits excluded.
    pub(crate) fn window(&self, inner: &Inner) -> Result<impl Fn(i64, i64) -> bool, ApiError> {
        let after = self.instant(inner, "after")?;
        let before = self.instant(inner, "before")?;
        let modified_after = self.instant(inner, "modified_after")?;
        let modified_before = self.instant(inner, "modified_before")?;
        let later = |at: i64, limit: Option<i64>| limit.is_none_or(|limit| at.div_euclid(1000) > limit.div_euclid(1000));
        let earlier = |at: i64, limit: Option<i64>| limit.is_none_or(|limit| at.div_euclid(1000) < limit.div_euclid(1000));
        Ok(move |created: i64, modified: i64| {
            later(created, after) && earlier(created, before) && later(modified, modified_after) && earlier(modified, modified_before)
        })
    }

    /// Sorts `rows` by what `orderby` picks (ties by id, same direction); newest first unless asked otherwise.
    pub(crate) fn sort<T>(&self, rows: &mut [T], include: &[i64], key: impl Fn(&T) -> (i64, i64, i64, String)) -> Result<(), ApiError> {
        let by = self.one_of("orderby", &["date", "modified", "id", "include", "title", "slug", "price"])?;
        let by = by.unwrap_or("date");
        let ascending = self.one_of("order", &["asc", "desc"])? == Some("asc");
        if by == "include" {
            rows.sort_by_key(|row| include.iter().position(|id| *id == key(row).0));
            return Ok(());
        }
        rows.sort_by(|left, right| {
            let (left, right) = (key(left), key(right));
            let order = match by {
                "date" => left.1.div_euclid(1000).cmp(&right.1.div_euclid(1000)),
                "modified" => left.2.div_euclid(1000).cmp(&right.2.div_euclid(1000)),
                "title" | "slug" => left.3.cmp(&right.3),
                _ => std::cmp::Ordering::Equal,
            };
            let order = order.then(left.0.cmp(&right.0));
            if ascending { order } else { order.reverse() }
        });
        Ok(())
    }

    /// One page of `rows` with its headers; only what is shown is rendered.
    pub(crate) fn page<T>(
        &self,
        inner: &Inner,
        path: &str,
        rows: &[T],
        played: Played,
        render: impl Fn(&T) -> Value,
    ) -> Result<Response<Body>, ApiError> {
        let per_page = self.number("per_page", 10, 1, 100)?;
        let asked = self.number("page", 1, 1, usize::MAX)?;
        let offset = self.number("offset", (asked - 1).saturating_mul(per_page), 0, usize::MAX)?;
        let offset = if played.0 == Some(Fault::RepeatPage) { offset.saturating_sub(per_page) } else { offset };
        let shown = rows.iter().skip(offset).take(per_page).map(|row| only_fields(render(row), self)).collect();
        let pages = rows.len().div_ceil(per_page);
        let mut response = json(StatusCode::OK, &Value::Array(shown));
        set_header(response.headers_mut(), "x-wp-total", &rows.len().to_string());
        set_header(response.headers_mut(), "x-wp-totalpages", &pages.to_string());
        let links = self.links(inner, path, asked, pages);
        if !links.is_empty() {
            set_header(response.headers_mut(), "link", &links);
        }
        Ok(response)
    }

    fn links(&self, inner: &Inner, path: &str, page: usize, pages: usize) -> String {
        let link = |page: usize, rel: &str| {
            let mut query = String::new();
            for (name, value) in self.0.iter().filter(|(name, _)| name != "page" && !name.starts_with("consumer_")) {
                query.push_str(&format!("{}={}&", encode(name), encode(value)));
            }
            format!("<{}/wp-json/wc/v3/{path}?{query}page={page}>; rel=\"{rel}\"", inner.face.origin)
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(link((page - 1).min(pages.max(1)), "prev"));
        }
        if page < pages {
            links.push(link(page + 1, "next"));
        }
        links.join(", ")
    }
}

fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
