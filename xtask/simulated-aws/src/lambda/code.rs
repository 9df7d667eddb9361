//! Changing `$LATEST`: its code and its settings.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{
    Code, Function, LATEST, Target, Update, check_revision,
    function::Settings,
    invalid, publish, read,
    transitions::{begin, check_settled},
};
use crate::{
    account::Account,
    s3,
    wire::{Handled, Refusal, Reply},
};

/// Lambda API reference, `UpdateFunctionCode`.
pub(super) fn update_code(account: &mut Account, target: &Target, input: &Value) -> Handled {
    let function = target.find(account)?;
    check_settled(function)?;
    check_revision(input["RevisionId"].as_str(), &function.latest.revision)?;
    let replaced = function.latest.code.size;
    let code = Arc::new(load(account, &target.region, input, replaced)?);
    if input["DryRun"] != true {
        change(account, target, |function| function.latest.code = code);
        let takes = account.lambda.settings.updating.clone();
        begin(account, target, LATEST, takes);
    }
    if input["Publish"] == true {
        return publish::publish_call(account, target, &json!({}));
    }
    answer(account, target)
}

/// Lambda API reference, `UpdateFunctionConfiguration`. Only the named settings change.
pub(super) fn update_settings(account: &mut Account, target: &Target, input: &Value) -> Handled {
    let function = target.find(account)?;
    check_settled(function)?;
    check_revision(input["RevisionId"].as_str(), &function.latest.revision)?;
    let wanted = input.as_object().cloned().unwrap_or_default();
    check_layers(account, &wanted)?;
    let description = wanted.get("Description").and_then(Value::as_str).map(str::to_owned);
    let mut settings = (*function.latest.settings).clone();
    set(&mut settings, &wanted);
    change(account, target, |function| {
        function.latest.settings = Arc::new(settings);
        if let Some(description) = description {
            function.latest.description = description;
        }
    });
    let takes = account.lambda.settings.updating.clone();
    begin(account, target, LATEST, takes);
    answer(account, target)
}

fn answer(account: &Account, target: &Target) -> Handled {
    let function = target.find(account)?;
    Ok(Reply::json(200, &read::full(function, &function.latest, None)))
}

/// Changes `$LATEST`, which is then being updated: until the end, invocations use what was there before.
pub(super) fn change(account: &mut Account, target: &Target, change: impl FnOnce(&mut Function)) {
    let (revision, now) = (account.chance.uuid(), account.now());
    let Some(function) = account.lambda.function_mut(&target.region, &target.name) else { return };
    let (code, settings) = function.latest.running();
    let before = (Arc::clone(code), Arc::clone(settings));
    change(function);
    let latest = &mut function.latest;
    latest.before = Some(before);
    latest.update = Update::InProgress;
    (latest.revision, latest.modified) = (revision, now);
}

/// Reads the zip that `S3Bucket` and `S3Key` or `ZipFile` name, if the region has room for it beyond the `replaced` bytes.
pub(super) fn load(account: &Account, region: &str, source: &Value, replaced: u64) -> Result<Code, Refusal> {
    let zip = bytes(account, source)?;
    let code = Code::read(&zip);
    let code = code
        .ok_or_else(|| invalid("Could not unzip uploaded file. Please check your file, then try to upload again."))?;
    check_storage(account, region, code.size.saturating_sub(replaced))?;
    Ok(code)
}

/// Reads the bytes that `S3Bucket` and `S3Key` or `ZipFile` name.
pub(super) fn bytes(account: &Account, source: &Value) -> Result<Vec<u8>, Refusal> {
    if let Some(zip) = source["ZipFile"].as_str() {
        return BASE64_STANDARD.decode(zip).map_err(|error| invalid(error.to_string()));
    }
    let part = |name: &str| source[name].as_str().unwrap_or_default();
    // Recorded, without the case of an absent bucket.
    let absent =
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    s3::object(account, part("S3Bucket"), part("S3Key")).ok_or_else(|| invalid(absent))
}

