//! Mutations that must carry an `@idempotent` key: the rules of the key around what the mutation does.

use std::collections::BTreeMap;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::{Field, Operation};
use apollo_compiler::resolvers::FieldError;
use serde_json::Value;

use crate::shopify::graph::{Ctx, Slot, error};
use crate::shopify::idempotency::{Outcome, Verdict};
use crate::shopify::mutations::UserError;
use crate::shopify::state::State;

/// Runs a mutation once per key. `run` says what it made (if it made anything with an id), `answer` words it, for the first
/// request and for every repetition alike.
pub(crate) fn keyed(
    ctx: &Ctx<'_>,
    response_key: &str,
    args: &Value,
    run: impl FnOnce(&mut State) -> Result<Option<i64>, Vec<UserError>>,
    answer: impl Fn(&State, Option<i64>, &[UserError]) -> Slot,
) -> Result<Slot, FieldError> {
    let given = ctx.keys.get(response_key);
    let key = given.ok_or_else(|| error("BAD_REQUEST|The @idempotent directive is required for this mutation but was not provided."))?;
    if key.trim().is_empty() {
        return Err(error("BAD_REQUEST|The idempotency key can't be blank."));
    }
    let fingerprint = format!("{response_key} {args}");
    Ok(ctx.write(|state| {
        match state.memory.judge(key, &fingerprint, ctx.begun.contains(key), ctx.now) {
            Verdict::Replay(made) => return answer(state, made, &[]),
            Verdict::Refuse(code, message) => {
                return answer(state, None, &[UserError::coded(code, &["input"], message)]);
            }
            Verdict::Run => {}
        }
        let (outcome, made, errors) = match run(state) {
            Ok(made) => (Outcome::Done(made), made, Vec::new()),
            Err(errors) => (Outcome::Failed, None, errors),
        };
        state.memory.settle(key, fingerprint, outcome, ctx.now);
        answer(state, made, &errors)
    }))
}

/// The keys of `@idempotent` in an operation's fields, by the name each answers under.
pub(crate) fn keys_of(operation: &Operation, document: &ExecutableDocument, variables: &Value) -> BTreeMap<String, String> {
    let key_of = |field: &Field| {
        let argument = field.directives.get("idempotent")?.specified_argument_by_name("key")?.clone();
        match argument.as_ref() {
            Literal::String(key) => Some(key.clone()),
            Literal::Variable(name) => Some(variables.get(name.as_str())?.as_str()?.to_owned()),
            _ => None,
        }
    };
    let fields = operation.root_fields(document);
    fields.filter_map(|field| Some((field.response_key().to_string(), key_of(field)?))).collect()
}
