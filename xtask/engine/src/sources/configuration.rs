//! Cargo's configuration of a build: its files and environment variables (Cargo book, "Configuration").

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::cargo_platform::{Cfg, CfgExpr};
use toml::{Table, Value};

use crate::process;

/// The environment of a build: variables by name.
pub(crate) type Environment = BTreeMap<String, String>;

/// The tables of a configuration that change no artifact.
const IRRELEVANT: &[&str] = &[
    "alias",
    "cache",
    "cargo-new",
    "credential-alias",
    "doc",
    "future-incompat-report",
    "http",
    "install",
    "net",
    "registries",
    "registry",
    "term",
];
/// The keys of table `build` that change no artifact.
const IRRELEVANT_IN_BUILD: &[&str] = &["build-dir", "dep-info-basedir", "jobs", "target-dir", "warnings"];
/// The variables that decide a build, besides those with [`PREFIXES`].
const VARIABLES: &[&str] = &[
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];
/// The prefixes of variables that override a configuration file.
const PREFIXES: &[&str] = &["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_UNSTABLE_"];
/// Variables with these prefixes that change no artifact.
const IRRELEVANT_VARIABLES: &[&str] = &[
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_DEP_INFO_BASEDIR",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_WARNINGS",
    "CARGO_TARGET_DIR",
];

/// Returns the environment of a build: this program's, without the variables that cargo sets for the program that it runs.
pub(crate) fn environment() -> Environment {
    let all = std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value));
    let inherited = all.filter(|(name, _)| !process::is_set_by_cargo(name));
    inherited.map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect()
}

/// Returns the variables that decide a build.
pub(crate) fn variables(environment: &Environment) -> impl Iterator<Item = (&String, &String)> {
    environment.iter().filter(|(name, _)| {
        let overrides = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let is_irrelevant = IRRELEVANT_VARIABLES.contains(&name.as_str()) || name.ends_with("_RUNNER");
        VARIABLES.contains(&name.as_str()) || overrides && !is_irrelevant
    })
}

/// Returns cargo's home, where it is known.
pub(crate) fn cargo_home(environment: &Environment) -> Option<Utf8PathBuf> {
    let default = || environment.get("HOME").map(|home| Utf8Path::new(home).join(".cargo"));
    environment.get("CARGO_HOME").map(Utf8PathBuf::from).or_else(default)
}

/// Cargo's configuration files for a folder.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// Their contents, of ascending precedence.
    files: Vec<Table>,
}

impl Configuration {
    /// Reads the files in the folder, in the folders around it and in cargo's home. A file that is not TOML is kept as a text:
    /// cargo reports it.
    pub(crate) fn around(folder: &Utf8Path, environment: &Environment) -> Self {
        let around = folder.ancestors().map(|folder| folder.join(".cargo"));
        let mut configuration = Self::default();
        let mut seen = BTreeSet::new();
        for folder in around.chain(cargo_home(environment)).collect::<Vec<_>>().into_iter().rev() {
            // Without an extension it is the older name, which cargo prefers.
            let names = ["config", "config.toml"].map(|name| folder.join(name));
            if let Some(file) = names.into_iter().find(|file| file.is_file()) {
                configuration.add(&file, &mut seen);
            }
        }
        configuration
    }

    /// Adds a file, after those that it includes.
    fn add(&mut self, file: &Utf8Path, seen: &mut BTreeSet<Utf8PathBuf>) {
        let Ok(text) = fs_err::read_to_string(file) else { return };
        if !seen.insert(file.canonicalize_utf8().unwrap_or_else(|_| file.to_owned())) {
            return;
        }
        let table = text.parse().unwrap_or_else(|_| Table::from_iter([("text".to_owned(), Value::String(text))]));
        for included in included(&table) {
            self.add(&file.with_file_name(included), seen);
        }
        self.files.push(table);
    }

    /// Returns what decides a build, of each file as text.
    pub(crate) fn of_build(&self) -> impl Iterator<Item = String> {
        self.files.iter().map(|file| {
            let mut file = file.clone();
            file.retain(|key, _| !IRRELEVANT.contains(&key));
            if let Some(Value::Table(build)) = file.get_mut("build") {
                build.retain(|key, _| !IRRELEVANT_IN_BUILD.contains(&key));
            }
            // An empty table decides as little as a missing one.
            file.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
            if file.is_empty() { String::new() } else { format!("{file:?}") }
        })
    }

