//! The roles of a stage with a hundred functions, thirty tables, ten buckets, twenty queues, five buses and five HTTP APIs.

use std::collections::BTreeMap;

use contract::FunctionName;
use proptest::prelude::*;
use serde_json::json;

use super::{
    capacity::{POLICIES_LIMIT, POLICY_LIMIT},
    *,
};
use crate::{
    parts::{
        email_pool::EmailPool,
        function::Function,
        policy::Statement,
        queue::{Queue, QueueHandle},
        secret::Secret,
        table::{Access, Table, TableHandle},
        topic::Topic,
    },
    statements::matches,
    template::Reference,
};

const STAGE: &str = "account: '111122223333'\nregion: eu-central-1\nprotected: true
pipeline: { repository: example/backends, owner_id: 7, repository_id: 42, environment: production, branch: main }
";
/// The systems. The last one names its functions `<system>-<stack>-<stage>-<function>` and its tables `<system>-<stage>-<table>`.
const SYSTEMS: [&str; 5] = ["orders", "billing", "catalog", "accounts", "backups"];
/// The stacks with five functions each.
const SERVICES: [&str; 4] = ["api", "auth", "analytics", "processors"];

/// A stage with these systems.
fn stage(systems: &[&str]) -> Stage {
    let systems: Vec<_> = systems.iter().map(|name| format!("{name}: {{}}")).collect();
    let text = format!("{STAGE}systems: {{ {} }}\n", systems.join(", "));
    Stage::parse("prod", &text, "prod.yaml").expect("a stage")
}

/// The name of a resource: most systems end it with the stage.
fn named(system: &str, part: &str, stage: &Stage) -> String {
    if system == "backups" {
        format!("{system}-{}-{part}", stage.name)
    } else {
        format!("{system}-{part}-{}", stage.name)
    }
}

/// Contracts have names that live as long as the program.
fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The resources that functions use.
struct Shared {
    tables: Vec<TableHandle>,
    buckets: Vec<BucketName>,
    queues: Vec<QueueHandle>,
    bus: Reference,
    secret: Vec<Statement>,
}

fn data(system: &str, stage: &Stage) -> (Stack, Shared) {
    let mut stack = Stack::new("core", "Data.");
    let tables = ["Users", "Jobs", "Runs", "Files", "Events", "Reports"].map(|table| {
        let name = named(system, &table.to_lowercase(), stage);
        stack.add(Table::new(&format!("{table}Table"), &name, ("PK", Some("SK")), stage).recoverable())
    });
    let buckets = ["Raw", "Stored"].map(|bucket| {
        let name = format!("{system}-{}-{}-${{AWS::AccountId}}", bucket.to_lowercase(), stage.name);
        let name = BucketName(Expression::sub(&name, []).into());
        stack.add(Bucket::new(&format!("{bucket}Bucket"), &name, stage).versioned());
        name
    });
    let queues = ["Job", "Data"].map(|queue| {
        let name = |kind: &str| named(system, &format!("{}-{kind}", queue.to_lowercase()), stage);
        let (own, dead) = (format!("{queue}Queue"), format!("{queue}DeadLetters"));
        stack.add(Queue::new((&own, &name("queue")), (&dead, &name("dlq")), stage)).main
    });
    let bus = Resource::new("AWS::Events::EventBus", json!({ "Name": named(system, "events", stage) }));
    let bus = stack.resource("EventBus", bus);
    let secret = stack.add(Secret::new("Token", &format!("{system}/{}/token", stage.name), stage)).read();
    let name = named(system, "users", stage);
    stack.add(EmailPool::new("UserPool", &name, ("UserPoolClient", "web")).protected(true));
    stack.add(Topic::new("AlarmTopic", &named(system, "alarms", stage), stage));
    let shared = Shared { tables: tables.into(), buckets: buckets.into(), queues: queues.into(), bus, secret };
    (stack, shared)
}

