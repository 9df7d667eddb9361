//! What a site consisted of, as releases remember it. Pure.
//!
//! A manifest is named by its own SHA-256, and so are the bytes of the files that keep their names; both lie in the artifact
//! bucket. Files whose names tell their content need no second copy. `config.json` is in none: it says where things are now.

use std::collections::BTreeMap;

use model::rendered::{RenderedSite, SiteValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::files::{CONFIG, Object};
use crate::aws::s3::ObjectHeaders;

/// What a site consisted of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The site.
    pub site: String,
    /// Its files, by their keys.
    pub files: BTreeMap<String, File>,
    /// What its page finds in `config.json`: each field, and the output whose value it has.
    pub config: BTreeMap<String, Source>,
}

/// A file of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// What it is and is served with.
    #[serde(flatten)]
    pub served: ObjectHeaders,
    /// Does its name tell its content?
    pub hashed: bool,
}

/// An output of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The stack, by its name within its system.
    pub stack: String,
    /// The output.
    pub output: String,
}

impl Manifest {
    /// The manifest of a site that consists of these objects.
    #[must_use]
    pub fn of(site: &RenderedSite, objects: &[Object]) -> Self {
        let file = |object: &Object| File { served: object.served.clone(), hashed: object.hashed };
        let files = objects.iter().filter(|object| object.key != CONFIG);
        Self {
            site: site.name.clone(),
            files: files.map(|object| (object.key.clone(), file(object))).collect(),
            config: sources(site),
        }
    }

    /// Its text, always the same for the same site.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Its name: the SHA-256 of its text.
    #[must_use]
    pub fn name(&self) -> String {
        hex::encode(Sha256::digest(self.text()))
    }

    /// The manifest of this name and text; `None` when the text is not what the name says.
    #[must_use]
    pub fn read(name: &str, text: &str) -> Option<Self> {
        let is_whole = hex::encode(Sha256::digest(text)) == name;
        is_whole.then(|| serde_json::from_str(text).ok()).flatten()
    }

    /// The files whose content may change under the same name.
    pub fn unhashed(&self) -> impl Iterator<Item = (&String, &File)> {
        self.files.iter().filter(|(_, file)| !file.hashed)
    }

    /// The files whose names tell their content.
    pub fn hashed(&self) -> impl Iterator<Item = (&String, &File)> {
        self.files.iter().filter(|(_, file)| file.hashed)
    }
}

/// What a site's `config.json` says: each field, and the output whose value it has.
#[must_use]
pub fn sources(site: &RenderedSite) -> BTreeMap<String, Source> {
    let source = |value: &SiteValue| Source { stack: value.stack.clone(), output: value.output.clone() };
    site.config.iter().map(|(field, value)| (field.clone(), source(value))).collect()
}

/// What the keys begin with of all that is kept of a system's sites.
#[must_use]
pub fn prefix(system: &str) -> String {
    format!("sites/{system}/")
}

/// Where a manifest lies in the artifact bucket.
#[must_use]
pub fn key(system: &str, name: &str) -> String {
    format!("{}manifests/{name}.json", prefix(system))
}

/// Where the bytes of a file lie there, by their SHA-256.
#[must_use]
pub fn file_key(system: &str, sha256: &str) -> String {
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
        Manifest::of(&site(), &objects(&files, &config, "/").expect("a site"))
    }

    #[test]
    fn its_name_tells_its_files_and_not_where_the_api_is() {
        let one = manifest("run()", "https://one.example.com");
        assert_eq!(one.files.keys().collect::<Vec<_>>(), ["app-02fcae88bd120f59.js", "index.html"]);
        assert_eq!(one.unhashed().map(|(key, _)| key).collect::<Vec<_>>(), ["index.html"]);
        assert_eq!(one.name(), manifest("run()", "https://two.example.com").name());
        assert_ne!(one.name(), manifest("run(1)", "https://one.example.com").name());
    }

    #[test]
    fn it_is_read_only_as_it_was_written() {
        let one = manifest("run()", "");
        assert_eq!(Manifest::read(&one.name(), &one.text()), Some(one.clone()));
        assert_eq!(Manifest::read(&one.name(), &format!("{} ", one.text())), None);
        let other = "{}";
        assert_eq!(Manifest::read(&hex::encode(Sha256::digest(other)), other), None);
    }
}
