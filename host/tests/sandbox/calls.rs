//! Every kind of misbehaviour becomes an error with its name, and the next call works.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use entrepot::plugins::trial::{Delivery, Tried};
use entrepot::plugins::wire::{Fault, commerce, stock_out};
use entrepot::plugins::{CallError, Caller, Limits, match_outcomes};

use crate::rig::{Counting, caller, caller_with, context};

fn quick() -> Limits {
    Limits { cpu: Duration::from_millis(150), ..Limits::default() }
}

async fn code(caller: &Caller, what: &str) -> &'static str {
    caller.describe(context(), what.into()).await.unwrap_err().code()
}

async fn works(caller: &Caller) {
    let account = caller.check(context()).await.unwrap();
    assert_eq!(account.name, "hostile");
}

async fn title(caller: &Caller, what: &str) -> Result<String, CallError> {
    Ok(caller.describe(context(), what.into()).await?.remove(0).title)
}

/// On one thread: if the guest held this runtime, the timer could not fire.
#[tokio::test]
async fn a_spinning_guest_is_stopped_while_our_timers_go_on() {
    let caller = caller(quick()).await;
    let ticks = tokio::spawn(async {
        for n in 0u32.. {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if n == 5 {
                return Instant::now();
            }
        }
        Instant::now()
    });
    let began = Instant::now();
    assert_eq!(code(&caller, "spin").await, "cpu-timeout");
    let stopped = began.elapsed();
    assert!(stopped >= Duration::from_millis(100) && stopped < Duration::from_secs(5), "{stopped:?}");
    assert!(ticks.await.unwrap() < began + stopped, "the timers waited for the guest");
    works(&caller).await;
}

#[tokio::test]
async fn as_many_spinning_guests_as_there_are_threads_do_not_keep_another_from_answering() {
    let spinning = caller(Limits { cpu: Duration::from_secs(2), ..Limits::default() }).await;
    let mut tasks = Vec::new();
    for n in 0..4 {
        let caller = Caller { connection: Some(crate::rig::connection(n)), ..spinning.clone() };
        tasks.push(tokio::spawn(async move { code(&caller, "spin").await }));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    works(&Caller { connection: Some(crate::rig::connection(99)), ..spinning.clone() }).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    for task in tasks {
        assert_eq!(task.await.unwrap(), "cpu-timeout");
    }
}

#[tokio::test]
async fn each_misbehaviour_has_its_name_and_leaves_nothing_behind() {
    let caller = caller(Limits::default()).await;
    for (what, expected) in [
        ("eat", "out-of-memory"),
        ("answer 20000000", "payload-too-large"),
        ("panic 3", "plugin-crash"),
        ("recurse", "plugin-crash"),
        ("nonsense", "plugin-failure"),
    ] {
        assert_eq!(code(&caller, what).await, expected, "{what}");
        works(&caller).await;
    }
    assert_eq!(title(&caller, "answer 1000000").await.unwrap().len(), 1_000_000);
}

#[tokio::test]
async fn a_guest_that_waits_longer_than_its_wall_time_is_stopped() {
    let caller = caller(Limits { wall: Duration::from_millis(150), ..Limits::default() }).await;
    // It asks the host for the time over and over: host calls alone must not keep it alive.
    let began = Instant::now();
    let answer = caller.describe(context(), "wait".into()).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    match answer {
        Ok(documents) => assert_eq!(documents[0].title, "waited"),
        Err(error) => assert_eq!(error.code(), "wall-timeout"),
    }
    let caller = Caller { services: Arc::new(Silent).services(), ..caller };
    assert_eq!(code(&caller, "get https://allowed.example/").await, "wall-timeout");
    works(&caller).await;
}

/// A channel that never answers.
struct Silent;

impl Silent {
    fn services(self: Arc<Self>) -> entrepot::plugins::Services {
        entrepot::plugins::Services { outbound: self, ..Arc::new(Counting::default()).services() }
    }
}

impl entrepot::plugins::services::Outbound for Silent {
    fn send<'a>(
        &'a self,
        _: &'a entrepot::plugins::CallScope,
        _: entrepot::plugins::wire::http::Request,
    ) -> futures::future::BoxFuture<'a, Result<entrepot::plugins::wire::http::Response, entrepot::plugins::wire::Failure>> {
        Box::pin(std::future::pending())
    }

    fn observed<'a>(
        &'a self,
        _: &'a entrepot::plugins::CallScope,
        _: String,
        _: u32,
        _: u32,
        _: u32,
    ) -> futures::future::BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_call_nobody_waits_for_any_more_is_stopped_and_gives_its_slots_back() {
    let caller = caller(Limits { cpu: Duration::from_secs(30), ..Limits::default() }).await;
    for _ in 0..3 {
        let abandoned = tokio::time::timeout(Duration::from_millis(30), caller.describe(context(), "spin".into())).await;
        assert!(abandoned.is_err());
    }
    // A connection has two reading slots; three abandoned calls would fill them.
    tokio::time::timeout(Duration::from_secs(5), works(&caller)).await.unwrap();
}

#[tokio::test]
async fn refusals_by_the_host_are_values_the_guest_can_read() {
    let caller = caller(quick()).await;
    let Err(CallError::Failed(failure)) = caller.describe(context(), "get https://elsewhere.example/".into()).await else {
        panic!("a refusal must reach the guest as a value");
    };
    assert_eq!(failure.fault, Fault::Denied);
}

