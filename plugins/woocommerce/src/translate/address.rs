//! Billing and shipping addresses, and the buyer they describe.

use super::meta::Meta;
use crate::contract::{Address, Buyer};
use crate::json::{Doc, Refusal};

const MAPPED: [&str; 11] =
    ["first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country", "email", "phone"];

/// `None` when the shop left the address blank (an order without anything to ship).
pub fn address(doc: Doc<'_>) -> Result<Option<Address>, Refusal> {
    let country = doc.text("country")?.map(|code| code.to_ascii_uppercase()).filter(|code| is_country(code));
    let state = doc.text("state")?;
    let lines: Vec<String> = [doc.text("address_1")?, doc.text("address_2")?].into_iter().flatten().collect();
    let address = Address {
        name: name(doc)?,
        company: doc.text("company")?,
        lines,
        city: doc.text("city")?,
        region_code: region_code(country.as_deref(), state.as_deref()),
        region: state,
        postal_code: doc.text("postcode")?,
        country,
        phone: doc.text("phone")?,
        email: doc.text("email")?,
        extras: doc.rest(&MAPPED),
    };
    let says_where = !address.lines.is_empty() || address.city.is_some() || address.postal_code.is_some();
    let says_who = address.name.is_some() || address.company.is_some() || address.phone.is_some() || address.email.is_some();
    Ok(Some(address).filter(|_| says_where || says_who))
}

/// The buyer, from the order's customer number and its billing address.
pub fn buyer(order: Doc<'_>, billing: Option<Doc<'_>>, meta: &Meta<'_>) -> Result<Option<Buyer>, Refusal> {
    let read = |key: &str| billing.map_or(Ok(None), |doc| doc.text(key)).map_err(|refusal| refusal.within("billing"));
    let buyer = Buyer {
        external_id: order.id("customer_id")?,
        name: billing.map_or(Ok(None), name).map_err(|refusal| refusal.within("billing"))?,
        email: read("email")?,
        phone: read("phone")?,
        locale: None,
        tax_number: meta.tax_number(),
        extras: Vec::new(),
    };
    let known = buyer.external_id.is_some() || buyer.name.is_some() || buyer.email.is_some() || buyer.phone.is_some();
    Ok(Some(buyer).filter(|_| known))
}

fn name(doc: Doc<'_>) -> Result<Option<String>, Refusal> {
    let parts: Vec<String> = [doc.text("first_name")?, doc.text("last_name")?].into_iter().flatten().collect();
    Ok(Some(parts.join(" ")).filter(|name| !name.is_empty()))
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

/// ISO 3166-2, where the shop's own code is known to be one. WooCommerce ships its own lists: the same as ISO for some
/// countries, with the country in front for others, and invented for the rest (China, New Zealand, Mexico, ...).
fn region_code(country: Option<&str>, state: Option<&str>) -> Option<String> {
    let (country, state) = (country?, state?);
    let code = |part: &str| {
        let fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        fits.then(|| format!("{country}-{part}"))
    };
    if let Some(rest) = state.strip_prefix(country) {
        return match rest.strip_prefix('-') {
            Some(rest) => code(rest),
            None if matches!(country, "JP" | "TR") => code(rest),
            None => None,
        };
    }
    let same_as_iso = matches!(country, "AR" | "AU" | "BR" | "CA" | "CH" | "ES" | "GR" | "HU" | "IT" | "RO" | "US");
    if same_as_iso { code(state) } else { None }
}

#[cfg(test)]
mod tests {
    use super::region_code;

    #[test]
    fn a_region_becomes_a_code_only_where_the_shop_uses_iso_codes() {
        let region = |country, state| region_code(Some(country), Some(state));
        assert_eq!(region("US", "CA").as_deref(), Some("US-CA"));
        assert_eq!(region("JP", "JP13").as_deref(), Some("JP-13"));
        assert_eq!(region("DE", "DE-BE").as_deref(), Some("DE-BE"));
        assert_eq!(region("CN", "CN2"), None);
        assert_eq!(region("GB", "Kent"), None);
        assert_eq!(region("US", "California"), None);
        assert_eq!(region("CA", "CA"), None);
    }
}
