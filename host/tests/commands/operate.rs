//! Running a hub: copies of it.

use super::Program;

#[test]
fn a_copy_comes_back_where_there_is_no_hub_and_nowhere_else() {
    let (there, here) = (Program::new(), Program::new());
    there.ok("location add Cellar");
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("kept.backup");
    let copy = copy.to_str().unwrap();
    let made = there.ok(&format!("backup {copy}"));
    assert!(made["state"] == "done" && made["master_key"].as_str().unwrap().starts_with("mk_"), "{made}");
    let (code, said) = there.refused(&format!("backup {copy}"));
    assert!(code == 1 && said.contains("exists already"), "{said}");

    here.ok(&format!("restore {copy}"));
    assert!(here.ok("location list").to_string().contains("Cellar"));
    let (code, said) = here.refused(&format!("restore {copy}"));
    assert!(code == 1 && said.contains("not empty"), "{said}");

    let other = Program::new();
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("other.key");
    let key = key.to_str().unwrap();
    let (_, said) = other.refused(&format!("restore {copy} --master-key-file {key}"));
    assert!(said.contains("other.key") && said.contains("does not exist"), "{said}");
    // A hub elsewhere makes itself another key.
    Program::new().ok(&format!("location list --master-key-file {key}"));
    let (_, said) = other.refused(&format!("restore {copy} --master-key-file {key}"));
    assert!(said.contains(made["master_key"].as_str().unwrap()), "{said}");
    assert!(!other.path().join("entrepot.db").exists());
    let (code, said) = other.refused(&format!("restore {copy} --database postgres://u:canary@h/d"));
    assert!(code == 2 && said.contains("pg_restore") && !said.contains("canary"), "{said}");
}
