//! Records the calls that the functions of a deployed system make.
//!
//! Each function gets a proxy of its own. For the time of the recording, its alias points to a version whose clients call AWS through
//! the proxy; `$LATEST` keeps its configuration. [`Recorder::stop`] puts everything back. A recording that was killed leaves the alias at
//! its version, whose variable [`RECORDED_VERSION`] names the one before: the next recording puts that back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use model::{parts::function::LIVE, statements::Request};

use super::{
    RightsError,
    calls::{self, Call, Place},
    error::on,
    proxy::Proxy,
};
use crate::{
    aws::{
        Clients,
        lambda::{RECORDED_VERSION, RECORDING},
    },
    deploy,
    poll::Schedule,
};

/// The services whose endpoint is set, as in the SDKs and Tools reference guide, "Identifiers for service-specific endpoints".
const SERVICES: [&str; 22] = [
    "APIGATEWAYMANAGEMENTAPI",
    "BEDROCK_RUNTIME",
    "CLOUDFRONT",
    "CLOUDWATCH",
    "CLOUDWATCH_LOGS",
    "COGNITO_IDENTITY",
    "COGNITO_IDENTITY_PROVIDER",
    "DYNAMODB",
    "EVENTBRIDGE",
    "FIREHOSE",
    "KINESIS",
    "KMS",
    "LAMBDA",
    "S3",
    "SECRETS_MANAGER",
    "SES",
    "SESV2",
    "SFN",
    "SNS",
    "SQS",
    "SSM",
    "STS",
];
/// How long no call may come until functions count as idle.
const QUIET: Duration = Duration::from_secs(2);
/// The longest wait for idle functions.
const SETTLING: Schedule = Schedule::every(Duration::from_millis(100)).within(Duration::from_secs(30));

/// The calls of one function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// What IAM would judge.
    pub requests: BTreeSet<Request>,
    /// Calls that are not known, in words.
    pub unknown: BTreeSet<String>,
}

/// A recording in progress. Without [`Recorder::stop`], functions call a proxy that is gone.
#[derive(Debug)]
pub struct Recorder<'a> {
    clients: &'a Clients,
    upstream: String,
    place: Place,
    last_call: Arc<Mutex<Instant>>,
    functions: Mutex<Vec<Function>>,
}

/// A function whose calls are recorded.
#[derive(Debug)]
struct Function {
    name: String,
    recorded: Arc<Mutex<Recorded>>,
    /// The version that the alias pointed to before.
    original: String,
    /// The versions of recordings, which are deleted.
    temporary: Vec<String>,
    /// The environment of `$LATEST` before it was changed, until it is put back.
    environment: Option<BTreeMap<String, String>>,
    _proxy: Proxy,
}

impl<'a> Recorder<'a> {
    /// A recorder of functions on the emulator that `clients` call. Changes nothing yet.
    ///
    /// # Errors
    ///
    /// When the clients call AWS.
    pub fn new(place: Place, clients: &'a Clients) -> Result<Self, RightsError> {
        let upstream = clients.endpoint().ok_or(RightsError::NoEmulator)?.to_owned();
        let last_call = Arc::new(Mutex::new(Instant::now()));
        Ok(Self { clients, upstream, place, last_call, functions: Mutex::default() })
    }

    /// Records a function's calls from now on.
    ///
    /// # Errors
    ///
    /// When a call fails, or the function is not deployed. [`Recorder::stop`] puts back what was changed.
    pub async fn record(&self, function: &str) -> Result<(), RightsError> {
        let (proxy, recorded) = self.proxy().await.map_err(|source| RightsError::Proxy { source })?;
        let lambda = self.clients.lambda();
        let live =
            self.live(function).await?.ok_or_else(|| RightsError::NotDeployed { function: function.to_owned() })?;
        let killed = lambda.before_recording(function, &live).await.map_err(on(function))?;
        let temporary = killed.is_some().then(|| live.clone()).into_iter().collect();
        let original = killed.unwrap_or(live);
        let environment = match lambda.variables_before_recording(function).await.map_err(on(function))? {
            // Killed before `$LATEST` was put back.
            Some(before) => before,
            None => lambda.environment(function, "$LATEST").await.map_err(on(function))?,
        };
        let redirected = redirected(&environment, &original, &self.upstream, &proxy.endpoint);
        let index = {
            let mut functions = locked(&self.functions);
            let (name, environment) = (function.to_owned(), Some(environment.clone()));
            functions.push(Function { name, recorded, original, temporary, environment, _proxy: proxy });
            functions.len() - 1
        };
        lambda.set_environment(function, &redirected).await.map_err(on(function))?;
        let latest = deploy::ready(function, "$LATEST", self.clients).await.map_err(on(function))?;
        let published = lambda.publish(function, &latest.code_sha256, RECORDING).await.map_err(on(function))?;
        let version = published.version;
        locked(&self.functions)[index].temporary.push(version.clone());
        lambda.set_environment(function, &environment).await.map_err(on(function))?;
        deploy::ready(function, "$LATEST", self.clients).await.map_err(on(function))?;
        locked(&self.functions)[index].environment = None;
        deploy::ready(function, &version, self.clients).await.map_err(on(function))?;
        lambda.point(function, LIVE, &version).await.map_err(on(function))
    }

    /// Returns the version that the alias points to; `None` if there is no such function or alias.
    async fn live(&self, function: &str) -> Result<Option<String>, RightsError> {
        let aliases = self.clients.lambda().aliases(function).await.map_err(on(function))?;
        Ok(aliases.into_iter().find(|alias| alias.name == LIVE).map(|alias| alias.version))
    }