fn service(system: &str, service: &str, shared: &Shared, stage: &Stage) -> Stack {
    let mut stack = Stack::new(service, "Functions.");
    for number in 0..5 {
        let logical_id = leaked(format!("Function{number}"));
        let contract = FunctionName::new(leaked(system.to_owned()), leaked(format!("{service}-{number}")), logical_id);
        let mut function = Function::of(contract.in_binary(leaked(service.to_owned())), BTreeMap::new(), stage);
        if system == "backups" {
            function = function.named(&format!("{system}-{service}-{}-get{number}", stage.name));
        }
        let table = &shared.tables[number % shared.tables.len()];
        let function = function
            .allow(table.allow(&[Access::GetItem, Access::PutItem, Access::Query, Access::UpdateItem]))
            .allow(shared.buckets[number % 2].crud())
            .allow(shared.queues[number % 2].work())
            .allow(shared.queues[number % 2].send())
            .allow([Statement::allow(["events:PutEvents"], [shared.bus.attribute("Arn")])])
            .allow(shared.secret.iter().cloned());
        let function = stack.add(function);
        let name = format!("{system}-{}-error-rate-{service}-{number}", stage.name);
        let alarm = json!({ "AlarmName": name, "MetricName": "Errors", "Namespace": "AWS/Lambda", "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Period": 300, "Statistic": "Average",
            "Dimensions": [{ "Name": "FunctionName", "Value": function.function.id() }] });
        stack.resource(&format!("Alarm{number}"), Resource::new("AWS::CloudWatch::Alarm", alarm));
    }
    if service == "api" {
        add_http_api(system, stage, &mut stack);
    }
    stack
}

fn add_http_api(system: &str, stage: &Stage, stack: &mut Stack) {
    let api = json!({ "Name": named(system, "api", stage), "ProtocolType": "HTTP" });
    let api = stack.resource("Api", Resource::new("AWS::ApiGatewayV2::Api", api));
    let of_api = |more: serde_json::Value| {
        let mut properties = json!({ "ApiId": api.id() });
        properties.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        properties
    };
    let integration = of_api(json!({ "IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0" }));
    stack.resource("Integration", Resource::new("AWS::ApiGatewayV2::Integration", integration));
    stack.resource("Route", Resource::new("AWS::ApiGatewayV2::Route", of_api(json!({ "RouteKey": "GET /" }))));
    stack.resource("Stage", Resource::new("AWS::ApiGatewayV2::Stage", of_api(json!({ "StageName": "$default" }))));
    stack.resource("Authorizer", Resource::new("AWS::ApiGatewayV2::Authorizer", of_api(json!({ "Name": "token" }))));
    let parameter = json!({ "Name": format!("/{system}/{}/api-url", stage.name), "Type": "String", "Value": "x" });
    stack.resource("Parameter", Resource::new("AWS::SSM::Parameter", parameter));
    let dashboard = json!({ "DashboardName": named(system, "dashboard", stage), "DashboardBody": "{}" });
    stack.resource("Dashboard", Resource::new("AWS::CloudWatch::Dashboard", dashboard));
}

fn large(name: &str, stage: &Stage) -> RenderedSystem {
    let (core, shared) = data(name, stage);
    let services = SERVICES.map(|service_name| service(name, service_name, &shared, stage));
    System::new(name, std::iter::once(core).chain(services)).render(stage).expect("rendered")
}

fn rendered(names: &[&str]) -> (Stage, RenderedStack) {
    let stage = stage(names);
    let systems = names.iter().map(|name| large(name, &stage)).collect();
    let foundation = complete(&stage, systems, &[]).expect("every role fits").remove(0);
    let stack = foundation.stacks.into_iter().find(|stack| stack.stack == pipeline::STACK).expect("the stack");
    (stage, stack)
}

#[test]
fn the_roles_of_a_hundred_functions_fit_into_their_policies() {
    let (stage, stack) = rendered(&SYSTEMS);
    let usages = usages(&stack, &stage.region);
    let shown: Vec<_> = usages.iter().map(ToString::to_string).collect();
    let of = |what: &str| usages.iter().find(|usage| usage.what == what).unwrap_or_else(|| panic!("{shown:?}"));
    // Two more systems of this size must fit, too.
    let boundary = of("permissions boundary");
    assert!(boundary.limit == POLICY_LIMIT && boundary.used < 4_500, "{shown:?}");
    let execution = of("CloudFormation's role");
    assert!(execution.limit == POLICIES_LIMIT && execution.used <= 4, "{shown:?}");
    assert!(!of("deploy role").is_nearly_full() && !of("plan role").is_nearly_full(), "{shown:?}");
}

