//! The functions of the API stack, in the binary `listbackup-api`.

use crate::function;

function! {
    /// Authorizes requests: `Bearer <access token>` or `ApiKey lbk_…`.
    Authorizer is "authorizer" in "api" {
        /// The stage's name: the audience of tokens.
        stage: V,
        /// The name of [`USERS`](crate::tables::USERS).
        users_table: V,
        /// The name of [`API_KEYS`](crate::tables::API_KEYS).
        api_keys_table: V,
        /// The secret that signs access tokens.
        access_secret_arn: V,
    }
}

function! {
    /// Lists sources: [`GetSourcesRoute`].
    GetSources is "getSources" in "api" {
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
    }
}

function! {
    /// Lists jobs: [`GetJobsRoute`].
    GetJobs is "getJobs" in "api" {
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
    }
}

function! {
    /// Returns a run: [`GetRunRoute`].
    GetRun is "getRun" in "api" {
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
    }
}

function! {
    /// Lists files: [`ListFilesRoute`].
    ListFiles is "listFiles" in "api" {
        /// The name of [`FILES`](crate::tables::FILES).
        files_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
    }
}

function! {
    /// Searches files: [`SearchFilesRoute`].
    SearchFiles is "searchFiles" in "api" {
        /// The name of [`FILES`](crate::tables::FILES).
        files_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
    }
}

function! {
    /// Lists the audit trail: [`GetActivityRoute`].
    GetActivity is "getActivity" in "api" {
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
    }
}

function! {
    /// Creates a source: [`CreateSourceRoute`].
    CreateSource is "createSource" in "api" {
        /// The stage's name, part of the names of secrets.
        stage: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// `true` if sources may be at private addresses.
        allow_private_sources: V,
        /// Comma-separated `bucket:accountId` that S3 sources may read without a role; `*` is every bucket.
        source_buckets: V,
        /// The bucket of backups, which is never a source.
        data_bucket: V,
    }
}

function! {
    /// Changes a source: [`UpdateSourceRoute`].
    UpdateSource is "updateSource" in "api" {
        /// The stage's name, part of the names of secrets.
        stage: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// `true` if sources may be at private addresses.
        allow_private_sources: V,
        /// Comma-separated `bucket:accountId` that S3 sources may read without a role; `*` is every bucket.
        source_buckets: V,
        /// The bucket of backups, which is never a source.
        data_bucket: V,
    }
}

function! {
    /// Deletes a source: [`DeleteSourceRoute`].
    DeleteSource is "deleteSource" in "api" {
        /// The stage's name, part of the names of secrets.
        stage: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
    }
}

function! {
    /// Creates a job: [`CreateJobRoute`].
    CreateJob is "createJob" in "api" {
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
    }
}

function! {
    /// Starts a run of a job: [`RunJobRoute`].
    RunJob is "runJob" in "api" {
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The URL of the queue of runs.
        job_queue_url: V,
    }
}

function! {
    /// Returns a link to a file, or its content: [`DownloadFileRoute`].
    DownloadFile is "downloadFile" in "api" {
        /// The name of [`FILES`](crate::tables::FILES).
        files_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The bucket of backups.
        data_bucket: V,
        /// The S3 endpoint of presigned URLs, path-style, if clients do not reach S3 at AWS.
        #[serde(skip_serializing_if = "Option::is_none")]
        public_s3_endpoint: Option<V>,
    }
}

function! {
    /// Manages API keys: [`ManageApiKeysRoute`].
    ManageApiKeys is "manageApiKeys" in "api" {
        /// The name of [`API_KEYS`](crate::tables::API_KEYS).
        api_keys_table: V,
    }
}

function! {
    /// Starts an OAuth request: [`OauthInitiateRoute`].
    OauthInitiate is "oauthInitiate" in "api" {
        /// The name of [`OAUTH_STATES`](crate::tables::OAUTH_STATES).
        oauth_states_table: V,
        /// The prefix of the stage's SSM parameters; client IDs are at `<prefix>/oauth/<type>-client-id`.
        ssm_prefix: V,
        /// Comma-separated origins that `returnUrl` may have.
        allowed_origins: V,
    }
}

