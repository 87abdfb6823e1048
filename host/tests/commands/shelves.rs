//! Kits, places, rules, allotments and the books from the command line.

use serde_json::json;

use super::Program;

#[test]
fn a_merchant_sets_kits_moves_goods_and_checks_the_books_from_the_command_line() {
    let hub = Program::new();
    for sku in ["CUP", "PLATE", "SET"] {
        hub.ok(&format!("product create Thing --sku {sku}"));
    }
    std::fs::write(hub.path().join("opening.csv"), "sku,units\nCUP,10\nPLATE,4\n").unwrap();
    assert_eq!(hub.ok("stock opening --file opening.csv")["counted"], json!(2));

    let set = hub.ok("product kit set SET CUP=2 PLATE");
    assert_eq!(set["components"].as_array().unwrap().len(), 2);
    assert_eq!(hub.ok("stock show SET")["available"], json!(4));
    assert_eq!(hub.ok("product kit show SET")["components"].as_array().unwrap().len(), 2);
    assert_eq!(hub.ok("product kit list")["items"][0]["sku"], json!("SET"));
    let (code, said) = hub.refused("product kit set SET SET");
    assert!(code == 1 && said.contains("SET -> SET") && said.contains("hint"), "{code} {said}");
    let (code, said) = hub.refused("stock receive SET 1");
    assert!(code == 1 && said.contains("kit"), "{code} {said}");

    hub.ok("location add Attic");
    hub.ok("location change Attic --country DE --priority 3");
    assert_eq!(hub.ok("location list")["items"][1]["country"], json!("DE"));
    assert_eq!(hub.ok("stock transfer CUP 4 --from Main --to Attic")["booked"], json!(true));
    assert_eq!(hub.ok("stock safety CUP 5 --location Main")["levels"].as_array().unwrap().len(), 2);
    assert_eq!(hub.ok("stock show SET")["available"], json!(2), "five of the six cups in Main are kept safe");
    hub.ok("stock backorder PLATE 2");

    assert_eq!(hub.ok("stock rule --allocation most-stock --split avoid --unpaid-hours 24")["unpaid_hours"], json!(24));
    assert_eq!(hub.ok("stock rule --unpaid-hours none")["allocation"], json!("most-stock"));
    assert_eq!(hub.ok("stock rule")["items"].as_array().unwrap().len(), 1);
    hub.ok("stock rule --remove");
    assert_eq!(hub.ok("stock rule")["items"], json!([]));
    assert_eq!(hub.ok("stock allot")["items"], json!([]));
    let (code, said) = hub.refused("stock allot --connection Nobody --at-least 3");
    assert!(code == 1 && said.contains("Nobody"), "{code} {said}");
    assert_eq!(hub.refused("stock allot --at-least 3").0, 2, "of which connection?");

    assert_eq!(hub.ok("stock audit")["items"], json!([]));
    assert_eq!(hub.ok("stock rebuild --apply")["differences"], json!([]));
    let (code, said) = hub.refused("order serve ord_01JD8Q4N7ZK3T5V9W2X4Y6Z8AB");
    assert!(code == 1 && said.contains("there is no order"), "{code} {said}");
}
