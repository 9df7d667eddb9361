//! A simulated AWS: the account, what happens to calls on their way, and the record of all calls.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use tokio::{sync::watch, time::Instant};

use crate::{
    account::Account,
    chance::Chance,
    connector::Client,
    faults::{Attempt, Fault, Faults, NoFaults},
    services,
    time::Moment,
    wire::{Call, Refusal, Reply},
};

/// How many earlier states stale reads can show.
const SNAPSHOTS: usize = 16;

/// A published rate: calls per second, which those with the same name share. More of them are throttled.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// The name.
    pub name: String,
    /// Calls per second.
    pub per_second: f64,
}

/// Returns the rate of an operation of a service: `("lambda", "POST /2015-03-31/functions/f/versions")`.
pub type Rates = Arc<dyn Fn(&str, &str) -> Option<Rate> + Send + Sync>;

/// The settings of a simulated AWS.
#[derive(Clone)]
pub struct Settings {
    /// The account's ID.
    pub account: String,
    /// The stage's region.
    pub region: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The duration of a call, there and back.
    pub latency: Range<Duration>,
    /// The factor of the durations of CloudFormation's resources: 1 takes as long as AWS, for example 10 to 22 seconds for a role.
    pub pace: f64,
    /// The rates beyond which calls are throttled; `None` for no limits.
    pub rates: Option<Rates>,
    /// Whether earlier states are kept, which stale reads need.
    pub keeps_snapshots: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("seed", &self.seed)
            .field("latency", &self.latency)
            .finish_non_exhaustive()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "eu-west-1".to_owned(),
            seed: 0,
            latency: Duration::from_millis(20)..Duration::from_millis(100),
            pace: 1.0,
            rates: None,
            keeps_snapshots: false,
        }
    }
}

/// A call in the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The time at which AWS received it, or would have.
    pub at: Moment,
    /// The calling process.
    pub process: String,
    /// The call's name, see [`Call::name`].
    pub name: String,
    /// The status; `None` if AWS did not receive the call.
    pub status: Option<u16>,
    /// The error code of a refusal.
    pub code: Option<String>,
    /// The fault that happened to it.
    pub fault: Option<Fault>,
}

impl fmt::Display for Recorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:>12.6} {} {}", self.at.elapsed().as_secs_f64(), self.process, self.name)?;
        if let Some(status) = self.status {
            write!(formatter, " {status}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, " {code}")?;
        }
        if let Some(fault) = self.fault {
            write!(formatter, " [{}]", fault.name())?;
        }
        Ok(())
    }
}

/// What the observer sees after a step.
#[derive(Debug)]
pub enum Step<'a> {
    /// AWS has carried out a call.
    Called {
        /// The calling process.
        process: &'a str,
        /// The call.
        call: &'a Call,
        /// The response.
        reply: &'a Reply,
    },
    /// A scheduled event has happened.
    Happened,
    /// Somebody has changed the account without the engine.
    ChangedByHand,
}

