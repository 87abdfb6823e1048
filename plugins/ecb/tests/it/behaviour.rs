//! Which files are asked for, and what becomes of files that are not what they should be.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;

use entrepot_documents::instant;
use entrepot_ecb::calls::{self, Hub};
use entrepot_ecb::settings::{History, Settings};
use entrepot_ecb::translate::{self, archive};
use entrepot_sdk::http::{BodyForm, Payload, RawResponse, Request, Response};
use entrepot_sdk::rates_in::{RateKind, RatePage};
use entrepot_sdk::types::{Failure, Fault};

/// A bank that has published these days.
#[derive(Default)]
struct Bank {
    days: BTreeMap<i64, Vec<(&'static str, String)>>,
    asked: RefCell<Vec<String>>,
    warned: RefCell<Vec<String>>,
}

impl Bank {
    /// One table per working day from `first` to `last`.
    fn open(first: &str, last: &str) -> Self {
        let mut bank = Self::default();
        bank.publish(first, last);
        bank
    }

    fn publish(&mut self, first: &str, last: &str) {
        let (first, last) = (instant::parse_day(first).unwrap(), instant::parse_day(last).unwrap());
        // The first of January 1970 was a Thursday.
        for day in (first..=last).filter(|day| (day + 3) % 7 < 5) {
            self.days.insert(day, vec![("USD", format!("1.{:04}", day % 10_000)), ("JPY", format!("{}.5", day % 200 + 1))]);
        }
    }

    fn xml(&self, from: i64) -> String {
        let mut text = "<?xml version=\"1.0\"?><gesmes:Envelope><gesmes:subject>Reference rates</gesmes:subject><Cube>".to_owned();
        for (day, values) in self.days.range(from..).rev() {
            text += &format!("<Cube time='{}'>", instant::format_day(*day));
            values.iter().for_each(|(currency, rate)| text += &format!("<Cube currency='{currency}' rate='{rate}'/>"));
            text += "</Cube>";
        }
        text + "</Cube></gesmes:Envelope>"
    }

    fn csv(&self) -> String {
        let mut text = "Date,USD,JPY,\n".to_owned();
        for (day, values) in self.days.iter().rev() {
            let cell = |code: &str| values.iter().find(|(known, _)| *known == code).map_or("N/A", |(_, rate)| rate.as_str());
            text += &format!("{},{},{},\n", instant::format_day(*day), cell("USD"), cell("JPY"));
        }
        text
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.borrow_mut())
    }
}

impl Hub for Bank {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let raw = request.raw();
        let name = raw.url.rsplit('/').next().unwrap().to_owned();
        self.asked.borrow_mut().push(name.clone());
        let newest = *self.days.keys().next_back().unwrap();
        match name.as_str() {
            "eurofxref-daily.xml" => Ok(Response::new(200, &[], self.xml(newest))),
            "eurofxref-hist-90d.xml" => Ok(Response::new(200, &[], self.xml(newest - 90))),
            "eurofxref-hist.zip" => {
                assert_eq!(raw.want, BodyForm::Bytes);
                Ok(binary(packed(&self.csv())))
            }
            _ => Ok(Response::new(404, &[], "no such file")),
        }
    }

    fn warn(&self, message: &str) {
        self.warned.borrow_mut().push(message.to_owned());
    }
}

fn binary(bytes: Vec<u8>) -> Response {
    Response::from(RawResponse { status: 200, headers: Vec::new(), body: Payload::Bytes(bytes) })
}

/// A ZIP archive with one deflated file.
fn packed(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    zip(8, &encoder.finish().unwrap(), text.len())
}

