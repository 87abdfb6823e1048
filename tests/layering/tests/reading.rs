//! The reader sees what the rules depend on: a rule that nothing can break would prove nothing.

#![allow(clippy::unwrap_used)]

use entrepot_test_layering::Source;

fn parse(file: &str, text: &str) -> Source {
    Source::parse(file.into(), text, &mut Vec::new())
}

fn paths(file: &str, text: &str) -> Vec<String> {
    parse(file, text).paths_within_crate().iter().map(|named| named.path.join("::")).collect()
}

#[test]
fn nested_use_trees_and_paths_in_code_and_macros_are_seen() {
    let text = "use crate::{stock::{Line, self}, orders};\nfn f() { crate::lanes::due(crate::id::Ids::new()); vec![crate::money::ZERO] }";
    let expected = ["stock::Line", "stock::self", "orders", "lanes::due", "id::Ids::new", "money::ZERO"];
    assert_eq!(paths("inbox.rs", text), expected);
}

#[test]
fn a_way_out_through_super_is_a_way_out() {
    assert_eq!(
        paths("stock/store.rs", "use super::model::Line; use super::super::orders::Order;"),
        ["stock::model::Line", "orders::Order"]
    );
    assert_eq!(paths("stock.rs", "use super::orders;"), ["orders"]);
}

#[test]
fn comments_strings_and_tests_do_not_count() {
    let text = "//! See crate::orders.\n/* crate::a */ const S: &str = \"crate::b\";\n#[cfg(test)]\nmod tests { use crate::c; }\n#[cfg(test)] fn d() { crate::e::f() }";
    assert_eq!(paths("stock.rs", text), Vec::<String>::new());
}

#[test]
fn a_file_that_is_declared_as_tests_is_reported() {
    let mut tests_only = Vec::new();
    Source::parse("stock.rs".into(), "mod model;\n#[cfg(test)]\nmod tests;\nmod store;", &mut tests_only);
    assert_eq!(tests_only, [["stock", "tests"]]);
}

#[test]
fn tokens_strings_and_floats_are_found_with_their_lines() {
    let source = parse("a.rs", "fn f() {\n    let now = std::time::Instant::now();\n    let x = 0.5;\n    q(\"SELECT 1 FROM t\");\n}");
    assert_eq!(source.lines_with(&["Instant", "::", "now"]), [2]);
    assert_eq!(source.float_literals(), [3]);
    assert_eq!(source.strings().collect::<Vec<_>>(), [("\"SELECT 1 FROM t\"", 4)]);
    assert!(source.lines_with(&["unsafe"]).is_empty());
}
