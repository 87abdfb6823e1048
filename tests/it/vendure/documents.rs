//! The connector's queries against the schema of the server that is asked. Nothing of that schema is kept here.

use std::path::Path;

use entrepot_tests::real::Vendure;

/// A server looks at a document before it looks at the variables: one that is refused for missing variables is valid.
pub async fn every_document_is_valid_by_the_shops_own_schema(shop: &Vendure) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/vendure/src/graphql");
    let texts: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let (fragments, operations): (Vec<String>, Vec<String>) = texts.into_iter().partition(|text| text.starts_with("fragment"));
    assert!(operations.len() > 10);
    for operation in operations {
        let whole = with_fragments(operation, &fragments);
        let answer = shop.query(&whole).await;
        let valid = answer.contains("BAD_USER_INPUT") || answer.contains("\"data\":{");
        assert!(valid, "{whole}\n{answer}");
    }
    let wrong = shop.query("query Wrong { orders { items { noSuchField } } }").await;
    assert!(wrong.contains("GRAPHQL_VALIDATION_FAILED"), "the server looks: {wrong}");
}

/// The operation and every fragment that it or one of them spreads.
fn with_fragments(mut text: String, fragments: &[String]) -> String {
    let name = |fragment: &String| fragment.split_whitespace().nth(1).unwrap().to_owned();
    let mut added = 0;
    loop {
        let next =
            fragments.iter().find(|fragment| text.contains(&format!("...{}\n", name(fragment))) && !text.contains(fragment.as_str()));
        let Some(fragment) = next else { return text };
        text.push_str(fragment);
        added += 1;
        assert!(added <= fragments.len());
    }
}