#[tokio::test]
async fn a_dry_run_lets_reads_through_and_refuses_changes_before_they_are_sent() {
    let counting = Arc::new(Counting::default());
    let dry = Caller { dry_run: true, ..caller_with(quick(), counting.services()).await };
    assert_eq!(title(&dry, "get https://allowed.example/").await.unwrap(), "204");
    let Err(CallError::Failed(failure)) = dry.describe(context(), "post https://allowed.example/".into()).await else {
        panic!("a dry run must refuse a change");
    };
    assert_eq!(failure.fault, Fault::Denied);
    assert_eq!(counting.sent.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_call_sends_at_most_a_hundred_requests_eight_at_a_time() {
    let counting = Arc::new(Counting::default());
    let caller = caller_with(Limits::default(), counting.services()).await;
    let answers = caller.describe(context(), "many 120".into()).await.unwrap();
    let sent = answers.iter().filter(|document| document.title == "204").count();
    assert_eq!((answers.len(), sent), (120, 100));
    assert!(answers[119].title.contains("100 requests"), "{}", answers[119].title);
    assert_eq!(counting.sent.load(Ordering::SeqCst), 100);
    assert_eq!(counting.most_at_once.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn uses_of_state_are_counted() {
    let caller = caller(Limits { cpu: Duration::from_secs(5), ..Limits::default() }).await;
    let Err(CallError::Failed(failure)) = caller.describe(context(), "state 1001".into()).await else {
        panic!("the last use must be refused");
    };
    assert!(failure.message.contains("1000 uses"), "{}", failure.message);
}

#[tokio::test]
async fn log_lines_are_cut_and_the_rest_is_counted() {
    let log = Arc::new(Lines::default());
    let services = entrepot::plugins::Services { log: log.clone(), ..Arc::new(Counting::default()).services() };
    let caller = caller_with(Limits::default(), services).await;
    caller.describe(context(), "log 1100".into()).await.unwrap();
    let lines = log.0.lock().unwrap();
    assert_eq!(lines.len(), 1_001);
    assert!(lines.iter().all(|line| line.len() <= 4096));
    assert!(lines[1_000].starts_with("100 more log lines"), "{}", lines[1_000]);
}

#[derive(Default)]
struct Lines(std::sync::Mutex<Vec<String>>);

impl entrepot::plugins::services::LogSink for Lines {
    fn emit(&self, _: &entrepot::plugins::CallScope, _: tracing::Level, message: &str, _: &[(String, String)]) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

#[tokio::test]
async fn nothing_is_remembered_from_one_call_to_the_next() {
    let caller = caller(quick()).await;
    for _ in 0..3 {
        assert_eq!(title(&caller, "count").await.unwrap(), "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_once_all_answer() {
    let base = caller(Limits::default()).await;
    let calls = (0..200).map(|n| {
        let caller = Caller { connection: Some(crate::rig::connection(n % 20)), ..base.clone() };
        tokio::spawn(async move { title(&caller, &format!("answer {n}")).await.unwrap().len() as u64 })
    });
    let lengths: Vec<u64> = futures::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(lengths, (0..200).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_interface_that_is_not_exported_is_unsupported_by_name() {
    let caller = caller(quick()).await;
    let error = caller.orders_get(context(), vec!["1".into()]).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("orders-in")), ("unsupported", true));
}

#[tokio::test]
async fn a_push_that_answers_twice_or_not_at_all_leaves_those_keys_unknown() {
    let caller = caller(quick()).await;
    let change = |key: &str| stock_out::StockChange {
        key: key.into(),
        listing: commerce::ListingRef { external_id: key.into(), parent: None, sku: None, handles: Vec::new() },
        location: None,
        quantity: 1,
        previous: None,
    };
    let keys = ["a", "b", "c"];
    let outcomes = caller.stock_push(context(), keys.map(change).to_vec()).await.unwrap();
    let matched = match_outcomes(keys, outcomes);
    assert_eq!(matched.by_key.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(matched.unknown.iter().collect::<Vec<_>>(), ["a", "c"]);
}

fn delivery(topic: &str, body: &str) -> Delivery {
    Delivery {
        topic: topic.into(),
        headers: vec![("x-topic".into(), topic.into())],
        body: body.into(),
        received_at: "2026-11-21T10:00:00Z".into(),
    }
}

#[tokio::test]
async fn translating_reaches_nothing_even_when_the_connection_could() {
    let counting = Arc::new(Counting::default());
    let caller = caller_with(quick(), counting.services()).await;
    for topic in ["get-out", "remember"] {
        match caller.try_translate("{}", &delivery(topic, "x")).await {
            Tried::Refused(failure) => assert_eq!(failure["fault"], "denied"),
            other => panic!("{topic}: {other:?}"),
        }
    }
    assert_eq!(counting.sent.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_trial_prints_by_the_schema_kept_beside_the_contract() {
    let caller = caller(quick()).await;
    let schema = std::fs::read(crate::rig::workspace().join("wit/v1/translate.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    for (topic, body, expected) in
        [("gone", "17", serde_json::json!([{"order-removed": "17"}])), ("other", "", serde_json::json!([{"ignored": "topic `other`"}]))]
    {
        let Tried::Mapped(events) = caller.try_translate("{}", &delivery(topic, body)).await else { panic!("{topic}") };
        assert_eq!(events, expected);
        assert!(schema.is_valid(&events), "{events}");
    }
    let Tried::Refused(failure) = caller.try_translate("{}", &delivery("get-out", "")).await else { panic!() };
    assert!(schema.is_valid(&failure), "{failure}");
    let Tried::Crashed(error) = caller.try_translate("{}", &delivery("panic", "")).await else { panic!() };
    assert_eq!(error.code(), "plugin-crash");
}
