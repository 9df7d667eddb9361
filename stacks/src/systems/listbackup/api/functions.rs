//! The functions of stack `api`, each with the environment of its contract and the least permissions.

use listbackup_contract::{
    api::{
        Authorizer, CreateJob, CreateSource, DeleteSource, DownloadFile, GetActivity, GetJobs, GetRun, GetSources,
        Health, ListFiles, ManageApiKeys, OauthCallback, OauthInitiate, RunJob, SearchFiles, UpdateSource,
    },
    limits,
    storage::DATA,
    tables::{
        ACTIVITY_BY_ACCOUNT, API_KEYS_BY_ACCOUNT, FILES_BY_ACCOUNT, FILES_BY_SOURCE, JOBS_BY_ACCOUNT_TIME,
        JOBS_BY_SOURCE, SOURCES_BY_ACCOUNT,
    },
};
use model::{
    parts::{
        function::{Function, FunctionHandle},
        policy::Statement,
        table::Access::{ConditionCheckItem, DeleteItem, GetItem, PutItem, UpdateItem},
    },
    template::{Expression, Stack, Text},
};

use super::super::{
    Settings, Shared,
    alarms::Watched,
    functions::{DECISION_SECONDS, function},
    sources,
};

/// The actions on the secret of a source whose credentials are added, replaced or removed.
const UPDATES: [&str; 3] =
    ["secretsmanager:CreateSecret", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret"];

/// The functions of the stack.
pub(super) struct Functions {
    pub(super) authorizer: FunctionHandle,
    pub(super) get_sources: FunctionHandle,
    pub(super) get_jobs: FunctionHandle,
    pub(super) get_run: FunctionHandle,
    pub(super) list_files: FunctionHandle,
    pub(super) search_files: FunctionHandle,
    pub(super) get_activity: FunctionHandle,
    pub(super) create_source: FunctionHandle,
    pub(super) update_source: FunctionHandle,
    pub(super) delete_source: FunctionHandle,
    pub(super) create_job: FunctionHandle,
    pub(super) run_job: FunctionHandle,
    pub(super) download_file: FunctionHandle,
    pub(super) manage_api_keys: FunctionHandle,
    pub(super) oauth_initiate: FunctionHandle,
    pub(super) oauth_callback: FunctionHandle,
    pub(super) health: FunctionHandle,
}

impl Functions {
    pub(super) fn add(stack: &mut Stack, shared: &Shared) -> Self {
        Self {
            authorizer: stack.add(shared.authorizer()),
            get_sources: stack.add(shared.get_sources()),
            get_jobs: stack.add(shared.get_jobs()),
            get_run: stack.add(shared.get_run()),
            list_files: stack.add(shared.list_files()),
            search_files: stack.add(shared.search_files()),
            get_activity: stack.add(shared.get_activity()),
            create_source: stack.add(shared.create_source()),
            update_source: stack.add(shared.update_source()),
            delete_source: stack.add(shared.delete_source()),
            create_job: stack.add(shared.create_job()),
            run_job: stack.add(shared.run_job()),
            download_file: stack.add(shared.download_file()),
            manage_api_keys: stack.add(shared.manage_api_keys()),
            oauth_initiate: stack.add(shared.oauth_initiate()),
            oauth_callback: stack.add(shared.oauth_callback()),
            health: stack.add(shared.health()),
        }
    }

    /// Returns the functions with their timeouts, for alarms.
    pub(super) fn watched(&self) -> Vec<Watched> {
        let all = [
            &self.get_sources,
            &self.get_jobs,
            &self.get_run,
            &self.list_files,
            &self.search_files,
            &self.get_activity,
            &self.create_source,
            &self.update_source,
            &self.delete_source,
            &self.create_job,
            &self.run_job,
            &self.download_file,
            &self.manage_api_keys,
            &self.oauth_initiate,
            &self.oauth_callback,
            &self.health,
        ];
        let mut watched = vec![Watched::new(&self.authorizer, DECISION_SECONDS)];
        watched.extend(all.map(|handle| Watched::new(handle, limits::TIMEOUT_SECONDS)));
        watched
    }
}

impl Shared<'_> {
    fn authorizer(&self) -> Function {
        let (tables, secret) = (&self.core.tables, &self.core.access_secret);
        let environment = Authorizer {
            stage: Text::from(&self.stage.name),
            users_table: tables.users.name(),
            api_keys_table: tables.api_keys.name(),
            access_secret_arn: secret.arn(),
        };
        function(self.stage, environment)
            .timeout(DECISION_SECONDS)
            .allow(tables.users.allow(&[GetItem]))
            .allow(tables.api_keys.allow(&[GetItem, UpdateItem]))
            .allow(secret.read())
    }

    fn get_sources(&self) -> Function {
        let sources = &self.core.tables.sources;
        function(self.stage, GetSources { sources_table: sources.name() })
            .allow(sources.query_index(SOURCES_BY_ACCOUNT.name))
    }

    fn get_jobs(&self) -> Function {
        let tables = &self.core.tables;
        let environment = GetJobs { jobs_table: tables.jobs.name(), sources_table: tables.sources.name() };
        function(self.stage, environment)
            .allow(tables.jobs.query_index(JOBS_BY_ACCOUNT_TIME.name))
            .allow(tables.sources.allow(&[GetItem]))
    }

    fn get_run(&self) -> Function {
        let runs = &self.core.tables.runs;
        function(self.stage, GetRun { runs_table: runs.name() }).allow(runs.allow(&[GetItem]))
    }

    fn list_files(&self) -> Function {
        let tables = &self.core.tables;
        let environment = ListFiles { files_table: tables.files.name(), sources_table: tables.sources.name() };
        self.reads_files(function(self.stage, environment))
    }

    fn search_files(&self) -> Function {
        let tables = &self.core.tables;
        let environment = SearchFiles { files_table: tables.files.name(), sources_table: tables.sources.name() };
        self.reads_files(function(self.stage, environment))
    }

    fn reads_files(&self, function: Function) -> Function {
        let tables = &self.core.tables;
        function
            .allow(tables.files.query_index(FILES_BY_ACCOUNT.name))
            .allow(tables.files.query_index(FILES_BY_SOURCE.name))
            .allow(tables.sources.allow(&[GetItem]))
    }

    fn get_activity(&self) -> Function {
        let activity = &self.core.tables.activity;
        function(self.stage, GetActivity { activity_table: activity.name() })
            .allow(activity.query_index(ACTIVITY_BY_ACCOUNT.name))
    }

    fn create_source(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = CreateSource {
            stage: Text::from(&self.stage.name),
            sources_table: tables.sources.name(),
            accounts_table: tables.accounts.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            allow_private_sources: self.settings.allow_private_sources.to_string().into(),
            source_buckets: self.settings.source_buckets.join(",").into(),
            data_bucket: core.bucket.0.clone(),
        };
        function(self.stage, environment)
            .allow(tables.sources.allow(&[PutItem]))
            .allow(tables.accounts.allow(&[UpdateItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            // A secret without a source is deleted, should the source not be stored.
            .allow([sources::secrets(self.stage, &["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret"])])
    }

    fn update_source(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = UpdateSource {
            stage: Text::from(&self.stage.name),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            allow_private_sources: self.settings.allow_private_sources.to_string().into(),
            source_buckets: self.settings.source_buckets.join(",").into(),
            data_bucket: core.bucket.0.clone(),
        };
        function(self.stage, environment)
            .allow(tables.sources.allow(&[GetItem, UpdateItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow([sources::secrets(self.stage, &UPDATES)])
    }

    fn delete_source(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = DeleteSource {
            stage: Text::from(&self.stage.name),
            sources_table: tables.sources.name(),
            accounts_table: tables.accounts.name(),
            jobs_table: tables.jobs.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
        };
        function(self.stage, environment)
            .allow(tables.sources.allow(&[GetItem, DeleteItem]))
            .allow(tables.accounts.allow(&[UpdateItem]))
            .allow(tables.jobs.query_index(JOBS_BY_SOURCE.name))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow([sources::secrets(self.stage, &["secretsmanager:DeleteSecret"])])
    }

    fn create_job(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = CreateJob {
            jobs_table: tables.jobs.name(),
            accounts_table: tables.accounts.name(),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
        };
        function(self.stage, environment)
            .allow(tables.jobs.allow(&[PutItem]))
            .allow(tables.accounts.allow(&[UpdateItem]))
            .allow(tables.sources.allow(&[GetItem, ConditionCheckItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
    }

    fn run_job(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = RunJob {
            jobs_table: tables.jobs.name(),
            runs_table: tables.runs.name(),
            accounts_table: tables.accounts.name(),
            sources_table: tables.sources.name(),
            activity_table: tables.activity.name(),
            event_bus_name: core.bus.name(),
            job_queue_url: core.job.main.url(),
        };
        function(self.stage, environment)
            .allow(tables.jobs.allow(&[GetItem, UpdateItem]))
            .allow(tables.runs.allow(&[PutItem]))
            .allow(tables.accounts.allow(&[UpdateItem]))
            .allow(tables.sources.allow(&[ConditionCheckItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow(core.bus.put())
            .allow(core.job.main.send())
    }

    fn download_file(&self) -> Function {
        let (core, tables) = (self.core, &self.core.tables);
        let environment = DownloadFile {
            files_table: tables.files.name(),
            activity_table: tables.activity.name(),
            data_bucket: core.bucket.0.clone(),
            public_s3_endpoint: self.settings.public_s3_endpoint.as_ref().map(Text::from),
        };
        let files = format!("{DATA}*");
        function(self.stage, environment)
            .allow(tables.files.allow(&[GetItem]))
            .allow(tables.activity.allow(&[PutItem]))
            .allow([core.bucket.allow(&["s3:GetObject", "s3:GetObjectVersion"], [files.as_str()])])
    }

    fn manage_api_keys(&self) -> Function {
        let keys = &self.core.tables.api_keys;
        function(self.stage, ManageApiKeys { api_keys_table: keys.name() })
            .allow(keys.allow(&[GetItem, PutItem, DeleteItem]))
            .allow(keys.query_index(API_KEYS_BY_ACCOUNT.name))
    }

    fn oauth_initiate(&self) -> Function {
        let states = &self.core.tables.oauth_states;
        let environment = OauthInitiate {
            oauth_states_table: states.name(),
            ssm_prefix: Settings::ssm_prefix(self.stage).into(),
            allowed_origins: self.settings.allowed_origins.join(",").into(),
        };
        let clients = parameters(&Settings::parameter_name(self.stage, "oauth/*"));
        function(self.stage, environment).allow(states.allow(&[PutItem])).allow([clients])
    }

    fn oauth_callback(&self) -> Function {
        let states = &self.core.tables.oauth_states;
        function(self.stage, OauthCallback { oauth_states_table: states.name() }).allow(states.allow(&[DeleteItem]))
    }

    fn health(&self) -> Function {
        let core = self.core;
        let names = core.tables.all().map(|(_, table)| table.name());
        let places: Vec<_> = (0..names.len()).map(|place| format!("Table{place}")).collect();
        let text = places.iter().map(|place| format!("${{{place}}}")).collect::<Vec<_>>().join(",");
        let environment = Health {
            stage: Text::from(&self.stage.name),
            tables: Expression::sub(&text, places.iter().map(String::as_str).zip(names)).into(),
            data_bucket: core.bucket.0.clone(),
            job_queue_url: core.job.main.url(),
        };
        let tables = core.tables.all().map(|(_, table)| table.arn());
        function(self.stage, environment)
            .allow([Statement::allow(["dynamodb:DescribeTable"], tables)])
            .allow([Statement::allow(["s3:ListBucket"], [core.bucket.arn()])])
            .allow(core.job.main.inspect())
    }
}

/// Allows reading SSM parameters that operators create.
pub(in super::super) fn parameters(name: &str) -> Statement {
    let arn = format!("arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{name}");
    Statement::allow(["ssm:GetParameter"], [Expression::sub(&arn, []).into()])
}
