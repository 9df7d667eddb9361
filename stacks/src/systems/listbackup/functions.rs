//! The functions by stack, and their names in Lambda.

use contract::{Function as Contract, FunctionName};
use listbackup_contract::{
    analytics::{AggregateEvents, GenerateReport, GetOverview, GetStorage},
    api::{
        Authorizer, CreateJob, CreateSource, DeleteSource, DownloadFile, GetActivity, GetJobs, GetRun, GetSources,
        Health, ListFiles, ManageApiKeys, OauthCallback, OauthInitiate, RunJob, SearchFiles, UpdateSource,
    },
    auth::{Login, Logout, MfaSetup, MfaVerify, Refresh, Register},
    insights::DataInsights,
    limits,
    processors::{BackupOrchestrator, FileProcessor, JobScheduler},
};
use model::{parts::function::Function, stage::Stage};
use serde::Serialize;

/// The functions of each stack.
pub(super) const BY_STACK: [(&str, &[FunctionName]); 5] = [
    (
        "api",
        &[
            Authorizer::<String>::NAME,
            GetSources::<String>::NAME,
            GetJobs::<String>::NAME,
            GetRun::<String>::NAME,
            ListFiles::<String>::NAME,
            SearchFiles::<String>::NAME,
            GetActivity::<String>::NAME,
            CreateSource::<String>::NAME,
            UpdateSource::<String>::NAME,
            DeleteSource::<String>::NAME,
            CreateJob::<String>::NAME,
            RunJob::<String>::NAME,
            DownloadFile::<String>::NAME,
            ManageApiKeys::<String>::NAME,
            OauthInitiate::<String>::NAME,
            OauthCallback::<String>::NAME,
            Health::<String>::NAME,
        ],
    ),
    (
        "auth",
        &[
            Register::<String>::NAME,
            Login::<String>::NAME,
            Refresh::<String>::NAME,
            Logout::<String>::NAME,
            MfaSetup::<String>::NAME,
            MfaVerify::<String>::NAME,
        ],
    ),
    (
        "analytics",
        &[
            GetOverview::<String>::NAME,
            GetStorage::<String>::NAME,
            GenerateReport::<String>::NAME,
            AggregateEvents::<String>::NAME,
        ],
    ),
    (
        "backup-processors",
        &[BackupOrchestrator::<String>::NAME, FileProcessor::<String>::NAME, JobScheduler::<String>::NAME],
    ),
    ("data-analysis", &[DataInsights::<String>::NAME]),
];

/// The timeout of authorizers, in seconds: API Gateway waits no longer for a decision.
pub(super) const DECISION_SECONDS: u32 = 10;

/// Returns a function's name in Lambda: `listbackup-<service>-<stage>-<function>`. The binary is called `listbackup-<service>`.
pub(super) fn function_name(name: FunctionName, stage: &Stage) -> String {
    format!("{}-{}-{}", name.binary(), stage.name, name.function)
}

/// Starts a function with the name, limits and log retention of the system.
pub(super) fn function<C: Contract + Serialize>(stage: &Stage, environment: C) -> Function {
    Function::new(stage, environment)
        .named(&function_name(C::NAME, stage))
        .memory(limits::MEMORY)
        .timeout(limits::TIMEOUT_SECONDS)
        .log_retention(limits::LOG_DAYS)
}
