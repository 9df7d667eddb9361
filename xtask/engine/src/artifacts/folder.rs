//! A folder of artifacts with a list, so that all stages deploy what was built once.
//!
//! The list says how the artifacts were built. [`read`] is the only way to them: it believes nothing of the list that the zips do not
//! show, and checks that they would run in the stage that they are read for.

use camino::Utf8Path;
use model::rendered::RenderedSystem;
use plan::artifacts::{Artifact, ArtifactKind, Artifacts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) use super::error::FolderError;
use super::{
    contents::{bootstrap, size_of_files},
    elf::{self, Platform},
};
use crate::sources::inputs::Inputs;

/// The list's name in the folder.
pub(crate) const LIST: &str = "artifacts.json";
/// Cargo's `opt-level` of a binary that is not optimized.
pub(crate) const UNOPTIMIZED: &str = "0";
/// The version of the list's format.
const FORMAT: u32 = 4;

/// How artifacts were built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    /// Lambda's name of the instruction set.
    pub(crate) architecture: String,
    /// Whether the functions are built for an emulator on the machine that built them, not for Lambda.
    pub(crate) native: bool,
    /// The target in the words of the build, for example `aarch64-unknown-linux-gnu.2.34`.
    pub(crate) target: String,
    /// The cargo profile.
    pub(crate) profile: String,
    /// The `opt-level` of the functions, as cargo reports it: [`UNOPTIMIZED`] if one of them is, empty if there is none.
    pub(crate) optimization: String,
    /// The hash of the sources; see [`crate::sources::fingerprint`].
    pub(crate) sources: String,
    /// The hash of the sources' files alone, which is the same on every machine.
    pub(crate) content: String,
    /// The inputs that this hash does not cover; `None` if cargo did not report them.
    pub(crate) inputs: Option<Inputs>,
}

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    format_version: u32,
    #[serde(flatten)]
    origin: Origin,
    artifacts: Vec<Listing>,
}

/// One artifact in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    kind: ArtifactKind,
    system: String,
    name: String,
    /// The binary of a function's zip.
    binary: Option<String>,
    file: String,
    sha256: String,
    zipped: u64,
    unzipped: u64,
}

/// The stage that artifacts are read for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The stage's name.
    pub(crate) stage: &'a str,
    /// Where its functions run.
    pub(crate) platform: Platform,
}

/// Copies artifacts into a folder and writes its list; artifacts that only an earlier list has are removed.
///
/// # Errors
///
/// When the operating system refuses.
pub(crate) fn write(folder: &Utf8Path, built: &Artifacts, origin: Origin) -> Result<(), FolderError> {
    let access = |path: &Utf8Path| {
        let path = path.to_string();
        move |source| FolderError::File { path, source }
    };
    fs_err::create_dir_all(folder).map_err(access(folder))?;
    let old = list(folder).map(|listed| listed.artifacts).unwrap_or_default();
    let mut artifacts = Vec::new();
    let functions = built.functions.iter().map(|(binary, artifact)| (Some(binary.clone()), artifact));
    for (binary, artifact) in functions.chain(built.layers.values().map(|artifact| (None, artifact))) {
        let file = artifact.path.file_name().unwrap_or_default().to_owned();
        fs_err::copy(&artifact.path, folder.join(&file)).map_err(access(&artifact.path))?;
        artifacts.push(Listing {
            kind: artifact.kind,
            system: artifact.system.clone(),
            name: artifact.name.clone(),
            binary,
            file,
            sha256: artifact.sha256.clone(),
            zipped: artifact.zipped,
            unzipped: artifact.unzipped,
        });
    }
    for gone in old.iter().filter(|old| !artifacts.iter().any(|new| new.file == old.file)) {
        // Only listed artifacts are deployed, so a file that stays does no harm.
        let _removed = fs_err::remove_file(folder.join(&gone.file));
    }
    let listed = Listed { format_version: FORMAT, origin, artifacts };
    let path = folder.join(LIST);
    let text = serde_json::to_string_pretty(&listed).map_err(std::io::Error::other).map_err(access(&path))?;
    fs_err::write(&path, text + "\n").map_err(access(&path))
}

