//! The figures of the product, each a ratio against a baseline program measured in the same run.
//!
//! A function measures what belongs together and adds its figures to the report. Rounds of hub and baseline take turns, and the
//! median of their ratios counts: what disturbs the machine for a moment disturbs one round.

pub mod channels;
pub mod cluster;
pub mod door;
pub mod fairness;
pub mod orders;
pub mod process;
pub mod sandbox;
pub mod sweep;

use crate::report::Report;

/// Which figures are wanted: all, or those named.
pub struct Asked(Vec<String>);

/// Everything `measure` knows, in order.
pub const KNOWN: &[&str] =
    &["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "T12", "T13", "T14", "T15", "T16", "T17", "T18"];

impl Asked {
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    pub fn wants(&self, id: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name.eq_ignore_ascii_case(id))
    }

    pub fn any(&self, ids: &[&str]) -> bool {
        ids.iter().any(|id| self.wants(id))
    }

    /// Names that mean nothing here.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|name| !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }
}

pub async fn measure(asked: &Asked, report: &mut Report) {
    if asked.any(&["T1", "T2", "T3", "T16"]) {
        door::measure(asked, report).await;
    }
    if asked.any(&["T4", "T11", "T14"]) {
        orders::measure(asked, report).await;
    }
    if asked.wants("T5") {
        channels::measure(asked, report).await;
    }
    if asked.wants("T12") {
        sweep::measure(report).await;
    }
    if asked.any(&["T13", "T17"]) {
        cluster::measure(asked, report).await;
    }
    if asked.wants("T15") {
        fairness::measure(report).await;
    }
    if asked.any(&["T6", "T7", "T8"]) {
        sandbox::measure(asked, report).await;
    }
    if asked.any(&["T9", "T10", "T18"]) {
        process::measure(asked, report).await;
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

#[test]
fn the_median_of_an_even_number_lies_between() {
    assert_eq!((median(vec![3.0, 1.0, 2.0]), median(vec![4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
}
