#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_763_700_000_000;

fn scheme(value: Value) -> Scheme {
    let scheme: Scheme = serde_json::from_value(value).unwrap();
    scheme.check().unwrap();
    scheme
}

fn woocommerce() -> (Scheme, &'static str) {
    let header = "x-wc-webhook-signature";
    (
        scheme(
            json!({"scheme": "hmac", "algorithm": "sha256", "header": header, "encoding": "base64", "prefix": "", "signed": "body", "secret": "s"}),
        ),
        header,
    )
}

fn shopify() -> (Scheme, &'static str) {
    let header = "x-shopify-hmac-sha256";
    (scheme(json!({"scheme": "hmac", "algorithm": "sha256", "header": header, "encoding": "base64", "secret": "s"})), header)
}

/// Signed time and id, hex with a prefix: what a channel of another family would declare.
fn dated() -> Scheme {
    scheme(
        json!({"scheme": "hmac", "algorithm": "sha512", "header": "x-sign", "encoding": "hex", "prefix": "v2=", "signed": "id.timestamp.body",
        "id": "x-id", "timestamp": {"header": "x-time", "tolerance-s": 300}, "secret": "s"}),
    )
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn run(scheme: &Scheme, headers: &HeaderMap, body: &[u8], secrets: &[&str]) -> Result<(), Refused> {
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::from_text(text)).collect();
    scheme.verify(&Delivery { headers, body, url: "https://hub.example/webhooks/x", received_at_ms: NOW_MS }, &secrets)
}

fn code(secret: &str, body: &[u8]) -> Vec<u8> {
    Algorithm::Sha256.code(secret.as_bytes(), &[body])
}

const BODY: &[u8] = br#"{"id": 727, "status": "processing", "total": "29.35", "note": "a&b=c/d+e"}"#;

/// A body whose code has both `+` and `/` in base64, so that base64url differs from it.
fn telling_body() -> Vec<u8> {
    (0..)
        .map(|n| format!("{{\"id\": {n}}}").into_bytes())
        .find(|body| {
            let text = STANDARD.encode(code("right", body));
            text.contains('+') && text.contains('/')
        })
        .unwrap()
}

#[test]
fn both_shops_accept_what_they_signed_and_refuse_twelve_forgeries() {
    for (scheme, header) in [woocommerce(), shopify()] {
        let good = STANDARD.encode(code("right", BODY));
        let signed = |value: &str, body: &[u8]| run(&scheme, &headers(&[(header, value)]), body, &["right"]);
        assert_eq!(signed(&good, BODY), Ok(()));

        // 1 wrong secret
        assert_eq!(signed(&STANDARD.encode(code("wrong", BODY)), BODY), Err(Refused::Mismatch));
        // 2 a secret rotated out: it was the fourth
        let rotated = ["new-3", "new-2", "new-1", "right"];
        assert_eq!(run(&scheme, &headers(&[(header, &good)]), BODY, &rotated), Err(Refused::Mismatch));
        assert_eq!(run(&scheme, &headers(&[(header, &good)]), BODY, &rotated[1..]), Ok(()));
        // 3 truncated, as text and as code
        assert_eq!(signed(&good[..good.len() - 4], BODY), Err(Refused::Malformed));
        assert_eq!(signed(&STANDARD.encode(&code("right", BODY)[..16]), BODY), Err(Refused::Malformed));
        assert_eq!(signed("", BODY), Err(Refused::Malformed));
        // 4 two headers, even when both are right
        assert_eq!(run(&scheme, &headers(&[(header, &good), (header, &good)]), BODY, &["right"]), Err(Refused::Doubled));
        assert_eq!(signed(&format!("{good}, {good}"), BODY), Err(Refused::Malformed));
        // 5 base64url where base64 is due
        let telling = telling_body();
        assert_eq!(signed(&STANDARD.encode(code("right", &telling)), &telling), Ok(()));
        assert_eq!(signed(&URL_SAFE.encode(code("right", &telling)), &telling), Err(Refused::Malformed));
        // 6 hex where base64 is due
        let hex: String = code("right", BODY).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signed(&hex, BODY), Err(Refused::Malformed));
        // 7 a body that is not UTF-8 is verified like any other
        let binary = [0xff, 0xfe, 0x00, 0x80];
        assert_eq!(signed(&STANDARD.encode(code("right", &binary)), &binary), Ok(()));
        assert_eq!(signed(&good, &binary), Err(Refused::Mismatch));
        // 8 the same JSON written again
        let again = serde_json::to_vec(&serde_json::from_slice::<Value>(BODY).unwrap()).unwrap();
        assert_ne!(again, BODY);
        assert_eq!(signed(&good, &again), Err(Refused::Mismatch));
        // 9 line ends changed on the way
        let unix = b"{\"a\": 1,\n\"b\": 2}\n";
        let windows = b"{\"a\": 1,\r\n\"b\": 2}\r\n";
        assert_eq!(signed(&STANDARD.encode(code("right", unix)), windows), Err(Refused::Mismatch));
        // 10 white space around the signature, padding missing or superfluous, stray bits
        assert_eq!(signed(&format!("{good} "), BODY), Err(Refused::Malformed));
        assert_eq!(signed(good.trim_end_matches('='), BODY), Err(Refused::Malformed));
        assert_eq!(signed(&format!("{good}="), BODY), Err(Refused::Malformed));
        // 11 no header, and a value that is not text
        assert_eq!(run(&scheme, &HeaderMap::new(), BODY, &["right"]), Err(Refused::Missing));
        let mut raw = HeaderMap::new();
        raw.insert(header, HeaderValue::from_bytes(&[0xff; 44]).unwrap());
        assert_eq!(run(&scheme, &raw, BODY, &["right"]), Err(Refused::Malformed));
        // 12 no secret, or an empty one: nothing is accepted, not even what an empty key signs
        assert_eq!(run(&scheme, &headers(&[(header, &good)]), BODY, &[]), Err(Refused::NoSecret));
        assert_eq!(run(&scheme, &headers(&[(header, &STANDARD.encode(code("", BODY)))]), BODY, &[""]), Err(Refused::NoSecret));
    }
}

