//! A small project for tests: `notes`, a table behind one function with one page, and `feeds`, a second system.

use contract::{Function as Contract, FunctionName, Method, Route, Routes};
use serde::{Deserialize, Serialize};

use crate::{
    parts::{
        api::RestApi,
        bucket::BucketName,
        cdn,
        email_pool::EmailPool,
        function::{Function, FunctionHandle},
        secret::Secret,
        site::Site,
        table::{Access, Table, TableHandle},
        topic::{ARN_OUTPUT, Topic},
    },
    project::Project,
    rendered::{LiveCheck, RenderedSite, RenderedSystem, SignIn, SiteValue, SmokeCheck},
    stage::{Stage, StageError},
    template::{Expression, RenderError, Stack, System, Text},
};

/// The system with a table, a function, an API, users and a page.
pub const NOTES: &str = "notes";
/// The system with a topic and a function.
pub const FEEDS: &str = "feeds";

/// A stage file without a pipeline.
pub const LOCAL: &str =
    "account: '000000000000'\nregion: us-east-1\narchitecture: x86_64\nsystems: { notes: {}, feeds: {} }\n";
/// A stage file with a pipeline.
pub const PROD: &str = "account: '111122223333'\nregion: eu-central-1\nprotected: true
pipeline: { repository: example/backends, owner_id: 7, repository_id: 42, environment: production, branch: main }
systems: { notes: { word: hello }, feeds: {} }
";

/// The two systems.
#[derive(Debug, Clone, Copy)]
pub struct Example;

impl Example {
    /// A stage of the example, `local` or `prod`.
    ///
    /// # Panics
    ///
    /// When there is no such stage.
    #[must_use]
    pub fn stage_named(name: &str) -> Stage {
        let text = if name == "local" { LOCAL } else { PROD };
        Self.stage(name, text, &format!("stages/{name}.yaml")).expect("the example's stages are valid")
    }

    /// All systems of a stage of the example, foundation first.
    ///
    /// # Panics
    ///
    /// When the example cannot be rendered.
    #[must_use]
    pub fn systems(stage: &Stage) -> Vec<RenderedSystem> {
        let systems = Self.render(stage).expect("the example renders");
        crate::foundation::complete(stage, systems, &[]).expect("the example's foundation renders")
    }
}

impl Project for Example {
    fn stage(&self, name: &str, text: &str, file: &str) -> Result<Stage, StageError> {
        let stage = Stage::parse(name, text, file)?;
        stage.check_systems(&[NOTES, FEEDS])?;
        Ok(stage)
    }

    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        let notes = stage.settings::<NotesSettings>(NOTES)?.map(|settings| notes(stage, &settings));
        let feeds = stage.settings::<FeedsSettings>(FEEDS)?.map(|_| feeds(stage));
        [notes, feeds].into_iter().flatten().map(|system| system.render(stage)).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NotesSettings {
    word: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedsSettings {}

/// Serves the notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct NotesApi<V = String> {
    /// The table.
    pub table_name: V,
    /// A word that each response contains.
    pub word: V,
}

impl<V> Contract for NotesApi<V> {
    const NAME: FunctionName = FunctionName::new(NOTES, "api", "ApiFunction");
}

/// Fetches feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct FeedsFetch<V = String> {
    /// The stage's name.
    pub stage: V,
}

impl<V> Contract for FeedsFetch<V> {
    const NAME: FunctionName = FunctionName::new(FEEDS, "fetch", "FetchFunction");
}

/// The routes of [`NotesApi`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotesRoute {
    /// Responds with a note.
    Get,
    /// Stores a note.
    Put,
}

impl Routes for NotesRoute {
    const ALL: &'static [Self] = &[Self::Get, Self::Put];

    fn route(self) -> Route {
        let method = match self {
            Self::Get => Method::Get,
            Self::Put => Method::Put,
        };
        Route { method, path: "/notes/{id}" }
    }
}

/// More routes, which the example's API does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRoute {
    /// Lists a note's earlier texts.
    List,
}

impl Routes for HistoryRoute {
    const ALL: &'static [Self] = &[Self::List];

    fn route(self) -> Route {
        Route { method: Method::Get, path: "/notes/{id}/history" }
    }
}