/// Reads the list of a folder.
///
/// # Errors
///
/// When there is none, or it is invalid.
fn list(folder: &Utf8Path) -> Result<Listed, FolderError> {
    let path = folder.join(LIST);
    let text = fs_err::read_to_string(&path).map_err(|source| FolderError::File { path: path.to_string(), source })?;
    let wrong = |reason: String| FolderError::List { path: path.to_string(), reason };
    let parsed: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match &parsed["formatVersion"] {
        version if *version == FORMAT => {}
        Value::Null => return Err(wrong("it has no `formatVersion`".to_owned())),
        version => {
            return Err(wrong(format!("its format has version {version}, but this xtask reads version {FORMAT}")));
        }
    }
    let listed: Listed = serde_json::from_value(parsed).map_err(|error| wrong(error.to_string()))?;
    // A list may be downloaded, so its names must not lead out of the folder.
    match listed.artifacts.iter().find(|listing| listing.file.contains(['/', '\\']) || listing.file.starts_with('.')) {
        Some(listing) => Err(wrong(format!("{} is not a file name", listing.file))),
        None => Ok(listed),
    }
}

/// Returns how the artifacts of a folder were built.
///
/// # Errors
///
/// When there is no list, or it is invalid.
pub(crate) fn origin(folder: &Utf8Path) -> Result<Origin, FolderError> {
    Ok(list(folder)?.origin)
}

/// Reads the artifacts of a folder. Verifies their hashes, and that each binary would run in the stage.
///
/// # Errors
///
/// When there is no list, a zip is missing or has changed, or a function would not run.
pub(crate) fn read(folder: &Utf8Path, wanted: Wanted<'_>) -> Result<Artifacts, FolderError> {
    let Listed { origin, artifacts: listings, .. } = list(folder)?;
    let has_functions = listings.iter().any(|listing| listing.kind == ArtifactKind::Function);
    check_origin(folder, &origin, wanted).or_else(|error| if has_functions { Err(error) } else { Ok(()) })?;
    let mut artifacts = Artifacts::default();
    for listing in listings {
        let path = folder.join(&listing.file);
        let bytes = fs_err::read(&path).map_err(|source| FolderError::File { path: path.to_string(), source })?;
        let actual = hex::encode(Sha256::digest(&bytes));
        if actual != listing.sha256 {
            return Err(FolderError::Changed { file: path.to_string(), actual, expected: listing.sha256 });
        }
        verify(&listing, &bytes, &path, wanted.platform)?;
        let Listing { kind, system, name, binary, sha256, zipped, unzipped, .. } = listing;
        let artifact = Artifact { kind, system, name, path, sha256, zipped, unzipped };
        match binary {
            Some(binary) => artifacts.functions.insert(binary, artifact),
            None => artifacts.layers.insert((artifact.system.clone(), artifact.name.clone()), artifact),
        };
    }
    Ok(artifacts)
}

/// Checks that a file is the zip that its listing describes: a function's binary, or the files of a layer, of the listed sizes.
fn verify(listing: &Listing, bytes: &[u8], path: &Utf8Path, platform: Platform) -> Result<(), FolderError> {
    let no_artifact = |reason| FolderError::NoArtifact { file: path.to_string(), reason };
    let unzipped = match (listing.kind, &listing.binary) {
        (ArtifactKind::Function, Some(binary)) => {
            let content = bootstrap(bytes).map_err(no_artifact)?;
            elf::check(binary, &content, platform)?;
            content.len() as u64
        }
        (ArtifactKind::Layer, None) => size_of_files(bytes).map_err(no_artifact)?,
        (ArtifactKind::Function, None) => {
            return Err(no_artifact("the list names no binary of this function".to_owned()));
        }
        (ArtifactKind::Layer, Some(_)) => return Err(no_artifact("the list names a binary of this layer".to_owned())),
    };
    // Limits are checked with the sizes of the list.
    if (bytes.len() as u64, unzipped) == (listing.zipped, listing.unzipped) {
        return Ok(());
    }
    let (zipped, listed) = (bytes.len(), format!("{} and {}", listing.zipped, listing.unzipped));
    Err(no_artifact(format!("it has {zipped} bytes zipped and {unzipped} bytes unzipped, but the list has {listed}")))
}

/// Checks that artifacts were built for the stage, as far as the list says how.
fn check_origin(folder: &Utf8Path, origin: &Origin, wanted: Wanted<'_>) -> Result<(), FolderError> {
    let Platform::Lambda(architecture) = wanted.platform else { return Ok(()) };
    let (folder, stage) = (folder.to_string(), wanted.stage.to_owned());
    if origin.native {
        let how = format!("for an emulator on one machine (profile `{}`)", origin.profile);
        return Err(FolderError::Unsuitable { folder, stage, how });
    }
    if origin.optimization == UNOPTIMIZED {
        let how = format!("without optimization (profile `{}`)", origin.profile);
        return Err(FolderError::Unsuitable { folder, stage, how });
    }
    if origin.architecture != architecture.as_str() {
        let (actual, expected) = (origin.architecture.clone(), architecture.as_str().to_owned());
        return Err(FolderError::Architecture { folder, stage, actual, expected });
    }
    Ok(())
}

