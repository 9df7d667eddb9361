//! Checks of the documentation: pages that must exist, links, and lines that are marked as unfinished.

use camino::Utf8Path;

/// A README with no more lines than this is too short.
const SHORT: usize = 10;
/// The marks of unfinished lines.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// The findings of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageFindings {
    /// Errors to fix.
    pub(crate) errors: Vec<String>,
    /// Remarks.
    pub(crate) warnings: Vec<String>,
    /// The number of lines that are marked as unfinished.
    pub(crate) marks: usize,
}

/// Checks files of a workspace, by path relative to its root, and that the README names every command.
pub(crate) fn check(root: &Utf8Path, files: &[String], commands: &[String]) -> PageFindings {
    let mut findings = PageFindings::default();
    let text = |path: &str| fs_err::read_to_string(root.join(path)).ok();
    match text("README.md") {
        None => findings.errors.push("README.md is missing".to_owned()),
        Some(readme) => {
            if readme.lines().count() <= SHORT {
                findings.warnings.push(format!("README.md has no more than {SHORT} lines"));
            }
            let unnamed = commands.iter().filter(|command| !names(&readme, command));
            findings.errors.extend(unnamed.map(|command| format!("README.md does not name the command `{command}`")));
        }
    }
    if text("Cargo.toml").is_none() {
        findings.errors.push("Cargo.toml is missing".to_owned());
    }
    if text("ARCHITECTURE.md").is_none() {
        findings.warnings.push("ARCHITECTURE.md is missing".to_owned());
    }
    for file in files {
        let Some(text) = text(file) else { continue };
        if file.ends_with(".md") {
            findings.errors.extend(dead_links(root, file, &text));
        }
        if file.ends_with(".rs") {
            findings.marks += text.lines().filter(|line| is_marked(line)).count();
        }
    }
    findings
}

/// Whether the README has the command in backticks.
fn names(readme: &str, command: &str) -> bool {
    let code = readme.split('`').skip(1).step_by(2);
    code.flat_map(|code| code.split([' ', '\n'])).any(|word| word.trim_end_matches(',') == command)
}

/// Whether a comment begins with a mark. A comment about marks does not.
fn is_marked(line: &str) -> bool {
    let comment = line.split_once("//").map(|(_, comment)| comment.trim_start_matches(['/', '!', ' ']));
    comment.is_some_and(|comment| MARKS.iter().any(|mark| comment.starts_with(mark)))
}

/// Returns the links to files that do not exist.
fn dead_links(root: &Utf8Path, file: &str, text: &str) -> Vec<String> {
    let folder = Utf8Path::new(file).parent().unwrap_or(Utf8Path::new(""));
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| !root.join(folder).join(target).exists())
        .map(|target| format!("{file} links to {target}, which does not exist"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_pages_and_dead_links_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let files: Vec<_> = ["README.md", "docs/a.md", "b.rs"].map(str::to_owned).to_vec();
        let commands: Vec<_> = ["deploy", "plan"].map(str::to_owned).to_vec();
        assert_eq!(check(root, &files, &commands).errors, ["README.md is missing", "Cargo.toml is missing"]);

        fs_err::create_dir_all(root.join("docs")).expect("a folder");
        let write = |path: &str, text: &str| fs_err::write(root.join(path), text).expect("written");
        write("README.md", "Run `cargo xtask deploy`. [docs](docs/a.md) [web](https://example.com) [gone](gone.md#x)");
        write("Cargo.toml", "");
        write("docs/a.md", "[back](../README.md) [here](#here)");
        write("b.rs", &["// TODO: fix", "/// Explains TODO.", "let x = 1; // XXX"].join("\n"));
        let findings = check(root, &files, &commands);
        let errors = ["README.md does not name the command `plan`", "README.md links to gone.md, which does not exist"];
        assert_eq!(findings.errors, errors);
        assert_eq!(findings.warnings.len(), 2, "{findings:?}");
        assert_eq!(findings.marks, 2);
    }
}