#[test]
fn one_changed_bit_of_the_signature_is_refused() {
    let (scheme, header) = woocommerce();
    let right = code("right", BODY);
    for bit in 0..256 {
        let mut other = right.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(run(&scheme, &headers(&[(header, &STANDARD.encode(other))]), BODY, &["right"]), Err(Refused::Mismatch));
    }
}

fn dated_run(time: &str, sign_time: &str) -> Result<(), Refused> {
    let mut text = format!("evt_1.{sign_time}.").into_bytes();
    text.extend_from_slice(BODY);
    let hex: String = Algorithm::Sha512.code(b"right", &[&text]).iter().map(|byte| format!("{byte:02X}")).collect();
    run(&dated(), &headers(&[("x-sign", &format!("v2={hex}")), ("x-id", "evt_1"), ("x-time", time)]), BODY, &["right"])
}

#[test]
fn a_signed_time_is_read_strictly_and_must_be_near() {
    let now = NOW_MS / 1000;
    for good in [now, now - 300, now + 300] {
        assert_eq!(dated_run(&good.to_string(), &good.to_string()), Ok(()));
    }
    for stale in [now - 301, now + 301, 0, i64::MAX] {
        assert_eq!(dated_run(&stale.to_string(), &stale.to_string()), Err(Refused::Stale), "{stale}");
    }
    for text in [
        i64::MIN.to_string(),
        format!("+{now}"),
        "1e9".into(),
        format!("{now}.0"),
        format!(" {now}"),
        format!("-{now}"),
        "99999999999999999999".into(),
        "١٢٣".into(),
    ] {
        assert!(matches!(dated_run(&text, &text), Err(Refused::Malformed)), "{text}");
    }
    // The window does not help who did not sign this time.
    assert_eq!(dated_run(&now.to_string(), &(now - 1).to_string()), Err(Refused::Mismatch));
}

/// Time and signatures in one header, as many senders write them.
fn listed_run(value: &str) -> Result<(), Refused> {
    let listed = scheme(json!({"scheme": "hmac", "algorithm": "sha256", "header": "x-sign", "part": "v1", "encoding": "hex",
        "signed": "timestamp.body", "timestamp": {"header": "x-sign", "part": "t"}, "secret": "s"}));
    run(&listed, &headers(&[("x-sign", value)]), BODY, &["right"])
}

