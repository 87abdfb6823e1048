//! Real files of the bank. They are not part of the repository; without them a test says so and passes.

use std::io::Read;
use std::path::PathBuf;

use entrepot_documents::instant;
use entrepot_ecb::translate::{self, Days};

pub fn file(name: &str) -> Option<Vec<u8>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let path = std::env::var_os("ENTREPOT_SPECS").map_or(beside, PathBuf::from).join("rates/ecb").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            println!("skipped: {} is not there; set ENTREPOT_SPECS", path.display());
            None
        }
    }
}

fn xml(name: &str) -> Option<Days> {
    Some(translate::from_xml(std::str::from_utf8(&file(name)?).unwrap()).unwrap())
}

fn history() -> Option<Days> {
    let packed = file("eurofxref-hist.csv.gz")?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    Some(translate::from_csv(&text).unwrap())
}

#[test]
fn a_daily_table_keeps_every_digit() {
    let Some(table) = xml("eurofxref-daily-2018-06-11.xml") else { return };
    assert_eq!(table.days.len(), 1);
    assert_eq!(instant::format_day(table.days[0].day), "2018-06-11");
    let values = &table.days[0].values;
    assert_eq!(values.len(), 32);
    for (currency, value) in [("USD", "1.1790"), ("IDR", "16477.11"), ("RUB", "73.7903"), ("ZAR", "15.4991")] {
        assert!(values.contains(&(currency.to_owned(), value.to_owned())), "{currency}");
    }
    assert!(table.refused.is_empty());
}

#[test]
fn ninety_days_are_read_oldest_first() {
    let Some(table) = xml("eurofxref-hist-90d.xml") else { return };
    assert!(table.days.len() > 55, "{}", table.days.len());
    assert!(table.days.is_sorted_by_key(|day| day.day));
    assert!(table.refused.is_empty());
}

#[test]
fn the_whole_history_is_read_with_its_holes_and_agrees_with_the_other_files() {
    let Some(all) = history() else { return };
    assert_eq!(all.first().map(instant::format_day).as_deref(), Some("1999-01-04"));
    assert!(all.days.is_sorted_by_key(|day| day.day) && all.refused.is_empty());
    let values: usize = all.days.iter().map(|day| day.values.len()).sum();
    assert!(values > 200_000, "{values}");
    let on = |day: i64| all.days.binary_search_by_key(&day, |known| known.day).map(|at| &all.days[at]);
    // No rouble after the first of March 2022, and no zero in its place.
    for (day, there) in [("2022-03-01", true), ("2022-03-02", false)] {
        let day = on(instant::parse_day(day).unwrap()).unwrap();
        assert_eq!(day.values.iter().any(|(currency, _)| currency == "RUB"), there);
    }
    let number = |text: &str| entrepot_documents::decimal::parse(text).unwrap();
    let mut compared = 0;
    for table in ["eurofxref-daily-2018-06-11.xml", "eurofxref-hist-90d.xml"].into_iter().filter_map(xml) {
        for day in &table.days {
            for (currency, value) in &day.values {
                let known = on(day.day).unwrap().values.iter().find(|(known, _)| known == currency).unwrap();
                assert_eq!(number(&known.1), number(value), "{} {currency}", instant::format_day(day.day));
                compared += 1;
            }
        }
    }
    assert!(compared > 1_800, "{compared}");
}