/// Is called after each step of the account.
pub type Observer = Box<dyn FnMut(&Account, &Step<'_>) + Send>;

/// A simulated AWS. Cheap to clone; clones share the account.
#[derive(Clone)]
pub struct Aws {
    started: Instant,
    settings: Arc<Settings>,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    account: Account,
    faults: Box<dyn Faults>,
    observer: Option<Observer>,
    latency: Chance,
    fault_chance: Chance,
    snapshots: VecDeque<(Moment, Account)>,
    buckets: BTreeMap<(String, String), (Moment, f64)>,
    record: Vec<Recorded>,
    killed: BTreeMap<String, watch::Sender<bool>>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Aws").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The fate of a call, decided when it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) number: u64,
    pub(crate) there: Duration,
    pub(crate) back: Duration,
    pub(crate) fault: Option<Fault>,
}

impl Aws {
    /// An empty account. Needs a tokio runtime, whose clock is the simulation's.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut account = Account::new(&settings.account, &settings.region, settings.seed);
        account.pace = settings.pace;
        let state = State {
            account,
            faults: Box::new(NoFaults),
            observer: None,
            latency: Chance::for_purpose(settings.seed, "latency"),
            fault_chance: Chance::for_purpose(settings.seed, "faults"),
            snapshots: VecDeque::new(),
            buckets: BTreeMap::new(),
            record: Vec::new(),
            killed: BTreeMap::new(),
        };
        Self { started: Instant::now(), settings: Arc::new(settings), state: Arc::new(Mutex::new(state)) }
    }

    /// The HTTP client of a process.
    #[must_use]
    pub fn client(&self, process: &str) -> SharedHttpClient {
        SharedHttpClient::new(Client::new(self.clone(), process.to_owned()))
    }

    /// The connector of a process, for code that makes its own clients.
    #[must_use]
    pub fn connector(&self, process: &str) -> SharedHttpConnector {
        SharedHttpConnector::new(Client::new(self.clone(), process.to_owned()))
    }

    /// Waits until a fault kills a process.
    pub async fn killed(&self, process: &str) {
        let mut killed = self.kill_switch(process).subscribe();
        // The switch lives as long as the simulation.
        let _ = killed.wait_for(|killed| *killed).await;
    }

    pub(crate) fn kill_switch(&self, process: &str) -> watch::Sender<bool> {
        let mut state = self.lock();
        state.killed.entry(process.to_owned()).or_insert_with(|| watch::Sender::new(false)).clone()
    }

    /// Sets what decides the faults of calls.
    pub fn set_faults(&self, faults: impl Faults + 'static) {
        self.lock().faults = Box::new(faults);
    }

    /// Sets the observer of every step.
    pub fn set_observer(&self, observer: Observer) {
        self.lock().observer = Some(observer);
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::after_start(self.started.elapsed())
    }

    /// Reads the account as it is now.
    pub fn read<T>(&self, read: impl FnOnce(&Account) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        state.advance(now);
        read(&state.account)
    }

    /// Changes the account without the engine, as a person does in the console.
    pub fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        state.advance(now);
        let changed = change(&mut state.account);
        state.observe(&Step::ChangedByHand);
        changed
    }

    /// Returns the record of all calls, and empties it.
    #[must_use]
    pub fn take_record(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.lock().record)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what happens to a call on its way.
    pub(crate) fn send(&self, process: &str, call: &Call) -> Fate {
        let at = self.now();
        let mut state = self.lock();
        let number = u64::try_from(state.record.len()).unwrap_or(u64::MAX);
        let State { faults, fault_chance, latency, .. } = &mut *state;
        let fault = faults.of(&Attempt { number, process, at, call }, fault_chance);
        let whole = latency.duration(self.settings.latency.clone());
        let there = whole.mul_f64(latency.fraction());
        let (process, name) = (process.to_owned(), call.name());
        state.record.push(Recorded { at, process, name, status: None, code: None, fault });
        Fate { number, there, back: whole.saturating_sub(there), fault }
    }

    /// Carries out a call, or refuses it as its fault says.
    pub(crate) fn receive(&self, process: &str, call: &Call, fate: Fate) -> Reply {
        let now = self.now();
        let mut state = self.lock();
        state.advance(now);
        let handled = match state.refusal(&self.settings, call, fate.fault, now) {
            Some(refusal) => Err(refusal),
            None => state.handle(call, fate.fault, self.settings.keeps_snapshots),
        };
        let code = handled.as_ref().err().map(|refusal| refusal.code.clone());
        let reply = handled.unwrap_or_else(|refusal| refusal.reply(&call.service));
        let reply = reply.header("date", now.http_date());
        let index = usize::try_from(fate.number).unwrap_or(usize::MAX);
        if let Some(recorded) = state.record.get_mut(index) {
            (recorded.at, recorded.status, recorded.code) = (now, Some(reply.status), code);
        }
        state.observe(&Step::Called { process, call, reply: &reply });
        reply
    }
}

