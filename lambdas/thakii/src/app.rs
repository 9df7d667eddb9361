//! The state of the API's handlers, built from the contract's environment. Clients connect on first use.

use std::str::FromStr;

use aws_config::SdkConfig;
use common::{
    limits::{CounterTable, Counters},
    outbound::{Outbound, Settings},
    token::SecretSource,
};
use tables::Database;
use thakii_contract::{Api as ApiEnvironment, LOCAL_STAGE, tables::SYSTEM};
use tokio::sync::OnceCell;

use crate::{
    auth::{
        Authentication,
        backend::BackendTokens,
        identity::Identity,
        issuers::{Issuers, IssuersError},
        role::{Role, SuperAdmins, compute_role},
    },
    aws::{self, AwsError},
    directory::Directory,
    files::Files,
    ids,
    notify::{Notifier, Topic},
    queue::Queue,
    registry::{self, USER_AGENT},
    tables::{
        admins::Admins, notifications::Notifications, servers::Servers, tasks::Tasks, uploads::Uploads, users::Users,
    },
};

/// The state that all handlers share.
#[derive(Debug)]
pub struct App {
    pub(crate) stage: String,
    /// The origins whose pages may call the API, comma-separated.
    pub(crate) allowed_origins: String,
    pub(crate) authentication: Authentication,
    /// The limits of sign-in routes.
    pub(crate) counters: Counters,
    pub(crate) super_admins: SuperAdmins,
    /// Set once the rows of the super admins exist.
    pub(crate) super_admin_rows: OnceCell<()>,
    pub(crate) tasks: Tasks,
    pub(crate) admins: Admins,
    pub(crate) servers: Servers,
    pub(crate) notifications: Notifications,
    pub(crate) uploads: Uploads,
    pub(crate) users: Users,
    pub(crate) files: Files,
    pub(crate) queue: Queue,
    /// The dead-letter queue of tasks.
    pub(crate) dead: Queue,
    pub(crate) notifier: Notifier,
    pub(crate) directory: Directory,
    /// Calls registered servers, whose addresses are guarded.
    pub(crate) registered: Outbound,
    /// Calls addresses from the stage's own settings.
    pub(crate) trusted: Outbound,
    pub(crate) worker_url: Option<String>,
    pub(crate) max_video_bytes: u64,
}

/// An invalid environment.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is not a positive number.
    #[error("{0} must be a positive number")]
    Number(&'static str),
    /// The list of issuers is invalid.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
}

impl App {
    /// Builds the state from the environment, without calling AWS.
    ///
    /// # Errors
    /// If a variable is invalid.
    pub fn new(environment: ApiEnvironment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        let hours = positive("BACKEND_TOKEN_HOURS", &environment.backend_token_hours)?;
        let per_minute = positive("SIGN_IN_PER_MINUTE", &environment.sign_in_per_minute)?;
        let max_video_bytes = positive("MAX_VIDEO_BYTES", &environment.max_video_bytes)?;
        let aws = &aws::with_time_limits(aws);
        let trusted = Outbound::new(Settings::open(USER_AGENT));
        let issuers = Issuers::parse(&environment.auth_issuers, aws.endpoint_url(), &trusted)?;
        let backend = BackendTokens::new(SecretSource::new(aws.clone(), environment.backend_token_secret_arn), hours);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let counters = Counters::new(counter_table(&environment.table_system), aws.clone(), per_minute);
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let presigner = aws::presigning_client(aws, environment.s3_public_endpoint.as_deref());
        let topic = Topic::new(aws.clone(), environment.notifications_topic_arn);
        Ok(Self {
            allowed_origins: environment.allowed_origins,
            authentication: Authentication { issuers, backend },
            counters,
            super_admins: SuperAdmins::parse(&environment.super_admins),
            super_admin_rows: OnceCell::new(),
            tasks: Tasks::new(
                database.clone(),
                environment.table_video_tasks,
                users.clone(),
                servers.clone(),
                notifications.clone(),
            ),
            admins: Admins::new(database.clone(), environment.table_admin_users),
            uploads: Uploads::new(database, environment.table_uploads),
            files: Files::new(aws::s3_client(aws), presigner, environment.s3_bucket_name),
            queue: Queue::new(aws.clone(), environment.tasks_queue_url),
            dead: Queue::new(aws.clone(), environment.tasks_dlq_url),
            notifier: Notifier { users: users.clone(), topic },
            directory: Directory::new(aws.clone(), environment.user_pool_id),
            registered: registry::client(environment.stage != LOCAL_STAGE),
            trusted,
            worker_url: environment.worker_service_url.filter(|url| !url.is_empty()),
            max_video_bytes,
            stage: environment.stage,
            servers,
            notifications,
            users,
        })
    }

    /// Returns a caller's current role.
    pub(crate) async fn role(&self, identity: &Identity) -> Result<Role, AwsError> {
        let row = self.admins.get(&ids::admin_id(&identity.email)).await?;
        Ok(compute_role(identity, &self.super_admins, row.map(|admin| admin.status)))
    }
}

/// Parses a variable that is a positive number.
fn positive<N: FromStr + PartialOrd + Default>(name: &'static str, text: &str) -> Result<N, EnvironmentError> {
    text.parse().ok().filter(|number| *number > N::default()).ok_or(EnvironmentError::Number(name))
}

/// Table `system`, which also holds the counters of sign-in routes.
fn counter_table(name: &str) -> CounterTable {
    let (sort, expires) = (SYSTEM.sort, SYSTEM.expires.unwrap_or_default());
    CounterTable { name: name.to_owned(), partition: SYSTEM.partition, sort, expires }
}
