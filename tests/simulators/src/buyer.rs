//! The people who buy in the simulated shops.

/// A buyer with one address, used for billing and shipping alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buyer {
    pub first_name: String,
    pub last_name: String,
    pub company: String,
    pub address_1: String,
    pub address_2: String,
    pub city: String,
    /// Subdivision code without the country (`CA`, `BY`), empty where addresses have none.
    pub region: String,
    pub region_name: String,
    pub postcode: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub country_name: String,
    pub email: String,
    pub phone: String,
}

/// first, last, street, city, region code, region name, postcode, country, country name, phone
const PEOPLE: [[&str; 10]; 6] = [
    ["Anna", "Lindqvist", "Storgatan 14", "Uppsala", "", "", "753 20", "SE", "Sweden", "+46701234567"],
    ["Jürgen", "Groß", "Lindenstraße 8a", "München", "BY", "Bavaria", "80331", "DE", "Germany", "+4915112345678"],
    ["Chloé", "Martin", "3 rue de l'Église", "Lyon", "", "", "69001", "FR", "France", "+33612345678"],
    ["Dana", "O'Neill", "221 Alder Court Apt 5", "Portland", "OR", "Oregon", "97201", "US", "United States", "+15035550142"],
    ["伟", "李", "南京西路 1266 号", "上海", "CN2", "Shanghai", "200040", "CN", "China", "+8613800138000"],
    ["Marek", "Zieliński", "ul. Długa 7/2", "Gdańsk", "", "", "80-827", "PL", "Poland", "+48501234567"],
];

impl Buyer {
    /// One of a handful of people from several countries, the same for the same number.
    pub fn number(n: u64) -> Self {
        let index = usize::try_from(n % PEOPLE.len() as u64).unwrap_or_default();
        let [first, last, street, city, region, region_name, postcode, country, country_name, phone] = PEOPLE[index];
        Self {
            first_name: first.into(),
            last_name: last.into(),
            company: String::new(),
            address_1: street.into(),
            address_2: String::new(),
            city: city.into(),
            region: region.into(),
            region_name: region_name.into(),
            postcode: postcode.into(),
            country: country.into(),
            country_name: country_name.into(),
            email: format!("buyer{n}@example.com"),
            phone: phone.into(),
        }
    }
}

impl Default for Buyer {
    fn default() -> Self {
        Self::number(0)
    }
}