fn notes(stage: &Stage, settings: &NotesSettings) -> System {
    let (data, table) = notes_data(stage);
    let (api, _function) = notes_api(stage, settings, &table);
    let site = RenderedSite {
        name: "NotesSite".to_owned(),
        source: "site".to_owned(),
        stack: "web".to_owned(),
        bucket_output: "WebBucketName".to_owned(),
        distribution_output: "DistributionId".to_owned(),
        url_output: "WebsiteUrl".to_owned(),
        config: [("apiUrl".to_owned(), SiteValue { stack: "api".to_owned(), output: "NotesApiUrl".to_owned() })].into(),
    };
    System::new(NOTES, [data, api, notes_web(stage)])
        .smoke(SmokeCheck { api: "NotesApi".to_owned(), path: "/notes/1".to_owned(), status: 200, json: None })
        .live(LiveCheck::requires_token("NotesApi", Method::Get, "/notes/1"))
        .sign_in(SignIn {
            stack: "data".to_owned(),
            pool_output: "UserPoolId".to_owned(),
            client_output: "UserClientId".to_owned(),
            user: "check@example.com".to_owned(),
            attributes: vec![("email".to_owned(), "check@example.com".to_owned())],
            exchange: None,
            checks: vec![LiveCheck::responds("NotesApi", Method::Get, "/notes/1", &[200])],
        })
        .site(site)
        .alarm_topic("api", ARN_OUTPUT)
}

fn notes_data(stage: &Stage) -> (Stack, TableHandle) {
    let mut stack = Stack::new("data", "Notes: the table and the users.");
    let table = Table::new("NotesTable", &format!("notes-{}", stage.name), ("PK", None), stage).recoverable();
    let table = stack.add(table);
    let users = EmailPool::new("Users", &format!("notes-users-{}", stage.name), ("UserClient", "notes-web"));
    let users = stack.add(users.protected(stage.protected));
    stack.output("UserPoolId", users.pool.id());
    stack.output("UserClientId", users.client.id());
    stack.add(Secret::new("Salt", &format!("notes/{}/salt", stage.name), stage));
    (stack, table)
}

fn notes_api(stage: &Stage, settings: &NotesSettings, table: &TableHandle) -> (Stack, FunctionHandle) {
    let mut stack = Stack::new("api", "Notes: the API and its function.");
    let environment = NotesApi { table_name: table.name(), word: Text::from(settings.word.as_str()) };
    let access = table.allow(&[Access::GetItem, Access::PutItem]);
    let function = stack.add(Function::new(stage, environment).allow(access));
    let api = RestApi::new("NotesApi", format!("notes-{}", stage.name), stage).routes::<NotesRoute>(&function);
    stack.add(api);
    let topic = stack.add(Topic::new("AlarmTopic", &format!("notes-alarms-{}", stage.name), stage));
    stack.output(ARN_OUTPUT, topic.arn());
    (stack, function)
}

fn notes_web(stage: &Stage) -> Stack {
    let mut stack = Stack::new("web", "Notes: the page.").in_region(cdn::REGION);
    let name = format!("notes-web-{}", stage.name);
    let bucket = BucketName(Expression::sub(&format!("{name}-${{AWS::AccountId}}"), []).into());
    let distribution = stack.add(Site::new(&name, &bucket, stage));
    stack.output("WebBucketName", bucket.0);
    stack.output("DistributionId", distribution.id());
    let host = distribution.attribute("DomainName");
    stack.output("WebsiteUrl", Expression::sub("https://${Host}", [("Host", host)]));
    stack
}

fn feeds(stage: &Stage) -> System {
    let mut stack = Stack::new("api", "Feeds: the function and its topic.");
    let environment = FeedsFetch { stage: Text::from(&stage.name) };
    stack.add(Function::new(stage, environment));
    let topic = stack.add(Topic::new("AlarmTopic", &format!("feeds-alarms-{}", stage.name), stage));
    stack.output(ARN_OUTPUT, topic.arn());
    System::new(FEEDS, [stack]).alarm_topic("api", ARN_OUTPUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_renders_in_both_stages() {
        for name in ["local", "prod"] {
            let systems = Example::systems(&Example::stage_named(name));
            let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
            assert_eq!(names, ["foundation", NOTES, FEEDS]);
        }
    }
}