    /// Returns the flags of the compiler for a target, by cargo's precedence: `CARGO_ENCODED_RUSTFLAGS`, then `RUSTFLAGS`, then all
    /// of the target, then those of `build` (Cargo book, "build.rustflags"). `cfg` returns the target's configuration.
    pub(crate) fn rustflags(
        &self,
        target: &str,
        cfg: impl FnOnce() -> Vec<Cfg>,
        environment: &Environment,
    ) -> Vec<String> {
        let split = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let variable = |name: &str| environment.get(name).map(|text| split(text)).unwrap_or_default();
        if let Some(encoded) = environment.get("CARGO_ENCODED_RUSTFLAGS") {
            return encoded.split('\u{1f}').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        }
        if let Some(plain) = environment.get("RUSTFLAGS") {
            return split(plain);
        }
        let mut flags = self.flags(|file| file.get("target")?.get(target));
        flags.extend(variable(&format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace(['-', '.'], "_"))));
        let conditions = self.conditions();
        if !conditions.is_empty() {
            let cfg = cfg();
            let matching = conditions.iter().filter(|condition| CfgExpr::matches_key(condition, &cfg));
            flags.extend(matching.flat_map(|condition| self.flags(|file| file.get("target")?.get(condition))));
        }
        if flags.is_empty() {
            flags = self.flags(|file| file.get("build"));
            flags.extend(variable("CARGO_BUILD_RUSTFLAGS"));
        }
        flags
    }

    /// Merges `rustflags` of one table in every file: lists are joined, and a text replaces what came before.
    fn flags<'a>(&'a self, table: impl Fn(&'a Table) -> Option<&'a Value>) -> Vec<String> {
        let mut flags = Vec::new();
        for value in self.files.iter().filter_map(|file| table(file)?.get("rustflags")) {
            match value {
                Value::String(text) => flags = text.split_whitespace().map(str::to_owned).collect(),
                Value::Array(list) => flags.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
                _ => {}
            }
        }
        flags
    }

    /// The keys `cfg(…)` of tables with flags.
    fn conditions(&self) -> BTreeSet<&str> {
        let targets = self.files.iter().filter_map(|file| file.get("target")?.as_table()).flatten();
        let conditions = targets.filter(|(key, table)| key.starts_with("cfg(") && table.get("rustflags").is_some());
        conditions.map(|(key, _)| key.as_str()).collect()
    }
}

/// The files that a configuration includes, relative to it (Cargo book, "include").
fn included(table: &Table) -> Vec<String> {
    let path = |value: &Value| value.as_str().or_else(|| value.get("path")?.as_str()).map(str::to_owned);
    match table.get("include") {
        Some(Value::Array(list)) => list.iter().filter_map(path).collect(),
        Some(value) => path(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "aarch64-unknown-linux-gnu";

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// A workspace in a folder, with configuration files by path below that folder.
    fn workspace(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
        for (path, text) in files {
            let path = root.join(path);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs_err::write(path, text).expect("written");
        }
        (folder, root)
    }

    fn flags(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<String> {
        let (_folder, root) = workspace(files);
        let cfg = || vec!["unix".parse().expect("a cfg"), "target_os=\"linux\"".parse().expect("a cfg")];
        let environment = environment(variables);
        Configuration::around(&root.join("workspace"), &environment).rustflags(TARGET, cfg, &environment)
    }

    #[test]
    fn flags_follow_cargo_s_precedence() {
        let build = ("workspace/.cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"build\"]");
        let above = (".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"above\"]");
        assert_eq!(flags(&[build], &[]), ["--cfg", "build"]);
        assert_eq!(flags(&[build, above], &[]), ["--cfg", "above", "--cfg", "build"]);
        assert_eq!(flags(&[build], &[("CARGO_BUILD_RUSTFLAGS", "-g")]), ["--cfg", "build", "-g"]);

        let target = "[build]\nrustflags = \"-b\"\n[target.aarch64-unknown-linux-gnu]\nrustflags = \"-t\"\n\
                      [target.'cfg(unix)']\nrustflags = [\"-u\"]\n[target.'cfg(windows)']\nrustflags = [\"-w\"]";
        let target = ("workspace/.cargo/config.toml", target);
        assert_eq!(flags(&[target], &[]), ["-t", "-u"]);
        let own = ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-o");
        assert_eq!(flags(&[target], &[own]), ["-t", "-o", "-u"]);
        assert_eq!(flags(&[build], &[own]), ["-o"]);

        let plain = ("RUSTFLAGS", " -r  -s ");
        assert_eq!(flags(&[target], &[own, plain]), ["-r", "-s"]);
        let encoded = ("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}a b");
        assert_eq!(flags(&[target], &[own, plain, encoded]), ["--cfg", "a b"]);
        assert_eq!(flags(&[build], &[("RUSTFLAGS", "")]), [] as [&str; 0]);
    }

    #[test]
    fn files_in_cargo_s_home_and_included_files_count() {
        let home = ("home/config.toml", "include = \"more.toml\"\n[build]\nrustflags = [\"-h\"]");
        let more = ("home/more.toml", "[build]\nrustflags = [\"-m\"]");
        let (_folder, root) = workspace(&[home, more]);
        let environment = environment(&[("CARGO_HOME", root.join("home").as_str())]);
        let configuration = Configuration::around(&root.join("workspace"), &environment);
        assert_eq!(configuration.rustflags(TARGET, Vec::new, &environment), ["-m", "-h"]);
    }

    #[test]
    fn what_changes_no_artifact_is_left_out() {
        let text = |text: &str| {
            let (_folder, root) = workspace(&[("workspace/.cargo/config.toml", text)]);
            let configuration = Configuration::around(&root.join("workspace"), &Environment::new());
            configuration.of_build().collect::<String>()
        };
        assert_eq!(text("[alias]\nx = \"run\"\n[build]\njobs = 3\n[net]\noffline = true"), "");
        for relevant in ["[build]\nrustc = \"r\"", "[profile.lambda]\nlto = false", "[env]\nA = \"b\"", "not TOML"] {
            assert_ne!(text(relevant), "", "{relevant}");
        }
        let environment = environment(&[
            ("CARGO_PROFILE_LAMBDA_LTO", "off"),
            ("CARGO_TARGET_DIR", "elsewhere"),
            ("CARGO_BUILD_JOBS", "2"),
            ("CARGO_TARGET_X_RUNNER", "qemu"),
            ("RUSTFLAGS", "-g"),
            ("HOME", "/home"),
        ]);
        let names: Vec<_> = variables(&environment).map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CARGO_PROFILE_LAMBDA_LTO", "RUSTFLAGS"]);
    }
}
