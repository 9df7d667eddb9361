//! What a call changes, read from the request alone.

use simulated_aws::wire::{Call, form::decoded};

use crate::{project::STAGE, shape::SYSTEMS};

/// The effect of a call that AWS carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing that outlives it: reads, invocations, change sets that are only compared.
    None,
    /// It changes a stack.
    Stack {
        /// The stack's name.
        stack: String,
    },
    /// It updates the code of a function.
    Code {
        /// The function's name.
        function: String,
    },
    /// It publishes a version.
    Publish {
        /// The function's name.
        function: String,
    },
    /// It changes an alias.
    Alias {
        /// The function's name.
        function: String,
    },
    /// It deletes a version, or a whole function.
    DeleteVersion {
        /// The function's name.
        function: String,
        /// The version; empty for the function.
        version: String,
    },
    /// It writes an object.
    Put {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
    /// It deletes objects.
    Delete {
        /// The bucket.
        bucket: String,
        /// The keys.
        keys: Vec<String>,
    },
    /// It changes something else.
    Other,
}

impl Effect {
    /// Reads the effect of a call.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        match call.service.as_str() {
            "cloudformation" => of_stack(call),
            "lambda" => of_function(call),
            "s3" => of_object(call),
            _ if is_read(call) => Self::None,
            _ => Self::Other,
        }
    }

    /// The system that is changed, if it is one of the project's.
    #[must_use]
    pub fn system(&self) -> Option<&'static str> {
        match self {
            Self::None | Self::Other => None,
            Self::Stack { stack } => system_of(stack),
            Self::Code { function }
            | Self::Publish { function }
            | Self::Alias { function }
            | Self::DeleteVersion { function, .. } => system_of(function),
            Self::Put { bucket, key } => system_of_object(bucket, key),
            Self::Delete { bucket, keys } => keys.first().and_then(|key| system_of_object(bucket, key)),
        }
    }

    /// Whether a run that finds everything as it should be may do this: it takes and releases locks.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self {
            Self::None => true,
            Self::Put { key, .. } => key.starts_with("locks/"),
            _ => false,
        }
    }
}

fn of_stack(call: &Call) -> Effect {
    let changes = matches!(
        call.operation.as_str(),
        "ExecuteChangeSet"
            | "DeleteStack"
            | "UpdateStack"
            | "CreateStack"
            | "ContinueUpdateRollback"
            | "CancelUpdateStack"
            | "RollbackStack"
            | "UpdateTerminationProtection"
            | "SetStackPolicy"
    );
    // The form is read only then: that of a new change set contains a template.
    if !changes {
        return Effect::None;
    }
    let form = call.form();
    let stack = form.get("StackName").unwrap_or_default();
    // An ARN names the stack after the first slash.
    let stack = if stack.starts_with("arn:") { stack.split('/').nth(1).unwrap_or_default() } else { stack };
    Effect::Stack { stack: stack.to_owned() }
}

fn of_function(call: &Call) -> Effect {
    let steps = call.steps();
    // /2015-03-31/functions/<name>/<what>
    let (Some(collection), Some(name)) = (steps.get(1), steps.get(2)) else { return Effect::None };
    if collection != "functions" || call.method == "GET" {
        return if call.method == "GET" { Effect::None } else { Effect::Other };
    }
    let function = function_name(name);
    match (call.method.as_str(), steps.get(3).map(String::as_str)) {
        ("POST", Some("invocations")) => Effect::None,
        ("PUT", Some("code")) => Effect::Code { function },
        ("POST", Some("versions")) => Effect::Publish { function },
        ("PUT" | "POST" | "DELETE", Some("aliases")) => Effect::Alias { function },
        ("DELETE", None) => {
            let version = call.query("Qualifier").unwrap_or_default().to_owned();
            Effect::DeleteVersion { function, version }
        }
        _ => Effect::Other,
    }
}

/// The name in an ARN or a name, without a qualifier.
fn function_name(name: &str) -> String {
    let name = name.rsplit_once(":function:").map_or(name, |(_, rest)| rest);
    name.split(':').next().unwrap_or_default().to_owned()
}

