//! Stack `api`: the HTTP API, its authorizer, sixteen functions that serve it, and the system's dashboard.

mod functions;

pub(super) use self::functions::parameters;

use contract::Method;
use listbackup_contract::api::{
    CreateJobRoute, CreateSourceRoute, DeleteSourceRoute, DownloadFileRoute, GetActivityRoute, GetJobsRoute,
    GetRunRoute, GetSourcesRoute, HealthRoute, ListFilesRoute, ManageApiKeysRoute, OauthCallbackRoute,
    OauthInitiateRoute, RunJobRoute, SearchFilesRoute, UpdateSourceRoute,
};
use listbackup_contract::{SYSTEM, limits};
use model::{
    parts::http_api::{Cors, HttpApi, HttpApiHandle, HttpRouteSettings},
    template::{Stack, Text},
};

use self::functions::Functions;
use super::{Shared, alarms, dashboards};

/// The logical ID of the API.
pub(super) const API: &str = "ListBackupApi";
/// The time for which browsers may cache preflights, in seconds.
const CORS_MAX_AGE: u32 = 3600;

/// Builds the stack; also returns its API, to which other stacks add routes.
pub(super) fn stack(shared: &Shared) -> (Stack, HttpApiHandle) {
    let Shared { stage, core, .. } = shared;
    let mut stack = Stack::new("api", "ListBackup: the HTTP API and the functions behind it.");
    let functions = Functions::add(&mut stack, shared);
    let api = stack.add(api(shared, &functions));
    stack.output("HttpApiId", api.id.clone());
    stack.output("HttpApiEndpoint", api.endpoint.clone());
    if let Some(authorizer) = &api.authorizer {
        stack.output("AuthorizerId", authorizer.clone());
    }
    alarms::add_of_functions(&mut stack, stage, &core.topic, &functions.watched());
    alarms::add_of_api(&mut stack, stage, &core.topic, &api);
    stack.add(dashboards::of_system(stage, core, &api));
    (stack, api)
}

/// The settings of a route that needs no token.
pub(super) fn open() -> HttpRouteSettings {
    HttpRouteSettings { open: true, ..HttpRouteSettings::default() }
}

fn api(shared: &Shared, functions: &Functions) -> HttpApi {
    let Shared { stage, settings, .. } = shared;
    let headers = ["Content-Type", "Authorization", "X-Api-Key", "X-Requested-With"];
    let cors = Cors {
        origins: settings.allowed_origins.iter().map(Text::from).collect(),
        methods: vec![Method::Get, Method::Post, Method::Put, Method::Delete, Method::Options],
        headers: headers.map(str::to_owned).into(),
        credentials: true,
        max_age: CORS_MAX_AGE,
    };
    HttpApi::new(API, format!("{SYSTEM}-api-{}", stage.name), stage)
        .cors(cors)
        // A decision is never reused, so that a logout takes effect at once.
        .function_authorizer("TokenAuthorizer", &functions.authorizer, 0)
        .routes::<GetSourcesRoute>(&functions.get_sources)
        .routes::<CreateSourceRoute>(&functions.create_source)
        .routes::<UpdateSourceRoute>(&functions.update_source)
        .routes::<DeleteSourceRoute>(&functions.delete_source)
        .routes::<GetJobsRoute>(&functions.get_jobs)
        .routes::<CreateJobRoute>(&functions.create_job)
        .routes::<RunJobRoute>(&functions.run_job)
        .routes::<GetRunRoute>(&functions.get_run)
        .routes::<ListFilesRoute>(&functions.list_files)
        .routes::<SearchFilesRoute>(&functions.search_files)
        .routes::<DownloadFileRoute>(&functions.download_file)
        .routes::<GetActivityRoute>(&functions.get_activity)
        .routes::<ManageApiKeysRoute>(&functions.manage_api_keys)
        .routes::<OauthInitiateRoute>(&functions.oauth_initiate)
        .routes_with(&functions.oauth_callback, |_: OauthCallbackRoute| open())
        .routes_with(&functions.health, |_: HealthRoute| open())
        .throttle(settings.throttle.rate, settings.throttle.burst)
        .log_retention(limits::LOG_DAYS)
}
