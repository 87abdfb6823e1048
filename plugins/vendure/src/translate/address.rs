//! Where orders go.

use crate::contract::{Address, Buyer};
use crate::json::{Doc, Refusal};

const MAPPED: [&str; 9] =
    ["fullName", "company", "streetLine1", "streetLine2", "city", "province", "postalCode", "countryCode", "phoneNumber"];
/// The country's name in some language; the code says it.
const NAME_OF_COUNTRY: &str = "country";

/// `None` where nothing is filled in: the shop gives an address full of nothing.
pub fn address(doc: Option<Doc<'_>>) -> Result<Option<Address>, Refusal> {
    let Some(doc) = doc else { return Ok(None) };
    let country = doc.text("countryCode")?.map(|code| code.to_ascii_uppercase()).filter(|code| code.len() == 2);
    let province = doc.text("province")?;
    let address = Address {
        name: doc.text("fullName")?,
        company: doc.text("company")?,
        lines: [doc.text("streetLine1")?, doc.text("streetLine2")?].into_iter().flatten().collect(),
        city: doc.text("city")?,
        region_code: region_code(country.as_deref(), province.as_deref()),
        region: province,
        postal_code: doc.text("postalCode")?,
        country,
        phone: doc.text("phoneNumber")?,
        email: None,
        extras: doc.rest(&MAPPED).into_iter().filter(|extra| extra.key != NAME_OF_COUNTRY).collect(),
    };
    let says_something = MAPPED.iter().any(|key| doc.loose_text(key).is_some());
    Ok(says_something.then_some(address))
}

/// The province is a free text; only one in the form of ISO 3166-2 is a code.
fn region_code(country: Option<&str>, province: Option<&str>) -> Option<String> {
    let (country, province) = (country?, province?);
    let part = province.strip_prefix(country)?.strip_prefix('-')?;
    let fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    fits.then(|| province.to_owned())
}

pub fn buyer(doc: Option<Doc<'_>>) -> Result<Option<Buyer>, Refusal> {
    let Some(doc) = doc else { return Ok(None) };
    let names: Vec<String> = [doc.text("firstName")?, doc.text("lastName")?].into_iter().flatten().collect();
    Ok(Some(Buyer {
        external_id: doc.text("id")?,
        name: Some(names.join(" ")).filter(|name| !name.is_empty()),
        email: doc.text("emailAddress")?,
        phone: doc.text("phoneNumber")?,
        locale: None,
        tax_number: None,
        extras: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::region_code;

    #[test]
    fn a_province_is_a_code_only_where_it_is_written_as_one() {
        assert_eq!(region_code(Some("US"), Some("US-KY")).as_deref(), Some("US-KY"));
        for (country, province) in [(Some("US"), "KY"), (Some("DE"), "Bayern"), (Some("US"), "CA-QC"), (None, "US-KY")] {
            assert_eq!(region_code(country, Some(province)), None, "{province}");
        }
    }
}
