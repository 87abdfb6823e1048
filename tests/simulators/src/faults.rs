//! Switches that make a simulated shop misbehave, changeable while it runs.
//!
//! Rates are per mille and decided by the shop's seed. A planned fault ([`Faults::on_next`]) comes before the rates and
//! hits exactly the requests it names, which is what a test wants.

use std::collections::VecDeque;

use crate::random::Dice;

/// What can go wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes before the request has any effect.
    DropRequest,
    /// The request takes effect, then the connection closes without an answer: the caller cannot know.
    LoseAnswer,
    /// A 5xx answer with an HTML body; no effect.
    ServerError,
    /// Too many requests, in the channel's own way; no effect.
    Throttle,
    /// HTTP 200 whose body is an error; no effect.
    ErrorIn200,
    /// The request takes effect, the answer's body ends half way.
    TruncateBody,
    /// A list answers with the page before the one asked for (page 1 answers with itself).
    RepeatPage,
    /// Every second item of a batch is refused; the others take effect.
    PartialBatch,
    /// The credentials are refused as if expired or revoked; no effect.
    RefuseCredentials,
}

/// Which request a planned fault waits for.
#[derive(Clone, Debug)]
pub enum When {
    Any,
    Read,
    Write,
    /// Path, query or body contains this text.
    Contains(String),
}

/// Everything that can be made to fail. The default is a shop in good health.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Every API answer waits this long.
    pub api_delay_ms: u64,
    /// A keyed write holds its idempotency key this long before it takes effect (Shopify): another request with the same key
    /// meets it at work.
    pub write_hold_ms: u64,
    /// Every API request is answered 503 (maintenance), whatever the rates say.
    pub maintenance: bool,

    pub drop_request_per_mille: u16,
    pub lose_answer_per_mille: u16,
    pub server_error_per_mille: u16,
    pub throttle_per_mille: u16,
    /// Seconds in the `Retry-After` header of a throttled answer; none when unset.
    pub throttle_retry_after_s: Option<u32>,
    pub error_in_200_per_mille: u16,
    pub truncate_body_per_mille: u16,
    pub repeat_page_per_mille: u16,
    pub partial_batch_per_mille: u16,
    pub refuse_credentials_per_mille: u16,

    pub webhook_drop_per_mille: u16,
    pub webhook_duplicate_per_mille: u16,
    pub webhook_delay_per_mille: u16,
    /// How long a delayed webhook waits, on the shop's clock.
    pub webhook_delay_ms: u64,
    pub webhook_reorder_per_mille: u16,
    /// A reordered webhook is held back for up to this long, so that later ones overtake it. 0 means 100 ms.
    pub webhook_reorder_window_ms: u64,

    planned: VecDeque<Planned>,
}

#[derive(Clone, Debug)]
struct Planned {
    /// Requests that match and go well before.
    spared: usize,
    when: When,
    fault: Fault,
}

impl Faults {
    /// The next `times` requests that match `when` fail this way, each once, before any rate is asked.
    pub fn on_next(&mut self, times: usize, when: When, fault: Fault) {
        for _ in 0..times {
            self.planned.push_back(Planned { spared: 0, when: when.clone(), fault });
        }
    }

    /// As [`Faults::on_next`] once, after so many requests that match have gone well.
    pub fn on_later(&mut self, spared: usize, when: When, fault: Fault) {
        self.planned.push_back(Planned { spared, when, fault });
    }

    /// Planned faults that have not happened yet.
    pub fn still_planned(&self) -> usize {
        self.planned.len()
    }

    /// Good health again; forgets what was planned.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn choose(&mut self, seen: &Seen<'_>, dice: &mut Dice) -> Option<Fault> {
        for at in 0..self.planned.len() {
            let Some(planned) = self.planned.get_mut(at).filter(|planned| seen.matches(&planned.when)) else { continue };
            if planned.spared == 0 {
                return self.planned.remove(at).map(|planned| planned.fault);
            }
            planned.spared -= 1;
        }
        let rates = [
            (self.drop_request_per_mille, Fault::DropRequest),
            (self.lose_answer_per_mille, Fault::LoseAnswer),
            (self.server_error_per_mille, Fault::ServerError),
            (self.throttle_per_mille, Fault::Throttle),
            (self.error_in_200_per_mille, Fault::ErrorIn200),
            (self.truncate_body_per_mille, Fault::TruncateBody),
            (self.repeat_page_per_mille, Fault::RepeatPage),
            (self.partial_batch_per_mille, Fault::PartialBatch),
            (self.refuse_credentials_per_mille, Fault::RefuseCredentials),
        ];
        rates.into_iter().find(|(rate, _)| dice.per_mille(*rate)).map(|(_, fault)| fault)
    }
}

/// A request as the switches see it.
pub(crate) struct Seen<'a> {
    pub(crate) target: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) write: bool,
}

impl Seen<'_> {
    fn matches(&self, when: &When) -> bool {
        match when {
            When::Any => true,
            When::Read => !self.write,
            When::Write => self.write,
            When::Contains(text) => self.target.contains(text.as_str()) || String::from_utf8_lossy(self.body).contains(text.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str) -> Seen<'_> {
        Seen { target, body: b"", write: false }
    }

    #[test]
    fn a_planned_fault_hits_the_request_it_names_and_no_other() {
        let mut faults = Faults::default();
        let mut dice = Dice::new(1);
        faults.on_next(1, When::Contains("orders".into()), Fault::LoseAnswer);
        assert_eq!(faults.choose(&read("/products"), &mut dice), None);
        assert_eq!(faults.choose(&read("/orders"), &mut dice), Some(Fault::LoseAnswer));
        assert_eq!(faults.choose(&read("/orders"), &mut dice), None);
        faults.on_later(2, When::Contains("orders".into()), Fault::ServerError);
        let hits: Vec<_> = (0..4).map(|_| faults.choose(&read("/orders"), &mut dice)).collect();
        assert_eq!(hits, [None, None, Some(Fault::ServerError), None]);
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_at_about_the_asked_rate() {
        let run = |seed| {
            let mut faults = Faults { server_error_per_mille: 200, ..Faults::default() };
            let mut dice = Dice::new(seed);
            (0..1000).map(|_| faults.choose(&read("/"), &mut dice).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let failed = run(7).into_iter().filter(|failed| *failed).count();
        assert!((150..250).contains(&failed), "{failed} of 1000 failed");
    }
}
