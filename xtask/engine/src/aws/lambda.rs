//! Lambda: code, versions, aliases, layers, probes.

mod alias;
mod conflicts;
mod recording;
mod version;

use std::collections::BTreeMap;

pub(crate) use alias::{Alias, Routing, TrafficSplit, is_outdated};
use aws_sdk_lambda::{Client, Config, primitives::Blob, types::FunctionConfiguration};
pub(crate) use recording::{RECORDED_VERSION, RECORDING};
#[cfg(test)]
pub(crate) use version::Settings;
use version::described;
pub(crate) use version::{Readiness, Version};

use futures_util::future::try_join_all;

use super::{
    AwsError, Clients, Resource,
    error::{failed, gone_is_fine, if_allowed, if_found},
    patient,
};

/// The number of functions from which one list of all functions is cheaper than a read of each.
const MANY: usize = 3;

/// The response to an invocation.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    /// The payload.
    pub(crate) payload: Vec<u8>,
    /// `Unhandled` or similar, if the function failed.
    pub(crate) error: Option<String>,
}

/// Lambda in the stage's region.
#[derive(Debug)]
pub(crate) struct Lambda {
    client: Client,
}

/// Describes the version in a response that repeats the fields of a `FunctionConfiguration`.
macro_rules! described_by {
    ($output:expr) => {
        described(
            &FunctionConfiguration::builder()
                .set_runtime($output.runtime().cloned())
                .set_handler($output.handler().map(str::to_owned))
                .set_role($output.role().map(str::to_owned))
                .set_memory_size($output.memory_size())
                .set_timeout($output.timeout())
                .set_architectures(Some($output.architectures().to_vec()))
                .set_layers(Some($output.layers().to_vec()))
                .set_tracing_config($output.tracing_config().cloned())
                .set_environment($output.environment().cloned())
                .set_version($output.version().map(str::to_owned))
                .set_code_sha256($output.code_sha256().map(str::to_owned))
                .set_ephemeral_storage($output.ephemeral_storage().cloned())
                .set_vpc_config($output.vpc_config().cloned())
                .set_dead_letter_config($output.dead_letter_config().cloned())
                .set_file_system_configs(Some($output.file_system_configs().to_vec()))
                .set_kms_key_arn($output.kms_key_arn().map(str::to_owned))
                .set_logging_config($output.logging_config().cloned())
                .set_snap_start($output.snap_start().cloned())
                .set_state($output.state().cloned())
                .set_state_reason($output.state_reason().map(str::to_owned))
                .set_last_update_status($output.last_update_status().cloned())
                .set_last_update_status_reason($output.last_update_status_reason().map(str::to_owned))
                .build(),
        )
    };
}

impl Clients {
    /// Lambda in the stage's region.
    pub(crate) fn lambda(&self) -> Lambda {
        Lambda { client: client!(aws_sdk_lambda, self, None) }
    }
}

/// A version's properties, for a report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    /// The version's number.
    pub(crate) version: String,
    /// Its runtime.
    pub(crate) runtime: String,
    /// Its handler.
    pub(crate) handler: String,
    /// The size of its zip, in bytes.
    pub(crate) code_size: i64,
    /// Its memory, in MB.
    pub(crate) memory: i32,
    /// Its timeout, in seconds.
    pub(crate) timeout: i32,
    /// The time of the last change, as Lambda reports it.
    pub(crate) last_modified: String,
}

impl Lambda {
    /// Describes the version that an alias points to; `None` if there is no such function or alias.
    pub(crate) async fn describe(&self, function: &str, alias: &str) -> Result<Option<Described>, AwsError> {
        let request = self.client.get_function_configuration().function_name(function).qualifier(alias);
        let output =
            request.send().await.map_err(failed("lambda:GetFunctionConfiguration", Resource::version(function, alias)));
        Ok(if_found(output)?.map(|output| Described {
            version: output.version().unwrap_or_default().to_owned(),
            runtime: output.runtime().map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
            handler: output.handler().unwrap_or_default().to_owned(),
            code_size: output.code_size(),
            memory: output.memory_size().unwrap_or_default(),
            timeout: output.timeout().unwrap_or_default(),
            last_modified: output.last_modified().unwrap_or_default().to_owned(),
        }))
    }

    /// Reads one version of a function; `None` if there is none.
    pub(crate) async fn version(&self, function: &str, version: &str) -> Result<Option<Version>, AwsError> {
        let request = self.client.get_function_configuration().function_name(function).qualifier(version);
        let output = request
            .send()
            .await
            .map_err(failed("lambda:GetFunctionConfiguration", Resource::version(function, version)));
        Ok(if_found(output)?.map(|output| described_by!(output)))
    }

    /// Reads the version that an alias points to; `None` if there is no such function or alias.
    ///
    /// `GetFunction` has a rate of its own, which is above that of all other reads together (Lambda developer guide, "Lambda quotas").
    pub(crate) async fn version_of_alias(&self, function: &str, alias: &str) -> Result<Option<Version>, AwsError> {
        let request = self.client.get_function().function_name(function).qualifier(alias);
        let output = request.send().await.map_err(failed("lambda:GetFunction", Resource::version(function, alias)));
        Ok(if_found(output)?.and_then(|output| output.configuration().map(described)))
    }

