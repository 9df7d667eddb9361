//! The units of a build, from cargo's messages, and the inputs that their dep-info names.
//!
//! Cargo writes the source files of each binary, with those of its local packages and the files that build scripts watch, beside the
//! binary (Cargo book, "Dep-info files"). The compiler writes the variables that a crate reads into the dep-info of the crate, and a
//! build script prints the variables that it reads.

use std::{
    collections::BTreeSet,
    io::{self, BufRead},
};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::Message;

use crate::{
    sources::{configuration::Environment, fingerprint::Fingerprint, inputs::Inputs},
    workspace::Workspace,
};

/// Where the inputs of a build are written down.
#[derive(Debug, Clone, Default)]
pub(crate) struct Units {
    /// The binaries; each has a dep-info file beside it.
    binaries: BTreeSet<Utf8PathBuf>,
    /// The crates of local packages, each with the folder of its dep-info.
    crates: BTreeSet<(Utf8PathBuf, String)>,
    /// The outputs of build scripts.
    scripts: BTreeSet<Utf8PathBuf>,
}

impl Units {
    /// Adds the unit of a message.
    pub(super) fn add(&mut self, message: &Message) {
        match message {
            Message::CompilerArtifact(artifact) if artifact.package_id.repr.starts_with("path+") => {
                let name = artifact.target.name.replace('-', "_");
                for folder in artifact.filenames.iter().filter_map(|file| file.parent()) {
                    self.crates.insert((folder.to_owned(), name.clone()));
                    // A binary, and the library of a package that is built itself, is linked to from above its folder.
                    self.crates.insert((folder.join("deps"), name.clone()));
                }
                self.binaries.extend(artifact.executable.iter().filter(|_| artifact.target.is_bin()).cloned());
            }
            Message::BuildScriptExecuted(script) => {
                self.scripts.extend(script.out_dir.parent().map(|folder| folder.join("output")));
            }
            _ => {}
        }
    }

    /// Returns the inputs that are neither covered by the fingerprint nor themselves built.
    ///
    /// # Errors
    ///
    /// When a file of cargo cannot be read.
    pub(crate) fn inputs(
        &self,
        workspace: &Workspace,
        fingerprint: &Fingerprint,
        environment: &Environment,
    ) -> io::Result<Inputs> {
        let mut files = BTreeSet::new();
        for binary in &self.binaries {
            files.extend(files_of(&fs_err::read_to_string(binary.with_extension("d"))?));
        }
        // Paths of `include_str!` and of build scripts have `..` in them.
        let canonical = |file: &Utf8Path| file.canonicalize_utf8().unwrap_or_else(|_| file.to_owned());
        let (built, covered) = (canonical(workspace.target()), fingerprint.files.iter().map(|file| canonical(file)));
        let covered: BTreeSet<_> = covered.collect();
        let files = files.iter().map(|file: &Utf8PathBuf| canonical(file));
        let files = files.filter(|file| !file.starts_with(&built) && !covered.contains(file)).collect();
        let mut variables = BTreeSet::new();
        for (folder, name) in &self.crates {
            for file in dep_info(folder, name) {
                variables.extend(variables_of_code(&file)?);
            }
        }
        for script in &self.scripts {
            variables.extend(variables_of_script(script)?);
        }
        Ok(Inputs::hash(workspace.root(), files, variables, environment))
    }
}

/// The dep-info files of a crate in a folder: `<crate>-<hash>.d`, of every hash.
fn dep_info(folder: &Utf8Path, name: &str) -> Vec<Utf8PathBuf> {
    let is_hash = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let entries = folder.read_dir_utf8().into_iter().flatten().flatten().map(camino::Utf8DirEntry::into_path);
    let is_of_crate = |file: &Utf8PathBuf| {
        let hash = file.file_stem().and_then(|stem| stem.strip_prefix(name)?.strip_prefix('-'));
        file.extension() == Some("d") && hash.is_some_and(is_hash)
    };
    entries.filter(is_of_crate).collect()
}

/// The prerequisites in a dep-info file, which has the format of a makefile: spaces in paths are escaped.
fn files_of(text: &str) -> Vec<Utf8PathBuf> {
    let rules = text.lines().filter_map(|line| line.split_once(": ")).map(|(_, files)| files);
    let files = rules.flat_map(|files| {
        let escaped = files.replace("\\ ", "\0");
        escaped.split_whitespace().map(|file| file.replace('\0', " ")).collect::<Vec<_>>()
    });
    files.map(Utf8PathBuf::from).collect()
}

/// The variables that `env!` and `option_env!` read, from the dep-info of a crate.
fn variables_of_code(file: &Utf8Path) -> io::Result<Vec<String>> {
    let name = |line: String| {
        let variable = line.strip_prefix("# env-dep:")?;
        Some(variable.split_once('=').map_or(variable, |(name, _)| name).to_owned())
    };
    Ok(lines(file)?.into_iter().filter_map(name).collect())
}

/// The variables that a build script reads, from its output (Cargo book, "rerun-if-env-changed").
fn variables_of_script(file: &Utf8Path) -> io::Result<Vec<String>> {
    let name = |line: String| {
        let instruction = line.strip_prefix("cargo::").or_else(|| line.strip_prefix("cargo:"))?;
        Some(instruction.strip_prefix("rerun-if-env-changed=")?.trim().to_owned())
    };
    Ok(lines(file)?.into_iter().filter_map(name).collect())
}