#[test]
fn a_header_that_lists_time_and_signatures_is_read_by_its_names() {
    let now = NOW_MS / 1000;
    let sign = |time: i64| -> String {
        let code = Algorithm::Sha256.code(b"right", &[time.to_string().as_bytes(), b".", BODY]);
        code.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let good = sign(now);
    let other = "00".repeat(32);
    assert_eq!(listed_run(&format!("t={now},v1={good}")), Ok(()));
    assert_eq!(listed_run(&format!("v1={good},v0=old,t={now}")), Ok(()), "in any order, beside what nobody asked for");
    assert_eq!(listed_run(&format!("t={now},v1={other},v1={good}")), Ok(()), "while the sender changes its secret");
    assert_eq!(listed_run(&format!("t={now},v1={other}")), Err(Refused::Mismatch));
    assert_eq!(listed_run(&format!("t={},v1={good}", now + 1)), Err(Refused::Mismatch), "another time than was signed");
    let stale = now - 301;
    assert_eq!(listed_run(&format!("t={stale},v1={}", sign(stale))), Err(Refused::Stale));
    assert_eq!(listed_run(&format!("t={now},t={now},v1={good}")), Err(Refused::Doubled));
    assert_eq!(listed_run(&format!("v1={good}")), Err(Refused::Missing));
    for text in [format!("t={now}"), format!("t={now},v1="), format!("t={now};v1={good}"), format!("t={now}, v1={good}"), good.clone()] {
        assert!(matches!(listed_run(&text), Err(Refused::Malformed | Refused::Missing)), "{text}");
    }
    // However many come, only the first few are compared.
    let many = format!("t={now},{}v1={good}", format!("v1={other},").repeat(MAX_SIGNATURES));
    assert_eq!(listed_run(&many), Err(Refused::Mismatch));
}

#[test]
fn headers_a_signature_needs_may_be_neither_missing_nor_doubled() {
    let good = [("x-sign", "v2="), ("x-id", "evt_1"), ("x-time", "1763700000")];
    for missing in 0..3 {
        let some: Vec<_> = good.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| *pair).collect();
        assert!(run(&dated(), &headers(&some), BODY, &["right"]).is_err());
    }
    let hex: String = Algorithm::Sha512.code(b"right", &[b"evt_1.1763700000.", BODY]).iter().map(|byte| format!("{byte:02x}")).collect();
    let sign = format!("v2={hex}");
    let once = [("x-sign", sign.as_str()), ("x-id", "evt_1"), ("x-time", "1763700000")];
    assert_eq!(run(&dated(), &headers(&once), BODY, &["right"]), Ok(()));
    for doubled in 0..3 {
        let mut twice = once.to_vec();
        twice.push(once[doubled]);
        assert_eq!(run(&dated(), &headers(&twice), BODY, &["right"]), Err(Refused::Doubled));
    }
    // The prefix belongs to the signature.
    let bare = [("x-sign", hex.as_str()), once[1], once[2]];
    assert_eq!(run(&dated(), &headers(&bare), BODY, &["right"]), Err(Refused::Malformed));
    let odd = [("x-sign", &sign[..sign.len() - 1]), once[1], once[2]];
    assert_eq!(run(&dated(), &headers(&odd), BODY, &["right"]), Err(Refused::Malformed));
}

const STANDARD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const STANDARD_SIGN: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

