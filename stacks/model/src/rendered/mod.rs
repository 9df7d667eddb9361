//! Rendered systems: plain data that is validated, written, planned and deployed.
//!
//! [`RenderedSystem`] is the interface between a renderer and the engine. It is owned data, its JSON has camelCase
//! names, and [`VERSION`] changes with its format. Templates keep CloudFormation's own names.

mod checks;
mod names;
mod routes;
mod version;
mod web_socket;

use std::collections::{BTreeMap, BTreeSet};

use contract::FunctionName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::routes::{is_greedy, variable};
pub use self::{
    checks::{Exchange, Latency, LiveCheck, LiveKind, SignIn, SmokeCheck},
    routes::{ApiKind, RenderedApi, RenderedMethod, RenderedRoute, Served},
    version::{FormatVersion, VERSION},
    web_socket::{RenderedSocketRoute, RenderedWebSocket},
};

/// A system's stacks in deploy order, and the checks that it must pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedSystem {
    /// The version of the format. It comes first, so that another version is refused before any other field is read.
    pub version: FormatVersion,
    /// The system's name, for example `notes`.
    pub name: String,
    /// The stacks. Each comes after the stacks whose outputs it takes.
    pub stacks: Vec<RenderedStack>,
    /// Names for several stacks, by [`RenderedStack::stack`], with which a deploy selects them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
    /// The smoke checks that run when the system is released.
    pub smoke: Vec<SmokeCheck>,
    /// The checks that run from outside after a deploy.
    pub live: Vec<LiveCheck>,
    /// The limits of the system's latency.
    pub latency: Option<Latency>,
    /// How a user signs in, and the requests that must succeed then.
    pub sign_in: Option<SignIn>,
    /// The static sites.
    pub sites: Vec<RenderedSite>,
    /// The topic that alarms and the results of deploys are sent to.
    pub alarm_topic: Option<RenderedTopic>,
}

/// The topic that a system's alarms notify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedTopic {
    /// The topic's stack, by [`RenderedStack::stack`].
    pub stack: String,
    /// The stack's output with the topic's ARN.
    pub output: String,
}

/// A static site: files of the workspace that a deploy uploads to a bucket, with the URLs of the system's APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedSite {
    /// The site's name in lists of the stage's URLs.
    pub name: String,
    /// The folder of the site's files, relative to the workspace's root.
    pub source: String,
    /// The stack of the bucket and the distribution, by [`RenderedStack::stack`].
    pub stack: String,
    /// The stack's output with the bucket's name.
    pub bucket_output: String,
    /// The stack's output with the distribution's ID.
    pub distribution_output: String,
    /// The stack's output with the site's URL.
    pub url_output: String,
    /// The fields of the site's `config.json`, each with the output that holds its value.
    pub config: BTreeMap<String, SiteValue>,
}

/// An output of a stack of the same system whose value a site's `config.json` contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SiteValue {
    /// The stack, by [`RenderedStack::stack`].
    pub stack: String,
    /// The output's name.
    pub output: String,
}

/// One CloudFormation stack of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedStack {
    /// The system that the stack belongs to.
    pub system: String,
    /// The stack's name within its system, for example `api`.
    pub stack: String,
    /// The name in CloudFormation: `<system>-<stack>-<stage>`.
    pub name: String,
    /// The region that the stack must be in; `None` is the stage's region.
    pub region: Option<String>,
    /// The template in CloudFormation's JSON form. Keys are sorted; it contains no code and no account number.
    pub template: Value,
    /// The source of each template parameter's value at the time of a deploy.
    pub parameters: BTreeMap<String, ParameterSource>,
    /// The stacks of the same system, by [`RenderedStack::stack`], whose outputs this one takes.
    pub depends_on: BTreeSet<String>,
    /// The functions in the template.
    pub functions: Vec<RenderedFunction>,
    /// The layers in the template.
    pub layers: Vec<RenderedLayer>,
    /// The REST and HTTP APIs in the template, with the routes that other stacks add to them.
    pub apis: Vec<RenderedApi>,
    /// The WebSocket APIs in the template.
    pub web_sockets: Vec<RenderedWebSocket>,
}

