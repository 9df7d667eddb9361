//! What the API's handlers need, put together from the contract's environment. Clients connect when first used.

use aws_config::SdkConfig;
use contract::thakii::{ApiEnvironment, LOCAL_STAGE};
use tokio::sync::OnceCell;

use crate::{
    auth::{
        Authentication,
        backend::BackendTokens,
        identity::Identity,
        issuers::{Issuers, IssuersError},
        role::{Role, SuperAdmins, role},
        secret::SecretSource,
    },
    aws::{self, AwsError},
    directory::Directory,
    files::Files,
    ids,
    notify::{Notifier, Topic},
    outbound::Outbound,
    queue::Queue,
    tables::{
        Database, admins::Admins, notifications::Notifications, servers::Servers, tasks::Tasks, uploads::Uploads,
        users::Users,
    },
};

/// What the handlers need.
#[derive(Debug)]
pub struct App {
    /// The stage's name.
    pub stage: String,
    /// The origins whose pages may call, comma-separated.
    pub allowed_origins: String,
    /// Verifies tokens.
    pub authentication: Authentication,
    /// The super admins.
    pub super_admins: SuperAdmins,
    /// Are their rows there?
    pub(crate) super_admin_rows: OnceCell<()>,
    /// The tasks.
    pub tasks: Tasks,
    /// The admins.
    pub admins: Admins,
    /// The registered servers.
    pub servers: Servers,
    /// Everybody's notifications.
    pub notifications: Notifications,
    /// Uploads under way.
    pub uploads: Uploads,
    /// Who has been here.
    pub users: Users,
    /// The bucket.
    pub files: Files,
    /// The worker's queue.
    pub queue: Queue,
    /// What the worker gave up on.
    pub dead: Queue,
    /// Tells users.
    pub notifier: Notifier,
    /// The user pool.
    pub directory: Directory,
    /// Calls to registered servers, guarded.
    pub registered: Outbound,
    /// Calls to what the stage itself names.
    pub trusted: Outbound,
    /// The worker's address.
    pub worker_url: Option<String>,
    /// The largest video, in bytes.
    pub max_video_bytes: u64,
}

/// Why the environment is not one to start with.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is no number.
    #[error("{0} must be a number above 0")]
    Number(&'static str),
    /// The issuers make no sense.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
}

impl App {
    /// From the environment, calling nobody.
    ///
    /// # Errors
    /// When a variable makes no sense.
    pub fn new(environment: ApiEnvironment, aws: &SdkConfig) -> Result<Self, EnvironmentError> {
        let number = |name, text: &str| {
            text.parse().ok().filter(|number: &u64| *number > 0).ok_or(EnvironmentError::Number(name))
        };
        let hours = number("BACKEND_TOKEN_HOURS", &environment.backend_token_hours)?;
        let max_video_bytes = number("MAX_VIDEO_BYTES", &environment.max_video_bytes)?;
        let aws = &aws::limited(aws);
        let trusted = Outbound::new(false);
        let issuers = Issuers::parse(&environment.auth_issuers, aws.endpoint_url(), &trusted)?;
        let secrets = aws_sdk_secretsmanager::Client::new(aws);
        let backend = BackendTokens::new(SecretSource::new(secrets, environment.backend_token_secret_arn), hours);
        let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
        let users = Users::new(database.clone(), environment.table_system);
        let servers = Servers::new(database.clone(), environment.table_processing_servers);
        let notifications = Notifications::new(database.clone(), environment.table_notifications);
        let presigner = aws::presigning(aws, environment.s3_public_endpoint.as_deref());
        let sqs = aws_sdk_sqs::Client::new(aws);
        let topic = Topic::new(aws_sdk_sns::Client::new(aws), environment.notifications_topic_arn);
        Ok(Self {
            allowed_origins: environment.allowed_origins,
            authentication: Authentication { issuers, backend },
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
            files: Files::new(aws::s3(aws), presigner, environment.s3_bucket_name),
            queue: Queue::new(sqs.clone(), environment.tasks_queue_url),
            dead: Queue::new(sqs, environment.tasks_dlq_url),
            notifier: Notifier { notifications: notifications.clone(), users: users.clone(), topic },
            directory: Directory::new(aws_sdk_cognitoidentityprovider::Client::new(aws), environment.user_pool_id),
            registered: Outbound::new(environment.stage != LOCAL_STAGE),
            trusted,
            worker_url: environment.worker_service_url.filter(|url| !url.is_empty()),
            max_video_bytes,
            stage: environment.stage,
            servers,
            notifications,
            users,
        })
    }

    /// What a caller may do, as of now.
    ///
    /// # Errors
    /// When the table of admins fails.
    pub async fn role(&self, identity: &Identity) -> Result<Role, AwsError> {
        let row = self.admins.get(&ids::admin(&identity.email)).await?;
        Ok(role(identity, &self.super_admins, row.map(|admin| admin.status)))
    }
}