fn standard(pairs: &[(&'static str, &str)], at_s: i64, secrets: &[&str]) -> Result<(), Refused> {
    let scheme = scheme(json!({"scheme": "standard-webhooks", "secret": "s"}));
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::from_text(text)).collect();
    scheme.verify(&Delivery { headers: &headers(pairs), body, url: "", received_at_ms: at_s * 1000 }, &secrets)
}

#[test]
fn the_published_standard_webhooks_vector_is_accepted_and_its_neighbours_are_not() {
    let (id, at) = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
    let base = [("webhook-id", id), ("webhook-timestamp", "1649367553"), ("webhook-signature", STANDARD_SIGN)];
    let with_sign = |sign: &str| standard(&[base[0], base[1], ("webhook-signature", sign)], at, &[STANDARD_SECRET]);
    assert_eq!(standard(&base, at, &[STANDARD_SECRET]), Ok(()));
    assert_eq!(standard(&base, at + 300, &[STANDARD_SECRET]), Ok(()));
    assert_eq!(standard(&base, at + 301, &[STANDARD_SECRET]), Err(Refused::Stale));
    assert_eq!(standard(&base, at - 301, &[STANDARD_SECRET]), Err(Refused::Stale));
    // Several signatures while the sender rotates, several secrets while we do.
    let other = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(with_sign(&format!("v1a,abc {other} {STANDARD_SIGN}")), Ok(()));
    assert_eq!(standard(&base, at, &["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", STANDARD_SECRET]), Ok(()));
    assert_eq!(with_sign(other), Err(Refused::Mismatch));
    for sign in ["", "v1", "v1,", &STANDARD_SIGN[3..], &STANDARD_SIGN.replace("v1,", "v2,"), "v1a,abc"] {
        assert_eq!(with_sign(sign), Err(Refused::Malformed), "{sign}");
    }
    for doubled in base {
        assert_eq!(standard(&[base[0], base[1], base[2], doubled], at, &[STANDARD_SECRET]), Err(Refused::Doubled));
    }
    assert_eq!(standard(&[("webhook-id", "msg.1"), base[1], base[2]], at, &[STANDARD_SECRET]), Err(Refused::Malformed));
    assert_eq!(standard(&base, at, &["whsec_c2hvcnQ="]), Err(Refused::NoSecret));
}

#[test]
fn a_contradictory_or_unknown_scheme_is_refused_with_a_reason() {
    let unsigned = serde_json::from_value::<Scheme>(json!({"scheme": "unsigned"})).unwrap_err().to_string();
    assert!(unsigned.contains("unsigned"), "{unsigned}");
    let typo = json!({"scheme": "hmac", "algorithm": "sha256", "header": "x", "encoding": "base64", "secret": "s", "toleranse": 5});
    assert!(serde_json::from_value::<Scheme>(typo).unwrap_err().to_string().contains("toleranse"));
    let bad_header = json!({"scheme": "hmac", "algorithm": "sha256", "header": "x y", "encoding": "base64", "secret": "s"});
    assert!(serde_json::from_value::<Scheme>(bad_header).unwrap_err().to_string().contains("`x y`"));
    let no_time: Scheme = serde_json::from_value(
        json!({"scheme": "hmac", "algorithm": "sha256", "header": "x", "encoding": "base64", "secret": "s", "signed": "timestamp.body"}),
    )
    .unwrap();
    assert!(no_time.check().unwrap_err().contains("timestamp"));
}

#[test]
fn a_scheme_survives_being_written_and_read() {
    for scheme in [
        woocommerce().0,
        dated(),
        scheme(json!({"scheme": "standard-webhooks", "secret": "s", "tolerance-s": 60})),
        scheme(json!({"scheme": "plugin"})),
    ] {
        let text = serde_json::to_string(&scheme).unwrap();
        assert_eq!(serde_json::from_str::<Scheme>(&text).unwrap(), scheme, "{text}");
    }
}

/// Every webhook vector of the reference collection that a declared scheme can express.
#[test]
fn the_reference_vectors_of_webhooks_are_accepted() {
    let Some(vectors) = reference_vectors() else { return };
    let mut tried = 0;
    for vector in vectors.iter().filter(|vector| vector["kind"] == "webhook") {
        let text = |name: &str| vector[name].as_str().unwrap_or_default();
        let header = text("header").to_ascii_lowercase();
        let hmac = |more: Value| {
            let mut base = json!({"scheme": "hmac", "algorithm": "sha256", "header": header, "encoding": "base64", "secret": "s"});
            base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            scheme(base)
        };
        let scheme = match text("channel") {
            "standard-webhooks" => scheme(json!({"scheme": "standard-webhooks", "secret": "s"})),
            "easypost" => hmac(json!({"encoding": "hex", "prefix": "hmac-sha256-hex=", "secret-form": "nfkd"})),
            "square" => hmac(json!({"signed": "url-body"})),
            "shopify" | "woocommerce" => hmac(json!({})),
            other => {
                println!("not expressible as a declared scheme: {other} ({})", text("id"));
                continue;
            }
        };
        let mut map = HeaderMap::new();
        map.insert(HeaderName::try_from(header.as_str()).unwrap(), text("expected").parse().unwrap());
        let at_s = vector["timestamp"].as_i64().unwrap_or(NOW_MS / 1000);
        map.insert("webhook-id", text("webhook_id").parse().unwrap());
        map.insert("webhook-timestamp", at_s.to_string().parse().unwrap());
        let secrets = [Secret::from_text(text("secret"))];
        let verify =
            |body: &[u8]| scheme.verify(&Delivery { headers: &map, body, url: text("url"), received_at_ms: at_s * 1000 }, &secrets);
        assert_eq!(verify(text("input").as_bytes()), Ok(()), "{}", text("id"));
        assert_eq!(verify(format!("{} ", text("input")).as_bytes()), Err(Refused::Mismatch), "{}", text("id"));
        tried += 1;
    }
    assert!(tried >= 4, "only {tried} vectors could be tried");
}

fn reference_vectors() -> Option<Vec<Value>> {
    let root = std::env::var_os("ENTREPOT_SPECS")
        .map_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs"), std::path::PathBuf::from);
    let file = root.join("_signature-vectors/vectors.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("SKIPPED: no reference vectors; set ENTREPOT_SPECS to the folder that holds _signature-vectors");
        return None;
    };
    let parsed: Value = serde_json::from_str(&text).unwrap();
    parsed["vectors"].as_array().cloned()
}
