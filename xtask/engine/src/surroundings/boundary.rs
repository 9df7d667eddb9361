//! Checks that simulated modules take time, randomness, order and the operating system's state only from [`super`].

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

/// Names that a simulation cannot replace.
const REFUSED: &[&str] = &[
    "SystemTime::now",
    "std::time::Instant",
    "getrandom::",
    "fastrand::",
    "RandomState",
    "HashMap",
    "HashSet",
    "process::id",
    "env::var",
    "env::temp_dir",
    "tokio::spawn",
    "JoinSet",
    "spawn_blocking",
    "block_in_place",
    "thread::",
    "tokio::fs",
    "tokio::net",
    "tokio::process",
    "tokio::signal",
    "\"/proc",
];

/// The files and folders whose code no simulated command runs, or that choose between the two worlds, and why.
const NEVER_SIMULATED: &[(&str, &str)] = &[
    ("actionlint", "runs a linter"),
    ("artifacts/elf.rs", "reads what cargo has built"),
    ("build", "runs cargo, which `Builds` replaces"),
    ("checks.rs", "runs checks"),
    ("commands/build.rs", "measures cargo"),
    ("commands/check_rights.rs", "runs functions on the local cloud"),
    ("commands/ci.rs", "runs checks"),
    ("commands/completions.rs", "runs shells"),
    ("interruption.rs", "listens to signals, which `Interruption::simulated` does not"),
    ("junit.rs", "reports tests"),
    ("linters", "runs linters"),
    ("local", "runs the local cloud"),
    ("process.rs", "runs other programs"),
    ("python.rs", "runs Python"),
    ("rights", "records calls on the local cloud"),
    ("run.rs", "starts the program"),
    ("sources", "runs git, which `Simulated` replaces"),
    ("surroundings", "contains both worlds"),
    ("workspace.rs", "finds the workspace of the real program"),
];

/// The places in simulated modules that may stay, and why.
const ACCEPTED: &[(&str, &str, &str)] =
    &[("ui/mod.rs", "env::var", "decides on spinners, which simulated output does not have")];

#[test]
fn simulated_modules_use_nothing_that_a_simulation_cannot_replace() {
    let mut found = BTreeSet::new();
    for (file, text) in simulated() {
        for name in REFUSED.iter().filter(|name| uses(&text, name)) {
            if !ACCEPTED.iter().any(|(of, accepted, _)| *of == file && accepted == name) {
                found.insert(format!("{file}: {name}"));
            }
        }
    }
    assert_eq!(found, BTreeSet::new(), "use the functions of `surroundings`, tokio's clock and ordered maps");
}

#[test]
fn simulated_modules_select_in_a_fixed_order() {
    let random = simulated().into_iter().filter(|(_, text)| selects_at_random(text)).map(|(file, _)| file);
    assert_eq!(random.collect::<BTreeSet<_>>(), BTreeSet::new(), "begin `select!` with `biased;`");
}

#[test]
fn the_lists_name_what_exists() {
    let files = files();
    for (place, reason) in NEVER_SIMULATED {
        assert!(files.iter().any(|file| is_in(file, place)), "{place} ({reason})");
    }
    let simulated = simulated();
    for (place, name, reason) in ACCEPTED {
        assert!(simulated.iter().any(|(file, text)| file == place && uses(text, name)), "{place}: {name} ({reason})");
    }
}

#[test]
fn uses_and_orders_are_recognized() {
    assert!(uses("let now = SystemTime::now();", "SystemTime::now"));
    assert!(uses("use std::time::{Duration, Instant};", "std::time::Instant"));
    assert!(uses("use std::{\n    fmt,\n    time::{Duration, Instant},\n};", "std::time::Instant"));
    assert!(!uses("use std::time::Duration;\nuse tokio::time::Instant;", "std::time::Instant"));
    assert!(!uses("let map = MyHashMaps;", "HashMap"));
    assert!(selects_at_random("tokio::select! {\n    a = b => {}\n}"));
    assert!(!selects_at_random("tokio::select! {\n    // The signal comes first.\n    biased;\n    a = b => {}\n}"));
    let text = "fn f() {}\n// SystemTime::now\n#[cfg(test)]\nmod tests {\n    use std::time::Instant;\n}\n";
    assert_eq!(product(text), "fn f() {}\n");
}

/// Every simulated source: its path below `src`, and its text without comments and tests.
fn simulated() -> Vec<(String, String)> {
    let files = files().into_iter().filter(|file| !NEVER_SIMULATED.iter().any(|(place, _)| is_in(file, place)));
    let text = |file: &String| fs_err::read_to_string(sources().join(file)).expect("a readable source");
    files.map(|file| (file.clone(), product(&text(&file)))).collect()
}

fn sources() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All sources but tests.
fn files() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![sources()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().expect("a readable folder") {
            let path = entry.expect("an entry").into_path();
            if path.is_dir() {
                folders.push(path);
            } else if !is_test(&path) {
                files.push(path.strip_prefix(sources()).expect("it is below the sources").to_string());
            }
        }
    }
    files
}

/// The files that only tests compile.
fn is_test(path: &Utf8Path) -> bool {
    matches!(path.file_stem(), Some("tests" | "layers" | "boundary" | "scripted" | "hints"))
        || path.components().any(|part| part.as_str() == "tests")
}

fn is_in(file: &str, place: &str) -> bool {
    file.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        || file.strip_suffix(".rs") == Some(place)
}

/// The text without comments and without the unit tests, which come last.
fn product(text: &str) -> String {
    let product = text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(product, _)| product);
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Whether the text has this name, also where `std::time::Instant` is imported in a group.
fn uses(text: &str, name: &str) -> bool {
    if name == "std::time::Instant" {
        let grouped = text.split("use std::").skip(1).filter_map(|rest| rest.split_once(';'));
        let mut groups = grouped.filter_map(|(group, _)| group.split_once("time::"));
        return text.contains(name) || groups.any(|(_, times)| times.split('}').next().is_some_and(is_instant));
    }
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(name).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + name.len()..]);
        let is_whole = name.ends_with("::") || name.starts_with("env::") || !after.starts_with(is_name);
        !before.ends_with(is_name) && is_whole
    })
}

fn is_instant(times: &str) -> bool {
    times.split(['{', ',', ' ', '\n']).any(|time| time == "Instant")
}

fn selects_at_random(text: &str) -> bool {
    let branches = text.split("select! {").skip(1);
    branches
        .map(|rest| rest.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//")))
        .any(|first| first != Some("biased;"))
}
