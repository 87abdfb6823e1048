#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::path::PathBuf;

use super::*;

fn run_text(text: &str) -> (Summary, String) {
    // Tests run in parallel: one file per text.
    let name = format!("entrepot-check-{}-{}.json", std::process::id(), text.len());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let mut out = Vec::new();
    let summary = run(std::slice::from_ref(&path), &Options::default(), &mut out).unwrap();
    std::fs::remove_file(path).unwrap();
    (summary, String::from_utf8(out).unwrap())
}

fn case(op: &str, input: &str, expected: &str) -> String {
    format!(r#"{{"vectors":[{{"id":"T","op":"{op}","input":{input},"expected":{expected}}}]}}"#)
}

#[test]
fn every_given_case_passes() {
    let folder = std::env::var_os("ENTREPOT_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"), PathBuf::from);
    let names = ["money", "fx", "tax", "landed_cost", "ids"];
    let paths: Vec<PathBuf> = names.iter().map(|n| folder.join(format!("{n}.json"))).collect();
    if !paths.iter().all(|p| p.is_file()) {
        println!("skipped: the cases are not in {}; set ENTREPOT_VECTORS", folder.display());
        return;
    }
    let mut out = Vec::new();
    let summary = run(&paths, &Options::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(summary.failed, 0, "{text}");
    assert_eq!(text.lines().count(), summary.passed + 1);
    assert!(text.trim_end().ends_with(&format!("{} passed, 0 failed", summary.passed)));
}

#[test]
fn a_wrong_expectation_an_extra_key_and_an_unknown_op_fail() {
    let input = r#"{"value":"2.675","ccy":"USD","mode":"half_even"}"#;
    assert_eq!(run_text(&case("round", input, r#"{"minor":268}"#)).0.passed, 1);
    assert_eq!(run_text(&case("round", input, r#"{"minor":267}"#)).0.failed, 1);
    assert_eq!(run_text(&case("round", input, r#"{"minor":268,"extra":1}"#)).0.failed, 1);
    assert_eq!(run_text(&case("round", input, "{}")).0.failed, 1);
    let (summary, text) = run_text(&case("moon_phase", "{}", "{}"));
    assert_eq!(summary.failed, 1);
    assert!(text.contains("not known"), "{text}");
    assert_eq!(run_text(r#"{"vectors":[{}, 1, {"op":"round"}]}"#).0.failed, 3);
}

#[test]
fn rates_compare_as_numbers_but_identifiers_as_text() {
    let input = r#"{"jurisdiction":"FR","category":"standard","date":"2026-01-01"}"#;
    let expected = r#"{"rates":[{"tax":"VAT","rate":"0.200","valid_from":"2014-01-01"}]}"#;
    assert_eq!(run_text(&case("rate_as_of", input, expected)).0.passed, 1);
    let input = r#"{"scheme":"gtin","value":"00012345678905"}"#;
    let wrong = r#"{"valid":true,"reason":"ok","normalized":"12345678905"}"#;
    assert_eq!(run_text(&case("validate_id", input, wrong)).0.failed, 1);
}

#[test]
fn a_tolerance_is_absolute() {
    let text = r#"{"vectors":[{"id":"T","op":"rate_on","tolerance":0.001,
        "input":{"base":"EUR","quote":"USD","date":"2026-10-30"},"expected":{"rate":"1.1180","rate_date":"2026-10-30"}}]}"#;
    assert_eq!(run_text(text).0.passed, 1);
    assert_eq!(run_text(&text.replace("0.001", "0.0001")).0.failed, 1);
}

#[test]
fn a_missing_rates_file_is_said_plainly() {
    let options = Options { rates: Some(PathBuf::from("/nonexistent/rates.csv")), ..Options::default() };
    let error = run(&[], &options, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/rates.csv") && error.contains("ECB"), "{error}");
}