impl State {
    fn advance(&mut self, until: Moment) {
        let Self { account, observer, .. } = self;
        account.advance(until, |account| {
            if let Some(observer) = observer {
                observer(account, &Step::Happened);
            }
        });
    }

    fn observe(&mut self, step: &Step<'_>) {
        if let Some(observer) = &mut self.observer {
            observer(&self.account, step);
        }
    }

    /// The refusal of a call that is not carried out.
    fn refusal(&mut self, settings: &Settings, call: &Call, fault: Option<Fault>, now: Moment) -> Option<Refusal> {
        match fault {
            Some(Fault::Throttled) => Some(throttled(&call.service)),
            Some(Fault::ServerError) => Some(Refusal::new(500, "InternalFailure", "an internal error has occurred")),
            Some(Fault::ExpiredCredentials) => Some(expired(&call.service)),
            _ => {
                let operation = if call.operation.is_empty() {
                    format!("{} {}", call.method, call.path)
                } else {
                    call.operation.clone()
                };
                let rate = settings.rates.as_ref()?(&call.service, &operation)?;
                (!self.takes_turn(&call.region, &rate, now)).then(|| throttled(&call.service))
            }
        }
    }

    /// Counts a call towards its rate: a bucket of one second's calls. Returns whether the rate allows it.
    fn takes_turn(&mut self, region: &str, rate: &Rate, now: Moment) -> bool {
        let capacity = rate.per_second.max(1.0);
        let key = (region.to_owned(), rate.name.clone());
        let (since, tokens) = self.buckets.entry(key).or_insert((now, capacity));
        let refilled = (*tokens + now.since(*since).as_secs_f64() * rate.per_second).min(capacity);
        // Sums of fractions may end a little below one.
        let is_allowed = refilled > 1.0 - 1e-6;
        (*since, *tokens) = (now, if is_allowed { refilled - 1.0 } else { refilled });
        is_allowed
    }

    fn handle(&mut self, call: &Call, fault: Option<Fault>, keeps_snapshots: bool) -> Result<Reply, Refusal> {
        let earlier = match fault {
            Some(Fault::Stale(age)) if services::is_eventually_consistent(call) => {
                let moment = self.account.now().minus(age);
                // The newest state that is old enough, or the oldest one.
                let old_enough = self.snapshots.iter().rev().find(|(at, _)| *at <= moment);
                old_enough.or_else(|| self.snapshots.front()).map(|(_, account)| account.clone())
            }
            _ => None,
        };
        if let Some(mut earlier) = earlier {
            return services::handle(&mut earlier, call);
        }
        if keeps_snapshots && !services::is_read(call) {
            self.snapshots.push_back((self.account.now(), self.account.clone()));
            if self.snapshots.len() > SNAPSHOTS {
                self.snapshots.pop_front();
            }
        }
        services::handle(&mut self.account, call)
    }
}

/// Each service names throttling in its own way (for example CloudFormation API reference, "Common errors"; Lambda API reference,
/// `TooManyRequestsException`; S3 API reference, "List of error codes").
fn throttled(service: &str) -> Refusal {
    match service {
        "lambda" | "apigateway" | "cognito-idp" => Refusal::new(429, "TooManyRequestsException", "Rate exceeded"),
        "s3" => Refusal::new(503, "SlowDown", "Please reduce your request rate."),
        "monitoring" | "logs" | "secretsmanager" | "events" => {
            Refusal::bad_request("ThrottlingException", "Rate exceeded")
        }
        _ => Refusal::bad_request("Throttling", "Rate exceeded"),
    }
}

/// CloudFormation API reference, "Common errors": `ExpiredTokenException`; the Query services and S3 shorten it.
fn expired(service: &str) -> Refusal {
    let message = "The security token included in the request is expired";
    match service {
        "s3" => Refusal::bad_request("ExpiredToken", "The provided token has expired."),
        "cloudformation" | "iam" | "sts" | "sns" | "ec2" | "cloudfront" => Refusal::new(403, "ExpiredToken", message),
        _ => Refusal::new(403, "ExpiredTokenException", message),
    }
}
