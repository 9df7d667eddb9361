//! Holds the order of the engine's modules: a module imports only modules of lower layers and of its own.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

/// The layers, lowest first.
const LAYERS: &[&[&str]] = &[
    // No AWS, no project.
    &[
        "error",
        "interruption",
        "junit",
        "network",
        "parallel",
        "poll",
        "process",
        "surroundings",
        "table",
        "template_hash",
        "ui",
        "workspace",
    ],
    &["http", "plan_file", "sources", "stage"],
    &["artifacts", "github", "python", "render"],
    &["actionlint", "build", "linters", "local"],
    // The account's services, then what is built on them.
    &["aws"],
    &["store"],
    &["lock"],
    &["ledger"],
    // The steps.
    &["deploy"],
    &["doctor", "rights", "secrets", "site"],
    &["prune", "release"],
    // The context of a command, and the commands.
    &["application", "checks", "context", "session"],
    &["planning", "report"],
    &["record"],
    &["live", "notice", "pages", "summary"],
    // The command line lists the commands; `docs` writes its reference.
    &["cli", "commands"],
    &["run"],
];

#[test]
fn modules_import_only_lower_layers() {
    let layer_of: BTreeMap<&str, usize> = LAYERS
        .iter()
        .enumerate()
        .flat_map(|(layer, modules)| modules.iter().map(move |module| (*module, layer)))
        .collect();
    let sources = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upward = BTreeSet::new();
    let mut modules = BTreeSet::new();
    for file in files_below(&sources) {
        let relative = file.strip_prefix(&sources).expect("it is below the sources");
        let module = relative.components().next().expect("a module").as_str().trim_end_matches(".rs").to_owned();
        if matches!(module.as_str(), "lib" | "layers") || relative.file_name() == Some("tests.rs") {
            continue;
        }
        let layer = layer_of.get(module.as_str()).unwrap_or_else(|| panic!("add module `{module}` to LAYERS"));
        let text = fs_err::read_to_string(&file).expect("a readable source");
        for imported in imports(&text) {
            if layer_of.get(imported.as_str()).is_some_and(|other| other > layer) {
                upward.insert(format!("{relative} imports {imported}"));
            }
        }
        modules.insert(module);
    }
    assert_eq!(upward, BTreeSet::new(), "a lower layer imports a higher one");
    let listed: BTreeSet<_> = layer_of.keys().map(|module| (*module).to_owned()).collect();
    assert_eq!(listed, modules, "LAYERS names each module once");
    assert_eq!(LAYERS.concat().len(), modules.len(), "LAYERS names each module once");
}

#[test]
fn single_and_grouped_imports_are_read() {
    let text = "use crate::{\n    aws::{AwsError, s3::S3},\n    ui,\n};\nuse crate::store::Store;\n// crate::cli\nfn f() { crate::http::get() }\n\
                #[cfg(test)]\nmod tests {\n    use crate::run;\n}\n";
    assert_eq!(imports(text), ["aws", "http", "store", "ui"].map(str::to_owned).into());
}

fn files_below(folder: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = folder.read_dir_utf8().expect("a readable folder").map(|entry| entry.expect("an entry"));
    let (folders, files): (Vec<_>, Vec<_>) =
        entries.map(camino::Utf8DirEntry::into_path).partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension() == Some("rs"));
    files.chain(folders.iter().flat_map(|folder| files_below(folder))).collect()
}

/// The modules of the crate that a file names outside comments and tests.
fn imports(text: &str) -> BTreeSet<String> {
    // Unit tests come last in a file.
    let product = text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(product, _)| product);
    let code: String = product.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| if rest.starts_with('{') { grouped(rest) } else { vec![first_name(rest)] })
        .collect()
}

/// The names at the first level of `{a::{…}, b}…`.
fn grouped(rest: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = vec![String::new()];
    for character in rest.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(String::new()),
            _ if depth == 1 => names.last_mut().expect("there is one").push(character),
            _ => {}
        }
    }
    names.iter().map(|name| first_name(name.trim())).filter(|name| !name.is_empty()).collect()
}

fn first_name(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
