//! The state that a deploy of the whole workspace must reach, computed from the project alone, and compared with the account.
//!
//! Stacks of the stage that the project no longer has are not compared: a deploy leaves them as they are (xtask/docs/plan.md, `orphaned`).

use std::collections::BTreeSet;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::{
    foundation,
    project::Project as _,
    rendered::{FunctionId, RenderedSite, RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulated_aws::account::Account;

use super::{ledgers, pages, view};
use crate::{
    builds::Codes,
    project::{REGION, STAGE, function_name, stage_file},
    shape::{Kind, Shape},
    workspace,
    world::Tools,
};

/// The output with the hash of a template, which the template that is compared does not have.
const HASH: &str = "XtaskTemplateHash";

/// The states of a stack in which CloudFormation accepts an update.
const UPDATABLE: [&str; 5] =
    ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"];

/// The state that the workspace describes.
#[derive(Debug)]
pub struct Expected {
    systems: Vec<RenderedSystem>,
    functions: Vec<Function>,
    /// The content of each system's site.
    contents: Vec<(&'static str, u8)>,
}

#[derive(Debug)]
struct Function {
    system: &'static str,
    name: String,
    /// The SHA-256 of its zip, in base64.
    sha256: String,
    /// The settings that the shape decides, by their names in Lambda's API.
    settings: Vec<(&'static str, Value)>,
    variable: String,
}

impl Expected {
    /// The state that a shape with this code describes.
    ///
    /// # Panics
    ///
    /// When the shape cannot be rendered.
    #[must_use]
    pub fn of(tools: &Tools, shape: &Shape, codes: &Codes) -> Self {
        let stage = Stage::parse(STAGE, &stage_file(shape), "rehearsal.yaml").expect("a stage");
        let systems = tools.projects.of(shape).render(&stage).expect("a project of a shape");
        let systems = foundation::complete(&stage, systems, &[]).expect("a project of a shape");
        let functions = functions(tools, shape, codes, &systems);
        let contents = shape.systems.iter().filter_map(|system| Some((system.name(), system.site?)));
        Self { functions, contents: contents.collect(), systems }
    }

    /// The stacks of these systems, or of all: names and regions.
    pub(crate) fn stacks<'a>(&'a self, systems: Option<&'a [String]>) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_selected = move |system: &&RenderedSystem| systems.is_none_or(|systems| systems.contains(&system.name));
        let stacks = self.systems.iter().filter(is_selected).flat_map(|system| &system.stacks);
        stacks.map(|stack| (stack.name.as_str(), region(stack)))
    }

    /// Returns the first difference of an account from this state.
    #[must_use]
    pub fn difference(&self, account: &Account) -> Option<String> {
        let stacks = self.systems.iter().flat_map(|system| &system.stacks);
        let mut of_stacks = stacks.filter_map(|stack| of_stack(account, stack));
        let mut of_functions = self.functions.iter().filter_map(|function| function.difference(account));
        let found = of_stacks.next().or_else(|| of_functions.next());
        found.or_else(|| self.of_sites(account)).or_else(|| self.of_ledgers(account))
    }

    fn of_sites(&self, account: &Account) -> Option<String> {
        self.contents.iter().find_map(|(name, content)| {
            let system = self.systems.iter().find(|system| system.name == *name)?;
            let site = system.sites.first()?;
            of_site(account, system, site, *content).err()
        })
    }

    fn of_ledgers(&self, account: &Account) -> Option<String> {
        let systems: BTreeSet<_> = self.functions.iter().map(|function| function.system).collect();
        systems.into_iter().find_map(|system| {
            let entries = ledgers::read(account, system);
            if let Some(open) = entries.iter().find(|entry| entry.is_open()) {
                return Some(format!("release {} of {system} is open", open.number));
            }
            let functions = self.functions.iter().filter(|function| function.system == system);
            functions.map(|function| function.name.as_str()).find_map(|name| unreleased(account, name, &entries))
        })
    }
}

fn region(stack: &RenderedStack) -> &str {
    stack.region.as_deref().unwrap_or(REGION)
}

fn functions(tools: &Tools, shape: &Shape, codes: &Codes, systems: &[RenderedSystem]) -> Vec<Function> {
    let mut functions = Vec::new();
    for (system, part) in shape.functions() {
        let Kind::Function { memory, variable, .. } = part.kind else { continue };
        let id = FunctionId::from(function_name(system, part.number));
        let artifact = tools.folders.zips.artifact(&id, codes.get(&id.binary).copied().unwrap_or_default());
        let templates = systems.iter().flat_map(|system| &system.stacks).map(|stack| &stack.template["Resources"]);
        let mut resources = templates.filter_map(|resources| resources.get(part.logical_id()));
        let timeout = resources.next().map(|resource| resource["Properties"]["Timeout"].clone());
        functions.push(Function {
            system: system.name(),
            name: format!("{}-{}-{STAGE}", id.system, id.function),
            sha256: BASE64_STANDARD.encode(hex::decode(artifact.sha256).unwrap_or_default()),
            settings: vec![("MemorySize", json!(memory)), ("Timeout", timeout.unwrap_or_default())],
            variable: variable.to_string(),
        });
    }
    functions
}

fn of_stack(account: &Account, stack: &RenderedStack) -> Option<String> {
    let name = &stack.name;
    let Some((status, template)) = view::deployed(account, region(stack), name) else {
        return Some(format!("stack {name} does not exist"));
    };
    if !UPDATABLE.contains(&status) {
        return Some(format!("stack {name} is in {status}"));
    }
    let mut template = template.cloned().unwrap_or_default();
    let hash = template.get_mut("Outputs").and_then(|outputs| outputs.as_object_mut()?.remove(HASH));
    if template["Outputs"].as_object().is_some_and(serde_json::Map::is_empty) {
        template.as_object_mut()?.remove("Outputs");
    }
    if template != stack.template {
        let difference = first_difference("", &template, &stack.template);
        return Some(format!("the template of stack {name} differs: {difference}"));
    }
    let expected = json!({ "Value": hex::encode(Sha256::digest(stack.template.to_string())) });
    (hash != Some(expected)).then(|| format!("stack {name} has the hash of another template: {hash:?}"))
}

fn first_difference(path: &str, actual: &Value, expected: &Value) -> String {
    if let (Some(left), Some(right)) = (actual.as_object(), expected.as_object()) {
        let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
        for key in keys {
            let (left, right) = (&actual[key.as_str()], &expected[key.as_str()]);
            if left != right {
                return first_difference(&format!("{path}/{key}"), left, right);
            }
        }
    }
    let short = |value: &Value| value.to_string().chars().take(300).collect::<String>();
    format!("{path} is {} instead of {}", short(actual), short(expected))
}

impl Function {
    fn difference(&self, account: &Account) -> Option<String> {
        let name = &self.name;
        let Some(live) = view::live(account, name) else { return Some(format!("function {name} has no `live`")) };
        if !live.shares.is_empty() {
            return Some(format!("`live` of {name} shares its traffic with {}", live.others()));
        }
        let version = account.lambda.function(REGION, name).and_then(|function| function.version(&live.version));
        let Some(version) = version else { return Some(format!("`live` of {name} points to an absent version")) };
        let found = &version.code.sha256;
        if *found != self.sha256 {
            let (number, expected) = (&live.version, &self.sha256);
            return Some(format!("version {number} of {name} has the code {found} instead of {expected}"));
        }
        let variable = version.settings.get("Environment").map(|found| &found["Variables"]["VALUE"]);
        if variable.and_then(Value::as_str) != Some(&self.variable) {
            return Some(format!("VALUE of {name} is {variable:?} instead of {}", self.variable));
        }
        let differs = |(setting, expected): &&(&str, Value)| version.settings.get(*setting) != Some(expected);
        let (setting, expected) = self.settings.iter().find(differs)?;
        Some(format!("{setting} of {name} is {:?} instead of {expected}", version.settings.get(*setting)))
    }
}

/// Whether the ledger says that a function's live version was released: the newest closed entry with the function contains this version with
/// this code (xtask/docs/decisions/releasing.md, "The ledger decides whether a live version was released").
fn unreleased(account: &Account, function: &str, entries: &[ledgers::Entry]) -> Option<String> {
    let live = view::live(account, function)?.version;
    let code = view::code_sha256(account, function, &live);
    let newest = entries.iter().rev().find_map(|entry| Some((entry, entry.functions.get(function)?)));
    let Some((entry, change)) = newest else { return Some(format!("no release contains {function}")) };
    let (number, state) = (entry.number, &entry.state);
    let settled = if state == "released" { Some(&change.after) } else { change.before.as_ref() };
    if settled != Some(&live) {
        return Some(format!("release {number} is {state} and leaves {function} at {settled:?}, but `live` is {live}"));
    }
    let is_other_code = state == "released" && change.code_sha256.is_some() && change.code_sha256 != code;
    is_other_code.then(|| format!("release {number} contains other code than version {live} of {function}"))
}

/// Compares the page of a site, the files that it refers to and its configuration with the workspace.
fn of_site(account: &Account, system: &RenderedSystem, site: &RenderedSite, content: u8) -> Result<(), String> {
    let output = |stack: &str, output: &str| {
        let stack = system.stacks.iter().find(|rendered| rendered.stack == stack)?;
        view::output(account, region(stack), &stack.name, output)
    };
    let name = &site.name;
    let bucket = output(&site.stack, &site.bucket_output).ok_or_else(|| format!("{name} has no bucket"))?;
    let found = view::bucket(account, bucket).ok_or_else(|| format!("bucket {bucket} of {name} does not exist"))?;
    let text = |key: &str| {
        let (_, content) = found.current(key).ok_or_else(|| format!("{key} of {name} does not exist"))?;
        Ok::<_, String>(String::from_utf8_lossy(&content.body).into_owned())
    };
    let page = text(pages::PAGE)?;
    let files = workspace::site_files(content);
    let source = files.iter().find(|(file, _)| *file == pages::PAGE).map_or("", |(_, body)| body.as_str());
    if pages::without_references(&page) != pages::without_references(source) {
        return Err(format!("the page of {name} is {page:?} instead of that of content {content}"));
    }
    for (key, file) in pages::references(&page).zip(pages::references(source)) {
        let body = files.iter().find(|(known, _)| *known == file).map(|(_, body)| body);
        if Some(&text(key)?) != body {
            return Err(format!("{key} of {name} is not {file} of content {content}"));
        }
    }
    let configured: Value = serde_json::from_str(&text("config.json")?).unwrap_or_default();
    for (field, value) in &site.config {
        if configured[field].as_str() != output(&value.stack, &value.output) {
            return Err(format!("{field} in config.json of {name} is {}", configured[field]));
        }
    }
    Ok(())
}
