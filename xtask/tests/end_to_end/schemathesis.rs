//! Schemathesis, a fuzzer for described APIs, which the tests of several systems use.

use std::{path::PathBuf, process::Command};

use crate::cloud::text;

const REQUIREMENTS: &str = include_str!("portfolio/requirements.txt");

/// A virtual environment with schemathesis in it, made once.
pub(crate) fn installed() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let (marker, requirements) = (directory.join("complete"), directory.join("requirements.txt"));
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == REQUIREMENTS) {
        return directory;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory));
    std::fs::write(&requirements, REQUIREMENTS).expect("a file");
    let pip = directory.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--no-deps", "--requirement"]).arg(&requirements));
    std::fs::write(&marker, REQUIREMENTS).expect("a file");
    directory
}

fn run(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", text(&output));
}
