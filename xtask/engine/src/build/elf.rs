//! Would this binary run in Lambda? Read off the file, before it is zipped.

use camino::Utf8Path;
use model::stage::Architecture;
use object::{
    Architecture as Machine, BinaryFormat, Object, ObjectKind,
    read::elf::{Dyn, ElfFile64, FileHeader, SectionHeader},
};

use super::{BuildError, Mode, toolchain::GLIBC};

/// Libraries that are in every Lambda runtime of ours: glibc's own, and gcc's.
const PRESENT: &[&str] =
    &["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-"];

/// Checks a function's binary.
///
/// # Errors
///
/// When it would not run, with the reason.
pub fn check(function: &str, path: &Utf8Path, architecture: Architecture, mode: Mode) -> Result<(), BuildError> {
    if mode == Mode::Native {
        // This machine has just built it for itself.
        return Ok(());
    }
    let bytes = fs_err::read(path).map_err(|source| BuildError::Start { program: path.to_string(), source })?;
    judge(&bytes, architecture).map_err(|(reason, help)| BuildError::Binary {
        function: function.to_owned(),
        reason,
        help,
    })
}

type Refusal = (String, &'static str);

/// Judges a file's bytes.
fn judge(bytes: &[u8], architecture: Architecture) -> Result<(), Refusal> {
    let rebuild = "build it with `cargo xtask build`, for Linux and the stage's architecture";
    let file = object::File::parse(bytes).map_err(|error| (format!("it is no executable ({error})"), rebuild))?;
    if file.format() != BinaryFormat::Elf {
        return Err((format!("it is a {:?} file, not ELF", file.format()), rebuild));
    }
    let wanted = match architecture {
        Architecture::Arm64 => Machine::Aarch64,
        Architecture::X86_64 => Machine::X86_64,
    };
    if file.architecture() != wanted {
        let reason = format!(
            "it is built for {:?}, but the stage's functions are {}",
            file.architecture(),
            architecture.as_str()
        );
        return Err((reason, rebuild));
    }
    if !matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic) || file.entry() == 0 {
        return Err(("it cannot be executed".to_owned(), rebuild));
    }
    libraries(bytes)?;
    glibc(bytes)
}

/// The shared libraries it needs must be in the runtime.
fn libraries(bytes: &[u8]) -> Result<(), Refusal> {
    let help = "link the library statically (a `vendored` or `bundled` feature), or leave it out";
    let needed = needed(bytes).map_err(|error| (format!("its dynamic section cannot be read ({error})"), help))?;
    match needed.iter().find(|name| !PRESENT.iter().any(|present| name.starts_with(present))) {
        Some(missing) => Err((format!("it needs {missing}, which the runtime does not have"), help)),
        None => Ok(()),
    }
}

fn needed(bytes: &[u8]) -> object::read::Result<Vec<String>> {
    let elf = ElfFile64::<object::Endianness>::parse(bytes)?;
    let (endian, header) = (elf.endian(), elf.elf_header());
    let sections = header.sections(endian, bytes)?;
    let Some((dynamic, strings)) = sections.dynamic(endian, bytes)? else { return Ok(Vec::new()) };
    let strings = sections.strings(endian, bytes, strings)?;
    let mut needed = Vec::new();
    for entry in dynamic {
        if entry.tag(endian) == object::elf::DT_NEEDED {
            needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
    }
    Ok(needed)
}

/// The versions of glibc's symbols it needs must be in the runtime's glibc.
fn glibc(bytes: &[u8]) -> Result<(), Refusal> {
    let (major, minor) = GLIBC;
    let highest = versions(bytes).into_iter().max();
    match highest {
        Some(found) if found > GLIBC => Err((
            format!("it needs glibc {}.{}, but the runtime has {major}.{minor}", found.0, found.1),
            "build with zig, which links against the runtime's glibc: `pip install ziglang cargo-zigbuild`",
        )),
        _ => Ok(()),
    }
}

/// Every `GLIBC_x.y` in the file's version requirements.
fn versions(bytes: &[u8]) -> Vec<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let Ok(elf) = ElfFile64::<object::Endianness>::parse(bytes) else { return Vec::new() };
    let Ok(sections) = elf.elf_header().sections(elf.endian(), bytes) else { return Vec::new() };
    let Ok(Some((_, strings))) = sections.dynamic(elf.endian(), bytes) else { return Vec::new() };
    let Some(section) = sections.section(strings).ok() else { return Vec::new() };
    let Ok(data) = section.data(elf.endian(), bytes) else { return Vec::new() };
    data.split(|byte| *byte == 0)
        .filter_map(|text| {
            let text = std::str::from_utf8(text.strip_prefix(MARK)?).ok()?;
            let mut numbers = text.split('.').map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own binary, as it is and with some bytes changed.
    fn own() -> Vec<u8> {
        fs_err::read(std::env::current_exe().expect("a path")).expect("the test's binary")
    }

    fn host() -> (Architecture, Architecture) {
        match std::env::consts::ARCH {
            "aarch64" => (Architecture::Arm64, Architecture::X86_64),
            _ => (Architecture::X86_64, Architecture::Arm64),
        }
    }

    fn replaced(from: &[u8], to: &[u8]) -> Vec<u8> {
        let mut bytes = own();
        let places: Vec<_> =
            (0..bytes.len() - from.len()).filter(|start| &bytes[*start..*start + from.len()] == from).collect();
        assert!(!places.is_empty(), "the test's binary has no {}", String::from_utf8_lossy(from));
        for start in places {
            bytes[start..start + to.len()].copy_from_slice(to);
        }
        bytes
    }

    #[test]
    fn a_binary_for_the_wrong_machine_is_refused() {
        let (own_machine, other) = host();
        let (reason, _) = judge(&own(), other).expect_err("refused");
        assert!(reason.contains("built for"), "{reason}");
        // Whatever else it says, it is not about the machine.
        if let Err((reason, _)) = judge(&own(), own_machine) {
            assert!(!reason.contains("built for"), "{reason}");
        }
    }

    #[test]
    fn what_is_no_binary_is_refused() {
        let (reason, _) = judge(b"#!/bin/sh\necho hello\n", Architecture::Arm64).expect_err("refused");
        assert!(reason.contains("no executable"), "{reason}");
    }

    #[test]
    fn too_new_a_glibc_is_refused() {
        let newer = replaced(b"\0GLIBC_2.3", b"\0GLIBC_9.3");
        let (reason, help) = judge(&newer, host().0).expect_err("refused");
        assert!(reason.contains("needs glibc 9.3"), "{reason}");
        assert!(help.contains("zig"));
    }

    #[test]
    fn a_library_that_the_runtime_lacks_is_refused() {
        let foreign = replaced(b"libc.so.6\0", b"libx.so.6\0");
        let (reason, _) = judge(&foreign, host().0).expect_err("refused");
        assert!(reason.contains("libx.so.6"), "{reason}");
    }
}
