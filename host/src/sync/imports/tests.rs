//! The arithmetic of an import, and when there is one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::clock::Clock;
use crate::id::{Entropy, Ids};

const START: i64 = 1_795_176_000_000;
const SECOND: i64 = 1_000;

fn fresh() -> Import {
    Import::begun(&ConnectionId::new(&Ids::new(Clock::manual(START), Entropy::seeded(1))), "listings-in", START)
}

fn page(records: usize, total: Option<u64>) -> Turned {
    Turned { asked_at: START, records, more: true, total, again_after_ms: None }
}

#[test]
fn the_end_is_told_from_the_rate_so_far() {
    let mut import = fresh();
    assert_eq!((import.per_cent(), import.per_minute(), import.ends_at(START)), (None, None, None));
    import.turn(&page(100, Some(1_000)), START + 2 * SECOND);
    assert_eq!((import.per_cent(), import.per_minute()), (Some(10), Some(3_000)));
    assert_eq!(import.ends_at(START + 2 * SECOND), Some(START + 20 * SECOND), "nine times what one tenth took");
    // The total is said once; a slower page moves the end.
    import.turn(&page(100, None), START + 8 * SECOND);
    assert_eq!((import.done, import.total, import.per_cent()), (200, Some(1_000), Some(20)));
    assert_eq!(import.ends_at(START + 8 * SECOND), Some(START + 40 * SECOND));
}

#[test]
fn neither_a_pause_nor_an_export_in_the_making_counts_as_reading() {
    let mut import = fresh();
    let waiting = Turned { again_after_ms: Some(10_000), ..page(0, Some(400)) };
    import.turn(&waiting, START);
    import.turn(&waiting, START + 10 * SECOND);
    assert_eq!((import.again_at, import.spent_ms), (START + 20 * SECOND, 0));
    assert_eq!(import.ends_at(START + 10 * SECOND), None, "nothing was read yet");
    import.turn(&page(100, None), START + 11 * SECOND);
    assert_eq!((import.spent_ms, import.per_minute()), (SECOND, Some(6_000)));
    import.read_at = START + 3_600 * SECOND;
    import.turn(&page(100, None), START + 3_601 * SECOND);
    assert_eq!((import.spent_ms, import.ends_at(START + 3_601 * SECOND)), (2 * SECOND, Some(START + 3_603 * SECOND)));
}

#[test]
fn an_overtaken_estimate_says_nothing_and_never_reaches_the_end_before_it() {
    let mut import = fresh();
    import.turn(&page(120, Some(100)), START + SECOND);
    assert_eq!((import.per_cent(), import.ends_at(START + SECOND)), (Some(99), None));
    import.turn(&Turned { more: false, ..page(3, None) }, START + 2 * SECOND);
    assert_eq!((import.per_cent(), import.ends_at(START + 2 * SECOND)), (Some(100), None));
    assert_eq!((import.done, import.finished_at), (123, Some(START + 2 * SECOND)));
}

#[test]
fn absurd_figures_overflow_nothing() {
    let mut import = fresh();
    import.turn(&page(1, Some(u64::MAX)), i64::MAX);
    import.turn(&page(usize::MAX, None), i64::MAX);
    let _ = (import.per_cent(), import.per_minute(), import.ends_at(i64::MAX));
    let mut back = fresh();
    back.turn(&page(5, Some(10)), START - SECOND);
    assert_eq!((back.spent_ms, back.per_minute(), back.ends_at(START)), (0, None, None), "a clock that went back");
}

#[test]
fn how_long_a_channel_may_silence_a_stream_is_bounded() {
    let after = |ms| Turned { again_after_ms: ms, ..page(0, None) }.again_at(START);
    assert_eq!([after(None), after(Some(5_000)), after(Some(u32::MAX))], [START, START + 5_000, START + AGAIN_CAP_MS]);
}

#[test]
fn what_fits_one_page_is_no_import() {
    assert!(page(100, Some(101)).is_beginning());
    assert!(page(100, None).is_beginning());
    // A shop that has more to look through, but nothing more to show.
    assert!(!page(100, Some(100)).is_beginning());
    assert!(!Turned { more: false, ..page(100, None) }.is_beginning());
}
