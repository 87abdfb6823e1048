//! Listings of a large shop by its own export: a bulk operation makes a file of JSON lines, which is read in parts.
//!
//! The cursor holds which operation and how far its file was read. Its address is signed and opens the file to anybody, so it
//! is not kept: it is asked for with each part. An export that cannot be had or read is ordered once more, and then the shop is
//! read page by page; nothing is tried for ever.

use entrepot_sdk::http::Payload;
use serde_json::{Value, json};

use super::{Shop, listings, text};
use crate::answer;
use crate::contract::{Failure, Fault, ListingPage, Response};
use crate::instant;
use crate::requests;
use crate::translate::{self, Cut};

/// Exports ordered for one sweep.
const RUNS: u64 = 2;
/// How often a shop that is busy with other exports is asked again, and after how long.
const BUSY_TRIES: u64 = 20;
const BUSY_PAUSE_MS: u32 = 30_000;
/// How often an export under way is looked at: about a day.
const LOOKS: u64 = 1_500;
/// At first after so long, later less and less often.
const LOOK_PAUSE_MS: u32 = 5_000;
const LOOKS_PER_STEP: u64 = 6;
const LONGEST_PAUSE_MS: u32 = 60_000;
/// Bytes of one part: some hundred variants. One with very many locations may need more.
const PART: u64 = 256 * 1024;
const LARGEST_PART: u64 = 4 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Export {
    /// `None`: not ordered yet.
    id: Option<String>,
    currency: String,
    /// Variants the shop said it has.
    count: u64,
    /// When it was ordered, by the hub's clock: its file may show what was so then. Seconds since 1970.
    ordered_at: i64,
    /// How often this state was looked at.
    looks: u64,
    /// Exports ordered so far.
    runs: u64,
    /// Bytes of the file behind us.
    offset: u64,
    /// Listings given so far, and those of them that came before this export.
    read: u64,
    before: u64,
}

impl Export {
    pub(super) fn new(currency: String, count: u64) -> Self {
        Self { id: None, currency, count, ordered_at: 0, looks: 0, runs: 0, offset: 0, read: 0, before: 0 }
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        Some(Self {
            id: text(value, &["id"]).map(str::to_owned),
            currency: text(value, &["currency"])?.to_owned(),
            count: number("count")?,
            ordered_at: text(value, &["ordered"]).and_then(instant::parse)?,
            looks: number("looks")?,
            runs: number("runs")?,
            offset: number("offset")?,
            read: number("read")?,
            before: number("before")?,
        })
    }

    fn cursor(&self) -> String {
        let export = json!({
            "id": self.id, "currency": self.currency, "count": self.count, "looks": self.looks, "runs": self.runs,
            "ordered": instant::format(self.ordered_at), "offset": self.offset, "read": self.read, "before": self.before,
        });
        json!({ "v": 1, "export": export }).to_string()
    }

    /// Nothing yet; come back.
    fn wait(self, pause_ms: u32) -> ListingPage {
        let total = Some(self.before.saturating_add(self.count));
        let next = Self { looks: self.looks + 1, ..self };
        ListingPage { listings: Vec::new(), cursor: next.cursor(), more: true, total, again_after_ms: Some(pause_ms), as_of: None }
    }
}

fn pause_ms(looks: u64) -> u32 {
    let steps = u32::try_from(looks / LOOKS_PER_STEP).unwrap_or(u32::MAX);
    LOOK_PAUSE_MS.saturating_mul(steps.saturating_add(1)).min(LONGEST_PAUSE_MS)
}

pub(super) fn go_on(shop: &Shop<'_>, export: Export, limit: u32) -> Result<ListingPage, Failure> {
    let Some(id) = &export.id else { return order(shop, export, limit) };
    let answer = shop.ask(&requests::export_state(id))?;
    let operation = answer.data.get("bulkOperation").cloned().unwrap_or(Value::Null);
    match text(&operation, &["status"]) {
        Some("CREATED" | "RUNNING" | "CANCELING") if export.looks < LOOKS => {
            let pause = pause_ms(export.looks);
            Ok(export.wait(pause))
        }
        Some("CREATED" | "RUNNING" | "CANCELING") => by_pages(shop, &export, limit, "it is not ready after a day"),
        Some("COMPLETED") => match text(&operation, &["url"]) {
            Some(url) => part(shop, export, url, &operation, limit),
            // Nothing was found to be exported.
            None => Ok(ListingPage {
                listings: Vec::new(),
                cursor: export.cursor(),
                more: false,
                total: Some(export.read),
                again_after_ms: None,
                as_of: None,
            }),
        },
        Some("FAILED") if text(&operation, &["errorCode"]) == Some("ACCESS_DENIED") => {
            by_pages(shop, &export, limit, "the shop denies the app something that it contains")
        }
        status => {
            let code = text(&operation, &["errorCode"]).map(|code| format!(": {code}")).unwrap_or_default();
            let why = format!("it ended as {}{code}", status.unwrap_or("unknown"));
            once_more(shop, export, limit, &why)
        }
    }
}

