//! What a manifest must mean, beyond its form.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::{Capability, Error, Manifest, Place, SCHEMA, Strategy, origin};

static VALIDATOR: LazyLock<Option<jsonschema::Validator>> =
    LazyLock::new(|| serde_json::from_str(SCHEMA).ok().and_then(|schema| jsonschema::validator_for(&schema).ok()));

pub(super) fn schema(value: &Value) -> Result<(), Error> {
    let Some(validator) = VALIDATOR.as_ref() else {
        return Err(Error::NotJson("the built-in manifest schema is damaged; this is a fault of the hub".into()));
    };
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => Err(Error::at(error.instance_path().to_string(), error.to_string())),
    }
}

pub(super) fn settings(schema: &Value, settings: &Value) -> Result<(), Vec<String>> {
    let validator =
        jsonschema::validator_for(schema).map_err(|error| vec![format!("the manifest's settings schema is damaged: {error}")])?;
    let problems: Vec<String> = validator
        .iter_errors(settings)
        .map(|error| {
            let path = error.instance_path().to_string();
            if path.is_empty() { error.to_string() } else { format!("`{}`: {error}", path.trim_start_matches('/')) }
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

pub(super) fn meaning(manifest: &Manifest) -> Result<(), Error> {
    capabilities(manifest)?;
    settings_schema(manifest)?;
    let secrets = unique("secrets", manifest.secrets.iter().map(|slot| slot.name.as_str()))?;
    unique("credentials", manifest.credentials.iter().map(|credential| credential.name.as_str()))?;
    unique("pacing", manifest.pacing.iter().map(|bucket| bucket.bucket.as_str()))?;
    for (at, rule) in manifest.hosts.iter().enumerate() {
        pattern(manifest, &format!("hosts[{at}].origin"), &rule.origin)?;
    }
    for (at, credential) in manifest.credentials.iter().enumerate() {
        for name in credential.secrets() {
            known_secret(&secrets, &format!("credentials[{at}]"), name)?;
        }
        for (n, host) in credential.hosts.iter().enumerate() {
            let key = format!("credentials[{at}].hosts[{n}]");
            pattern(manifest, &key, host)?;
            if !manifest.hosts.iter().any(|rule| &rule.origin == host) {
                return Err(Error::at(key, format!("`{host}` is not in `hosts`; a credential goes only where requests may go")));
            }
        }
        if let Strategy::ClientCredentials { token_url, .. } = &credential.strategy {
            pattern(manifest, &format!("credentials[{at}].token-url"), origin::split_url(token_url).0)?;
        }
    }
    webhooks(manifest, &secrets)?;
    for (at, schedule) in manifest.schedules.iter().enumerate() {
        if !manifest.has(schedule.run) {
            return Err(Error::at(
                format!("schedules[{at}].run"),
                format!("`{}` is not among the capabilities; add it there or remove the schedule", schedule.run),
            ));
        }
        cron(&schedule.cron).map_err(|problem| Error::at(format!("schedules[{at}].cron"), problem))?;
    }
    Ok(())
}

fn capabilities(manifest: &Manifest) -> Result<(), Error> {
    if !manifest.has(Capability::Connection) {
        return Err(Error::at("capabilities", "`connection` is missing; every connector exports it"));
    }
    let expected = match manifest.kind {
        super::Kind::Channel => "entrepot:channel@1.0.0",
        super::Kind::Carrier => "entrepot:carrier@1.0.0",
        super::Kind::Finance => "entrepot:finance@1.0.0",
    };
    if manifest.contract != expected {
        return Err(Error::at("contract", format!("`{}` does not fit the kind; write `{expected}`", manifest.contract)));
    }
    if manifest.has(Capability::Webhooks) != manifest.webhooks.is_some() {
        return Err(Error::at("webhooks", "the `webhooks` section and the `webhooks` capability come together; add the missing one"));
    }
    Ok(())
}

fn settings_schema(manifest: &Manifest) -> Result<(), Error> {
    jsonschema::validator_for(&manifest.settings)
        .map(|_| ())
        .map_err(|error| Error::at("settings", format!("it is not a JSON Schema this hub can use: {error}")))
}

fn unique<'a>(key: &str, names: impl Iterator<Item = &'a str>) -> Result<BTreeSet<&'a str>, Error> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Error::at(key, format!("`{name}` is declared twice")));
        }
    }
    Ok(seen)
}

fn known_secret(secrets: &BTreeSet<&str>, key: &str, name: &str) -> Result<(), Error> {
    if secrets.contains(name) {
        return Ok(());
    }
    Err(Error::at(key, format!("the secret `{name}` is not declared; add it to `secrets`")))
}

/// An origin must parse, and each hole must be a string setting that is always there.
fn pattern(manifest: &Manifest, key: &str, text: &str) -> Result<(), Error> {
    origin::check(text).map_err(|problem| Error::at(key, problem))?;
    for hole in origin::holes(text).map_err(|problem| Error::at(key, problem))? {
        let property = manifest.settings.pointer(&format!("/properties/{hole}/type"));
        let always = manifest.settings.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|name| name == hole));
        if property.and_then(Value::as_str) != Some("string") || !always {
            return Err(Error::at(key, format!("the hole `{{{hole}}}` needs a required string setting of that name in `settings`")));
        }
    }
    Ok(())
}

fn webhooks(manifest: &Manifest, secrets: &BTreeSet<&str>) -> Result<(), Error> {
    let Some(webhooks) = &manifest.webhooks else { return Ok(()) };
    let verify = &webhooks.verify;
    for name in verify.get("secret").and_then(Value::as_str).into_iter().chain(strings(verify.get("secrets"))) {
        known_secret(secrets, "webhooks.verify", name)?;
    }
    if verify.get("scheme").and_then(Value::as_str) == Some("plugin") && !manifest.has(Capability::WebhookVerify) {
        return Err(Error::at("webhooks.verify", "scheme `plugin` needs the capability `webhook-verify`"));
    }
    let signed = verify.get("signed").and_then(Value::as_str).unwrap_or("body");
    if signed.contains("timestamp") && verify.get("timestamp").is_none() {
        return Err(Error::at("webhooks.verify", "it signs a timestamp but names no `timestamp` header"));
    }
    if signed.starts_with("id.") && verify.get("id").is_none() {
        return Err(Error::at("webhooks.verify", "it signs an id but names no `id` header"));
    }
    if let Place::Pointer(pointer) = &webhooks.topic
        && pointer.is_empty()
    {
        return Err(Error::at("webhooks.topic", "an empty pointer means the whole body; name the field that holds the topic"));
    }
    Ok(())
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Five fields of numbers, names, steps, ranges and lists. The schedule room reads it again; here an author learns early.
fn cron(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("`{text}` has {} fields; write five: minute hour day-of-month month day-of-week", fields.len()));
    }
    let seconds_first = format!("0 {text}").replace("  ", " ");
    let sunday_is_one = seconds_first.rsplit_once(' ').map(|(head, _)| format!("{head} *")).unwrap_or(seconds_first);
    // The crate numbers week days differently, so the last field is only looked at for its letters.
    let week_day_fits = fields[4].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b',' | b'-' | b'/'));
    match sunday_is_one.parse::<cron::Schedule>() {
        Ok(_) if week_day_fits => Ok(()),
        Ok(_) => Err(format!("`{text}`: the day of the week cannot be read")),
        Err(error) => Err(format!("`{text}` is not a cron expression: {error}")),
    }
}