/// Lambda API reference, `CodeStorageExceededException`: the maximum total code size per account, in each region.
pub(super) fn check_storage(account: &Account, region: &str, more: u64) -> Result<(), Refusal> {
    let limit = account.lambda.settings.code_storage;
    if account.lambda.stored(region).saturating_add(more) <= limit {
        return Ok(());
    }
    Err(Refusal::bad_request("CodeStorageExceededException", "Code storage limit exceeded."))
}

/// The names of a function's settings in the API.
const NAMES: &[&str] = &[
    "Runtime",
    "Handler",
    "Role",
    "MemorySize",
    "Timeout",
    "Architectures",
    "Layers",
    "Environment",
    "TracingConfig",
    "VpcConfig",
    "DeadLetterConfig",
    "EphemeralStorage",
    "FileSystemConfigs",
    "KMSKeyArn",
    "LoggingConfig",
    "SnapStart",
    "PackageType",
];

/// Sets the settings that a request or a template names. CloudFormation passes numbers as texts if they come from parameters, and spells the
/// key's ARN in its own way.
pub(super) fn set(settings: &mut Settings, wanted: &Map<String, Value>) {
    for name in NAMES {
        let value = match *name {
            "KMSKeyArn" => wanted.get("KMSKeyArn").or_else(|| wanted.get("KmsKeyArn")),
            name => wanted.get(name),
        };
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        let value = match *name {
            "MemorySize" | "Timeout" => number(value).map_or(Value::Null, Value::from),
            "Layers" => {
                let layers = value.as_array().into_iter().flatten();
                layers.map(|arn| json!({ "Arn": arn, "CodeSize": 0 })).collect()
            }
            "Environment" => json!({ "Variables": texts(&value["Variables"]) }),
            "EphemeralStorage" => json!({ "Size": number(&value["Size"]) }),
            "SnapStart" => json!({ "ApplyOn": value["ApplyOn"], "OptimizationStatus": "Off" }),
            "VpcConfig" => vpc(value),
            _ => value.clone(),
        };
        // An empty list or environment is left out of the responses, as recorded.
        let is_empty = match *name {
            "Layers" => value.as_array().is_some_and(Vec::is_empty),
            "Environment" => value["Variables"].as_object().is_some_and(Map::is_empty),
            _ => false,
        };
        if is_empty {
            settings.remove(*name);
        } else {
            settings.insert((*name).to_owned(), value);
        }
    }
}

/// Reads a number, which may be spelled as a text.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Environment variables are texts, also where a template has numbers.
fn texts(variables: &Value) -> Value {
    let variables = variables.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Value::Object(variables.map(|(name, value)| (name.clone(), Value::String(text(value)))).collect())
}

fn vpc(value: &Value) -> Value {
    let list = |name: &str| value.get(name).cloned().unwrap_or_else(|| json!([]));
    json!({
        "SubnetIds": list("SubnetIds"),
        "SecurityGroupIds": list("SecurityGroupIds"),
        "VpcId": if list("SubnetIds").as_array().is_some_and(Vec::is_empty) { "" } else { "vpc-simulated" },
        "Ipv6AllowedForDualStack": value.get("Ipv6AllowedForDualStack").cloned().unwrap_or(Value::Bool(false)),
    })
}

/// The settings of a function that names none (Lambda API reference, `CreateFunction`; recorded responses).
pub(super) fn defaults(name: &str) -> Settings {
    let defaults = json!({
        "MemorySize": 128,
        "Timeout": 3,
        "Architectures": ["x86_64"],
        "TracingConfig": { "Mode": "PassThrough" },
        "EphemeralStorage": { "Size": 512 },
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}") },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "PackageType": "Zip",
    });
    defaults.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A layer's version must exist when a function begins to use it, as recorded.
pub(super) fn check_layers(account: &Account, wanted: &Map<String, Value>) -> Result<(), Refusal> {
    let layers = wanted.get("Layers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for arn in layers {
        if !account.lambda.layers.contains(account, arn) {
            return Err(invalid(format!("Layer version {arn} does not exist.")));
        }
    }
    Ok(())
}