impl RenderedStack {
    /// Describes a deployed stack of which only the template is known.
    #[must_use]
    pub const fn deployed(
        system: String,
        stack: String,
        name: String,
        region: Option<String>,
        template: Value,
    ) -> Self {
        Self {
            system,
            stack,
            name,
            region,
            template,
            parameters: BTreeMap::new(),
            depends_on: BTreeSet::new(),
            functions: Vec::new(),
            layers: Vec::new(),
            apis: Vec::new(),
            web_sockets: Vec::new(),
        }
    }

    /// Returns the stage's name, which ends the stack's name; an empty text if the stack is named otherwise.
    #[must_use]
    pub fn stage(&self) -> &str {
        let rest = self.name.strip_prefix(self.system.as_str()).and_then(|rest| rest.strip_prefix('-'));
        let rest = rest.and_then(|rest| rest.strip_prefix(self.stack.as_str()));
        rest.and_then(|rest| rest.strip_prefix('-')).unwrap_or_default()
    }
}

/// The source of a template parameter's value at the time of a deploy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ParameterSource {
    /// The name of the stage's artifact bucket.
    ArtifactBucket,
    /// The S3 key of a function's zip.
    FunctionCode(FunctionId),
    /// The S3 key of a layer's zip.
    LayerCode {
        /// The system that owns the layer.
        system: String,
        /// The layer's name within its system.
        layer: String,
    },
    /// The version that the function's alias `live` points to. Before the first release it is empty, and the template
    /// publishes version 1. Afterwards a deploy sends *use previous value*, so that shifting the alias by API is not a
    /// change of the stack.
    AliasVersion(FunctionId),
    /// `true` if the account already has an OIDC provider for this issuer when the stack is created, else `false`.
    /// Later deploys keep the value, because the provider may be the stack's own by then.
    OidcProviderExists {
        /// The issuer's host and path.
        issuer: String,
    },
    /// An output of another stack of the same system.
    Output {
        /// The other stack, by [`RenderedStack::stack`].
        stack: String,
        /// The output's name.
        output: String,
    },
}

/// A function in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedFunction {
    /// The names from the function's contract.
    pub id: FunctionId,
    /// The name in Lambda: `<system>-<function>-<stage>`, or another one with the system and the stage.
    pub function_name: String,
    /// The logical ID of the alias `live`.
    pub alias_logical_id: String,
}

/// The names of a function in the workspace, in its template and in AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FunctionId {
    /// The system that owns the function.
    pub system: String,
    /// The function's name within its system.
    pub function: String,
    /// The `[[bin]]` that is built into the function's `bootstrap`. Several functions may share one.
    pub binary: String,
    /// The logical ID of the `AWS::Lambda::Function` in its template.
    pub logical_id: String,
}

impl FunctionId {
    /// Returns the name of the binary's zip within the system: the binary's name without the system's.
    #[must_use]
    pub fn artifact_name(&self) -> &str {
        self.binary.strip_prefix(&self.system).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&self.binary)
    }
}

impl From<FunctionName> for FunctionId {
    fn from(name: FunctionName) -> Self {
        Self {
            system: name.system.to_owned(),
            function: name.function.to_owned(),
            binary: name.binary(),
            logical_id: name.logical_id.to_owned(),
        }
    }
}

/// A layer in a template, built from files of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedLayer {
    /// The system that owns the layer.
    pub system: String,
    /// The layer's name within its system; its zip is `<system>-<layer>-<sha256>.zip`.
    pub layer: String,
    /// The name in Lambda, which starts with the stage's name.
    pub layer_name: String,
    /// The logical ID of the layer version.
    pub logical_id: String,
    /// The folder of the layer's files, relative to the workspace's root.
    pub source: String,
}

#[cfg(test)]
mod tests;
