//! The crate's modules have an order: no two of them import each other, directly or through others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_module_imports_itself_through_others() {
    let imports = imports();
    assert!(imports["preview"].contains("findings"), "imports are read: {imports:?}");
    for module in imports.keys() {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&String> = imports[module].iter().collect();
        while let Some(other) = next.pop() {
            if reached.insert(other) {
                next.extend(imports.get(other).into_iter().flatten());
            }
        }
        assert!(!reached.contains(module), "{module} imports itself through {reached:?}");
    }
}

/// The modules that each module imports, outside tests.
fn imports() -> Imports {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = files_below(&sources);
    let module_of = |file: &Path| {
        let first = file.strip_prefix(&sources).ok()?.components().next()?;
        Some(first.as_os_str().to_str()?.trim_end_matches(".rs").to_owned())
    };
    let modules: BTreeSet<_> = files.iter().filter_map(|file| module_of(file)).collect();
    let mut imports = Imports::new();
    for file in &files {
        let Some(module) = module_of(file) else { continue };
        if file
            .components()
            .any(|step| ["tests.rs", "edits", "properties.rs"].iter().any(|test| step.as_os_str() == *test))
        {
            continue;
        }
        let text = fs::read_to_string(file).expect("a readable source");
        let product = text.split_once("#[cfg(test)]\nmod tests {").map_or(text.as_str(), |(product, _)| product);
        let named = modules.iter().filter(|other| **other != module && names(product, other)).cloned();
        imports.entry(module.clone()).or_default().extend(named);
    }
    imports
}

/// Does a source import a module of the crate, on its own or in a group?
fn names(text: &str, module: &str) -> bool {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    code.split("crate::").skip(1).any(|rest| {
        let grouped = rest.strip_prefix('{').map(|group| group.split_once("};").map_or(group, |(group, _)| group));
        let mut lines = grouped.unwrap_or_default().lines();
        // rustfmt indents the modules of a group by four spaces, or writes the group in one line.
        rest.strip_prefix(module).is_some_and(is_end)
            || lines
                .any(|line| line.strip_prefix("    ").and_then(|line| line.strip_prefix(module)).is_some_and(is_end))
            || grouped.is_some_and(|group| group.split(", ").any(|item| item.strip_prefix(module).is_some_and(is_end)))
    })
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| files_below(folder))).collect()
}
