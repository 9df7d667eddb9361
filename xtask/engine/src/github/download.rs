//! Downloads the artifact of a run, and unpacks its files.

use std::{
    io::{Cursor, Read},
    time::Duration,
};

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::{
    Github, refused,
    runs::{Candidate, Unused},
};
use crate::http::Request;

/// The longest download. GitHub's link to it is valid for one minute (GitHub REST API, "Download an artifact").
const PATIENCE: Duration = Duration::from_secs(600);
/// The most bytes of an artifact's files: twenty zips of the largest size that Lambda accepts directly.
const LIMIT: u64 = 1 << 30;

impl Github {
    /// Downloads an artifact, compares it with GitHub's hash, and unpacks its files into a folder.
    ///
    /// # Errors
    ///
    /// When the artifact has another hash, is not a folder of files, or GitHub does not respond or refuses the call.
    pub(crate) async fn download(&self, candidate: &Candidate, folder: &Utf8Path) -> Result<(), Unused> {
        let zip = self.archive(candidate.artifact).await?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&zip)));
        if digest != candidate.digest {
            return Err(Unused::Refused(format!(
                "its artifact has changed: its hash is {digest}, but GitHub recorded {}",
                candidate.digest
            )));
        }
        unpack(&zip, folder).map_err(|reason| Unused::Refused(format!("its artifact cannot be unpacked: {reason}")))
    }

    async fn archive(&self, artifact: u64) -> Result<Vec<u8>, Unused> {
        let path = format!("actions/artifacts/{artifact}/zip");
        let response = self.request("GET", &path).send().await.map_err(super::GithubError::from)?;
        let Some(link) = response.headers.get("location").filter(|_| response.status == 302) else {
            let error = refused("GET", &path, &response);
            return Err(if error.is_missing() {
                Unused::Refused("its artifact has expired".to_owned())
            } else {
                error.into()
            });
        };
        // The link needs no token, and another host must not get it.
        let response = Request::get(link).patience(PATIENCE).send().await.map_err(super::GithubError::from)?;
        if response.status != 200 {
            return Err(Unused::Refused(format!("the download of its artifact returned status {}", response.status)));
        }
        Ok(response.body)
    }
}

/// Unpacks a zip of files without folders; an error in words if it is something else.
fn unpack(zip: &[u8], folder: &Utf8Path) -> Result<(), String> {
    let mut archive = ::zip::ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
    let mut rest = LIMIT;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| error.to_string())?;
        let name = entry.name().map_err(|error| error.to_string())?.into_owned();
        if !entry.is_file() || name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', ':']) {
            return Err(format!("`{name}` is not a file name"));
        }
        let mut content = Vec::new();
        entry.take(rest + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
        rest = rest.checked_sub(content.len() as u64).ok_or_else(|| format!("it has more than {LIMIT} bytes"))?;
        fs_err::write(folder.join(&name), content).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::{Entry, pack};

    #[test]
    fn only_file_names_are_unpacked() {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = Utf8Path::from_path(temporary.path()).expect("UTF-8");
        let zip =
            |name: &str| pack(&[Entry { name: name.to_owned(), executable: false, content: vec![1] }]).expect("packed");
        for name in ["../outside", "folder/file", "/file", ".hidden", "C:file"] {
            let refused = unpack(&zip(name), folder).expect_err("refused");
            assert!(refused.ends_with("is not a file name"), "{refused}");
        }
        assert_eq!(folder.read_dir_utf8().expect("a folder").count(), 0);
        unpack(&zip("artifacts.json"), folder).expect("unpacked");
        assert_eq!(fs_err::read(folder.join("artifacts.json")).expect("written"), [1]);
        assert!(unpack(&[7; 30], folder).is_err());
    }
}
