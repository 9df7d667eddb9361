//! Projects of any shape, made of the model's own parts, as the engine deploys them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError},
};

use contract::FunctionName;
use model::{
    parts::{
        alarm::{Alarm, Metric, Statistic, Threshold},
        api::RestApi,
        bucket::{Bucket, BucketName},
        cdn,
        email_pool::EmailPool,
        function::{Function, FunctionHandle},
        queue::Queue,
        secret::Secret,
        site::Site,
        table::{Access, Table, TableHandle},
        topic::{Topic, TopicHandle},
    },
    project::Project,
    rendered::{RenderedSite, RenderedSystem, SiteValue, SmokeCheck},
    stage::Stage,
    template::{Expression, RenderError, Stack, System, Text},
};

use crate::shape::{Kind, Part, Shape, StackShape, SystemShape};

/// The stage of every history. Names of stacks, functions and resources end in it, so an error that names one of them contains it.
pub const STAGE: &str = "rehearsal";
/// The stage's account.
pub const ACCOUNT: &str = "123456789012";
/// The stage's region.
pub const REGION: &str = "eu-west-1";
/// The name of a system's site, its stack excluded.
pub const SITE_STACK: &str = "web";

contract::routes! {
    /// The route of every API.
    enum PingRoute {
        /// Answers a client.
        Ping => Get "/ping",
    }
}

/// The names and logical IDs of functions, by number: those of a contract are static.
static FUNCTIONS: LazyLock<Vec<(String, String)>> =
    LazyLock::new(|| (0..=u8::MAX).map(|number| (format!("function{number}"), format!("Function{number}"))).collect());

/// The contract's names of a function.
#[must_use]
pub fn function_name(system: &SystemShape, number: u8) -> FunctionName {
    let (name, logical_id) = &FUNCTIONS[usize::from(number)];
    FunctionName::new(system.name(), name, logical_id)
}

/// Renders each shape once.
#[derive(Debug, Clone, Default)]
pub struct Projects(Arc<Mutex<BTreeMap<Shape, ShapedProject>>>);

impl Projects {
    /// Returns the project of a shape.
    #[must_use]
    pub fn of(&self, shape: &Shape) -> ShapedProject {
        // A site's content is no part of the templates, and neither is the strategy; their settings are.
        let mut projects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        projects.entry(shape.clone()).or_insert_with(|| ShapedProject::new(shape.clone())).clone()
    }
}

/// The project of a shape. Cheap to clone.
#[derive(Clone)]
pub struct ShapedProject(Arc<Shaped>);

struct Shaped {
    shape: Shape,
    rendered: OnceLock<Vec<RenderedSystem>>,
}

impl fmt::Debug for ShapedProject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ShapedProject").field(&self.0.shape).finish()
    }
}

impl ShapedProject {
    fn new(shape: Shape) -> Self {
        Self(Arc::new(Shaped { shape, rendered: OnceLock::new() }))
    }
}

impl Project for ShapedProject {
    fn render(&self, stage: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        let Shaped { shape, rendered } = &*self.0;
        if let Some(systems) = rendered.get() {
            return Ok(systems.clone());
        }
        let systems: Result<Vec<_>, _> = shape.systems.iter().map(|shape| system(shape, stage).render(stage)).collect();
        Ok(rendered.get_or_init(|| systems.as_ref().cloned().unwrap_or_default()).clone()).and(systems)
    }
}

/// A text of the stage's file.
#[must_use]
pub fn stage_file(shape: &Shape) -> String {
    let systems = shape.systems.iter().map(|system| format!("  {}: {{}}\n", system.name())).collect::<String>();
    let release = if shape.canary {
        "release: { strategy: canary, steps: [10, 50], bake_seconds: 60, minimum_requests: 20 }\n"
    } else {
        ""
    };
    let deployment = if shape.express { "deployment: express\n" } else { "" };
    format!("account: \"{ACCOUNT}\"\nregion: {REGION}\narchitecture: arm64\n{deployment}{release}systems:\n{systems}")
}

fn system(shape: &SystemShape, stage: &Stage) -> System {
    let mut tables = Vec::new();
    let mut served = None;
    let mut stacks = Vec::new();
    for stack in &shape.stacks {
        let mut builder =
            Builder { system: shape, stack: Stack::new(stack.name(), "A stack of the simulation."), stage };
        let functions = builder.parts(stack, &mut tables);
        if shape.api
            && served.is_none()
            && let Some(function) = functions.first()
        {
            builder.api(stack, function);
            served = Some(stack.name());
        }
        stacks.push(builder.stack);
    }
    if shape.site.is_some() {
        stacks.push(web(shape, stage));
    }
    let mut system = System::new(shape.name(), stacks);
    if served.is_some() {
        let smoke = SmokeCheck { api: "Api".to_owned(), path: "/ping".to_owned(), status: 200, json: None };
        system = system.smoke(smoke);
    }
    match shape.site {
        Some(content) => system.site(site(shape, content, served)),
        None => system,
    }
}

struct Builder<'a> {
    system: &'a SystemShape,
    stack: Stack,
    stage: &'a Stage,
}

