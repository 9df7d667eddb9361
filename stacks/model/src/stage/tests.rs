//! Stage files that are wrong, and systems' settings.

use std::error::Error;

use super::*;

const PLAIN: &str = "account: '111122223333'\nregion: eu-central-1\n";
const FILE: &str = "stacks/stages/dev.yaml";

/// The settings of an example system.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Photos {
    allowed_origins: Vec<String>,
    #[serde(default)]
    domain: Option<Domain>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Domain {
    name: String,
}

/// The message of an error and of its source.
fn chain(error: &StageError) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

fn error(text: &str) -> String {
    chain(&Stage::parse("dev", text, FILE).expect_err("wrong"))
}

/// Parses a stage with these lines under `systems`.
fn stage(systems: &str) -> Stage {
    Stage::parse("dev", &format!("{PLAIN}systems:\n{systems}"), FILE).expect("a stage")
}

fn settings_error(systems: &str) -> StageError {
    stage(systems).settings::<Photos>("photos").expect_err("wrong settings")
}

#[test]
fn errors_in_a_file_name_the_file_the_line_and_the_field() {
    let broken = error("account: '111122223333'\nregion: [");
    assert!(broken.contains(FILE) && broken.contains("line"), "{broken}");
    let missing = error("account: '111122223333'\n");
    assert!(missing.contains("missing field `region`"), "{missing}");
    let unknown = error(&format!("{PLAIN}regoin: x\n"));
    assert!(unknown.contains("unknown field `regoin`") && unknown.contains("line 3"), "{unknown}");
    assert!(unknown.contains("did you mean `region`?"), "{unknown}");
    let dissimilar = error(&format!("{PLAIN}weather: sunny\n"));
    assert!(!dissimilar.contains("did you mean"), "{dissimilar}");
}

#[test]
fn accounts_regions_and_names_are_checked() {
    assert!(error("account: '123'\nregion: eu-central-1\n").contains("12 digits"));
    assert!(error("account: '111122223333'\nregion: Frankfurt\n").contains("eu-central-1"));
    let name = Stage::parse("Dev", PLAIN, FILE).expect_err("a capital letter").to_string();
    assert!(name.contains("`name` is `Dev`, but must be at most 16 lower-case letters"), "{name}");
}

