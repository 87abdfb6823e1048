//! How far orders were read, and which orders must be looked at although the shop will not call them changed.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::contract::Failure;
use crate::moment;
use crate::place::Place;
use crate::translate;

/// What one sweep goes through, in this order.
///
/// The shop's own time of change stands still when an order is placed, paid, shipped or paid back. So what is new is found by
/// the time it was placed, what was edited or cancelled by the time of change, and the rest by looking at the parts of orders
/// that were seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Placed,
    Changed,
    Watched,
}

impl Stage {
    const ALL: [(Self, &'static str); 3] = [(Self::Placed, "placed"), (Self::Changed, "changed"), (Self::Watched, "watched")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("placed", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(stage, _)| *stage)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Lower bound of this sweep, milliseconds since 1970.
    pub since_ms: i64,
    /// When the sweep began; bound of the next one. `None` between sweeps.
    pub mark_ms: Option<i64>,
    pub stage: Stage,
    /// Inside the lists of the first two stages.
    pub place: Place,
    pub watched: Watched,
}

impl Cursor {
    pub fn start(since_ms: i64, watched: Watched) -> Self {
        Self { since_ms, mark_ms: None, stage: Stage::Placed, place: Place::start(since_ms), watched }
    }

    pub fn parse(text: &str) -> Result<Self, Failure> {
        let value: Option<Value> = serde_json::from_str(text).ok();
        let cursor = value.filter(|value| value.get("v").and_then(Value::as_u64) == Some(1)).and_then(|value| Self::read(&value));
        cursor.ok_or_else(|| {
            let start: String = text.chars().take(80).collect();
            Failure::invalid(format!("\"{start}\" is not a cursor of this connector; start without one.")).with_code("cursor")
        })
    }

    fn read(value: &Value) -> Option<Self> {
        let instant = |key: &str| value.get(key).and_then(Value::as_str).and_then(moment::parse);
        let ids = |key: &str| -> Option<VecDeque<String>> {
            value.get(key)?.as_array()?.iter().map(|id| id.as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            since_ms: instant("since")?,
            mark_ms: instant("mark"),
            stage: Stage::parse(value.get("stage")?.as_str()?)?,
            place: Place::parse(value.get("place")?)?,
            watched: Watched { open: ids("open")?, over: ids("over")? },
        })
    }

    pub fn text(&self) -> String {
        json!({
            "v": 1,
            "since": moment::format(self.since_ms),
            "mark": self.mark_ms.map(moment::format),
            "stage": self.stage.word(),
            "place": self.place.json(),
            "open": self.watched.open,
            "over": self.watched.over,
        })
        .to_string()
    }
}

/// Orders whose parts may still change, by id, the longest unchanged first. More than fit are given up from that end: what is
/// done to them is seen when the shop calls them changed, or by the relay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Something of them is still to be shipped.
    pub open: VecDeque<String>,
    /// Shipped; money may still be paid back.
    pub over: VecDeque<String>,
}

/// With ids of 36 characters both fit into the 64 KiB of a cursor.
const OPEN_MAX: usize = 1_200;
const OVER_MAX: usize = 300;

impl Watched {
    /// The order is in this state now.
    pub fn note(&mut self, id: &str, state: &str) {
        self.open.retain(|known| known != id);
        self.over.retain(|known| known != id);
        let (list, most) = match () {
            () if translate::is_cancelled(state) => return,
            () if translate::is_over(state) => (&mut self.over, OVER_MAX),
            () => (&mut self.open, OPEN_MAX),
        };
        list.push_back(id.to_owned());
        while list.len() > most {
            list.pop_front();
        }
    }

    /// Whether the order was in another part of its life when it was last read.
    pub fn knows_otherwise(&self, id: &str, state: &str) -> bool {
        let over = self.over.iter().any(|known| known == id);
        translate::is_cancelled(state) || translate::is_over(state) != over
    }

    pub fn ids(&self) -> Vec<&str> {
        self.open.iter().chain(&self.over).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, OPEN_MAX, Stage, Watched};
    use crate::place::Place;

    #[test]
    fn a_cursor_survives_its_text() {
        let mut watched = Watched::default();
        watched.note("7", "PaymentSettled");
        watched.note("3", "Shipped");
        let start = Cursor::start(1_795_000_000_123, watched);
        let inside =
            Cursor { mark_ms: Some(1_795_000_100_000), stage: Stage::Changed, place: Place { from_ms: 5, skip: 3 }, ..start.clone() };
        for cursor in [start, inside] {
            assert_eq!(Cursor::parse(&cursor.text()).ok(), Some(cursor));
        }
        for text in ["", "{}", r#"{"v":2}"#, "7"] {
            assert!(Cursor::parse(text).is_err_and(|failure| failure.message.contains("start without one")), "{text}");
        }
    }

    #[test]
    fn orders_move_from_open_to_over_and_leave_when_cancelled() {
        let mut watched = Watched::default();
        watched.note("1", "PaymentSettled");
        watched.note("2", "PartiallyShipped");
        assert!(watched.knows_otherwise("1", "Shipped") && watched.knows_otherwise("1", "Cancelled"));
        assert!(!watched.knows_otherwise("1", "PaymentSettled"));
        watched.note("1", "Shipped");
        assert_eq!(watched.ids(), ["2", "1"]);
        assert!(!watched.knows_otherwise("1", "Delivered"));
        watched.note("2", "Cancelled");
        assert_eq!(watched.ids(), ["1"]);
    }

    #[test]
    fn the_fullest_cursor_fits_into_what_the_hub_keeps() {
        let mut watched = Watched::default();
        for n in 0..2 * OPEN_MAX {
            watched.note(&format!("{n:036}"), "PaymentSettled");
            watched.note(&format!("over{n:032}"), "Delivered");
        }
        let text = Cursor::start(0, watched.clone()).text();
        assert!(text.len() <= 64 * 1024, "{}", text.len());
        assert_eq!(watched.open.front().map(String::as_str), Some(format!("{OPEN_MAX:036}").as_str()), "the oldest went");
    }
}