fn zip(method: u16, packed: &[u8], size: usize) -> Vec<u8> {
    let name = b"eurofxref-hist.csv";
    let (short, long) = (|n: usize| (n as u16).to_le_bytes(), |n: usize| (n as u32).to_le_bytes());
    let mut archive = b"PK\x03\x04\x14\0\0\0".to_vec();
    archive.extend(method.to_le_bytes());
    // Time, date, checksum (not looked at), sizes, lengths of the name and of an extra field.
    archive.extend([0; 8]);
    archive.extend([long(packed.len()), long(size)].concat());
    archive.extend([short(name.len()), short(4)].concat());
    archive.extend([name.as_slice(), b"\xFE\xCA\0\0", packed].concat());
    let directory = archive.len();
    archive.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
    archive.extend(method.to_le_bytes());
    archive.extend([0; 8]);
    archive.extend([long(packed.len()), long(size)].concat());
    archive.extend([short(name.len()), short(0), short(0), short(0), short(0)].concat());
    archive.extend([0; 8]);
    archive.extend(name);
    let length = archive.len() - directory;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend([long(length), long(directory)].concat());
    archive.extend(short(0));
    archive
}

fn settings(history: History) -> Settings {
    Settings { origin: "https://bank.example".into(), history }
}

fn days(page: &RatePage) -> Vec<&str> {
    page.publications.iter().map(|publication| publication.published_on.as_str()).collect()
}

/// Pulls until nothing more comes; what came, and the last cursor.
fn pull_all(bank: &Bank, history: History, mut cursor: Option<String>, limit: u32) -> (Vec<String>, String) {
    let mut seen = Vec::new();
    for _ in 0..1_000 {
        let page = calls::pull(bank, &settings(history), cursor.as_deref(), limit).unwrap();
        seen.extend(days(&page).into_iter().map(str::to_owned));
        if !page.more {
            return (seen, page.cursor);
        }
        cursor = Some(page.cursor);
    }
    panic!("it never ended");
}

#[test]
fn history_comes_in_pages_and_ends_with_the_newest_table() {
    let bank = Bank::open("2026-01-05", "2026-10-30");
    let (mut seen, cursor) = pull_all(&bank, History::All, None, 100);
    assert_eq!(cursor, "2026-10-30");
    assert_eq!(seen.last().map(String::as_str), Some("2026-10-30"));
    let asked = bank.asked();
    assert_eq!(asked.iter().filter(|name| *name == "eurofxref-hist.zip").count(), 5, "50 days a page: {asked:?}");
    assert_eq!(asked.last().map(String::as_str), Some("eurofxref-daily.xml"));
    seen.pop();
    let all: Vec<String> = bank.days.keys().map(|day| instant::format_day(*day)).collect();
    assert_eq!(seen, all, "every day once, oldest first");
}

#[test]
fn the_next_day_needs_the_newest_table_only_and_a_pause_the_last_90_days() {
    let mut bank = Bank::open("2026-01-05", "2026-10-28");
    let (_, cursor) = pull_all(&bank, History::None, None, 1_000);
    assert_eq!((cursor.as_str(), bank.asked()), ("2026-10-28", vec!["eurofxref-daily.xml".to_owned()]));
    bank.publish("2026-10-29", "2026-10-29");
    let (seen, cursor) = pull_all(&bank, History::None, Some(cursor), 1_000);
    assert_eq!((seen, bank.asked().len()), (vec!["2026-10-29".to_owned()], 1));
    // Nothing new: the same table again, which changes nothing.
    let (seen, cursor) = pull_all(&bank, History::None, Some(cursor), 1_000);
    assert_eq!((seen, bank.asked().len()), (vec!["2026-10-29".to_owned()], 1));
    bank.publish("2026-10-30", "2026-11-02");
    let (seen, cursor) = pull_all(&bank, History::None, Some(cursor), 1_000);
    assert_eq!(bank.asked(), ["eurofxref-daily.xml", "eurofxref-hist-90d.xml"]);
    assert!(seen.contains(&"2026-10-30".to_owned()) && seen.contains(&"2026-11-02".to_owned()) && seen.len() > 60);
    assert_eq!(cursor, "2026-11-02");
    bank.publish("2026-11-03", "2027-03-31");
    let (seen, cursor) = pull_all(&bank, History::None, Some(cursor), 1_000);
    assert_eq!(bank.asked()[..3], ["eurofxref-daily.xml", "eurofxref-hist-90d.xml", "eurofxref-hist.zip"]);
    assert_eq!((seen[0].as_str(), cursor.as_str()), ("2026-11-03", "2027-03-31"));
    assert_eq!(bank.warned.borrow().len(), 1);
}

