//! Addresses and buyers.

use crate::contract::Address;
use crate::json::{Doc, Refusal};

/// Names of the members in one of the two shapes.
pub struct Names {
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub country: &'static str,
    pub province_code: &'static str,
    /// Members that are told by others or that nobody needs: coordinates, the country's name.
    pub ignored: &'static [&'static str],
}

pub const GRAPH: Names =
    Names { first_name: "firstName", last_name: "lastName", country: "countryCodeV2", province_code: "provinceCode", ignored: &["id"] };
pub const REST: Names = Names {
    first_name: "first_name",
    last_name: "last_name",
    country: "country_code",
    province_code: "province_code",
    ignored: &["id", "customer_id", "country", "country_name", "latitude", "longitude", "default"],
};

pub fn address(doc: Doc<'_>, names: &Names) -> Result<Address, Refusal> {
    let country = doc.text(names.country)?.map(|code| code.to_ascii_uppercase());
    let province = doc.text("province")?;
    let code = doc.text(names.province_code)?;
    let mapped = [
        "name",
        names.first_name,
        names.last_name,
        "company",
        "address1",
        "address2",
        "city",
        "province",
        names.province_code,
        "zip",
        names.country,
        "phone",
    ];
    let skip: Vec<&str> = mapped.iter().chain(names.ignored).copied().collect();
    let parts: Vec<String> = [doc.text(names.first_name)?, doc.text(names.last_name)?].into_iter().flatten().collect();
    let joined = Some(parts.join(" ")).filter(|name| !name.is_empty());
    Ok(Address {
        name: doc.text("name")?.or(joined),
        company: doc.text("company")?,
        lines: [doc.text("address1")?, doc.text("address2")?].into_iter().flatten().collect(),
        city: doc.text("city")?,
        region_code: region_code(country.as_deref(), code.as_deref()),
        region: province.or(code),
        postal_code: doc.text("zip")?,
        country: country.filter(|code| code.len() == 2),
        phone: doc.text("phone")?,
        email: None,
        extras: doc.rest(&skip),
    })
}

/// ISO 3166-2. Shopify's province codes are its second half, or the whole, with a few lists of its own.
fn region_code(country: Option<&str>, province: Option<&str>) -> Option<String> {
    let (country, province) = (country?, province?);
    let part = province.strip_prefix(country).and_then(|rest| rest.strip_prefix('-')).unwrap_or(province);
    let fits = (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    // Mexico's codes are postal abbreviations of differing length.
    (fits && country != "MX").then(|| format!("{country}-{part}"))
}

#[cfg(test)]
mod tests {
    use super::region_code;

    #[test]
    fn a_province_becomes_a_code_only_where_it_is_one() {
        assert_eq!(region_code(Some("US"), Some("KY")).as_deref(), Some("US-KY"));
        assert_eq!(region_code(Some("JP"), Some("JP-13")).as_deref(), Some("JP-13"));
        assert_eq!(region_code(Some("MX"), Some("AGS")), None);
        assert_eq!(region_code(Some("GB"), Some("Kent")), None);
        assert_eq!(region_code(None, Some("KY")), None);
    }
}
