//! A function's start: logging, its environment, its AWS configuration. A failure here comes before the first event,
//! so a version that cannot start never answers a probe.

use std::{fmt, process::ExitCode};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::{
    Builder as HttpClient,
    tls::{self, rustls_provider::CryptoMode},
};
use contract::{Function, FunctionName};
use lambda_runtime::Error;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{start_failure, telemetry};

/// The environment variable in which Lambda passes a function's `Handler` to its runtime:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>.
const HANDLER: &str = "_HANDLER";

/// A started function.
#[derive(Debug)]
pub struct Started<F> {
    /// The environment that the function's contract declares.
    pub environment: F,
    /// Region, credentials, endpoint and TLS for every AWS client.
    pub aws: SdkConfig,
}

/// Why a function could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing.
    #[error("failed to read the environment of {function}")]
    Environment {
        /// The function.
        function: FunctionName,
        /// Names the variable.
        #[source]
        source: serde_json::Error,
    },
    /// The asynchronous runtime could not be built.
    #[error("failed to build the asynchronous runtime")]
    Runtime(#[source] std::io::Error),
    /// No function of this binary has the handler that Lambda asks for.
    #[error("failed to select a function: {HANDLER} is `{handler}`, and this binary serves {known}")]
    Handler {
        /// The value of `_HANDLER`.
        handler: String,
        /// The handlers of this binary's functions.
        known: String,
    },
}

/// The `main` of a binary with one function: starts it and calls `serve`, which runs until the instance ends.
///
/// It uses one thread, because an instance handles one event at a time.
pub fn start<F>(serve: impl AsyncFnOnce(Started<F>) -> Result<(), Error>) -> ExitCode
where
    F: Function + DeserializeOwned,
{
    telemetry::initialize(F::NAME.system);
    let result = run(variables(), serve);
    exit_code(result.map_err(|error| (Some(F::NAME), error)))
}

/// The `main` of a binary that several functions share. Lambda selects one of them by its handler.
///
/// ```no_run
/// # use contract::{Function, FunctionName};
/// # #[derive(serde::Deserialize)]
/// # struct List {}
/// # impl Function for List {
/// #     const NAME: FunctionName = FunctionName::new("notes", "list", "ListFunction").in_binary("all");
/// # }
/// # #[derive(serde::Deserialize)]
/// # struct Delete {}
/// # impl Function for Delete {
/// #     const NAME: FunctionName = FunctionName::new("notes", "delete", "DeleteFunction").in_binary("all");
/// # }
/// fn main() -> std::process::ExitCode {
///     common::functions()
///         .function::<List>(async |started| common::events::serve::<List, u32, u32>(async |event| Ok(event)).await)
///         .function::<Delete>(async |started| common::events::serve::<Delete, u32, u32>(async |event| Ok(event)).await)
///         .run()
/// }
/// ```
pub fn functions() -> Functions {
    Functions { entries: Vec::new() }
}

/// The functions of a shared binary; see [`functions`].
#[must_use = "the functions are served by `run`"]
pub struct Functions {
    entries: Vec<Entry>,
}

struct Entry {
    name: FunctionName,
    run: Box<dyn FnOnce(Variables) -> Result<(), Error>>,
}

impl Functions {
    /// Adds a function. Its environment is read and `serve` is called only when Lambda selects it.
    pub fn function<F>(mut self, serve: impl AsyncFnOnce(Started<F>) -> Result<(), Error> + 'static) -> Self
    where
        F: Function + DeserializeOwned + 'static,
    {
        let run = Box::new(move |variables| run(variables, serve));
        self.entries.push(Entry { name: F::NAME, run });
        self
    }

    /// Serves the function that Lambda selects until the instance ends.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let handler = std::env::var(HANDLER).unwrap_or_default();
        let system = self.entries.first().map_or("", |entry| entry.name.system);
        telemetry::initialize(system);
        exit_code(self.run_with(&handler, variables()))
    }

    /// Runs the function with this handler; an error names the function that failed.
    fn run_with(self, handler: &str, variables: Variables) -> Result<(), (Option<FunctionName>, Error)> {
        let known: Vec<_> = self.entries.iter().map(|entry| entry.name.handler()).collect();
        let known = known.join(", ");
        let entry = self.entries.into_iter().find(|entry| entry.name.handler() == handler);
        let Some(Entry { name, run }) = entry else {
            return Err((None, StartError::Handler { handler: handler.to_owned(), known }.into()));
        };
        run(variables).map_err(|error| (Some(name), error))
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.entries.iter().map(|entry| entry.name)).finish()
    }
}

/// Logs the error of a function that failed, and reports it to Lambda.
fn exit_code(result: Result<(), (Option<FunctionName>, Error)>) -> ExitCode {
    let Err((function, error)) = result else { return ExitCode::SUCCESS };
    let error = telemetry::chain(error.as_ref());
    tracing::error!(function = function.map(tracing::field::display), error, "failed");
    // The report counts only before the first event; the log has the error in any case.
    if let Ok(address) = std::env::var(start_failure::RUNTIME_API) {
        let _ = start_failure::report(&address, &error);
    }
    ExitCode::FAILURE
}

/// The process environment as a JSON object.
type Variables = Map<String, Value>;

fn variables() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, Value::String(value.into_string().ok()?))))
        .collect()
}

