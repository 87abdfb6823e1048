#![allow(clippy::unwrap_used)]
use super::*;
#[test]
fn the_embedded_set_loads() {
    let set = RuleSet::builtin().unwrap();
    assert_eq!(set.version().len(), 64);
}
