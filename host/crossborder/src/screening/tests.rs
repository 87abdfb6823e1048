#![allow(clippy::unwrap_used)]

use super::*;

// Invented people.
const LIST: &str = "id,name,aliases,country,program\n1,Ivan Petrovich Karasov,Иван Карасов;Iwan Karassow,RU,X\n2,Blue Falcon Trading LLC,,AE,X\n3,José Müller-Ibáñez,,,Y\n";

fn lists() -> Vec<List> {
    vec![List::from_csv("TEST", LIST).unwrap()]
}

fn outcome(name: &str, country: Option<&str>) -> Outcome {
    let subject = Subject { name: name.to_owned(), country: country.map(str::to_owned) };
    screen(&lists(), &subject, Settings::default()).outcome
}

#[test]
fn a_listed_name_blocks_in_any_order_case_and_script() {
    assert_eq!(outcome("Ivan Petrovich Karasov", Some("RU")), Outcome::Block);
    assert_eq!(outcome("KARASOV, Ivan", None), Outcome::Block);
    assert_eq!(outcome("иван карасов", None), Outcome::Block);
    assert_eq!(outcome("jose mueller ibanez", None), Outcome::Block);
    assert_eq!(outcome("Blue Falcon Trading", None), Outcome::Block);
}

#[test]
fn a_typing_error_or_another_country_goes_to_a_person() {
    assert_eq!(outcome("Ivan Karassov", Some("DE")), Outcome::Review);
    assert!(outcome("Ivann Karasof", None) >= Outcome::Review);
}

#[test]
fn a_shared_first_name_is_clear() {
    assert_eq!(outcome("Ivan Schmidt", None), Outcome::Clear);
    assert_eq!(outcome("Maria Lopez", None), Outcome::Clear);
}

#[test]
fn nothing_to_compare_is_never_clear() {
    assert_eq!(outcome("???", None), Outcome::Review);
    let subject = Subject { name: "Maria Lopez".to_owned(), country: None };
    assert_eq!(screen(&[], &subject, Settings::default()).outcome, Outcome::Review);
    assert!(List::from_csv("E", "id,name\n").is_err());
}

#[test]
fn the_answer_names_the_list_version_and_the_evidence() {
    let subject = Subject { name: "Ivan Karasov".to_owned(), country: None };
    let found = screen(&lists(), &subject, Settings::default());
    assert_eq!(found.looked_at.len(), 1);
    assert_eq!(found.hits[0].matched.len(), 2);
    let changed = List::from_csv("TEST", &LIST.replace("Blue", "Red")).unwrap();
    assert_ne!(changed.version(), found.looked_at[0].1);
}