fn of_object(call: &Call) -> Effect {
    let (bucket, key) = object(call);
    match call.method.as_str() {
        "PUT" if !key.is_empty() => Effect::Put { bucket, key },
        "DELETE" if !key.is_empty() => Effect::Delete { bucket, keys: vec![key] },
        "POST" if call.query("delete").is_some() => Effect::Delete { bucket, keys: keys_of_deletion(&call.body) },
        "GET" | "HEAD" => Effect::None,
        _ => Effect::Other,
    }
}

/// The bucket and the key of a request to S3.
#[must_use]
pub fn object(call: &Call) -> (String, String) {
    let path = call.path.strip_prefix('/').unwrap_or(&call.path);
    match call.host.split_once(".s3.").filter(|(_, domain)| domain.ends_with("amazonaws.com")) {
        Some((bucket, _)) => (bucket.to_owned(), decoded(path)),
        None => {
            let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
            (decoded(bucket), decoded(key))
        }
    }
}

/// The keys in the body of `DeleteObjects`.
fn keys_of_deletion(body: &[u8]) -> Vec<String> {
    let body = String::from_utf8_lossy(body).into_owned();
    let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    keys.map(|(key, _)| key.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
        .collect()
}

fn is_read(call: &Call) -> bool {
    let reads = ["Describe", "List", "Get", "Detect", "Simulate", "Lookup", "BatchGet"];
    if call.operation.is_empty() {
        // Requests without a service are those of clients, and of the smoke checks.
        call.method == "GET" || call.method == "HEAD" || call.service.is_empty()
    } else {
        reads.iter().any(|verb| call.operation.starts_with(verb))
    }
}

/// The system whose name begins a name: `alpha-data-rehearsal`.
#[must_use]
pub fn system_of(name: &str) -> Option<&'static str> {
    let is_own = |system: &str| name.strip_prefix(system).is_some_and(|rest| rest.starts_with('-'));
    SYSTEMS.into_iter().find(|system| is_own(system))
}

fn system_of_object(bucket: &str, key: &str) -> Option<&'static str> {
    if bucket != crate::observer::artifact_bucket() {
        return system_of(bucket);
    }
    let (folder, rest) = key.split_once('/')?;
    let name = rest.split(['/', '.']).next()?;
    match folder {
        "releases" | "sites" => SYSTEMS.iter().find(|system| **system == name).copied(),
        "artifacts" => system_of(rest),
        _ => None,
    }
}

/// The full name of a stack.
#[must_use]
pub fn stack_name(system: &str, stack: &str) -> String {
    format!("{system}-{stack}-{STAGE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_read_from_requests() {
        let lambda = |method: &str, path: &str| {
            Effect::of(&Call { service: "lambda".into(), method: method.into(), path: path.into(), ..Call::default() })
        };
        let function = || "alpha-function1-rehearsal".to_owned();
        let path = "/2015-03-31/functions/alpha-function1-rehearsal";
        assert_eq!(lambda("PUT", &format!("{path}/aliases/live")), Effect::Alias { function: function() });
        assert_eq!(lambda("POST", &format!("{path}/versions")), Effect::Publish { function: function() });
        assert_eq!(lambda("GET", &format!("{path}/versions")), Effect::None);
        assert_eq!(lambda("POST", &format!("{path}/invocations")), Effect::None);
        assert_eq!(lambda("PUT", &format!("{path}/aliases/live")).system(), Some("alpha"));
        let bucket = crate::observer::artifact_bucket();
        let s3 = |method: &str, key: &str| {
            let host = format!("{bucket}.s3.eu-west-1.amazonaws.com");
            Effect::of(&Call { service: "s3".into(), method: method.into(), host, path: key.into(), ..Call::default() })
        };
        assert_eq!(s3("PUT", "/releases/beta/00000001.json").system(), Some("beta"));
        assert_eq!(s3("DELETE", "/artifacts/gamma-f-12.zip").system(), Some("gamma"));
        assert!(s3("PUT", "/locks/alpha.json").is_idle() && !s3("PUT", "/artifacts/alpha-f.zip").is_idle());
    }

    #[test]
    fn keys_of_a_deletion_of_several_objects_are_read() {
        let body = "<Delete><Object><Key>a/b&amp;c</Key></Object><Object><Key>d</Key></Object></Delete>";
        assert_eq!(keys_of_deletion(body.as_bytes()), ["a/b&c", "d"]);
    }
}
