//! The manifest of a site: the files of one release. Pure.
//!
//! A manifest is named by its own SHA-256, and so is a copy of each file that keeps its name; both are stored in the artifact
//! bucket. Files with hashed keys need no copy. `config.json` is in no manifest, because it contains present URLs.
//!
//! The format is stored: later versions must read what this one writes.

use std::collections::BTreeMap;

use model::rendered::{RenderedSite, SiteValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::{CONFIG, SiteObject};
use crate::aws::s3::ObjectHeaders;

/// The files of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) site: String,
    /// The files, by their keys.
    pub(crate) files: BTreeMap<String, ManifestFile>,
    /// The fields of `config.json`, and the output that each takes its value from.
    pub(crate) config: BTreeMap<String, StackOutput>,
}

/// A file of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ManifestFile {
    #[serde(flatten)]
    pub(crate) headers: ObjectHeaders,
    /// Whether its key contains the hash of its content.
    pub(crate) hashed: bool,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StackOutput {
    /// The stack's name within its system.
    pub(crate) stack: String,
    pub(crate) output: String,
}

impl Manifest {
    /// Returns the manifest of a site with these objects.
    pub(crate) fn new(site: &RenderedSite, objects: &[SiteObject]) -> Self {
        let file = |object: &SiteObject| ManifestFile { headers: object.headers.clone(), hashed: object.hashed };
        let files = objects.iter().filter(|object| object.key != CONFIG);
        Self {
            site: site.name.clone(),
            files: files.map(|object| (object.key.clone(), file(object))).collect(),
            config: config_outputs(site),
        }
    }

    /// Returns the stored text, which is the same for the same files.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Returns the name: the SHA-256 of the text.
    pub(crate) fn name(&self) -> String {
        hex::encode(Sha256::digest(self.text()))
    }

    /// Parses a stored text; `None` if its name is not its SHA-256.
    pub(crate) fn parse(name: &str, text: &str) -> Option<Self> {
        let is_intact = hex::encode(Sha256::digest(text)) == name;
        is_intact.then(|| serde_json::from_str(text).ok()).flatten()
    }

    /// Returns the files whose content may change under the same key.
    pub(crate) fn mutable_files(&self) -> impl Iterator<Item = (&String, &ManifestFile)> {
        self.files.iter().filter(|(_, file)| !file.hashed)
    }

    /// Returns the files whose keys contain the hash of their content.
    pub(crate) fn hashed_files(&self) -> impl Iterator<Item = (&String, &ManifestFile)> {
        self.files.iter().filter(|(_, file)| file.hashed)
    }
}

/// Returns the fields of a site's `config.json`, and the output that each takes its value from.
pub(crate) fn config_outputs(site: &RenderedSite) -> BTreeMap<String, StackOutput> {
    let output = |value: &SiteValue| StackOutput { stack: value.stack.clone(), output: value.output.clone() };
    site.config.iter().map(|(field, value)| (field.clone(), output(value))).collect()
}

/// Returns the key prefix of all manifests and file copies of a system, in the artifact bucket.
pub(crate) fn prefix(system: &str) -> String {
    format!("sites/{system}/")
}

/// Returns the key of a manifest.
pub(crate) fn key(system: &str, name: &str) -> String {
    format!("{}manifests/{name}.json", prefix(system))
}

/// Returns the key of a file's copy, which is named by its SHA-256.
pub(crate) fn file_key(system: &str, sha256: &str) -> String {
    format!("{}files/{sha256}", prefix(system))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::files::{Files, objects};

    fn site() -> RenderedSite {
        let value = SiteValue { stack: "api".to_owned(), output: "ApiUrl".to_owned() };
        RenderedSite {
            name: "Site".to_owned(),
            source: String::new(),
            stack: "web".to_owned(),
            bucket_output: String::new(),
            distribution_output: String::new(),
            url_output: String::new(),
            config: [("apiUrl".to_owned(), value)].into(),
        }
    }

    fn manifest(script: &str, url: &str) -> Manifest {
        let files = [("index.html", "<script src=\"app.js\"></script>"), ("app.js", script)];
        let files: Files = files.map(|(path, body)| (path.to_owned(), body.as_bytes().to_vec())).into();
        let config = [("apiUrl".to_owned(), url.to_owned())].into();
        Manifest::new(&site(), &objects(&files, &config, "/").expect("a site"))
    }

    #[test]
    fn the_name_depends_on_the_files_and_not_on_the_api_url() {
        let one = manifest("run()", "https://one.example.com");
        assert_eq!(one.files.keys().collect::<Vec<_>>(), ["app-02fcae88bd120f59.js", "index.html"]);
        assert_eq!(one.mutable_files().map(|(key, _)| key).collect::<Vec<_>>(), ["index.html"]);
        assert_eq!(one.name(), manifest("run()", "https://two.example.com").name());
        assert_ne!(one.name(), manifest("run(1)", "https://one.example.com").name());
    }

    #[test]
    fn an_altered_text_is_not_parsed() {
        let one = manifest("run()", "");
        assert_eq!(Manifest::parse(&one.name(), &one.text()), Some(one.clone()));
        assert_eq!(Manifest::parse(&one.name(), &format!("{} ", one.text())), None);
        let other = "{}";
        assert_eq!(Manifest::parse(&hex::encode(Sha256::digest(other)), other), None);
    }

    /// Written by version 0.1 and read by every later one.
    #[test]
    fn a_stored_manifest_keeps_its_format() {
        let text = r#"{
  "site": "Site",
  "files": {
    "app-02fcae88bd120f59.js": {
      "sha256": "02fc",
      "contentType": "text/javascript; charset=utf-8",
      "cacheControl": "public, max-age=31536000, immutable",
      "hashed": true
    },
    "index.html": {
      "sha256": "ab01",
      "contentType": "text/html; charset=utf-8",
      "cacheControl": "no-cache, no-store, must-revalidate",
      "hashed": false
    }
  },
  "config": {
    "apiUrl": {
      "stack": "api",
      "output": "ApiUrl"
    }
  }
}"#;
        let name = hex::encode(Sha256::digest(text));
        let read = Manifest::parse(&name, text).expect("a manifest");
        assert_eq!(read.mutable_files().map(|(key, _)| key).collect::<Vec<_>>(), ["index.html"]);
        assert_eq!((read.text().as_str(), read.name()), (text, name));
    }
}
