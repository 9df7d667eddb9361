//! The requirements of the specification and its acceptance list on templates, and settings that are not allowed.

use std::collections::BTreeSet;

use contract::Routes as _;
use listbackup_contract::api::HealthRoute;
use model::rendered::RenderedSystem;
use serde_json::{Value, json};

use super::*;
use crate::systems::testing::{
    STAGES, actions_on, alarm, allowed, assert_names_no_account, assert_retained, of_type, properties, rendered, stack,
    stage, stage_text,
};

mod core;
mod monitoring;
mod permissions;
mod settings;

const STACKS: [&str; 6] = ["core", "api", "auth", "analytics", "backup-processors", "data-analysis"];

fn environment(system: &RenderedSystem, name: &str, function: &str) -> Value {
    properties(stack(system, name), function)["Environment"]["Variables"].clone()
}

/// The stacks of the specification; the optional one has tests of its own.
fn names(system: &RenderedSystem) -> Vec<&str> {
    system.stacks.iter().map(|stack| stack.stack.as_str()).filter(|name| *name != "live").collect()
}

#[test]
fn row_01_every_stage_has_six_stacks_in_the_order_of_the_specification() {
    assert_names_no_account(SYSTEM);
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        assert_eq!(names(&system), STACKS, "{name}");
        let needs = |name: &str| stack(&system, name).depends_on.iter().map(String::as_str).collect::<Vec<_>>();
        assert!(needs("core").is_empty());
        assert_eq!(needs("api"), ["core"]);
        for routed in ["auth", "analytics"] {
            assert_eq!(needs(routed), ["api", "core"], "{routed}");
        }
        for of_group_python in ["backup-processors", "data-analysis"] {
            assert_eq!(needs(of_group_python), ["core"], "{of_group_python}");
        }
    }
}

#[test]
fn both_groups_select_stacks_of_the_system() {
    let system = rendered(SYSTEM, "prod");
    let groups: Vec<_> = system.groups.keys().map(String::as_str).collect();
    assert_eq!(groups, ["nodejs", "python"]);
    let selected: BTreeSet<_> = system.groups.values().flatten().map(String::as_str).collect();
    assert_eq!(selected, BTreeSet::from(STACKS));
}

#[test]
fn users_come_through_registration_only_and_have_strong_passwords() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let auth = stack(&system, "auth");
        let pool = properties(auth, "UserPool");
        assert_eq!(pool["UserPoolName"], format!("listbackup-user-pool-{name}"));
        assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], true);
        assert_eq!(pool["UsernameAttributes"], json!(["email"]));
        assert_eq!(pool["AutoVerifiedAttributes"], json!(["email"]));
        let policy = &pool["Policies"]["PasswordPolicy"];
        assert_eq!(policy["MinimumLength"], 8);
        for kind in ["RequireLowercase", "RequireUppercase", "RequireNumbers", "RequireSymbols"] {
            assert_eq!(policy[kind], true, "{kind}");
        }
        assert_eq!(
            (&pool["MfaConfiguration"], &pool["EnabledMfas"]),
            (&json!("OPTIONAL"), &json!(["SOFTWARE_TOKEN_MFA"]))
        );
        let attributes = pool["Schema"].as_array().expect("attributes");
        let required = attributes.iter().find(|attribute| attribute["Name"] == "name").expect("name");
        assert_eq!((&required["Required"], &required["Mutable"]), (&json!(true), &json!(true)));
        assert_eq!(pool["DeletionProtection"] == "ACTIVE", ["staging", "prod"].contains(&name), "{name}");
        let client = properties(auth, "UserPoolClient");
        assert_eq!(client["ClientName"], format!("listbackup-app-client-{name}"));
        let flows = json!(["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]);
        assert_eq!(client["ExplicitAuthFlows"], flows);
        assert_eq!(
            (&client["GenerateSecret"], &client["PreventUserExistenceErrors"]),
            (&json!(false), &json!("ENABLED"))
        );
    }
}

#[test]
fn every_route_that_is_not_public_has_the_authorizer_whose_decisions_are_never_reused() {
    let public = [
        "POST /auth/register",
        "POST /auth/login",
        "POST /auth/refresh",
        "GET /integrations/{type}/oauth/callback",
        "GET /system/health",
    ];
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let authorizers = of_type(stack(&system, "api"), "AWS::ApiGatewayV2::Authorizer");
        let [(authorizer_id, authorizer)] = authorizers[..] else { panic!("{authorizers:?}") };
        let authorizer = &authorizer["Properties"];
        assert_eq!(authorizer["AuthorizerType"], "REQUEST");
        assert_eq!(authorizer["AuthorizerPayloadFormatVersion"], "2.0");
        assert_eq!(authorizer["EnableSimpleResponses"], true);
        assert_eq!(authorizer["IdentitySource"], json!(["$request.header.Authorization"]));
        assert_eq!(authorizer["AuthorizerResultTtlInSeconds"], 0);
        let mut keys = BTreeSet::new();
        for stack in ["api", "auth", "analytics"].map(|name| stack(&system, name)) {
            for (id, route) in of_type(stack, "AWS::ApiGatewayV2::Route") {
                let route = &route["Properties"];
                let key = route["RouteKey"].as_str().expect("a key");
                let is_public = public.contains(&key);
                assert_eq!(route["AuthorizationType"], if is_public { "NONE" } else { "CUSTOM" }, "{id}");
                assert_eq!(route["AuthorizerId"].is_null(), is_public, "{id}");
                if stack.stack == "api" && !is_public {
                    assert_eq!(route["AuthorizerId"], json!({ "Ref": authorizer_id }), "{id}");
                }
                assert!(keys.insert(key.to_owned()), "{key} twice");
            }
        }
        assert_eq!(keys.len(), 27, "{keys:?}");
        assert!(public.iter().all(|key| keys.contains(*key)), "{keys:?}");
    }
    assert_eq!(HealthRoute::ALL[0].route().path, "/system/health");
}

