//! `crossborder quote` and `crossborder check` as a person runs them, on a machine without a database.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    // Nothing listens there and nothing lies there.
    let data = folder.join("data");
    let mut child = Command::new(env!("CARGO_BIN_EXE_entrepot"))
        .arg("crossborder")
        .args(arguments)
        .args(["--data", data.to_str().unwrap(), "--set", "server.listen=127.0.0.1:9"])
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(!data.exists(), "no database was made");
    output
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const IOSS: &str = r#"{"date": "2026-03-10", "ship_from": "CN", "ship_to": "DE", "buyer": "consumer", "channel": "marketplace", "currency": "EUR",
    "lines": [{"unit_minor": 4000, "qty": 2}], "shipping_minor": 500}"#;

#[test]
fn a_question_is_answered_from_a_file_from_standard_input_and_from_flags() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("q.json"), IOSS).unwrap();
    let flags = [
        "quote",
        "--from",
        "cn",
        "--to",
        "de",
        "--price",
        "40",
        "--qty",
        "2",
        "--shipping",
        "5.00",
        "--date",
        "2026-03-10",
        "--buyer",
        "consumer",
        "--channel",
        "marketplace",
    ];
    for (arguments, input) in [(&["quote", "q.json"][..], ""), (&["quote"][..], IOSS), (&["quote", "-"][..], IOSS), (&flags[..], "")] {
        let answered = run(folder.path(), arguments, input);
        assert!(answered.status.success(), "{arguments:?}: {}", err(&answered));
        let words = out(&answered);
        for part in ["VAT 19 % DE: 16.15 EUR, scheme eu.ioss, collected by the marketplace", "source S", "not legal or tax advice"] {
            assert!(words.contains(part), "{arguments:?}: {part} in {words}");
        }
    }
    let json = run(folder.path(), &["quote", "q.json", "--json"], "");
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((answer["scheme"].as_str(), answer["amounts"]["tax"]["amount_minor"].as_i64()), (Some("eu.ioss"), Some(1615)));
}

#[test]
fn a_question_that_cannot_be_asked_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, input, part) in [
        (&["quote", "absent.json"][..], "", "absent.json"),
        (&["quote"][..], "nonsense", "--to COUNTRY"),
        (&["quote", "--to", "DE"][..], "", "--price"),
        (&["quote", "--to", "DE", "--price", "1,50"][..], "", "1,50"),
        (&["quote", "--to", "DE", "--price", "1", "--currency", "XAU"][..], "", "XAU"),
    ] {
        let refused = run(folder.path(), arguments, input);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(err(&refused).contains(part), "{arguments:?}: {}", err(&refused));
    }
    let unknown = run(folder.path(), &["quote", "--to", "Germany", "--price", "1"], "");
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("GERMANY"), "{}", err(&unknown));
}

#[test]
fn own_rule_files_answer_for_one_question() {
    let folder = tempfile::tempdir().unwrap();
    let rates = "jurisdiction,tax,category,rate,valid_from,valid_to,verification,sources\nDE,VAT,standard,0.30,2026-01-01,,merchant,\n";
    std::fs::write(folder.path().join("tax_rates.csv"), rates).unwrap();
    let answered = run(folder.path(), &["quote", "--rules", "tax_rates.csv"], IOSS);
    assert!(out(&answered).contains("VAT 30 % DE: 25.50 EUR"), "{}{}", out(&answered), err(&answered));
    std::fs::write(folder.path().join("tax_rates.csv"), rates.replace("0.30", "30")).unwrap();
    let refused = run(folder.path(), &["quote", "--rules", "tax_rates.csv"], IOSS);
    assert!(err(&refused).contains("tax_rates.csv") && err(&refused).contains("0.19"), "{}", err(&refused));
}

#[test]
fn cases_are_checked_one_line_each_and_the_exit_code_tells() {
    let folder = tempfile::tempdir().unwrap();
    let case = |id: &str, op: &str, input: &str, expected: &str| {
        format!(
            r#"{{"id":"{id}","op":"{op}","title":"","why":"","input":{input},"expected":{expected},"sources":[],"verification":"computed"}}"#
        )
    };
    let file = |name: &str, cases: &[String]| {
        let text = format!(r#"{{"suite":"x","version":1,"as_of":"2026-11-21","vectors":[{}]}}"#, cases.join(","));
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let good = case("A-1", "format_major", r#"{"minor":136,"ccy":"ISK"}"#, r#"{"text":"136"}"#);
    let bad = case("A-2", "format_major", r#"{"minor":136,"ccy":"EUR"}"#, r#"{"text":"136"}"#);
    let unknown = case("A-3", "fly", "{}", "{}");
    file("good.json", std::slice::from_ref(&good));
    file("bad.json", &[bad, unknown, good]);
    let passed = run(folder.path(), &["check", "good.json"], "");
    assert_eq!((passed.status.code(), out(&passed).lines().last()), (Some(0), Some("1 passed, 0 failed")));
    let failed = run(folder.path(), &["check", "good.json", "bad.json"], "");
    assert_eq!((failed.status.code(), out(&failed).lines().last()), (Some(1), Some("2 passed, 2 failed")));
    assert_eq!(out(&failed).lines().count(), 5);
    assert!(out(&failed).contains("A-2") && out(&failed).contains("A-3"), "{}", out(&failed));
    let json = run(folder.path(), &["check", "bad.json", "--json"], "");
    let summary: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json.status.code(), summary["passed"].as_u64(), summary["failed"].as_u64()), (Some(1), Some(1), Some(2)));
    for (name, text) in [("absent.json", None), ("broken.json", Some("{")), ("empty.json", Some("{}"))] {
        if let Some(text) = text {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let unreadable = run(folder.path(), &["check", name], "");
        assert_eq!(unreadable.status.code(), Some(2), "{name}");
        assert!(err(&unreadable).contains(name) && err(&unreadable).contains("hint: "), "{}", err(&unreadable));
    }
    assert_eq!(run(folder.path(), &["check"], "").status.code(), Some(2));
}