function! {
    /// Ends an OAuth request: [`OauthCallbackRoute`].
    OauthCallback is "oauthCallback" in "api" {
        /// The name of [`OAUTH_STATES`](crate::tables::OAUTH_STATES).
        oauth_states_table: V,
    }
}

function! {
    /// Reports the system's health: [`HealthRoute`].
    Health is "health" in "api" {
        /// The stage's name.
        stage: V,
        /// The comma-separated names of all tables.
        tables: V,
        /// The bucket of backups.
        data_bucket: V,
        /// The URL of the queue of runs.
        job_queue_url: V,
    }
}

contract::routes! {
    /// The route of [`GetSources`].
    pub enum GetSourcesRoute {
        /// Lists the account's sources.
        List => Get "/sources",
    }
}

contract::routes! {
    /// The route of [`CreateSource`].
    pub enum CreateSourceRoute {
        /// Creates a source.
        Create => Post "/sources",
    }
}

contract::routes! {
    /// The route of [`UpdateSource`].
    pub enum UpdateSourceRoute {
        /// Changes a source.
        Update => Put "/sources/{id}",
    }
}

contract::routes! {
    /// The route of [`DeleteSource`].
    pub enum DeleteSourceRoute {
        /// Deletes a source; its files and runs stay.
        Delete => Delete "/sources/{id}",
    }
}

contract::routes! {
    /// The route of [`GetJobs`].
    pub enum GetJobsRoute {
        /// Lists the account's jobs, each with its source.
        List => Get "/jobs",
    }
}

contract::routes! {
    /// The route of [`CreateJob`].
    pub enum CreateJobRoute {
        /// Creates a job.
        Create => Post "/jobs",
    }
}

contract::routes! {
    /// The route of [`RunJob`].
    pub enum RunJobRoute {
        /// Starts a run.
        Run => Post "/jobs/{id}/run",
    }
}

contract::routes! {
    /// The route of [`GetRun`].
    pub enum GetRunRoute {
        /// Returns a run.
        Get => Get "/runs/{id}",
    }
}

contract::routes! {
    /// The route of [`ListFiles`].
    pub enum ListFilesRoute {
        /// Lists files, the newest first.
        List => Get "/data/files",
    }
}

contract::routes! {
    /// The route of [`SearchFiles`].
    pub enum SearchFilesRoute {
        /// Searches files by name and path.
        Search => Post "/data/search",
    }
}

contract::routes! {
    /// The route of [`DownloadFile`].
    pub enum DownloadFileRoute {
        /// Returns a link to a file, or its content.
        Download => Post "/data/download",
    }
}

contract::routes! {
    /// The route of [`GetActivity`].
    pub enum GetActivityRoute {
        /// Lists the audit trail, the newest entry first.
        List => Get "/activity",
    }
}

contract::routes! {
    /// The routes of [`ManageApiKeys`].
    pub enum ManageApiKeysRoute {
        /// Lists API keys without their secrets.
        List => Get "/api-keys",
        /// Creates an API key, which the response shows once.
        Create => Post "/api-keys",
        /// Deletes an API key.
        Delete => Delete "/api-keys/{id}",
    }
}

contract::routes! {
    /// The route of [`OauthInitiate`].
    pub enum OauthInitiateRoute {
        /// Starts an OAuth request.
        Initiate => Post "/integrations/{type}/oauth/initiate",
    }
}

contract::routes! {
    /// The route of [`OauthCallback`], which is public.
    pub enum OauthCallbackRoute {
        /// Ends an OAuth request.
        Callback => Get "/integrations/{type}/oauth/callback",
    }
}

contract::routes! {
    /// The route of [`Health`], which is public.
    pub enum HealthRoute {
        /// Reports the system's health.
        Health => Get "/system/health",
    }
}
