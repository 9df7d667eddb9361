//! Checks that a function's binary runs where it is deployed to: before it is zipped, and when a zip is read from a folder.

use miette::Diagnostic;
use model::stage::Architecture;
use object::{
    Architecture as Machine, BinaryFormat, Object, ObjectKind,
    read::elf::{Dyn, ElfFile64, FileHeader, SectionHeader},
};
use thiserror::Error;

/// The glibc of the runtime `provided.al2023` (Amazon Linux 2023).
pub(crate) const GLIBC: (u32, u32) = (2, 34);
/// The shared libraries of the Lambda runtime: glibc's and gcc's.
const PRESENT: &[&str] =
    &["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-"];

/// Where a function's binary runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    /// In an emulator on this machine.
    Native,
    /// In Lambda.
    Lambda(Architecture),
}

/// A binary would not run where it is deployed to.
#[derive(Debug, Error, Diagnostic)]
#[error("binary {binary} would not run {place}: {reason}; nothing was deployed")]
#[diagnostic(help("{help}"))]
pub(crate) struct BinaryError {
    binary: String,
    place: &'static str,
    reason: String,
    help: &'static str,
}

/// Checks a binary.
///
/// # Errors
///
/// When it would not run.
pub(crate) fn check(binary: &str, bytes: &[u8], platform: Platform) -> Result<(), BinaryError> {
    let (checked, place) = match platform {
        Platform::Native => (is_of_this_machine(bytes), "on this machine"),
        Platform::Lambda(architecture) => (verify(bytes, architecture), "in Lambda"),
    };
    checked.map_err(|Incompatible { reason, help }| BinaryError { binary: binary.to_owned(), place, reason, help })
}

/// Why a binary would not run, with a hint.
#[derive(Debug)]
struct Incompatible {
    reason: String,
    help: &'static str,
}

fn incompatible(reason: impl Into<String>, help: &'static str) -> Incompatible {
    Incompatible { reason: reason.into(), help }
}

/// The hint for a binary of another platform.
const REBUILD: &str = "build the functions again, for the stage that they are deployed to";

fn parse(bytes: &[u8]) -> Result<object::File<'_>, Incompatible> {
    object::File::parse(bytes).map_err(|error| incompatible(format!("it is not an executable ({error})"), REBUILD))
}

fn is_of_this_machine(bytes: &[u8]) -> Result<(), Incompatible> {
    let file = parse(bytes)?;
    let machine = match std::env::consts::ARCH {
        "aarch64" => Machine::Aarch64,
        "x86_64" => Machine::X86_64,
        // An emulator runs on other machines as well, but there is no name to compare.
        _ => file.architecture(),
    };
    if (file.format(), file.architecture()) == (BinaryFormat::native_object(), machine) {
        return Ok(());
    }
    let reason = format!("it is a {:?} file for {:?}", file.format(), file.architecture());
    Err(incompatible(reason, REBUILD))
}

fn verify(bytes: &[u8], architecture: Architecture) -> Result<(), Incompatible> {
    let file = parse(bytes)?;
    if file.format() != BinaryFormat::Elf {
        return Err(incompatible(format!("it is a {:?} file, not ELF", file.format()), REBUILD));
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
        return Err(incompatible(reason, REBUILD));
    }
    if !matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic) || file.entry() == 0 {
        return Err(incompatible("it has no entry point", REBUILD));
    }
    libraries(bytes)?;
    glibc(bytes)
}

/// Checks that the runtime has the shared libraries that the binary needs.
fn libraries(bytes: &[u8]) -> Result<(), Incompatible> {
    let help = "link the library statically (a `vendored` or `bundled` feature), or remove it";
    let needed =
        needed(bytes).map_err(|error| incompatible(format!("its dynamic section cannot be read ({error})"), help))?;
    match needed.iter().find(|name| !PRESENT.iter().any(|present| name.starts_with(present))) {
        Some(missing) => Err(incompatible(format!("it needs {missing}, which the runtime does not have"), help)),
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

/// Checks that the runtime's glibc is new enough.
fn glibc(bytes: &[u8]) -> Result<(), Incompatible> {
    let (major, minor) = GLIBC;
    let highest = versions(bytes).into_iter().max();
    match highest {
        Some(found) if found > GLIBC => Err(incompatible(
            format!("it needs glibc {}.{}, but the runtime has {major}.{minor}", found.0, found.1),
            "build with zig, which links against the runtime's glibc: `pip install ziglang cargo-zigbuild`",
        )),
        _ => Ok(()),
    }
}

/// The glibc versions, `GLIBC_x.y`, that the binary requires.
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

/// Returns the smallest binary that would run in Lambda: the header of an ELF file.
#[cfg(test)]
pub(crate) fn smallest(architecture: Architecture) -> Vec<u8> {
    // ELF's numbers: EM_AARCH64 and EM_X86_64.
    let machine: u16 = match architecture {
        Architecture::Arm64 => 183,
        Architecture::X86_64 => 62,
    };
    // ELF specification: identification, then type, machine, version, entry point, and the sizes of headers.
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
    bytes.extend(machine.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0x40_0000_u64.to_le_bytes());
    bytes.extend([0; 20]);
    bytes.extend([64, 0, 56, 0, 0, 0, 64, 0, 0, 0, 0, 0]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The binary of this test.
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
        let reason = verify(&own(), other).expect_err("refused").reason;
        assert!(reason.contains("built for"), "{reason}");
        // On a newer glibc it may be refused for another reason.
        if let Err(Incompatible { reason, .. }) = verify(&own(), own_machine) {
            assert!(!reason.contains("built for"), "{reason}");
        }
    }

    #[test]
    fn a_binary_of_another_machine_is_refused_natively() {
        let (own_machine, other) = host();
        check("own", &own(), Platform::Native).expect("it runs right now");
        let error = check("other", &smallest(other), Platform::Native).expect_err("refused").to_string();
        assert!(error.starts_with("binary other would not run on this machine: it is a"), "{error}");
        check("small", &smallest(own_machine), Platform::Lambda(own_machine)).expect("it would start");
        let error = check("small", &smallest(other), Platform::Lambda(own_machine)).expect_err("refused").to_string();
        assert!(error.starts_with("binary small would not run in Lambda: it is built for"), "{error}");
    }

    #[test]
    fn a_script_is_refused() {
        let reason = verify(b"#!/bin/sh\necho hello\n", Architecture::Arm64).expect_err("refused").reason;
        assert!(reason.contains("not an executable"), "{reason}");
    }

    #[test]
    fn too_new_a_glibc_is_refused() {
        let newer = replaced(b"\0GLIBC_2.3", b"\0GLIBC_9.3");
        let Incompatible { reason, help } = verify(&newer, host().0).expect_err("refused");
        assert!(reason.contains("needs glibc 9.3"), "{reason}");
        assert!(help.contains("zig"));
    }

    #[test]
    fn a_library_that_the_runtime_lacks_is_refused() {
        let foreign = replaced(b"libc.so.6\0", b"libx.so.6\0");
        let reason = verify(&foreign, host().0).expect_err("refused").reason;
        assert!(reason.contains("libx.so.6"), "{reason}");
    }
}