    /// Reads `$LATEST` of functions: of few one by one, of many by listing all functions, if the caller may. The list does not say whether
    /// a function is ready (Lambda API reference, `ListFunctions`): [`Readiness::Ready`] means nothing here.
    pub(crate) async fn latest_of(&self, functions: &[&str]) -> Result<BTreeMap<String, Version>, AwsError> {
        if functions.len() >= MANY
            && let Some(all) = if_allowed(self.all().await)?
        {
            return Ok(all.into_iter().filter(|(name, _)| functions.contains(&name.as_str())).collect());
        }
        let one_by_one =
            functions.iter().map(async |name| Ok(((*name).to_owned(), self.version(name, "$LATEST").await?)));
        let found = try_join_all(one_by_one).await?;
        Ok(found.into_iter().filter_map(|(name, latest)| Some((name, latest?))).collect())
    }

    async fn all(&self) -> Result<Vec<(String, Version)>, AwsError> {
        let all = self.client.list_functions().into_paginator().items().send().try_collect().await;
        let all = all.map_err(failed("lambda:ListFunctions", Resource::all("functions")))?;
        Ok(all.iter().map(|found| (found.function_name().unwrap_or_default().to_owned(), described(found))).collect())
    }

    /// Lists the versions of a function without `$LATEST`, oldest first; none if there is no such function.
    pub(crate) async fn versions(&self, function: &str) -> Result<Vec<Version>, AwsError> {
        let request = self.client.list_versions_by_function().function_name(function);
        let versions = request.into_paginator().items().send().try_collect().await;
        let versions =
            if_found(versions.map_err(failed("lambda:ListVersionsByFunction", Resource::function(function))))?;
        let numbered = versions.iter().flatten().filter(|version| version.version() != Some("$LATEST"));
        // The list does not say whether a version is ready.
        let numbered = numbered.map(|found| Version { readiness: Readiness::Ready, ..described(found) });
        Ok(numbered.collect())
    }

    /// Updates the code of `$LATEST` with the zip at `key`; returns it, which may not be ready yet.
    pub(crate) async fn update_code(&self, function: &str, bucket: &str, key: &str) -> Result<Version, AwsError> {
        let request = self.client.update_function_code().function_name(function).s3_bucket(bucket).s3_key(key);
        let update = async || {
            request.clone().send().await.map_err(failed("lambda:UpdateFunctionCode", Resource::function(function)))
        };
        let updated = self.when_settled(function, update).await?;
        Ok(described_by!(updated))
    }

    /// Publishes `$LATEST` if its code is `code_sha256`; returns the version, which may not be ready yet.
    ///
    /// # Errors
    ///
    /// When the code has changed, or the call fails.
    pub(crate) async fn publish(
        &self,
        function: &str,
        code_sha256: &str,
        description: &str,
    ) -> Result<Version, AwsError> {
        let request =
            self.client.publish_version().function_name(function).code_sha256(code_sha256).description(description);
        let publish = async || {
            request.clone().send().await.map_err(failed("lambda:PublishVersion", Resource::function(function)))
        };
        let published = self.when_settled(function, publish).await?;
        Ok(described_by!(published))
    }

    /// Invokes one version and waits for its response.
    ///
    /// # Errors
    ///
    /// When the call fails; a function that fails is an [`Invocation`] with an error.
    pub(crate) async fn invoke(&self, function: &str, version: &str, payload: Vec<u8>) -> Result<Invocation, AwsError> {
        let request = self.client.invoke().function_name(function).qualifier(version).payload(Blob::new(payload));
        let invoke = async || {
            let request = request.clone().customize().config_override(Config::builder().timeout_config(patient()));
            request.send().await.map_err(failed("lambda:Invoke", Resource::version(function, version)))
        };
        let response = self.when_settled(function, invoke).await?;
        Ok(Invocation {
            payload: response.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default(),
            error: response.function_error().map(str::to_owned),
        })
    }

    /// Deletes one version, if there is one.
    pub(crate) async fn delete_version(&self, function: &str, version: &str) -> Result<(), AwsError> {
        let request = self.client.delete_function().function_name(function).qualifier(version);
        gone_is_fine(
            request.send().await.map_err(failed("lambda:DeleteFunction", Resource::version(function, version))),
        )
    }

    /// Lists the versions of a layer: number and ARN.
    pub(crate) async fn layer_versions(&self, layer: &str) -> Result<Vec<(i64, String)>, AwsError> {
        let request = self.client.list_layer_versions().layer_name(layer);
        let versions = request.into_paginator().items().send().try_collect().await;
        let versions = if_found(versions.map_err(failed("lambda:ListLayerVersions", Resource::named("layer", layer))))?;
        let versions = versions.into_iter().flatten();
        Ok(versions.map(|found| (found.version, found.layer_version_arn.unwrap_or_default())).collect())
    }

    /// Deletes one version of a layer, if there is one.
    pub(crate) async fn delete_layer_version(&self, layer: &str, version: i64) -> Result<(), AwsError> {
        let request = self.client.delete_layer_version().layer_name(layer).version_number(version);
        gone_is_fine(request.send().await.map_err(failed(
            "lambda:DeleteLayerVersion",
            Resource::named(&format!("version {version} of layer"), layer),
        )))
    }
}

/// Returns whether a version cannot be deleted because CloudFront has replicas of it. Only Lambda's message says so.
pub(crate) fn is_replicated(error: &AwsError) -> bool {
    error.code.as_deref() == Some("InvalidParameterValueException") && error.message.contains("replicated function")
}
