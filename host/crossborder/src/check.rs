//! Runs files of cases against the rules: a question, the expected answer, one line per case.
//!
//! A file is `{"suite", "version", "as_of", "vectors": [{"id", "op", "input", "expected", "tolerance"}]}`. An
//! answer must match whole: same keys, numbers equal (or within the tolerance), decimal texts equal as numbers.
//! A refusal is `{"error": code}`. An operation nobody knows is a failure, never a pass.

mod answer;
mod fx;
mod ids;
mod input;
mod landed;
mod money;
mod tax;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fx::RateTable;
use crate::rules::{LoadError, RuleSet};
use answer::same;
use input::{Input, Refusal};

/// Where the rates come from and which rules answer.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// ECB history as CSV; `None` = `../data` beside the cases, `../shared/data`, else the embedded table.
    pub rates: Option<PathBuf>,
    /// `None` = the embedded rules.
    pub rules: Option<RuleSet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {what}")]
    File { path: String, what: String },
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Rules(#[from] LoadError),
}

/// What every operation may use.
struct Context {
    rules: RuleSet,
    rates: RateTable,
}

/// Checks every case of every file; the last line is `N passed, N failed`.
pub fn run(paths: &[PathBuf], options: &Options, out: &mut dyn Write) -> Result<Summary, Error> {
    let rules = match &options.rules {
        Some(rules) => rules.clone(),
        None => RuleSet::builtin()?,
    };
    let rates = load_rates(options.rates.as_deref(), paths)?;
    let context = Context { rules, rates };
    let mut summary = Summary::default();
    for path in paths {
        let cases = read_cases(path)?;
        for case in &cases {
            let id = case.get("id").and_then(Value::as_str).unwrap_or("(no id)");
            let op = case.get("op").and_then(Value::as_str).unwrap_or("(no op)");
            match check_case(&context, case) {
                Ok(()) => {
                    summary.passed += 1;
                    writeln!(out, "ok      {id} {op}")?;
                }
                Err(why) => {
                    summary.failed += 1;
                    writeln!(out, "FAILED  {id} {op}: {why}")?;
                }
            }
        }
    }
    writeln!(out, "{} passed, {} failed", summary.passed, summary.failed)?;
    Ok(summary)
}

fn read_cases(path: &Path) -> Result<Vec<Value>, Error> {
    let bad = |what: String| Error::File { path: path.display().to_string(), what };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let file: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    match file.get("vectors").and_then(Value::as_array) {
        Some(cases) => Ok(cases.clone()),
        None => Err(bad("there is no list \"vectors\" in this file".to_owned())),
    }
}

const RATES_FILE: &str = "fx/ecb_reference_rates.csv";

/// The rates, by preference: the file named; the data folder beside the cases; the one beside the checkout;
/// the embedded table.
fn load_rates(named: Option<&Path>, cases: &[PathBuf]) -> Result<RateTable, Error> {
    let bad = |path: &Path, what: String| Error::File { path: path.display().to_string(), what };
    let beside_cases = cases.iter().filter_map(|p| Some(p.parent()?.join("../data").join(RATES_FILE)));
    let beside_checkout = Path::new("../shared/data").join(RATES_FILE);
    let found = match named {
        Some(path) => Some(path.to_owned()),
        None => beside_cases.chain([beside_checkout]).find(|p| p.is_file()),
    };
    let Some(path) = found else {
        return RateTable::embedded().map_err(|e| bad(Path::new("embedded rates"), e.to_string()));
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|e| bad(&path, format!("the rates file cannot be read ({e}): name an ECB history file as CSV")))?;
    RateTable::from_ecb_csv(&text).map_err(|e| bad(&path, e.to_string()))
}

fn check_case(context: &Context, case: &Value) -> Result<(), String> {
    let op = case.get("op").and_then(Value::as_str).ok_or("the case has no op")?;
    let input = case.get("input").and_then(Value::as_object).ok_or("the case has no input object")?;
    let expected = case.get("expected").ok_or("the case has no expected answer")?;
    let tolerance = match case.get("tolerance") {
        None | Some(Value::Null) => None,
        Some(value) => Some(input::decimal_of(value).ok_or_else(|| format!("tolerance {value} is not a number"))?),
    };
    let input = Input(input);
    let answer = match answer_op(context, op, input) {
        Ok(value) => value,
        Err(Refusal::UnknownOp) => return Err("the operation is not known".to_owned()),
        Err(Refusal::Malformed(what)) => return Err(what),
        Err(Refusal::Error(value, _)) => value,
    };
    if same(&answer, expected, tolerance) { Ok(()) } else { Err(format!("expected {expected}, got {answer}")) }
}

fn answer_op(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    let suites = [money::answer, fx::answer, tax::answer, landed::answer, ids::answer];
    for suite in suites {
        match suite(context, op, input) {
            Err(Refusal::UnknownOp) => {}
            answered => return answered,
        }
    }
    Err(Refusal::UnknownOp)
}

/// Answers one question outside a file: for a person at a terminal or a page.
pub fn ask(rules: &RuleSet, rates: &RateTable, op: &str, input: &Value) -> Value {
    let context = Context { rules: rules.clone(), rates: rates.clone() };
    let Some(input) = input.as_object() else {
        return json!({"error": "malformed_input"});
    };
    match answer_op(&context, op, Input(input)) {
        Ok(value) => value,
        Err(Refusal::Error(value, _)) => value,
        Err(Refusal::UnknownOp) => json!({"error": "unknown_op"}),
        Err(Refusal::Malformed(what)) => json!({"error": "malformed_input", "message": what}),
    }
}

#[cfg(test)]
mod tests;