#[test]
fn canaries_need_rising_steps_and_a_minute_to_bake() {
    for (release, field) in [
        ("{ strategy: canary, steps: [] }", "`release` is `0 steps of 300 s`"),
        ("{ strategy: canary, bake_seconds: 59 }", "`release` is `2 steps of 59 s`"),
        ("{ steps: [25, 5] }", "`release.steps` is `25, 5`"),
        ("{ steps: [5, 100] }", "`release.steps` is `5, 100`"),
    ] {
        let error = error(&format!("{PLAIN}release: {release}\n"));
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn only_an_unprotected_stage_in_aws_is_deployed_in_express_mode() {
    let parse = |name: &str, lines: &str| Stage::parse(name, &format!("{PLAIN}{lines}"), FILE);
    for (lines, expected) in [
        ("", Deployment::Standard),
        ("deployment: standard\n", Deployment::Standard),
        ("deployment: standard\nprotected: true\n", Deployment::Standard),
        ("deployment: express\n", Deployment::Express),
    ] {
        assert_eq!(parse("dev", lines).expect("a stage").deployment, expected, "{lines}");
    }
    let refused = |name, lines| parse(name, lines).expect_err("refused").to_string();
    let protected = refused("prod", "deployment: express\nprotected: true\n");
    assert!(
        protected.contains("`deployment` is `express`, but must be `standard` in a protected stage"),
        "{protected}"
    );
    let local = refused("local", "deployment: express\n");
    assert!(local.contains("must be `standard` in stage local"), "{local}");
    let unknown = error(&format!("{PLAIN}deployment: fast\n"));
    assert!(unknown.contains("unknown variant `fast`, expected `standard` or `express`"), "{unknown}");
}

#[test]
fn stacks_of_unprotected_stages_in_aws_are_deleted_in_express_mode() {
    let deletion =
        |name: &str, lines: &str| Stage::parse(name, &format!("{PLAIN}{lines}"), FILE).expect("a stage").deletion();
    for lines in ["", "deployment: express\n", "deployment: standard\n"] {
        assert_eq!(deletion("dev", lines), Deployment::Express, "{lines}");
    }
    assert_eq!(deletion("prod", "protected: true\n"), Deployment::Standard);
    assert_eq!(deletion("local", ""), Deployment::Standard);
}

#[test]
fn settings_of_a_system_do_not_depend_on_other_systems() {
    let stage = stage("  notes: { anything: [1] }\n  photos: { allowed_origins: ['https://example.com'] }\n");
    let expected = Photos { allowed_origins: vec!["https://example.com".to_owned()], domain: None };
    assert_eq!(stage.settings("photos"), Ok(Some(expected)));
    assert_eq!(stage.settings::<Photos>("feeds"), Ok(None));
}

#[test]
fn a_system_without_a_value_is_refused_and_one_with_an_empty_map_has_the_defaults() {
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Notes {
        retries: u8,
    }
    for empty in ["", " ~", " null"] {
        assert_eq!(
            error(&format!("{PLAIN}systems:\n  notes:{empty}\n")),
            "failed to parse stacks/stages/dev.yaml: system `notes` has no settings; write `notes: {}` to deploy it with the \
             defaults, or delete the line",
            "{empty}"
        );
    }
    assert_eq!(stage("  notes: {}\n").settings("notes"), Ok(Some(Notes::default())));
}

#[test]
fn a_stage_without_systems_has_no_settings() {
    let stage = Stage::parse("dev", PLAIN, FILE).expect("a stage");
    assert_eq!(stage.settings::<Photos>("photos"), Ok(None));
    assert_eq!(stage.check_systems(&[]), Ok(()));
}

#[test]
fn errors_in_settings_name_the_file_the_line_the_key_and_the_closest_key() {
    let error = chain(&settings_error("  photos:\n    alowed_origins: 1\n"));
    assert!(error.starts_with("failed to parse stacks/stages/dev.yaml; did you mean `allowed_origins`?"), "{error}");
    assert!(error.contains("systems.photos: unknown field `alowed_origins`"), "{error}");
    assert!(error.contains("at line 5 column 5"), "{error}");

    let error = chain(&settings_error("  photos:\n    allowed_origins: []\n    domain: { nmae: x }\n"));
    assert!(error.contains("systems.photos.domain: unknown field `nmae`"), "{error}");
    assert!(error.contains("`name`?") && error.contains("line 6"), "{error}");
}

#[test]
fn the_old_spelling_of_a_setting_is_answered_with_the_new_one() {
    let renamed = [("zone", "hosted_zone_id"), ("origins", "allowed_origins")];
    let error = chain(&settings_error("  photos:\n    origins: []\n").explain_renamed(&renamed));
    let expected = "failed to parse stacks/stages/dev.yaml: systems.photos: unknown field `origins`; it is called \
                    `allowed_origins`, at line 5 column 5";
    assert_eq!(error, expected);
    let other = settings_error("  photos:\n    alowed_origins: 1\n");
    assert_eq!(other.clone().explain_renamed(&renamed), other);
}

#[test]
fn unknown_systems_are_refused_with_the_closest_known_one() {
    let stage = stage("  potos: {}\n");
    let error = stage.check_systems(&["notes", "photos"]).expect_err("unknown").to_string();
    let expected = "failed to parse stacks/stages/dev.yaml: there is no system `potos`; did you mean `photos`?";
    assert_eq!(error, expected);
    assert_eq!(stage.check_systems(&["potos"]), Ok(()));
}

#[test]
fn the_allowed_origins_of_all_systems_are_one_set() {
    let stage = stage(
        "  photos:\n    allowed_origins: ['http://localhost:3000']\n    domain: { name: x }\n  notes: {}\n  \
         wrong:\n    allowed_origins: 1\n  music:\n    allowed_origins: ['http://localhost:5173', 'http://localhost:3000']\n",
    );
    let expected = ["http://localhost:3000", "http://localhost:5173"].map(str::to_owned);
    assert_eq!(stage.allowed_origins(), expected.into());
    assert!(Stage::parse("dev", PLAIN, FILE).expect("a stage").allowed_origins().is_empty());
}

/// Settings that refuse no key themselves.
#[derive(Debug, PartialEq, Deserialize)]
struct Lenient {
    #[serde(default)]
    alarm_email: Option<String>,
    #[serde(default)]
    limits: Option<Limits>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Limits {
    #[serde(default)]
    files: u32,
}

#[test]
fn a_misspelt_setting_is_refused_whether_or_not_the_system_refuses_it() {
    let read = |settings: &str| stage(&format!("  notes: {settings}\n")).settings::<Lenient>("notes");
    let expected = Lenient { alarm_email: None, limits: Some(Limits { files: 2 }) };
    assert_eq!(read("{ limits: { files: 2 } }"), Ok(Some(expected)));
    for (settings, key) in [
        ("{ alarm_mail: ops@example.com }", "systems.notes.alarm_mail"),
        ("{ limits: { file: 2 } }", "systems.notes.limits.file"),
    ] {
        let error = read(settings).expect_err("an unknown key").to_string();
        assert_eq!(error, format!("failed to parse {FILE}: the system has no setting `{key}`"));
    }
}
