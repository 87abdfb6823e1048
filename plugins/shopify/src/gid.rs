//! Global ids: `gid://shopify/Order/450789469`. Webhook bodies carry the number alone, GraphQL the whole; here only the
//! whole is used, so that both name the same thing.

/// The global id of a number, or the id itself where it is one already.
pub fn of(kind: &str, id: &str) -> String {
    if id.starts_with("gid://") { id.to_owned() } else { format!("gid://shopify/{kind}/{id}") }
}

/// Whether `id` is a global id of this kind.
pub fn is(kind: &str, id: &str) -> bool {
    let number = id.strip_prefix("gid://shopify/").and_then(|rest| rest.strip_prefix(kind)).and_then(|rest| rest.strip_prefix('/'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