/// Checks that a folder has all artifacts of these systems.
///
/// # Errors
///
/// When artifacts are missing.
pub(crate) fn check(folder: &Utf8Path, artifacts: &Artifacts, systems: &[RenderedSystem]) -> Result<(), FolderError> {
    let stacks = systems.iter().flat_map(|system| &system.stacks);
    let missing: Vec<_> = stacks
        .flat_map(|stack| {
            let functions = stack.functions.iter().map(|function| &function.id.binary);
            let functions = functions.filter(|binary| !artifacts.functions.contains_key(*binary)).cloned();
            let layers = stack.layers.iter().map(|layer| (layer.system.clone(), layer.layer.clone()));
            let layers = layers.filter(|layer| !artifacts.layers.contains_key(layer));
            functions.chain(layers.map(|(system, layer)| format!("{system}-{layer}")))
        })
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(FolderError::Missing { folder: folder.to_string(), missing }) }
}

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, NOTES},
        stage::Architecture,
    };

    use super::*;
    use crate::{artifacts::pack_function, workspace::Workspace};

    const WANTED: Wanted<'_> = Wanted { stage: "prod", platform: Platform::Lambda(Architecture::Arm64) };

    fn built(root: &Utf8Path, architecture: Architecture, tail: &[u8]) -> Artifacts {
        let workspace = Workspace::with_target(root.to_owned(), root.join("target"));
        let binary = root.join("binary");
        fs_err::write(&binary, [&elf::smallest(architecture), tail].concat()).expect("written");
        let artifact = pack_function(&workspace, "notes", "api", &binary, false).expect("packed");
        Artifacts { functions: [("notes-api".to_owned(), artifact)].into(), ..Artifacts::default() }
    }

    fn arm(root: &Utf8Path, tail: &[u8]) -> Artifacts {
        built(root, Architecture::Arm64, tail)
    }

    fn origin_with(sources: &str) -> Origin {
        Origin {
            architecture: "arm64".to_owned(),
            native: false,
            target: "aarch64-unknown-linux-gnu".to_owned(),
            profile: "lambda".to_owned(),
            optimization: "s".to_owned(),
            sources: sources.to_owned(),
            content: sources.to_owned(),
            inputs: Some(Inputs::default()),
        }
    }

    #[test]
    fn a_zip_that_functions_share_is_found_by_its_binary() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        let stage = Example::stage_named("local");
        let mut systems = Example::systems(&stage);
        systems.retain(|system| system.name == NOTES);
        let functions = systems.iter_mut().flat_map(|system| &mut system.stacks).map(|stack| &mut stack.functions);
        for functions in functions.filter(|functions| !functions.is_empty()) {
            functions[0].id.binary = "worker".to_owned();
            let mut second = functions[0].clone();
            second.id.function = "sweep".to_owned();
            functions.push(second);
        }
        // A binary without the system's name in front of its own.
        let mut built = arm(root, b"worker");
        let artifact = built.functions.remove("notes-api").expect("it was built");
        built.functions.insert("worker".to_owned(), artifact);
        write(&folder, &built, origin_with("this")).expect("written");
        let artifacts = read(&folder, WANTED).expect("read");
        assert_eq!(artifacts.functions.keys().collect::<Vec<_>>(), ["worker"]);
        check(&folder, &artifacts, &systems).expect("both functions have their zip");
    }

    #[test]
    fn artifacts_are_read_back_unless_their_bytes_changed() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        assert!(matches!(read(&folder, WANTED), Err(FolderError::File { .. })));
        let old = arm(root, b"old");
        write(&folder, &old, origin_with("this")).expect("written");
        let built = arm(root, b"new");
        write(&folder, &built, origin_with("that")).expect("written");
        assert_eq!(origin(&folder).expect("listed"), origin_with("that"));
        let back = read(&folder, WANTED).expect("read").functions.remove("notes-api").expect("the function");
        let first = &built.functions["notes-api"];
        assert_eq!((&back.sha256, back.key()), (&first.sha256, first.key()));
        assert_eq!(fs_err::read_dir(&folder).expect("readable").count(), 2, "the old zip is gone");

        fs_err::write(&back.path, "another").expect("written");
        assert!(matches!(read(&folder, WANTED), Err(FolderError::Changed { .. })));
        let text = fs_err::read_to_string(folder.join(LIST)).expect("readable");
        let name = back.path.file_name().expect("a name");
        fs_err::write(folder.join(LIST), text.replace(name, "../outside.zip")).expect("written");
        assert!(matches!(read(&folder, WANTED), Err(FolderError::List { .. })));
        fs_err::write(folder.join(LIST), "{ \"formatVersion\": 2 }").expect("written");
        let older = read(&folder, WANTED).expect_err("another version").to_string();
        assert!(older.ends_with("its format has version 2, but this xtask reads version 4"), "{older}");
    }

    /// Replaces the only zip of a folder, and writes a list that matches the new one.
    fn replace(folder: &Utf8Path, zip: &[u8], change: impl FnOnce(&mut Value)) {
        let path = folder.join(LIST);
        let text = fs_err::read_to_string(&path).expect("readable");
        let mut list: Value = serde_json::from_str(&text).expect("JSON");
        let listing = &mut list["artifacts"][0];
        let file = folder.join(listing["file"].as_str().expect("a name"));
        fs_err::write(file, zip).expect("written");
        listing["sha256"] = hex::encode(Sha256::digest(zip)).into();
        listing["zipped"] = zip.len().into();
        change(listing);
        fs_err::write(&path, list.to_string()).expect("written");
    }

    #[test]
    fn a_list_that_matches_does_not_make_a_zip() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        let refusal = |zip: &[u8], change: &dyn Fn(&mut Value)| {
            write(&folder, &arm(root, b""), origin_with("this")).expect("written");
            replace(&folder, zip, change);
            read(&folder, WANTED).expect_err("refused").to_string()
        };
        let as_layer = |listing: &mut Value| {
            listing["kind"] = serde_json::to_value(ArtifactKind::Layer).expect("JSON");
            listing["binary"] = Value::Null;
        };
        let entry = |name: &str, content: &[u8]| super::super::Entry {
            name: name.to_owned(),
            executable: true,
            content: content.to_vec(),
        };
        let binary = elf::smallest(Architecture::Arm64);
        let good = super::super::pack(&[entry("bootstrap", &binary)]).expect("packed");
        let two = super::super::pack(&[entry("bootstrap", &binary), entry("more", b"1")]).expect("packed");
        let empty = super::super::pack(&[]).expect("packed");
        for (zip, change, expected) in [
            (&[7; 30][..], &(|_: &mut Value| {}) as &dyn Fn(&mut Value), "is not an artifact"),
            (&[7; 30], &as_layer, "is not an artifact"),
            (&empty, &as_layer, "it has no files"),
            (&two, &|_| {}, "it has 2 files instead of only `bootstrap`"),
            (&good, &|listing| listing["binary"] = Value::Null, "names no binary of this function"),
            (&good, &|listing| listing["kind"] = serde_json::json!("layer"), "names a binary of this layer"),
            (&good, &|listing| listing["unzipped"] = 1.into(), "but the list has"),
            (&good, &|listing| listing["zipped"] = 1.into(), "but the list has"),
        ] {
            let error = refusal(zip, change);
            assert!(error.contains(expected) && error.ends_with("nothing was changed"), "{expected}: {error}");
        }
        write(&folder, &arm(root, b""), origin_with("this")).expect("written");
        replace(&folder, &good, |listing| listing["unzipped"] = binary.len().into());
        read(&folder, WANTED).expect("a real zip");
    }

    #[test]
    fn artifacts_of_another_platform_are_refused() {
        let temporary = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let folder = root.join("artifacts");
        let refusal = |artifacts: &Artifacts, origin: Origin| {
            write(&folder, artifacts, origin).expect("written");
            read(&folder, WANTED).expect_err("refused").to_string()
        };
        let good = origin_with("this");
        let native = Origin { native: true, profile: "dev".to_owned(), ..good.clone() };
        let error = refusal(&arm(root, b""), native.clone());
        assert!(error.contains("built for an emulator on one machine (profile `dev`)"), "{error}");
        let error = refusal(&arm(root, b""), Origin { optimization: UNOPTIMIZED.to_owned(), ..good.clone() });
        assert!(error.contains("built without optimization"), "{error}");
        let error = refusal(&arm(root, b""), Origin { architecture: "x86_64".to_owned(), ..good.clone() });
        assert!(error.contains("are for x86_64, but stage prod runs on arm64"), "{error}");
        // A list that is wrong about its zips.
        let error = refusal(&built(root, Architecture::X86_64, b""), good.clone());
        assert!(error.contains("notes-api would not run in Lambda: it is built for X86_64"), "{error}");
        let mut layer = arm(root, b"");
        let artifact = layer.functions.remove("notes-api").expect("it was built");
        layer
            .layers
            .insert(("notes".to_owned(), "fonts".to_owned()), Artifact { kind: ArtifactKind::Layer, ..artifact });
        write(&folder, &layer, native).expect("written");
        read(&folder, WANTED).expect("a layer runs everywhere");
    }
}
