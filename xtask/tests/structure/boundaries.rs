//! Which crate may know which.

use regex_lite::Regex;

use crate::{files, read, root, run};

/// The folders whose code serves any project.
const GENERAL: [&str; 7] = [
    "xtask/engine",
    "xtask/plan",
    "stacks/model",
    "lambdas/aws-call",
    "lambdas/contract",
    "lambdas/common",
    "lambdas/tables",
];

#[test]
fn general_crates_name_no_system() {
    let system = Regex::new("(?i)media.?uploader|portfolio|thakii|list.?backup").expect("a pattern");
    // AWS's names, in the tables that are generated from its schemas.
    let aws = Regex::new(r"^AWS::ServiceCatalog::.*|servicecatalog:\w+").expect("a pattern");
    let mut named = Vec::new();
    for file in files(&GENERAL) {
        let is_table = file.ends_with(".tsv");
        for (number, line) in read(&file).lines().enumerate() {
            let line = if is_table { aws.replace_all(line, "") } else { line.into() };
            if system.is_match(&line) || system.is_match(&file) {
                named.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(named.is_empty(), "{} lines name a system:\n{}", named.len(), named.join("\n"));
}

/// The crates that a crate is built from, itself included.
fn dependencies(package: &str) -> Vec<String> {
    let arguments =
        ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--locked"];
    let mut cargo = engine::process::cargo();
    cargo.args(arguments);
    let tree = run(cargo);
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn plans_depend_on_neither_tokio_nor_aws() {
    let found: Vec<_> =
        dependencies("plan").into_iter().filter(|name| name == "tokio" || name.starts_with("aws-")).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Lambda gives its functions their credentials: only the tool signs in as developers and runners do.
#[test]
fn functions_know_no_sign_in_of_developers() {
    let is_sign_in = |name: &&String| matches!(name.as_str(), "aws-sdk-sso" | "aws-sdk-ssooidc" | "aws-sdk-signin");
    for function in ["media-uploader", "portfolio", "thakii", "listbackup", "analyticbot"] {
        let found: Vec<_> = dependencies(function).into_iter().filter(|name| is_sign_in(&name)).collect();
        assert_eq!(found, Vec::<String>::new(), "{function}");
    }
    assert!(dependencies("engine").iter().any(|name| is_sign_in(&name)));
}

#[test]
fn the_engine_depends_on_no_system() {
    let folders = fs_err::read_dir(root().join("lambdas")).expect("the functions");
    let names = folders.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let general: Vec<_> = GENERAL.iter().filter_map(|folder| folder.strip_prefix("lambdas/")).collect();
    let systems: Vec<_> = names.filter(|name| !general.contains(&name.as_str())).collect();
    assert!(systems.len() > 1, "{systems:?}");
    let is_project = |name: &String| {
        name == "stacks"
            || systems.contains(name)
            || name.strip_suffix("-contract").is_some_and(|name| systems.iter().any(|system| system == name))
    };
    let found: Vec<_> = dependencies("engine").into_iter().filter(is_project).collect();
    assert_eq!(found, Vec::<String>::new());
}