/// Orders an export. While the shop is busy with others there is nothing to do but wait.
pub(super) fn order(shop: &Shop<'_>, export: Export, limit: u32) -> Result<ListingPage, Failure> {
    let ordered_at = shop.hub.now();
    let answer = match shop.ask(&requests::run_export()) {
        Ok(answer) => answer,
        Err(failure) if failure.is_transient() || failure.fault == Fault::Auth => return Err(failure),
        // A dry run, a scope that the app lacks, a version without it: pages need none of that.
        Err(failure) => return by_pages(shop, &export, limit, &failure.message),
    };
    let (payload, errors) = answer::payload(&answer.data, "bulkOperationRunQuery", "userErrors")?;
    if let Some(error) = errors.first() {
        let is_busy = matches!(error.code.as_deref(), Some("LIMIT_REACHED" | "OPERATION_IN_PROGRESS"));
        return match is_busy && export.looks < BUSY_TRIES {
            true => Ok(export.wait(BUSY_PAUSE_MS)),
            false => by_pages(shop, &export, limit, &error.message),
        };
    }
    match text(payload, &["bulkOperation", "id"]) {
        Some(id) => Ok(Export { id: Some(id.to_owned()), ordered_at, looks: 0, runs: export.runs + 1, ..export }.wait(LOOK_PAUSE_MS)),
        None => by_pages(shop, &export, limit, "the shop does not name it"),
    }
}

/// What is whole in the next part of the file.
fn part(shop: &Shop<'_>, export: Export, url: &str, operation: &Value, limit: u32) -> Result<ListingPage, Failure> {
    let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
    let mut length = PART;
    while length <= LARGEST_PART {
        let response = match shop.fetch(requests::export_part(url, export.offset, length)) {
            Ok(response) => response,
            Err(failure) if matches!(failure.fault, Fault::Network | Fault::Throttled) => return Err(failure),
            // Where the file lies is not granted, or what came cannot be used.
            Err(failure) => return by_pages(shop, &export, limit, &failure.message),
        };
        let (bytes, is_last) = match piece(&response, export.offset) {
            Ok(Piece::Bytes { bytes, is_last }) => (bytes, is_last),
            Ok(Piece::Later(failure)) => return Err(failure),
            Err(why) => return once_more(shop, export, limit, &why),
        };
        let cut = match translate::cut(&bytes, is_last, most) {
            Ok(cut) => cut,
            Err(translate::Spoilt(why)) => return by_pages(shop, &export, limit, &why),
        };
        let ended = is_last && cut.taken == bytes.len();
        if cut.taken > 0 || ended {
            return given(shop, export, cut, ended, operation);
        }
        length *= 4;
    }
    by_pages(shop, &export, limit, "one variant is larger than a part of its file may be")
}

fn given(shop: &Shop<'_>, export: Export, cut: Cut, ended: bool, operation: &Value) -> Result<ListingPage, Failure> {
    let taken = u64::try_from(cut.taken).unwrap_or(u64::MAX);
    let listings = listings::translated(shop, &cut.variants, &export.currency)?;
    let given = u64::try_from(listings.len()).unwrap_or(u64::MAX);
    // The shop writes large numbers as text.
    let exported = text(operation, &["rootObjectCount"]).and_then(|text| text.parse().ok()).unwrap_or(export.count);
    let next = Export { offset: export.offset.saturating_add(taken), read: export.read.saturating_add(given), ..export };
    let (total, as_of) = (next.before.saturating_add(exported), instant::format(next.ordered_at));
    Ok(ListingPage { listings, cursor: next.cursor(), more: !ended, total: Some(total), again_after_ms: None, as_of: Some(as_of) })
}

enum Piece {
    Bytes {
        bytes: Vec<u8>,
        /// The file ends with it.
        is_last: bool,
    },
    Later(Failure),
}

/// What the store of the file answered; an error says why the file cannot be had there any more.
fn piece(response: &Response, offset: u64) -> Result<Piece, String> {
    let body = match response.body() {
        Payload::Bytes(bytes) => bytes.as_slice(),
        Payload::Text(text) => text.as_bytes(),
        _ => &[],
    };
    match response.status() {
        206 => {
            let range = response.header("content-range").and_then(content_range).ok_or("its part does not say where it lies")?;
            let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
            match range.0 == offset {
                true => Ok(Piece::Bytes { bytes: body.to_vec(), is_last: offset.saturating_add(length) >= range.1 }),
                false => Err(format!("byte {offset} was asked for and byte {} was given", range.0)),
            }
        }
        // A store that knows no parts gives the whole file.
        200 => {
            let rest = usize::try_from(offset).ok().and_then(|offset| body.get(offset..)).ok_or("its file is shorter than it was")?;
            Ok(Piece::Bytes { bytes: rest.to_vec(), is_last: true })
        }
        status @ (408 | 425 | 429 | 500..) => {
            let failure = Failure::from_status(status, false, format!("The store of the shop's export answered {status}."));
            Ok(Piece::Later(match response.retry_after_ms() {
                Some(ms) => failure.with_retry_after_ms(ms),
                None => failure,
            }))
        }
        status => Err(format!("the store of its file answered {status}")),
    }
}

/// `bytes 0-99/1234` as (first byte, bytes in all).
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (part, all) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((part.split_once('-')?.0.parse().ok()?, all.parse().ok()?))
}

/// A failed, cancelled or expired export is ordered anew; what it brought so far was not in vain, but comes again.
fn once_more(shop: &Shop<'_>, export: Export, limit: u32, why: &str) -> Result<ListingPage, Failure> {
    if export.runs >= RUNS {
        return by_pages(shop, &export, limit, why);
    }
    shop.hub.warn(&format!("The shop's export of its products is ordered once more, because {why}."));
    order(shop, Export { id: None, looks: 0, offset: 0, before: export.read, ..export }, limit)
}

fn by_pages(shop: &Shop<'_>, export: &Export, limit: u32, why: &str) -> Result<ListingPage, Failure> {
    shop.hub.warn(&format!("The shop's export of its products cannot be used, because {why}; they are read page by page."));
    listings::page(shop, None, 0, limit, Some(export.read.saturating_add(export.count)))
}
