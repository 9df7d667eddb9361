//! Chooses the build command from the installed tools. Installs nothing.

use std::ffi::OsStr;

use model::stage::Architecture;

use super::{BuildError, Mode, Request, install};
use crate::{artifacts::elf::GLIBC, process, workspace::Workspace};

/// A cargo command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) arguments: Vec<String>,
    pub(super) profile: &'static str,
    pub(super) target: String,
}

/// Chooses by the mode and the installed tools.
pub(super) fn choose(request: &Request, workspace: &Workspace) -> Result<Tool, BuildError> {
    if request.mode == Mode::Native {
        return Ok(Tool { arguments: vec!["build".to_owned()], profile: "dev", target: "this machine".to_owned() });
    }
    let target = target(request.architecture);
    if !has_std(target)? {
        return Err(BuildError::Toolchain {
            missing: "Rust's standard library for this target",
            target: target.to_owned(),
            install: format!("rustup target add {target}"),
        });
    }
    if has_zig(&install::path(workspace)) {
        let glibc = format!("{target}.{}.{}", GLIBC.0, GLIBC.1);
        return Ok(Tool {
            arguments: vec!["zigbuild".to_owned(), format!("--target={glibc}")],
            profile: "lambda",
            target: glibc,
        });
    }
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    if std::env::consts::OS == "linux" && host == target {
        // The host's linker; a glibc that is too new is found in the binary.
        return Ok(Tool {
            arguments: vec!["build".to_owned(), format!("--target={target}")],
            profile: "lambda",
            target: host,
        });
    }
    Err(BuildError::Toolchain {
        missing: "a cross linker (zig and cargo-zigbuild)",
        target: target.to_owned(),
        install: "pip install ziglang cargo-zigbuild".to_owned(),
    })
}

/// Returns whether zig and cargo-zigbuild are installed.
pub(super) fn has_zig(path: &OsStr) -> bool {
    works(&["cargo", "zigbuild", "--help"], path)
        && (works(&["zig", "version"], path) || works(&["python3", "-m", "ziglang", "version"], path))
}

/// Rust's target for an instruction set.
pub(super) fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
    }
}

fn works(command: &[&str], path: &OsStr) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let output = process::command(program).args(arguments).env("PATH", path).output();
    output.is_ok_and(|output| output.status.success())
}

pub(super) fn has_std(target: &str) -> Result<bool, BuildError> {
    let output = process::command("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .map_err(|source| BuildError::Start { program: "rustc".to_owned(), source })?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // The user may have built the target from source, with a sysroot.
    let own = std::env::var(format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_")));
    Ok(own.is_ok_and(|flags| flags.contains("--sysroot")) || std::path::Path::new(&folder).is_dir())
}