#[test]
fn ninety_days_to_begin_with_are_one_page() {
    let bank = Bank::open("2026-01-05", "2026-10-30");
    let page = calls::pull(&bank, &settings(History::NinetyDays), None, 1_000).unwrap();
    assert!(!page.more && days(&page).len() > 60 && days(&page)[0] > "2026-07-01");
    assert!(page.publications.iter().all(|publication| publication.kind == RateKind::Mid && publication.base == "EUR"));
    assert_eq!(calls::check(&bank, &settings(History::All)).unwrap().currency.as_deref(), Some("EUR"));
}

#[test]
fn an_older_table_than_the_one_we_have_does_not_take_the_cursor_back() {
    let bank = Bank::open("2026-10-26", "2026-10-28");
    let page = calls::pull(&bank, &settings(History::All), Some("2026-10-30"), 1_000).unwrap();
    assert_eq!((page.cursor.as_str(), days(&page)), ("2026-10-30", vec!["2026-10-28"]));
    assert!(calls::pull(&bank, &settings(History::All), Some("yesterday"), 1_000).is_err());
}

#[test]
fn what_is_no_rate_is_refused_alone() {
    let table = "<Cube><Cube time='2026-10-30'><Cube currency='USD' rate='1.1172'/><Cube currency='GBP' rate='0'/>\
                 <Cube currency='JPY' rate='a lot'/><Cube currency='RUB' rate='N/A'/><Cube currency='x' rate='1'/></Cube></Cube>";
    let read = translate::from_xml(table).unwrap();
    assert_eq!(read.days[0].values, [("USD".to_owned(), "1.1172".to_owned())]);
    let keys: Vec<&str> = read.refused.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["2026-10-30 GBP", "2026-10-30 JPY", "2026-10-30 x"]);
}

#[test]
fn another_file_in_its_place_is_the_banks_fault() {
    for text in [
        "",
        "<html><body>Maintenance</body></html>",
        "<Cube time='soon'>",
        "<Cube currency='USD' rate='1'/>",
        "<Cube time='2026-10-30'",
        "{}",
    ] {
        assert_eq!(translate::from_xml(text).unwrap_err().fault, Fault::Remote, "{text}");
    }
    for text in ["", "<html>", "Date,USD\nsoon,1.1\n", "Date,USD,\n2026-10-30,1.1,2.2,3.3\n", "Date,USD,\n2026-10-30,N/A,\n"] {
        assert_eq!(translate::from_csv(text).unwrap_err().fault, Fault::Remote, "{text}");
    }
}

#[test]
fn an_archive_is_read_by_its_directory_and_a_damaged_one_is_refused() {
    let csv = "Date,USD,\n2026-10-30,1.1172,\n".repeat(50);
    assert_eq!(archive::text(&packed(&csv)).unwrap(), csv);
    assert_eq!(archive::text(&zip(0, csv.as_bytes(), csv.len())).unwrap(), csv);
    let good = packed(&csv);
    // The last two bytes say how long a comment is.
    for length in 0..good.len() - 2 {
        assert!(archive::text(&good[..length]).is_err(), "cut at {length}");
    }
    assert!(archive::text(&zip(12, b"x", 1)).unwrap_err().message.contains("method 12"));
    assert!(archive::text(&zip(8, b"\xFF\xFF\xFF", 3)).is_err());
    let bomb = packed(&"0".repeat(17 << 20));
    assert!(archive::text(&bomb).unwrap_err().message.contains("16 MiB"));
}