    async fn proxy(&self) -> std::io::Result<(Proxy, Arc<Mutex<Recorded>>)> {
        let recorded = Arc::<Mutex<Recorded>>::default();
        let (notes, last_call, place) = (Arc::clone(&recorded), Arc::clone(&self.last_call), self.place.clone());
        let record = move |call: Call| {
            *locked(&last_call) = Instant::now();
            let mut notes = locked(&notes);
            match calls::requests(&call, &place) {
                Ok(requests) => notes.requests.extend(requests),
                Err(unknown) => {
                    notes.unknown.insert(unknown);
                }
            }
        };
        Ok((Proxy::start(&self.upstream, record).await?, recorded))
    }

    /// Waits until the functions have made no call for two seconds, 30 seconds at most; returns whether they are idle.
    pub async fn settled(&self) -> bool {
        SETTLING.until(async || locked(&self.last_call).elapsed() > QUIET).await
    }

    /// Returns the calls so far, by function.
    #[must_use]
    pub fn recorded(&self) -> BTreeMap<String, Recorded> {
        let functions = locked(&self.functions);
        functions.iter().map(|function| (function.name.clone(), locked(&function.recorded).clone())).collect()
    }

    /// Puts every function back as it was, all at once, and deletes the versions of the recording. A function that fails does not stop the
    /// others. An alias that another run has moved since, and variables that it has set, stay as they are.
    ///
    /// # Errors
    ///
    /// The first failed call.
    pub async fn stop(&self) -> Result<(), RightsError> {
        let functions = std::mem::take(&mut *locked(&self.functions));
        let results = join_all(functions.iter().map(|function| self.put_back(function))).await;
        results.into_iter().collect()
    }

    async fn put_back(&self, function: &Function) -> Result<(), RightsError> {
        let (lambda, name) = (self.clients.lambda(), function.name.as_str());
        if self.live(name).await?.is_some_and(|live| function.temporary.contains(&live)) {
            lambda.point(name, LIVE, &function.original).await.map_err(on(name))?;
        }
        if let Some(environment) = &function.environment {
            deploy::ready(name, "$LATEST", self.clients).await.map_err(on(name))?;
            if lambda.environment(name, "$LATEST").await.map_err(on(name))?.contains_key(RECORDED_VERSION) {
                lambda.set_environment(name, environment).await.map_err(on(name))?;
            }
        }
        for version in &function.temporary {
            lambda.delete_version(name, version).await.map_err(on(name))?;
        }
        Ok(())
    }
}

/// Returns an environment whose clients call the proxy: those of the SDK, and those with an address of their own at the emulator.
fn redirected(
    environment: &BTreeMap<String, String>,
    original: &str,
    upstream: &str,
    proxy: &str,
) -> BTreeMap<String, String> {
    let local = upstream.replace("127.0.0.1", "localhost");
    let moved = |value: &String| {
        let rest = value.strip_prefix(upstream).or_else(|| value.strip_prefix(&local));
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        rest.map_or_else(|| value.clone(), |rest| format!("{proxy}{rest}"))
    };
    let own = environment.iter().map(|(name, value)| (name.clone(), moved(value)));
    let services = SERVICES.iter().map(|service| (format!("AWS_ENDPOINT_URL_{service}"), proxy.to_owned()));
    own.chain(services).chain([(RECORDED_VERSION.to_owned(), original.to_owned())]).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use model::stage::Stage;

    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    #[tokio::test]
    async fn an_alias_that_another_run_has_moved_stays() {
        let stage = Stage::parse("dev", "account: '000000000000'\nregion: us-east-1\n", "dev.yaml").expect("a stage");
        for (live, moves) in [("8", 1), ("9", 0)] {
            let endpoint = Endpoint::serve(move |request: &Received| {
                let is_list = request.target.starts_with("GET ") && request.target.contains("/aliases");
                let list = format!(r#"{{"Aliases":[{{"Name":"live","FunctionVersion":"{live}"}}]}}"#);
                (200, if is_list { list } else { "{}".to_owned() })
            })
            .await;
            let clients = endpoint.clients().await;
            let recorder = Recorder::new(Place::of(&stage), &clients).expect("an emulator");
            let (proxy, recorded) = recorder.proxy().await.expect("a proxy");
            let (name, original, temporary) = ("f".to_owned(), "7".to_owned(), vec!["8".to_owned()]);
            let function = Function { name, recorded, original, temporary, environment: None, _proxy: proxy };
            locked(&recorder.functions).push(function);
            recorder.stop().await.expect("put back");
            assert_eq!(endpoint.count("PUT /2015-03-31/functions/f/aliases/live"), moves, "live points to {live}");
            assert_eq!(endpoint.count("DELETE /2015-03-31/functions/f?Qualifier=8"), 1);
        }
    }

    #[test]
    fn every_address_of_the_emulator_becomes_the_proxys() {
        let environment = [
            ("TABLE", "notes"),
            ("LINKS", "http://localhost:4566/bucket"),
            ("DATA", "http://127.0.0.1:4566"),
            ("OTHER", "http://127.0.0.1:45660"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let redirected = redirected(&environment, "7", "http://127.0.0.1:4566", "http://127.0.0.1:9999");
        let value = |name: &str| redirected[name].as_str();
        assert_eq!((value("TABLE"), value("OTHER")), ("notes", "http://127.0.0.1:45660"));
        assert_eq!((value("LINKS"), value("DATA")), ("http://127.0.0.1:9999/bucket", "http://127.0.0.1:9999"));
        assert_eq!((value("AWS_ENDPOINT_URL_DYNAMODB"), value(RECORDED_VERSION)), ("http://127.0.0.1:9999", "7"));
    }
}