/// The lines of a file, of which a program may have written any bytes.
fn lines(file: &Utf8Path) -> io::Result<Vec<String>> {
    let file = io::BufReader::new(fs_err::File::open(file)?);
    file.split(b'\n').map(|line| Ok(String::from_utf8_lossy(&line?).trim_end().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        process,
        sources::fingerprint::{Built, fingerprint},
    };

    #[test]
    fn paths_with_spaces_are_read_from_dep_info() {
        let text = "/target/notes-api: /root/src/main.rs /root/a\\ query.sql\n\n/root/src/main.rs:\n";
        assert_eq!(files_of(text), ["/root/src/main.rs", "/root/a query.sql"]);
    }

    #[test]
    fn variables_of_code_and_of_build_scripts_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let code = "a: b\n\n# env-dep:SET=a=b\n# env-dep:UNSET\n";
        fs_err::write(folder.join("notes_api-0123abcd.d"), code).expect("written");
        fs_err::write(folder.join("notes_api_other-0123abcd.d"), "# env-dep:OTHER\n").expect("written");
        let files = dep_info(folder, "notes_api");
        assert_eq!(files.len(), 1);
        assert_eq!(variables_of_code(&files[0]).expect("read"), ["SET", "UNSET"]);
        let script = b"cargo:rerun-if-env-changed=CC\ncargo::rerun-if-env-changed=AR\nother\xff\n";
        fs_err::write(folder.join("output"), script).expect("written");
        assert_eq!(variables_of_script(&folder.join("output")).expect("read"), ["CC", "AR"]);
    }

    /// A workspace `root` with a function, a library and a build script, which read files and variables outside their packages.
    fn example(all: &Utf8Path) -> Workspace {
        let root = all.join("root");
        for (path, text) in [
            ("root/Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"notes\", \"shared\"]\n"),
            (
                "root/notes/Cargo.toml",
                "[package]\nname = \"notes\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                 [dependencies]\nshared = { path = \"../shared\" }\n[[bin]]\nname = \"notes-api\"\npath = \"main.rs\"\n",
            ),
            (
                "root/notes/main.rs",
                "fn main() { assert!(shared::TEXT.len() + include_str!(\"../query.sql\").len() > 0) }\n",
            ),
            (
                "root/notes/build.rs",
                "fn main() { println!(\"cargo::rerun-if-changed=../../outside.txt\"); println!(\"cargo::rerun-if-env-changed=OF_SCRIPT\"); }\n",
            ),
            ("root/shared/Cargo.toml", "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
            (
                "root/shared/src/lib.rs",
                "pub const TEXT: &str = concat!(env!(\"OF_CODE\"), env!(\"CARGO_PKG_NAME\"));\n",
            ),
            ("root/query.sql", "select 1"),
            ("outside.txt", "1"),
        ] {
            let path = all.join(path);
            fs_err::create_dir_all(path.parent().expect("a folder")).expect("created");
            fs_err::write(path, text).expect("written");
        }
        Workspace::with_target(root.clone(), root.join("target"))
    }

    /// Holds cargo's and the compiler's formats: both are read as they are written today.
    #[test]
    fn what_only_cargo_knows_is_an_input() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let all = Utf8Path::from_path(folder.path()).expect("UTF-8").canonicalize_utf8().expect("it exists");
        let workspace = example(&all);
        let environment = |name: &str, value: &str| {
            let mut all = Environment::from([("OF_CODE".to_owned(), "1".to_owned())]);
            all.insert(name.to_owned(), value.to_owned());
            all
        };
        let before = environment("OF_SCRIPT", "1");
        let mut cargo = process::nested_cargo();
        cargo.args(["build", "--offline", "--message-format=json-render-diagnostics"]).envs(&before);
        cargo.current_dir(workspace.root()).args(["--target-dir", workspace.target().as_str()]);
        let output = cargo.output().expect("cargo starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut units = Units::default();
        for message in Message::parse_stream(output.stdout.as_slice()) {
            units.add(&message.expect("a message"));
        }
        let built = Built { packages: ["notes"].into(), ..Built::default() };
        let covered = fingerprint(workspace.root(), &built, "", &before).expect("hashed");
        let inputs = units.inputs(&workspace, &covered, &before).expect("cargo's files");
        assert_eq!(inputs.difference(workspace.root(), &before), None);
        for (name, value) in [("OF_CODE", "2"), ("OF_SCRIPT", "2")] {
            let difference = inputs.difference(workspace.root(), &environment(name, value));
            assert_eq!(difference, Some(format!("the variable {name}")));
        }
        for file in ["root/query.sql", "outside.txt"] {
            let path = all.join(file);
            let content = fs_err::read(&path).expect("it exists");
            fs_err::write(&path, "changed").expect("written");
            let difference = inputs.difference(workspace.root(), &before).expect("it differs");
            assert!(path.as_str().ends_with(difference.trim_start_matches("../")), "{difference}");
            fs_err::write(&path, content).expect("written");
        }
        let text = serde_json::to_string(&inputs).expect("JSON");
        assert!(!text.contains("main.rs") && !text.contains("CARGO_PKG_NAME"), "{text}");
    }
}
