//! Least privilege: what each function may do, and what it may not.

use std::collections::BTreeMap;

use super::*;

/// Returns the actions of a function's role by resource, without logs and traces. Tables and queues are given by their logical IDs, other
/// resources by the end of their ARN.
fn rights(system: &RenderedSystem, stack_name: &str, function: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rights: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (action, resource) in allowed(stack(system, stack_name), &format!("{function}FunctionRole")) {
        if !action.starts_with("logs:") && !action.starts_with("xray:") {
            rights.entry(resource).or_default().insert(action);
        }
    }
    rights
}

/// Returns the actions of a role on a resource whose text contains `part`, without the service.
fn on(system: &RenderedSystem, stack_name: &str, function: &str, part: &str) -> Vec<String> {
    let actions = actions_on(stack(system, stack_name), &format!("{function}FunctionRole"), part);
    actions.iter().map(|action| action.split_once(':').expect("a service").1.to_owned()).collect()
}

#[test]
fn readers_only_query_and_get() {
    let prod = rendered(SYSTEM, "prod");
    for function in ["GetSources", "GetJobs", "GetRun", "ListFiles", "SearchFiles", "GetActivity"] {
        let rights = rights(&prod, "api", function);
        let actions: BTreeSet<_> = rights.values().flatten().map(String::as_str).collect();
        assert!(actions.is_subset(&BTreeSet::from(["dynamodb:GetItem", "dynamodb:Query"])), "{function}: {actions:?}");
    }
    for function in ["GetOverview", "GetStorage"] {
        let rights = rights(&prod, "analytics", function);
        let actions: BTreeSet<_> = rights.values().flatten().map(String::as_str).collect();
        assert!(actions.is_subset(&BTreeSet::from(["dynamodb:GetItem", "dynamodb:Query"])), "{function}: {actions:?}");
    }
}

#[test]
fn no_role_scans_and_every_resource_is_named() {
    for name in ["dev", "staging", "prod"] {
        let system = rendered(SYSTEM, name);
        for (stack_name, functions) in functions::BY_STACK {
            for function in functions {
                let role = format!("{}Role", function.logical_id);
                for (action, resource) in allowed(stack(&system, stack_name), &role) {
                    assert_ne!(action, "dynamodb:Scan", "{role}");
                    let is_everywhere = resource.contains("\"*\"");
                    assert!(!is_everywhere || action.starts_with("xray:"), "{role}: {action} on {resource}");
                }
            }
        }
    }
}

#[test]
fn the_authorizer_reads_users_and_notes_the_use_of_keys() {
    let prod = rendered(SYSTEM, "prod");
    assert_eq!(on(&prod, "api", "Authorizer", "UsersTable"), ["GetItem"]);
    assert_eq!(on(&prod, "api", "Authorizer", "ApiKeysTable"), ["GetItem", "UpdateItem"]);
    assert_eq!(on(&prod, "api", "Authorizer", "AccessTokenSecret"), ["GetSecretValue"]);
    assert!(on(&prod, "api", "Authorizer", "RefreshTokenSecret").is_empty());
}

#[test]
fn only_auth_reaches_the_pool_and_the_secret_of_refresh_tokens() {
    let prod = rendered(SYSTEM, "prod");
    for (stack_name, functions) in functions::BY_STACK.into_iter().filter(|(name, _)| *name != "auth") {
        for function in functions {
            let role = format!("{}Role", function.logical_id);
            let reaches = |part: &str| !actions_on(stack(&prod, stack_name), &role, part).is_empty();
            assert!(!reaches("UserPool") && !reaches("RefreshTokenSecret"), "{role}");
            let all = allowed(stack(&prod, stack_name), &role);
            assert!(all.iter().all(|(action, _)| !action.starts_with("cognito-idp:")), "{role}");
        }
    }
    assert_eq!(
        on(&prod, "auth", "Register", "UserPool"),
        ["AdminCreateUser", "AdminDeleteUser", "AdminSetUserPassword"]
    );
    assert_eq!(on(&prod, "auth", "Logout", "UserPool"), ["AdminUserGlobalSignOut"]);
    assert!(on(&prod, "auth", "Refresh", "UserPool").is_empty());
}

