//! What there is to build with. Nothing is ever installed behind the user's back.

use std::process::Command;

use stacks::stage::Architecture;

use super::{BuildError, Mode, Request};

/// The glibc of the runtime `provided.al2023` (Amazon Linux 2023).
pub(super) const GLIBC: (u32, u32) = (2, 34);

/// How cargo is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) arguments: Vec<String>,
    pub(super) profile: &'static str,
    pub(super) target: String,
}

/// Chooses by mode, and by what is installed.
pub(super) fn choose(request: &Request) -> Result<Tool, BuildError> {
    if request.mode == Mode::Native {
        return Ok(Tool { arguments: vec!["build".to_owned()], profile: "dev", target: "this machine".to_owned() });
    }
    let target = match request.architecture {
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
        Architecture::X86_64 => "x86_64-unknown-linux-gnu",
    };
    if !has_std(target)? {
        return Err(BuildError::Toolchain {
            missing: "Rust's standard library for it",
            target: target.to_owned(),
            install: format!("rustup target add {target}"),
        });
    }
    if works("cargo", &["zigbuild", "--help"])
        && (works("zig", &["version"]) || works("python3", &["-m", "ziglang", "version"]))
    {
        let glibc = format!("{target}.{}.{}", GLIBC.0, GLIBC.1);
        return Ok(Tool {
            arguments: vec!["zigbuild".to_owned(), format!("--target={glibc}")],
            profile: "lambda",
            target: glibc,
        });
    }
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    if std::env::consts::OS == "linux" && host == target {
        // The host's own linker; whether the host's glibc is too new is seen in the binary.
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

fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn has_std(target: &str) -> Result<bool, BuildError> {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .map_err(|source| BuildError::Start { program: "rustc".to_owned(), source })?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // A target built from source, found through a sysroot of its own, is the user's business.
    let own = std::env::var(format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_")));
    Ok(own.is_ok_and(|flags| flags.contains("--sysroot")) || std::path::Path::new(&folder).is_dir())
}
