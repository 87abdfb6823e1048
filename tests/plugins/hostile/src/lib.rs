//! A connector that misbehaves on request: `connection.describe` takes the kind of misbehaviour as its word.

use std::hint::black_box;

use entrepot_sdk::prelude::*;
use entrepot_sdk::stock_out::{Reading, StockChange};
use entrepot_sdk::webhooks::{Delivery, Event, Subscription};
use entrepot_sdk::{clock, connection, log, state, stock_out, webhooks};

struct Hostile;

entrepot_sdk::export_connector!(Hostile: connection, stock_out, webhooks);

fn document(title: impl Into<String>) -> Vec<Document> {
    vec![Document { external_id: String::new(), title: title.into(), extras: Vec::new() }]
}

/// Neither a tail call nor a constant to the optimiser.
#[inline(never)]
#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    recurse(depth + 1).wrapping_add(frame[(depth % 32) as usize])
}

static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl connection::Guest for Hostile {
    fn check(ctx: Context) -> Result<Account, Failure> {
        Ok(Account {
            external_id: ctx.connection,
            name: "hostile".into(),
            currency: None,
            country: None,
            time_zone: None,
            scopes: Vec::new(),
            extras: Vec::new(),
        })
    }

    fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> {
        let (word, argument) = what.split_once(' ').unwrap_or((&what, ""));
        let number = argument.parse::<usize>().unwrap_or(0);
        match word {
            "spin" => {
                let mut n = 0u64;
                loop {
                    n = black_box(n.wrapping_add(1));
                }
            }
            "eat" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(black_box(vec![1; 1 << 20]));
                }
            }
            "answer" => Ok(document("x".repeat(number))),
            "panic" => {
                let nothing: &[u8] = black_box(&[]);
                Ok(document(nothing[number].to_string()))
            }
            "recurse" => Ok(document(recurse(0).to_string())),
            "get" => Request::get(argument).send().map(|response| document(response.status().to_string())),
            "post" => Request::post(argument).send().map(|response| document(response.status().to_string())),
            "many" => {
                let requests = (0..number).map(|n| Request::get(format!("https://allowed.example/{n}"))).collect();
                let answers = Request::send_many(requests, 64);
                Ok(answers
                    .into_iter()
                    .flat_map(|answer| document(answer.map_or_else(|failure| failure.message, |response| response.status().to_string())))
                    .collect())
            }
            "log" => {
                for n in 0..number {
                    log::info(&format!("{n} {}", "x".repeat(10_000)), &[]);
                }
                Ok(document(""))
            }
            "state" => {
                let mut last = Ok(None);
                for _ in 0..number {
                    last = state::get("k");
                }
                last.map(|_| document(""))
            }
            "count" => Ok(document(CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string())),
            "wait" => loop {
                if clock::remaining_ms() == 0 {
                    return Ok(document("waited"));
                }
            },
            _ => Err(Failure::unsupported(format!("no such misbehaviour: {what}"))),
        }
    }
}

impl stock_out::Guest for Hostile {
    /// Answers for the first key twice and for the last one not at all.
    fn push(_: Context, changes: Vec<StockChange>) -> Result<Vec<Outcome>, Failure> {
        let answered = changes.len().saturating_sub(1);
        let mut outcomes: Vec<Outcome> = changes.iter().take(answered).map(|change| Outcome::done(change.key.clone(), "")).collect();
        outcomes.extend(outcomes.first().cloned());
        Ok(outcomes)
    }

    fn read(_: Context, _: Vec<ListingRef>) -> Result<Vec<Reading>, Failure> {
        Ok(Vec::new())
    }
}

impl webhooks::Guest for Hostile {
    fn ensure(_: Context, _: String, _: Vec<String>) -> Result<Vec<Subscription>, Failure> {
        Ok(Vec::new())
    }

    fn remove(_: Context, _: Vec<String>) -> Result<u32, Failure> {
        Ok(0)
    }

    /// Pure by contract; tries to get out all the same.
    fn translate(_: Context, delivery: Delivery) -> Result<Vec<Event>, Failure> {
        match delivery.topic.as_str() {
            "get-out" => Request::get("https://allowed.example/").send().map(|_| Vec::new()),
            "remember" => state::put("k", delivery.body.as_bytes(), None).map(|_| Vec::new()),
            "gone" => Ok(vec![Event::OrderRemoved(delivery.body)]),
            "panic" => {
                let nothing: &[u8] = black_box(&[]);
                Ok(vec![Event::Ignored(nothing[delivery.body.len()].to_string())])
            }
            other => Ok(vec![Event::Ignored(format!("topic `{other}`"))]),
        }
    }
}