#[test]
fn files_are_written_by_their_processor_and_read_by_downloads() {
    let prod = rendered(SYSTEM, "prod");
    assert_eq!(on(&prod, "api", "DownloadFile", "/data/*"), ["GetObject", "GetObjectVersion"]);
    assert_eq!(
        on(&prod, "backup-processors", "FileProcessor", "/data/*"),
        ["AbortMultipartUpload", "GetObject", "PutObject"]
    );
    assert_eq!(on(&prod, "analytics", "GenerateReport", "/reports/*"), ["GetObject", "PutObject"]);
    assert!(on(&prod, "backup-processors", "FileProcessor", "/reports/*").is_empty());
    assert!(on(&prod, "backup-processors", "BackupOrchestrator", "/data/*").is_empty());
    for (stack_name, functions) in functions::BY_STACK {
        for function in functions {
            let role = format!("{}Role", function.logical_id);
            let all = allowed(stack(&prod, stack_name), &role);
            assert!(all.iter().all(|(action, _)| action != "s3:DeleteObject"), "{role} may delete objects");
        }
    }
}

#[test]
fn queues_are_fed_and_consumed_by_one_side_each() {
    let prod = rendered(SYSTEM, "prod");
    let feed = ["DeleteMessage", "GetQueueAttributes", "ReceiveMessage"];
    for (stack_name, function, queue, expected) in [
        ("api", "RunJob", "JobQueue", &["SendMessage"][..]),
        ("api", "Health", "JobQueue", &["GetQueueAttributes"]),
        ("api", "CreateJob", "JobQueue", &[]),
        ("backup-processors", "JobScheduler", "JobQueue", &["SendMessage"]),
        ("backup-processors", "BackupOrchestrator", "JobQueue", &feed),
        ("backup-processors", "BackupOrchestrator", "DataQueue", &["SendMessage"]),
        ("backup-processors", "FileProcessor", "DataQueue", &feed),
        ("backup-processors", "FileProcessor", "JobQueue", &[]),
    ] {
        assert_eq!(on(&prod, stack_name, function, queue), expected, "{function} on {queue}");
    }
}

#[test]
fn sources_are_read_through_named_buckets_roles_and_secrets_only() {
    let prod = rendered(SYSTEM, "prod");
    for function in ["BackupOrchestrator", "FileProcessor"] {
        assert_eq!(on(&prod, "backup-processors", function, "role/listbackup-source-*"), ["AssumeRole"]);
        let secrets = "secret:listbackup/prod/sources/*";
        assert_eq!(on(&prod, "backup-processors", function, secrets), ["GetSecretValue"]);
        assert_eq!(on(&prod, "backup-processors", function, ":s3:::lb-src"), ["GetObject", "ListBucket"]);
        let dev = rendered(SYSTEM, "dev");
        let rights = rights(&dev, "backup-processors", function);
        let listed: Vec<_> = rights.iter().filter(|(_, actions)| actions.contains("s3:ListBucket")).collect();
        assert!(listed.is_empty(), "no bucket is listed in the settings: {listed:?}");
    }
    for function in ["CreateSource", "UpdateSource", "DeleteSource"] {
        let actions = on(&prod, "api", function, "secret:listbackup/prod/sources/*");
        assert!(!actions.contains(&"GetSecretValue".to_owned()), "{function} could read secrets");
    }
}

#[test]
fn mail_is_sent_from_the_stage_s_address_only() {
    let prod = rendered(SYSTEM, "prod");
    for (stack_name, function) in [("auth", "Register"), ("analytics", "AggregateEvents")] {
        assert_eq!(on(&prod, stack_name, function, "identity/noreply@example.com"), ["SendEmail"]);
    }
    assert!(on(&prod, "auth", "Login", "identity/").is_empty());
}