fn run<F>(variables: Variables, serve: impl AsyncFnOnce(Started<F>) -> Result<(), Error>) -> Result<(), Error>
where
    F: Function + DeserializeOwned,
{
    let environment = environment(variables)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    runtime.block_on(async { serve(Started { environment, aws: aws().await }).await })
}

/// Reads the contract's environment. Other variables are ignored: Lambda sets many of its own.
fn environment<F: Function + DeserializeOwned>(variables: Variables) -> Result<F, StartError> {
    serde_json::from_value(Value::Object(variables))
        .map_err(|source| StartError::Environment { function: F::NAME, source })
}

async fn aws() -> SdkConfig {
    let http = HttpClient::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).load().await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde::Deserialize;

    use super::*;
    use crate::{notes::List, telemetry::capture::Lines};

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect()
    }

    #[test]
    fn the_environment_is_the_contracts() {
        let all = [
            ("NOTES_BUCKET", "notes"),
            ("ALLOWED_ORIGINS", "https://www.example.com"),
            ("PUBLIC_S3_ENDPOINT", "http://127.0.0.1:4566"),
            ("AWS_LAMBDA_FUNCTION_NAME", "something Lambda sets"),
        ];
        let expected = List {
            notes_bucket: "notes".to_owned(),
            allowed_origins: "https://www.example.com".to_owned(),
            public_s3_endpoint: Some("http://127.0.0.1:4566".to_owned()),
        };
        assert_eq!(environment::<List>(variables(&all)).expect("complete"), expected);
        let without_optional = environment::<List>(variables(&all[..2])).expect("complete");
        assert_eq!(without_optional.public_s3_endpoint, None);
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = environment::<List>(variables(&[("ALLOWED_ORIGINS", "")])).expect_err("incomplete");
        assert_eq!(
            telemetry::chain(&error),
            "failed to read the environment of notes-list: missing field `NOTES_BUCKET`"
        );
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    struct Add {
        notes_table: String,
    }

    impl Function for Add {
        const NAME: FunctionName = FunctionName::new("notes", "add", "AddFunction").in_binary("changes");
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    struct Remove {
        archive_bucket: String,
    }

    impl Function for Remove {
        const NAME: FunctionName = FunctionName::new("notes", "remove", "RemoveFunction").in_binary("changes");
    }

    /// Two functions that record their environment.
    fn shared() -> (Functions, Arc<Mutex<Vec<String>>>) {
        let started = Arc::new(Mutex::new(Vec::new()));
        let (added, removed) = (Arc::clone(&started), Arc::clone(&started));
        let functions = functions()
            .function::<Add>(async move |started| {
                added.lock().expect("no panic").push(started.environment.notes_table);
                Ok(())
            })
            .function::<Remove>(async move |started| {
                removed.lock().expect("no panic").push(started.environment.archive_bucket);
                Err("the archive is closed".into())
            });
        (functions, started)
    }

    #[test]
    fn the_handler_selects_a_function_of_a_shared_binary() {
        let (functions, started) = shared();
        // The other function's variable may be missing.
        functions.run_with("add", variables(&[("NOTES_TABLE", "notes")])).expect("it runs");
        assert_eq!(*started.lock().expect("no panic"), ["notes"]);
    }

    #[test]
    fn a_missing_variable_is_one_of_the_selected_function() {
        let (functions, started) = shared();
        let (function, error) =
            functions.run_with("remove", variables(&[("NOTES_TABLE", "notes")])).expect_err("incomplete");
        assert_eq!(function, Some(Remove::NAME));
        assert_eq!(
            telemetry::chain(error.as_ref()),
            "failed to read the environment of notes-remove: missing field `ARCHIVE_BUCKET`"
        );
        assert!(started.lock().expect("no panic").is_empty());
    }

    #[test]
    fn an_unknown_handler_is_an_error_with_the_known_ones() {
        for handler in ["", "bootstrap", "notes-add", "Add"] {
            let (function, error) = shared().0.run_with(handler, Variables::new()).expect_err("unknown");
            assert_eq!(function, None);
            assert_eq!(
                error.to_string(),
                format!("failed to select a function: _HANDLER is `{handler}`, and this binary serves add, remove")
            );
        }
    }

    #[test]
    fn a_failure_is_logged_under_the_name_of_its_function() {
        let lines = Lines::default();
        let _guard = lines.listen();
        let result = shared().0.run_with("remove", variables(&[("ARCHIVE_BUCKET", "archive")]));
        assert_eq!(exit_code(result), ExitCode::FAILURE);
        // The AWS configuration may log warnings of its own.
        let lines = lines.values();
        let failures: Vec<_> = lines.iter().filter(|line| line["function"] == "notes-remove").collect();
        assert_eq!(failures.len(), 1, "{lines:?}");
        assert_eq!(failures[0]["error"], "the archive is closed");
        assert_eq!(exit_code(Ok(())), ExitCode::SUCCESS);
    }

    #[test]
    fn a_probe_is_answered_with_the_name_of_the_function_not_of_the_binary() {
        let ready = crate::probe::answer::<Remove>(&serde_json::json!({"probe": "ready"})).expect("a probe");
        assert_eq!(ready.function, "notes-remove");
        assert_eq!(Remove::NAME.binary(), "notes-changes");
    }
}
