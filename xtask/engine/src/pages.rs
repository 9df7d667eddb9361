//! The documentation's own checks: what must be there, that links lead somewhere, and what is marked as left to do.

use camino::Utf8Path;

/// A README shorter than this says too little.
const SHORT: usize = 10;
/// What marks something left to do.
const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What must be mended.
    pub wrong: Vec<String>,
    /// What deserves a look.
    pub doubtful: Vec<String>,
    /// How many lines are marked as left to do.
    pub marks: usize,
}

/// Looks at these files of a workspace, named relative to its root, and at whether the README names every command.
#[must_use]
pub fn check(root: &Utf8Path, files: &[String], commands: &[String]) -> Found {
    let mut found = Found::default();
    let text = |path: &str| fs_err::read_to_string(root.join(path)).ok();
    match text("README.md") {
        None => found.wrong.push("README.md is missing".to_owned()),
        Some(readme) => {
            if readme.lines().count() <= SHORT {
                found.doubtful.push(format!("README.md has no more than {SHORT} lines"));
            }
            let unnamed = commands.iter().filter(|command| !names(&readme, command));
            found.wrong.extend(unnamed.map(|command| format!("README.md does not name the command `{command}`")));
        }
    }
    if text("Cargo.toml").is_none() {
        found.wrong.push("Cargo.toml is missing".to_owned());
    }
    if text("ARCHITECTURE.md").is_none() {
        found.doubtful.push("ARCHITECTURE.md is missing".to_owned());
    }
    for file in files {
        let Some(text) = text(file) else { continue };
        if file.ends_with(".md") {
            found.wrong.extend(dead_links(root, file, &text));
        }
        if file.ends_with(".rs") {
            found.marks += text.lines().filter(|line| is_marked(line)).count();
        }
    }
    found
}

/// Is the command among the words in backticks?
fn names(readme: &str, command: &str) -> bool {
    let code = readme.split('`').skip(1).step_by(2);
    code.flat_map(|code| code.split([' ', '\n'])).any(|word| word.trim_end_matches(',') == command)
}

/// A comment that begins with a mark; one that speaks of marks is none.
fn is_marked(line: &str) -> bool {
    let comment = line.split_once("//").map(|(_, comment)| comment.trim_start_matches(['/', '!', ' ']));
    comment.is_some_and(|comment| MARKS.iter().any(|mark| comment.starts_with(mark)))
}

/// Links to files that are not there.
fn dead_links(root: &Utf8Path, file: &str, text: &str) -> Vec<String> {
    let folder = Utf8Path::new(file).parent().unwrap_or(Utf8Path::new(""));
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .filter(|target| !root.join(folder).join(target).exists())
        .map(|target| format!("{file} links to {target}, which is not there"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_leads_nowhere_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let files: Vec<_> = ["README.md", "docs/a.md", "b.rs"].map(str::to_owned).to_vec();
        let commands: Vec<_> = ["deploy", "plan"].map(str::to_owned).to_vec();
        assert_eq!(check(root, &files, &commands).wrong, ["README.md is missing", "Cargo.toml is missing"]);

        fs_err::create_dir_all(root.join("docs")).expect("a folder");
        let write = |path: &str, text: &str| fs_err::write(root.join(path), text).expect("written");
        write("README.md", "Run `cargo xtask deploy`. [docs](docs/a.md) [web](https://example.com) [gone](gone.md#x)");
        write("Cargo.toml", "");
        write("docs/a.md", "[back](../README.md) [here](#here)");
        write("b.rs", &["// TODO: mend", "/// Speaks of TODO.", "let x = 1; // XXX"].join("\n"));
        let found = check(root, &files, &commands);
        let wrong = ["README.md does not name the command `plan`", "README.md links to gone.md, which is not there"];
        assert_eq!(found.wrong, wrong);
        assert_eq!(found.doubtful.len(), 2, "{found:?}");
        assert_eq!(found.marks, 2);
    }
}
