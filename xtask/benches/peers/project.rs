//! The stacks and zips that all tools deploy: those that this workspace renders and builds for stage `local`.
//!
//! The templates differ only in the place of the code: a parameter for this tool, a path for SAM, an asset for CDK.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Failure, Result,
    programs::{Programs, command, run},
};

/// The system.
pub(crate) const SYSTEM: &str = "media-uploader";
/// Its stacks, in deploy order.
pub(crate) const STACKS: [&str; 2] = ["media-uploader-cognito-local", "media-uploader-api-local"];
/// The output of the first stack that the second one takes, and the parameter's name.
pub(crate) const OUTPUT: &str = "MainUserPoolArn";
/// The function whose code changes, by logical ID and by its name in Lambda.
pub(crate) const FUNCTION: (&str, &str) = ("UploadMediaFunction", "media-uploader-upload-local");

/// The rendered templates and the built artifacts.
pub(crate) struct Project {
    templates: [Value; 2],
    artifacts: Utf8PathBuf,
}

impl Project {
    /// Renders the templates and builds the artifacts.
    pub(crate) fn build(programs: &Programs, directory: &Utf8Path) -> Result<Self> {
        let artifacts = directory.join("artifacts");
        let xtask = |arguments: &[&str]| run(command(&programs.xtask).args(arguments).current_dir(&programs.root));
        xtask(&["build", "--stage", "local", "--system", SYSTEM, "--out", artifacts.as_str()])?;
        let printed = xtask(&["render", "--stage", "local", "--system", SYSTEM, "--format", "json"])?;
        let templates: Vec<Value> =
            serde_json::Deserializer::from_str(&printed).into_iter().collect::<std::result::Result<_, _>>()?;
        let templates = templates.try_into();
        let templates = templates.map_err(|_| Failure(format!("system {SYSTEM} no longer has two stacks")))?;
        Ok(Self { templates, artifacts })
    }

    /// Copies everything into a folder for one lane.
    pub(crate) fn copy(&self, folder: &Utf8Path) -> Result<Inputs> {
        let artifacts = folder.join("artifacts");
        fs_err::create_dir_all(&artifacts)?;
        for entry in self.artifacts.read_dir_utf8()? {
            let entry = entry?;
            fs_err::copy(entry.path(), artifacts.join(entry.file_name()))?;
        }
        let inputs = Inputs { artifacts };
        let zips = inputs.zips(&self.templates[1])?;
        let write = |name: &str, value: &Value| fs_err::write(folder.join(name), value.to_string());
        write("cognito.json", &self.templates[0])?;
        write("api-sam.json", &with_code(&self.templates[1], |id| json!(format!("artifacts/{}", zips[id]))))?;
        write("api-cdk.json", &with_code(&self.templates[1], |id| json!({ "S3Bucket": "zips", "S3Key": id })))?;
        write("zips.json", &json!(zips))?;
        Ok(inputs)
    }
}

/// Puts other places of code into a template, without the parameters for them.
fn with_code(template: &Value, place: impl Fn(&str) -> Value) -> Value {
    let mut template = template.clone();
    for (id, resource) in template["Resources"].as_object_mut().into_iter().flatten() {
        if let Some(property) = code_property(resource) {
            resource["Properties"][property] = place(id);
        }
    }
    if let Some(parameters) = template["Parameters"].as_object_mut() {
        parameters.retain(|name, _| !name.ends_with("CodeKey") && name != "ArtifactBucket");
    }
    template
}

fn code_property(resource: &Value) -> Option<&'static str> {
    match resource["Type"].as_str()? {
        "AWS::Lambda::Function" => Some("Code"),
        "AWS::Lambda::LayerVersion" => Some("Content"),
        _ => None,
    }
}

/// The files of one lane.
pub(crate) struct Inputs {
    /// The folder of artifacts, as `build --out` writes it.
    pub(crate) artifacts: Utf8PathBuf,
}

impl Inputs {
    fn list(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&fs_err::read(self.artifacts.join("artifacts.json"))?)?)
    }

    /// Returns the file of each function and layer, by logical ID.
    fn zips(&self, template: &Value) -> Result<BTreeMap<String, String>> {
        let list = self.list()?;
        let artifacts = || list["artifacts"].as_array().into_iter().flatten();
        let mut zips = BTreeMap::new();
        for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
            let name = resource["Properties"]["FunctionName"].as_str().unwrap_or_default();
            let is_it = |artifact: &&Value| match code_property(resource) {
                Some("Code") => name == format!("{SYSTEM}-{}-local", artifact["name"].as_str().unwrap_or_default()),
                _ => artifact["kind"] == "layer",
            };
            if code_property(resource).is_some() {
                let file = artifacts().find(is_it).and_then(|artifact| artifact["file"].as_str());
                let file = file.ok_or_else(|| Failure(format!("no artifact of {id} was built")))?;
                zips.insert(id.clone(), file.to_owned());
            }
        }
        Ok(zips)
    }

    /// Gives [`FUNCTION`] other code: the same program with another end, which does not change what it does. Returns the `CodeSha256`
    /// that Lambda will report.
    pub(crate) fn change_code(&self, number: usize) -> Result<String> {
        let mut list = self.list()?;
        let name = FUNCTION.1.trim_start_matches(SYSTEM).trim_start_matches('-').trim_end_matches("-local").to_owned();
        let artifacts = list["artifacts"].as_array_mut().into_iter().flatten();
        let artifact =
            artifacts.into_iter().find(|artifact| artifact["name"] == name && artifact["kind"] == "function");
        let artifact = artifact.ok_or_else(|| Failure(format!("no artifact of function {name} was built")))?;
        let path = self.artifacts.join(artifact["file"].as_str().unwrap_or_default());
        let (zip, unzipped) = changed(&fs_err::read(&path)?, number)?;
        let hash = Sha256::digest(&zip);
        artifact["sha256"] = json!(hex::encode(hash));
        artifact["zipped"] = json!(zip.len());
        artifact["unzipped"] = json!(unzipped);
        fs_err::write(path, zip)?;
        fs_err::write(self.artifacts.join("artifacts.json"), list.to_string())?;
        Ok(base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash))
    }
}

/// Returns a zip whose `bootstrap` ends with a number, and the size of its contents.
fn changed(zip: &[u8], number: usize) -> Result<(Vec<u8>, u64)> {
    let mut old = zip::ZipArchive::new(std::io::Cursor::new(zip))?;
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut unzipped = 0;
    for index in 0..old.len() {
        let mut file = old.by_index(index)?;
        let (name, mode) = (file.name()?.into_owned(), file.unix_mode().unwrap_or(0o644));
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        if name == "bootstrap" {
            content.extend_from_slice(format!("{number:08}").as_bytes());
        }
        unzipped += content.len() as u64;
        new.start_file(name, zip::write::SimpleFileOptions::default().unix_permissions(mode))?;
        new.write_all(&content)?;
    }
    Ok((new.finish()?.into_inner(), unzipped))
}