#[test]
fn browsers_of_listed_origins_may_send_the_specified_headers() {
    let prod = rendered(SYSTEM, "prod");
    let apis = of_type(stack(&prod, "api"), "AWS::ApiGatewayV2::Api");
    let [(_, api)] = apis[..] else { panic!("{apis:?}") };
    assert_eq!(api["Properties"]["Name"], "listbackup-api-prod");
    let cors = &api["Properties"]["CorsConfiguration"];
    assert_eq!(cors["AllowOrigins"], json!(["https://backup.example.com"]));
    assert_eq!(cors["AllowMethods"], json!(["GET", "POST", "PUT", "DELETE", "OPTIONS"]));
    assert_eq!(cors["AllowHeaders"], json!(["Content-Type", "Authorization", "X-Api-Key", "X-Requested-With"]));
    assert_eq!(cors["AllowCredentials"], true);
}

#[test]
fn functions_have_the_specified_names_and_log_retention() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let mut count = 0;
        for (stack_name, functions) in functions::BY_STACK {
            let stack = stack(&system, stack_name);
            let found: BTreeSet<_> = stack.functions.iter().map(|function| function.function_name.clone()).collect();
            let expected: BTreeSet<_> = functions
                .iter()
                .map(|function| format!("listbackup-{stack_name}-{name}-{}", function.function))
                .collect();
            assert_eq!(found, expected, "{stack_name}");
            count += found.len();
            for (id, group) in of_type(stack, "AWS::Logs::LogGroup") {
                assert_eq!(group["Properties"]["RetentionInDays"], 14, "{id}");
            }
        }
        assert_eq!(count, 31);
        assert!(environment(&system, "api", "HealthFunction")["TABLES"].to_string().contains("ReportsTable"));
    }
}

#[test]
fn backups_are_driven_by_two_queues_and_a_schedule() {
    let prod = rendered(SYSTEM, "prod");
    let processors = stack(&prod, "backup-processors");
    for (id, batch, window, concurrency, function) in [
        ("JobQueueMapping", 1, 5, 3, "BackupOrchestratorFunction"),
        ("DataQueueMapping", 5, 10, 5, "FileProcessorFunction"),
    ] {
        let mapping = properties(processors, id);
        assert_eq!(
            (&mapping["BatchSize"], &mapping["MaximumBatchingWindowInSeconds"]),
            (&json!(batch), &json!(window))
        );
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], concurrency);
        assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        assert_eq!(mapping["FunctionName"], json!({ "Ref": format!("{function}Alias") }));
        assert_eq!(properties(processors, function)["MemorySize"], 1024);
        assert_eq!(properties(processors, function)["ReservedConcurrentExecutions"], concurrency);
    }
    let timeout =
        |system: &RenderedSystem, id: &str| properties(stack(system, "backup-processors"), id)["Timeout"].clone();
    assert_eq!(timeout(&prod, "BackupOrchestratorFunction"), 900);
    assert_eq!(timeout(&prod, "FileProcessorFunction"), 300);
    let local = rendered(SYSTEM, "local");
    assert_eq!(timeout(&local, "BackupOrchestratorFunction"), 60);
    assert_eq!(timeout(&local, "FileProcessorFunction"), 30);
    assert!(
        properties(stack(&local, "backup-processors"), "FileProcessorFunction")["ReservedConcurrentExecutions"]
            .is_null()
    );
    assert_eq!(properties(processors, "JobSchedule")["ScheduleExpression"], "rate(5 minutes)");
    let variables = environment(&prod, "backup-processors", "FileProcessorFunction");
    for (name, value) in [
        ("COMPRESSION_LEVEL", "6"),
        ("ENABLE_ENCRYPTION", "true"),
        ("CHUNK_SIZE", "10485760"),
        ("MAX_FILE_SIZE", "5368709120"),
        ("ALLOW_PRIVATE_SOURCES", "false"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
}

#[test]
fn ended_runs_reach_aggregates_and_completed_ones_insights_and_what_fails_is_kept() {
    let prod = rendered(SYSTEM, "prod");
    for (name, id, rule_name, types, function, queue) in [
        (
            "analytics",
            "JobEvents",
            "listbackup-job-events-prod",
            json!(["Job Completed", "Job Failed", "Job Amended"]),
            "AggregateEventsFunction",
            "FailedEvents",
        ),
        (
            "data-analysis",
            "CompletedJobs",
            "listbackup-completed-jobs-prod",
            json!(["Job Completed"]),
            "DataInsightsFunction",
            "FailedInsights",
        ),
    ] {
        let stack = stack(&prod, name);
        let rule = properties(stack, id);
        assert_eq!(rule["Name"], rule_name);
        assert_eq!(rule["EventPattern"], json!({ "source": ["listbackup.jobs"], "detail-type": types }));
        let target = &rule["Targets"][0];
        assert_eq!(target["Arn"], json!({ "Ref": format!("{function}Alias") }));
        let failures = json!({ "Fn::GetAtt": [queue, "Arn"] });
        assert_eq!(target["DeadLetterConfig"]["Arn"], failures);
        let invocations = properties(stack, &format!("{function}EventInvokeConfig"));
        assert_eq!(invocations["DestinationConfig"]["OnFailure"]["Destination"], failures);
    }
}
