//! What goes wrong in a run of the fault suite: which fault, at which call, for how many calls.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    time::Duration,
};

use crate::proxy::{Call, Verdict, kill};

/// How long an answer is waited for in these runs.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Throttled,
    ServerError,
    /// Nothing comes, until the caller gives up.
    Timeout,
    Reset,
    LostResponse,
    ExpiredCredentials,
    KilledBefore,
    KilledAfter,
}

const FAULTS: [Fault; 8] = [
    Fault::Throttled,
    Fault::ServerError,
    Fault::Timeout,
    Fault::Reset,
    Fault::LostResponse,
    Fault::ExpiredCredentials,
    Fault::KilledBefore,
    Fault::KilledAfter,
];

/// What changes between the two deploys of a run: code alone goes past CloudFormation, shape goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Shape,
    Code,
    Both,
}

pub(super) const CHANGES: [Change; 3] = [Change::Shape, Change::Code, Change::Both];

/// One fault in one run: from which call on, and for how many calls, which outlasts some retries and not others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) fault: Fault,
    position: usize,
    calls: usize,
}

impl Plan {
    /// The fault of a run, where a fault-free one makes `calls` calls: numbers near each other fall far apart.
    pub(super) fn of(number: usize, calls: usize) -> Self {
        let fault = FAULTS[number % FAULTS.len()];
        // Steps of the golden ratio cover the calls evenly however many runs there are.
        let position = number * 618_034 % 1_000_000 * calls / 1_000_000;
        Self { fault, position, calls: 1 + (number / FAULTS.len()) % 4 }
    }
}

/// What the proxy does in a run.
pub(super) struct Trouble {
    plan: Option<Plan>,
    on: AtomicBool,
    signed: AtomicUsize,
    process: AtomicU32,
}

impl Trouble {
    pub(super) fn new(plan: Option<Plan>) -> Self {
        Self { plan, on: AtomicBool::new(true), signed: AtomicUsize::new(0), process: AtomicU32::new(0) }
    }

    /// From here on nothing goes wrong any more.
    pub(super) fn end(&self) {
        self.on.store(false, Ordering::SeqCst);
    }

    /// How many calls were made to AWS.
    pub(super) fn calls(&self) -> usize {
        self.signed.load(Ordering::SeqCst)
    }

    /// The process that is killed, where the fault is that.
    pub(super) fn aim_at(&self, process: u32) {
        self.process.store(process, Ordering::SeqCst);
    }

    pub(super) fn judge(&self, call: &Call) -> Verdict {
        // Calls of the API's own clients are not AWS's.
        if call.service.is_empty() {
            return Verdict::Forward;
        }
        let number = self.signed.fetch_add(1, Ordering::SeqCst);
        let Some(plan) = self.plan.filter(|_| self.on.load(Ordering::SeqCst)) else { return Verdict::Forward };
        if !(plan.position..plan.position + plan.calls).contains(&number) {
            return Verdict::Forward;
        }
        match plan.fault {
            Fault::Throttled => throttled(call),
            Fault::ServerError => Verdict::Answer(500, "<Error><Code>InternalFailure</Code></Error>".to_owned()),
            Fault::Timeout => Verdict::Silence,
            Fault::Reset => Verdict::Reset,
            Fault::LostResponse => Verdict::LoseResponse,
            Fault::ExpiredCredentials => expired(call),
            Fault::KilledBefore => {
                kill(self.process.load(Ordering::SeqCst));
                Verdict::Reset
            }
            Fault::KilledAfter => Verdict::ThenKill(self.process.load(Ordering::SeqCst)),
        }
    }
}

/// As each protocol says it: Query, JSON and S3's XML.
fn told(call: &Call, status: u16, codes: [&str; 3], message: &str) -> Verdict {
    let [query, json, s3] = codes;
    let body = match call.service.as_str() {
        "lambda" | "apigateway" | "cognito-idp" | "monitoring" => {
            format!(r#"{{"__type":"{json}","message":"{message}"}}"#)
        }
        "s3" => format!("<Error><Code>{s3}</Code><Message>{message}</Message></Error>"),
        _ => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{query}</Code><Message>{message}</Message></Error></ErrorResponse>"
        ),
    };
    Verdict::Answer(status, body)
}

fn throttled(call: &Call) -> Verdict {
    let status = match call.service.as_str() {
        "lambda" => 429,
        "s3" => 503,
        _ => 400,
    };
    told(call, status, ["Throttling", "TooManyRequestsException", "SlowDown"], "Rate exceeded")
}

fn expired(call: &Call) -> Verdict {
    let message = "The security token included in the request is expired";
    told(call, 403, ["ExpiredToken", "ExpiredTokenException", "ExpiredToken"], message)
}
