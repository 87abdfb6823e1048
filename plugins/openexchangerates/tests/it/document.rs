//! A real document of the service. It is not part of the repository; without it a test says so and passes.

use std::path::PathBuf;

use entrepot_documents::{decimal, instant};
use entrepot_openexchangerates::translate;

#[test]
fn a_real_document_keeps_every_digit() {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let path = std::env::var_os("ENTREPOT_SPECS").map_or(beside, PathBuf::from).join("rates/openexchangerates/latest.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there; set ENTREPOT_SPECS", path.display());
        return;
    };
    let rates = translate::rates(&text, None).unwrap();
    assert_eq!((rates.base.as_str(), instant::format_day(rates.day).as_str()), ("USD", "2014-05-10"));
    assert!(rates.refused.is_empty(), "{:?}", rates.refused);
    // Against the text itself, line by line: `"ZAR": 10.35192,`.
    let mut compared = 0;
    for (currency, value) in &rates.values {
        let written = text.split(&format!("\"{currency}\": ")).nth(1).unwrap();
        let written = written.split([',', '\n', '}']).next().unwrap();
        assert_eq!(decimal::parse(value), decimal::parse(written), "{currency}");
        compared += 1;
    }
    assert!(compared > 150, "{compared}");
}
