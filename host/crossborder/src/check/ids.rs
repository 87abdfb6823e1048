//! Operations of the ids suite.

use serde_json::{Value, json};

use super::Context;
use super::input::{Input, Refusal, refuse};
use crate::ids::{Reason, validate};

pub(super) fn answer(context: &Context, op: &str, input: Input<'_>) -> Result<Value, Refusal> {
    if op != "validate_id" {
        return Err(Refusal::UnknownOp);
    }
    let verdict = validate(&context.rules, input.text("scheme")?, input.text("value")?).map_err(|e| refuse("unknown_scheme", e))?;
    let reason = match verdict.reason {
        Reason::Ok => "ok",
        Reason::CheckDigit => "check_digit",
        // The suite knows no third answer for a country without a format.
        Reason::Format | Reason::NotCovered => "format",
    };
    Ok(json!({"valid": verdict.is_valid(), "reason": reason, "normalized": verdict.normalized}))
}
