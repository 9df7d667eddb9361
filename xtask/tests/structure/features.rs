//! `cargo xtask`, the functions of the local cloud and the tests share one build of every dependency: cargo compiles a crate again for
//! every other set of features.

use std::collections::{BTreeMap, BTreeSet};

use crate::run;

/// The sets of features with which each package is compiled: several where build scripts and macros need it as well.
type FeatureSets = BTreeMap<String, BTreeSet<String>>;

/// The feature sets of one selection of packages.
fn feature_sets(selection: &[&str], edges: &str) -> FeatureSets {
    let format = ["--edges", edges, "--prefix", "none", "--format", "{p}\t{f}", "--locked"];
    let mut cargo = engine::process::cargo();
    cargo.arg("tree").args(selection).args(format);
    let tree = run(cargo);
    let mut sets = FeatureSets::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.split_once('\t').expect("the format has a tab");
        let package = package.trim_end_matches(" (proc-macro)").to_owned();
        // A crate of this workspace; `(*)` marks a repeated package.
        if !package.contains('(') {
            sets.entry(package).or_default().insert(features.trim_end_matches(" (*)").trim().to_owned());
        }
    }
    assert!(sets.len() > 100, "{selection:?} has {} dependencies", sets.len());
    sets
}

/// The packages that `part` compiles with features that `whole` does not have, with both.
fn compiled_again(part: &FeatureSets, whole: &FeatureSets) -> Vec<String> {
    let differs = |(package, sets): (&String, &BTreeSet<String>)| {
        let other = whole.get(package)?;
        (!sets.is_subset(other)).then(|| format!("{package}\n    {sets:?}\n    {other:?}"))
    };
    part.iter().filter_map(differs).collect()
}

#[test]
fn one_feature_set_for_all_builds() {
    let xtask = feature_sets(&["--package", "xtask"], "normal,build");
    // The local cloud's functions are built with `--workspace` and a `--bin` each.
    let functions = feature_sets(&["--workspace"], "normal,build");
    let tests = feature_sets(&["--workspace"], "normal,build,dev");
    for (part, whole, name) in
        [(&xtask, &functions, "functions"), (&functions, &tests, "tests"), (&xtask, &tests, "tests")]
    {
        let again = compiled_again(part, whole);
        assert!(
            again.is_empty(),
            "{} packages are compiled again for {name}: spell their features in xtask/Cargo.toml\n{}",
            again.len(),
            again.join("\n")
        );
    }
}

#[test]
fn a_package_with_other_features_is_found() {
    let sets = |features: &[&str]| {
        FeatureSets::from([("tokio v1".to_owned(), features.iter().map(|&set| set.to_owned()).collect())])
    };
    assert_eq!(compiled_again(&sets(&["fs"]), &sets(&["fs", "fs,net"])), Vec::<String>::new());
    assert_eq!(compiled_again(&sets(&["fs"]), &sets(&["fs,net"])).len(), 1);
    assert_eq!(compiled_again(&sets(&["fs"]), &FeatureSets::new()), Vec::<String>::new());
}