#[test]
fn twenty_functions_more_of_a_system_take_no_more_room() {
    let room = |systems: &[&str]| {
        let (stage, stack) = rendered(systems);
        usages(&stack, &stage.region)
    };
    let (all, one) = (room(&SYSTEMS), room(&SYSTEMS[..1]));
    let boundary = |usages: &[Usage]| usages[0].used;
    assert!(boundary(&all) > boundary(&one));
    // Four systems more take their patterns: two thousand characters, for eighty functions.
    assert!(boundary(&all) - boundary(&one) < 4_000, "{all:?} {one:?}");
}

/// Stack `pipeline` with a deploy role of this many statements alone.
fn with_statements(count: usize) -> RenderedStack {
    let stage = stage(&[]);
    let statement = |number| {
        let arn = format!("arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:queue-{number}");
        Statement::allow(["sqs:SendMessage"], [Expression::sub(&arn, []).into()])
    };
    let statements: Vec<_> = (0..count).map(statement).collect();
    let role = crate::resources::iam::Role::default();
    let mut stack = Stack::new(pipeline::STACK, "Roles.");
    pipeline::add_own_role(&mut stack, pipeline::PipelineRole::Deploy, &stage, role, &statements).expect("it fits");
    System::new(SYSTEM, [stack]).render(&stage).expect("rendered").stacks.remove(0)
}

#[test]
fn a_role_with_many_statements_has_managed_policies_with_the_same_permissions() {
    let shown = |stack: &RenderedStack| {
        usages(stack, "eu-central-1").iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let (inline, managed) = (with_statements(70), with_statements(90));
    assert!(shown(&inline).ends_with("of 10240 characters inline"), "{}", shown(&inline));
    assert_eq!(shown(&managed), "deploy role: 2 of 10 managed policies");
    let role = &managed.template["Resources"]["DeployRole"]["Properties"];
    assert_eq!(role["ManagedPolicyArns"], json!([{ "Ref": "DeployPolicy1" }, { "Ref": "DeployPolicy2" }]));
    assert!(role["Policies"].is_null(), "{role}");
    // Neither form makes a difference of permissions.
    assert!(only_narrows(&managed.template, &inline.template));
    assert!(!only_narrows(&inline.template, &managed.template));
}

/// A part of a name.
fn part() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,5}"
}

fn stack_of(system: &str, part: &str, stage: &str) -> RenderedStack {
    let name = format!("{system}-{part}-{stage}");
    RenderedStack::deployed(system.to_owned(), part.to_owned(), name, None, json!({}))
}

proptest! {
    /// A pattern matches the name that it is made from, and no name of a system or stage whose name is longer.
    #[test]
    fn a_pattern_matches_only_names_of_its_system_and_stage(
        (system, service, stage) in (part(), part(), part()),
        (own, more) in (part(), part()),
        with_hyphen in any::<bool>(),
        ends_with_stage in any::<bool>(),
    ) {
        prop_assume!(service != stage && own != stage && more != stage);
        let name = |system: &str, stage: &str, own: &str| {
            if ends_with_stage { format!("{system}-{own}-{stage}") } else { format!("{system}-{service}-{stage}-{own}") }
        };
        let pattern = scope::to_pattern(&name(&system, &stage, &own), &stack_of(&system, &service, &stage));
        prop_assert!(pattern.ends_with(&format!("-{stage}")) || pattern.ends_with(&format!("-{stage}-*")), "{}", pattern);
        prop_assert!(matches(&pattern, &name(&system, &stage, &own)));
        prop_assert!(matches(&pattern, &name(&system, &stage, &more)), "one pattern for all names of its form");
        // A stage of the same account never has a hyphen more (the engine refuses it), nor a system of the same project.
        for other in [format!("{stage}{more}"), format!("{more}{stage}")] {
            prop_assert!(!matches(&pattern, &name(&system, &other, &own)), "{pattern} matches stage {other}");
        }
        for other in [format!("{system}{more}"), format!("{more}{system}")] {
            prop_assert!(!matches(&pattern, &name(&other, &stage, &own)), "{pattern} matches system {other}");
        }
        if with_hyphen && !ends_with_stage {
            let other = name(&format!("{system}-{more}"), &stage, &own);
            prop_assert!(!matches(&pattern, &other), "{pattern} matches {other}");
        }
    }
}
