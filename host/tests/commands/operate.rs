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

#[test]
fn what_stands_still_and_who_is_kept_is_asked_without_a_running_hub() {
    let program = Program::new();
    program.ok("location add Cellar");
    assert_eq!(program.ok("sync status")["causes"], serde_json::json!([]));
    let dead = program.ok("sync dead --cause x --until 2027-01-31T00:00:00Z");
    assert_eq!((&dead["lanes"]["items"], &dead["deliveries"]["items"]), (&serde_json::json!([]), &serde_json::json!([])));
    let (code, said) = program.refused("sync dead --since yesterday");
    assert!(code == 1 && said.contains("yesterday") && said.contains("2027-01-31T00:00:00Z"), "{said}");
    assert_eq!(program.ok("sync retry --kind push")["released"], 0);
    assert!(program.refused("sync skip push/nowhere").1.contains("push/nowhere"));

    let (code, said) = program.refused("person erase --email nobody@example.org");
    assert!(code == 1 && said.contains("nobody was found"), "{said}");
    assert_eq!(program.refused("person erase").0, 2, "it must be said who");
    assert!(program.refused("person export --email nobody@example.org").1.contains("nobody was found"));
    assert_eq!(program.ok("person erased")["items"], serde_json::json!([]));
}

#[test]
fn a_move_that_cannot_be_is_refused_before_anything_is_opened() {
    let program = Program::new();
    let (code, said) = program.refused("database move --to /tmp/other.db");
    assert!(code == 2 && said.contains("postgres://"), "{said}");
    let (code, said) = program.refused("database move --to postgres://u:canary@127.0.0.1:9/d");
    assert!(code == 1 && said.contains("there is no database") && !said.contains("canary"), "{said}");
    program.ok("location add Cellar");
    let (code, said) = program.refused("database move --to postgres://u:canary@127.0.0.1:9/d");
    assert!(code == 1 && said.contains("PostgreSQL") && !said.contains("canary"), "{said}");
    assert!(program.ok("location list").to_string().contains("Cellar"));
}