impl Builder<'_> {
    fn name(&self, name: &str) -> String {
        format!("{}-{name}-{}", self.system.name(), self.stage.name)
    }

    /// Adds the parts; `tables` are those of earlier stacks and of this one. Returns the functions.
    fn parts(&mut self, shape: &StackShape, tables: &mut Vec<TableHandle>) -> Vec<FunctionHandle> {
        for part in shape.parts.iter().filter(|part| !part.is_function()) {
            tables.extend(self.resource(part));
        }
        let has_alarm = |part: &Part| matches!(part.kind, Kind::Function { alarm: true, .. });
        let topic = shape.parts.iter().any(has_alarm).then(|| {
            let topic = Topic::new("AlarmTopic", &self.name(&format!("{}-alarms", shape.name())), self.stage);
            self.stack.add(topic)
        });
        let functions = shape.parts.iter().filter(|part| part.is_function());
        functions.map(|part| self.function(part, tables.first(), topic.as_ref())).collect()
    }

    fn resource(&mut self, part: &Part) -> Option<TableHandle> {
        let (id, name, stage) = (part.logical_id(), self.name(&part.name()), self.stage);
        match &part.kind {
            Kind::Table { key } => {
                let key = if *key == 0 { "PK" } else { "Key" };
                return Some(self.stack.add(Table::new(&id, &name, (key, None), stage)));
            }
            Kind::Bucket => {
                let name = BucketName(Expression::sub(&format!("{name}-${{AWS::AccountId}}"), []).into());
                self.stack.add(Bucket::new(&id, &name, stage));
            }
            Kind::Pool => {
                self.stack.add(EmailPool::new(&id, &name, (&format!("{id}Client"), "client")));
            }
            Kind::Secret => {
                self.stack.add(Secret::new(&id, &format!("{}/{}", name, part.number), stage));
            }
            Kind::Queue => {
                let dead = (format!("{id}Dead"), format!("{name}-dead"));
                self.stack.add(Queue::new((&id, &name), (&dead.0, &dead.1), stage));
            }
            Kind::Function { .. } => {}
        }
        None
    }

    fn function(&mut self, part: &Part, table: Option<&TableHandle>, topic: Option<&TopicHandle>) -> FunctionHandle {
        let Kind::Function { memory, variable, reads, alarm } = part.kind else {
            unreachable!("only functions are passed")
        };
        let table = table.filter(|_| reads);
        let mut environment = BTreeMap::from([("VALUE".to_owned(), Text::from(variable.to_string().as_str()))]);
        environment.extend(table.map(|table| ("TABLE_NAME".to_owned(), table.name())));
        let function = Function::of(function_name(self.system, part.number), environment, self.stage);
        let access = table.map(|table| table.allow(&[Access::GetItem])).unwrap_or_default();
        let function = self.stack.add(function.memory(u32::from(memory)).allow(access));
        if let Some(topic) = topic.filter(|_| alarm) {
            let metric = Metric::function(function.name.as_str(), "Errors", Statistic::Sum);
            let (id, name) = (format!("{}Errors", part.logical_id()), self.name(&format!("{}-errors", part.name())));
            self.stack.add(Alarm::new(&id, &name, metric, Threshold::Above(10.0), topic));
        }
        function
    }

    fn api(&mut self, shape: &StackShape, function: &FunctionHandle) {
        let name = self.name(&format!("{}-api", shape.name()));
        self.stack.add(RestApi::new("Api", name, self.stage).routes::<PingRoute>(function));
    }
}

fn web(shape: &SystemShape, stage: &Stage) -> Stack {
    let mut stack = Stack::new(SITE_STACK, "The site.").in_region(cdn::REGION);
    let name = format!("{}-web-{}", shape.name(), stage.name);
    let bucket = BucketName(Expression::sub(&format!("{name}-${{AWS::AccountId}}"), []).into());
    let distribution = stack.add(Site::new(&name, &bucket, stage));
    stack.output("WebBucketName", bucket.0);
    stack.output("DistributionId", distribution.id());
    let host = distribution.attribute("DomainName");
    stack.output("WebsiteUrl", Expression::sub("https://${Host}", [("Host", host)]));
    stack
}

fn site(shape: &SystemShape, content: u8, served: Option<&str>) -> RenderedSite {
    let url = |stack: &str| SiteValue { stack: stack.to_owned(), output: "ApiUrl".to_owned() };
    RenderedSite {
        name: format!("{}-site", shape.name()),
        source: format!("sites/{content}"),
        stack: SITE_STACK.to_owned(),
        bucket_output: "WebBucketName".to_owned(),
        distribution_output: "DistributionId".to_owned(),
        url_output: "WebsiteUrl".to_owned(),
        config: served.map(|stack| ("apiUrl".to_owned(), url(stack))).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use simulated_aws::chance::Chance;

    use super::*;
    use crate::shape::Change;

    #[test]
    fn every_shape_renders_and_so_does_every_change_of_it() {
        let projects = Projects::default();
        for seed in 0..60 {
            let mut chance = Chance::new(seed);
            let mut shape = Shape::random(&mut chance);
            for _ in 0..6 {
                let file = stage_file(&shape);
                let stage = Stage::parse(STAGE, &file, "rehearsal.yaml").expect("a stage");
                let systems = projects.of(&shape).render(&stage).unwrap_or_else(|error| panic!("{error}: {shape:?}"));
                model::foundation::complete(&stage, systems, &[]).unwrap_or_else(|error| panic!("{error}: {shape:?}"));
                shape.apply(&Change::random(&mut chance));
            }
        }
    }
}
