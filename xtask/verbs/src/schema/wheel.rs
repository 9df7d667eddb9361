//! Downloads AWS's resource schemas, which the `cfn-lint` package (MIT-0) contains, in a pinned version with a checked
//! hash.

use std::{
    collections::BTreeMap,
    io::{Read, Seek},
};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::process::Command;

use super::types::TypeName;

/// The package's version.
const VERSION: &str = "1.58.0";
/// The SHA-256 of the version's wheel.
const SHA256: &str = "9d9f06043160756a6158f5c3f92a44ce38254b1c578127461608305bc8262987";
/// The wheel's file with a region's list of types, each with the name of its schema's file.
const TYPES: &str = "cfnlint/data/schemas/providers/us-east-1.json";
/// The wheel's folder of schemas.
const SCHEMAS: &str = "cfnlint/data/schemas/resources";

/// The schemas cannot be downloaded or read.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum WheelError {
    /// Python cannot be started.
    #[error("failed to run python3")]
    #[diagnostic(help("install Python 3 with pip; only generating the resource types needs it"))]
    Python {
        /// The cause.
        source: std::io::Error,
    },
    /// pip failed.
    #[error("failed to download cfn-lint {VERSION}: {reason}")]
    #[diagnostic(help("check pip's package index: `python3 -m pip download --no-deps cfn-lint=={VERSION}`"))]
    Download {
        /// The last line of pip's output.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("failed to access {path}")]
    File {
        /// The file.
        path: Utf8PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The wheel is not an archive, or lacks a file.
    #[error("failed to read {name} in the cfn-lint wheel")]
    Archive {
        /// The file in the wheel.
        name: String,
        /// The cause.
        source: zip::result::ZipError,
    },
    /// A file in the wheel has an unexpected form.
    #[error("failed to parse {name} in the cfn-lint wheel")]
    Json {
        /// The file in the wheel.
        name: String,
        /// The cause.
        source: serde_json::Error,
    },
}

/// Downloads the wheel into `directory`, unless it exists there, and returns its path.
///
/// # Errors
///
/// When Python with pip is not installed, the package index does not have the wheel, or its hash differs.
pub(crate) async fn download(directory: &Utf8Path) -> Result<Utf8PathBuf, WheelError> {
    let wheel = directory.join(format!("cfn_lint-{VERSION}-py3-none-any.whl"));
    if fs_err::read(&wheel).is_ok_and(|bytes| hex::encode(Sha256::digest(bytes)) == SHA256) {
        return Ok(wheel);
    }
    let requirements = directory.join("requirements.txt");
    let file = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| WheelError::File { path, source }
    };
    fs_err::create_dir_all(directory).map_err(file(directory))?;
    fs_err::write(&requirements, format!("cfn-lint=={VERSION} --hash=sha256:{SHA256}\n"))
        .map_err(file(&requirements))?;
    let output = Command::from(engine::process::command("python3"))
        .args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--require-hashes"])
        .args(["--only-binary", ":all:", "--requirement", requirements.as_str(), "--dest", directory.as_str()])
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| WheelError::Python { source })?;
    if output.status.success() {
        Ok(wheel)
    } else {
        let output = String::from_utf8_lossy(&output.stderr);
        let reason = output.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("pip printed no message");
        Err(WheelError::Download { reason: reason.trim().to_owned() })
    }
}

/// Reads the schemas of the wanted types. Types without a schema are omitted.
///
/// # Errors
///
/// When the wheel is damaged or has another layout.
pub(crate) fn schemas(wheel: impl Read + Seek, wanted: &[TypeName]) -> Result<BTreeMap<TypeName, Value>, WheelError> {
    let mut archive = zip::ZipArchive::new(wheel)
        .map_err(|source| WheelError::Archive { name: "the list of files".to_owned(), source })?;
    let files: BTreeMap<String, String> = read(&mut archive, TYPES)?;
    let mut schemas = BTreeMap::new();
    for type_name in wanted {
        if let Some(file) = files.get(&type_name.to_string()) {
            schemas.insert(type_name.clone(), read(&mut archive, &format!("{SCHEMAS}/{file}.json"))?);
        }
    }
    Ok(schemas)
}

/// Reads all schemas, by type.
///
/// # Errors
///
/// When the wheel is damaged or has another layout.
pub(crate) fn all_schemas(wheel: impl Read + Seek) -> Result<BTreeMap<String, Value>, WheelError> {
    let mut archive = zip::ZipArchive::new(wheel)
        .map_err(|source| WheelError::Archive { name: "the list of files".to_owned(), source })?;
    let files: BTreeMap<String, String> = read(&mut archive, TYPES)?;
    let schema = |(name, file): (String, String)| Ok((name, read(&mut archive, &format!("{SCHEMAS}/{file}.json"))?));
    files.into_iter().map(schema).collect()
}

fn read<T: serde::de::DeserializeOwned>(
    archive: &mut zip::ZipArchive<impl Read + Seek>,
    name: &str,
) -> Result<T, WheelError> {
    let file = archive.by_name(name).map_err(|source| WheelError::Archive { name: name.to_owned(), source })?;
    serde_json::from_reader(std::io::BufReader::new(file))
        .map_err(|source| WheelError::Json { name: name.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use serde_json::json;
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn wheel(files: &[(&str, &str)]) -> Cursor<Vec<u8>> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).expect("a new file");
            writer.write_all(content.as_bytes()).expect("written");
        }
        writer.finish().expect("a complete archive")
    }

    #[test]
    fn schemas_are_read_by_the_list_of_types() {
        let bucket: TypeName = "AWS::S3::Bucket".parse().expect("a type name");
        let unknown: TypeName = "AWS::S3::Bucked".parse().expect("a type name");
        let wheel = wheel(&[
            (TYPES, r#"{ "AWS::S3::Bucket": "1a", "AWS::IAM::Role": "2b" }"#),
            (&format!("{SCHEMAS}/1a.json"), r#"{ "typeName": "AWS::S3::Bucket" }"#),
        ]);
        let schemas = schemas(wheel, &[bucket.clone(), unknown]).expect("a sound wheel");
        assert_eq!(schemas, BTreeMap::from([(bucket, json!({ "typeName": "AWS::S3::Bucket" }))]));
    }

    #[test]
    fn a_missing_or_invalid_file_is_named() {
        let bucket: TypeName = "AWS::S3::Bucket".parse().expect("a type name");
        let error = schemas(wheel(&[]), std::slice::from_ref(&bucket)).expect_err("no list of types");
        assert!(matches!(error, WheelError::Archive { name, .. } if name == TYPES));
        let error = schemas(wheel(&[(TYPES, "{")]), &[bucket]).expect_err("a broken list of types");
        assert!(matches!(error, WheelError::Json { name, .. } if name == TYPES));
    }
}
