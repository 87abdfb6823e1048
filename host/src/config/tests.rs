#![allow(clippy::unwrap_used)]

use super::*;

fn sources() -> Sources {
    Sources { folders: Folders { config: "/c".into(), data: "/d".into(), program: "/p".into() }, ..Sources::default() }
}

fn with_env(pairs: &[(&str, &str)]) -> Sources {
    Sources { environment: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), ..sources() }
}

fn with_file(text: &str) -> (Sources, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.toml");
    std::fs::write(&path, text).unwrap();
    (Sources { file: Some(path), ..sources() }, folder)
}

fn refused(sources: &Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

#[test]
fn the_documented_defaults_are_valid_and_every_option_has_a_comment() {
    let config = Config::load(&sources()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8480");
    assert_eq!(config.database, Database::File("/d/entrepot.db".into()));
    assert_eq!(config.secrets.master_key_file, PathBuf::from("/c/master.key"));
    assert!(config.lanes.workers > 0 && config.plugins.concurrency > 0);
    let mut before = "";
    for line in DEFAULTS.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(before.starts_with('#'), "no comment above `{line}`");
        }
        before = line;
    }
}

#[test]
fn each_source_wins_over_the_one_before() {
    let (mut sources, _folder) = with_file("[server]\nlisten = \"0.0.0.0:1\"\nrequest_ms = 1000\n[lanes]\nworkers = 3\n");
    sources.environment = vec![("ENTREPOT_SERVER_LISTEN".into(), "0.0.0.0:2".into()), ("ENTREPOT_LANES_WORKERS".into(), "4".into())];
    sources.flags = vec![("server.listen".into(), "0.0.0.0:3".into()), ("server.trusted_proxies".into(), "10.0.0.0/8, ::1".into())];
    let config = Config::load(&sources).unwrap();
    assert_eq!((config.server.listen.port(), config.lanes.workers), (3, 4));
    assert_eq!(config.server.request, Duration::from_secs(1));
    assert!(
        config.server.trusted_proxies[0].contains("10.9.9.9".parse().unwrap())
            && !config.server.trusted_proxies[0].contains("11.0.0.1".parse().unwrap())
    );
    assert_eq!(config.secrets.master_key_file.parent(), sources.file.unwrap().parent());
}

#[test]
fn a_wrong_file_key_or_value_is_named_with_its_remedy() {
    let missing = Sources { file: Some("/nowhere/hub.toml".into()), ..sources() };
    assert!(refused(&missing).contains("/nowhere/hub.toml") && refused(&missing).contains("hint"));
    for (text, words) in [
        ("[server\n", ["line 1", "hint"]),
        ("[server]\nlissten = \"x\"\n", ["server.lissten", "did you mean `server.listen`"]),
        ("[sever]\nlisten = \"x\"\n", ["`sever`", "hint"]),
        ("listen = \"x\"\n", ["`listen`", "hint"]),
        ("[server]\nlisten = 5\n", ["server.listen", "a text in quotes"]),
        ("[server]\nlisten = \"localhost\"\n", ["localhost", "127.0.0.1:8480"]),
        ("[server]\nwebhook_body_bytes = 99999999\n", ["99999999", "1024 to 5242880"]),
        ("[server]\npublic_url = \"hub.example.com\"\n", ["hub.example.com", "https://"]),
        ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n", ["10.0.0.0/33", "10.0.0.0/8"]),
        ("[log]\nformat = \"xml\"\n", ["xml", "text or json"]),
        ("[log]\nfilter = \"entrepot=loud\"\n", ["loud", "debug"]),
        ("[tenant]\nzone = \"Mars/Olympus\"\n", ["Mars/Olympus", "Europe/Berlin"]),
        ("[database]\nurl = \"mysql://a:secret@b/c\"\n", ["mysql://…", "postgres://"]),
        ("[secrets]\nmaster_key_file = \"/d/master.key\"\n", ["/d/master.key", "outside"]),
    ] {
        let (sources, _folder) = with_file(text);
        let said = refused(&sources);
        assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
        assert!(!said.contains("secret@"), "{said}");
    }
    let typo = refused(&with_env(&[("ENTREPOT_SERVER_LISTN", "x")]));
    assert!(typo.contains("ENTREPOT_SERVER_LISTN") && typo.contains("did you mean `ENTREPOT_SERVER_LISTEN`"), "{typo}");
    let number = refused(&with_env(&[("ENTREPOT_LANES_WORKERS", "many")]));
    assert!(number.contains("many") && number.contains("a whole number"), "{number}");
}

#[test]
fn a_password_and_a_key_are_not_shown_by_debug_output() {
    let mut sources = with_env(&[("ENTREPOT_MASTER_KEY", "canary-key"), ("ENTREPOT_TEST_POSTGRES", "x")]);
    sources.flags.push(("database.url".into(), "postgres://u:canary@h/db".into()));
    let config = Config::load(&sources).unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(config.secrets.master_key.unwrap().expose(), "canary-key");
    assert_eq!(config.database, Database::Postgres("postgres://u:canary@h/db".into()));
}
