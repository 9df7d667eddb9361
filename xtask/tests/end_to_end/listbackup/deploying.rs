//! Rows 2 to 5: deploying twice and by stacks, secrets and parameters, alarms and dashboards.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::world::World;
use crate::{cloud::Cloud, refusals::refused};

/// The stacks in the order of the specification; each takes values only of earlier ones.
const STACKS: [&str; 6] = ["core", "api", "auth", "analytics", "backup-processors", "data-analysis"];

/// Deploys the system to an empty stage, and once more.
pub(super) fn row_02_to_04_two_deploys(cloud: &Cloud) {
    cloud.success(&["deploy", "--stage", "local", "--system", "foundation", "--yes"]);
    row_03_a_stack_without_the_stacks_that_it_needs_is_refused(cloud);
    let deploy = ["deploy", "--stage", "local", "--system", "listbackup", "--yes", "--format", "json"];
    assert_eq!(cloud.json(&deploy)["changed"], true);
    let (order, secrets) = (cloud.created_stacks("listbackup"), secrets(cloud));
    let place = |stack: &str| order.iter().position(|name| *name == format!("listbackup-{stack}-local"));
    let places: Vec<_> =
        STACKS.iter().map(|stack| place(stack).unwrap_or_else(|| panic!("{stack}: {order:?}"))).collect();
    assert_eq!(places[0], 0, "core is created first: {order:?}");
    assert!(places[1] < places[2] && places[1] < places[3], "routes are added to an API that exists: {order:?}");
    assert_eq!(secrets.len(), 2, "{:?}", secrets.keys());
    let [access, refresh] = [&secrets["listbackup/local/jwt-secret"], &secrets["listbackup/local/jwt-refresh-secret"]];
    assert!(access.len() >= 32 && refresh.len() >= 32 && access != refresh, "two long secrets that differ");

    let again = cloud.json(&deploy);
    assert_eq!(again["changed"], false, "{again:#}");
    assert!(self::secrets(cloud) == secrets, "a deploy changed a secret");
}

fn row_03_a_stack_without_the_stacks_that_it_needs_is_refused(cloud: &Cloud) {
    let before = cloud.created_stacks("listbackup");
    for verb in ["plan", "deploy"] {
        let arguments = [verb, "--stage", "local", "--system", "listbackup", "--stack", "backup-processors"];
        let output = cloud.xtask(&arguments);
        let said =
            ["listbackup-backup-processors-local needs", "listbackup-core-local", "JobQueue", "nothing was touched"];
        refused(&output, 1, &said);
    }
    let group = cloud.xtask(&["plan", "--stage", "local", "--system", "listbackup", "--group", "ruby"]);
    refused(&group, 1, &["no group `ruby`", "nodejs", "python"]);
    assert_eq!(cloud.created_stacks("listbackup"), before, "a refused selection changes nothing");
}

/// Returns the values of the system's own secrets, by name.
#[tokio::main(flavor = "current_thread")]
async fn secrets(cloud: &Cloud) -> BTreeMap<String, String> {
    let mut secrets = BTreeMap::new();
    for name in ["listbackup/local/jwt-secret", "listbackup/local/jwt-refresh-secret"] {
        let value = cloud.secret(name).await;
        secrets.insert(name.to_owned(), value["SecretString"].as_str().expect("a value").to_owned());
    }
    secrets
}

pub(super) async fn row_04_parameters_equal_settings_pool_and_client(world: Arc<World>) {
    for (name, expected) in [
        ("cors-origin", "http://localhost:3002"),
        ("ses-from-email", "noreply@example.com"),
        ("cognito-user-pool-id", &world.outputs["UserPoolId"]),
        ("cognito-client-id", &world.outputs["UserPoolClientId"]),
    ] {
        let found = world.cloud.parameter(&format!("/listbackup/local/{name}")).await;
        assert_eq!((&found["Value"], &found["Type"]), (&json!(expected), &json!("String")), "{name}");
    }
}

pub(super) async fn row_05_four_families_of_alarms_and_two_dashboards_exist(world: Arc<World>) {
    let mut alarms: BTreeMap<String, Value> = BTreeMap::new();
    let mut request = json!({ "AlarmNamePrefix": "listbackup-local-", "MaxRecords": 100 });
    loop {
        let page = world.cloud.cloudwatch("DescribeAlarms", &request).await;
        for alarm in page["MetricAlarms"].as_array().expect("alarms") {
            alarms.insert(alarm["AlarmName"].as_str().expect("a name").to_owned(), alarm.clone());
        }
        let Some(token) = page["NextToken"].as_str().filter(|token| !token.is_empty()) else { break };
        request["NextToken"] = json!(token);
    }
    let alarm = |name: &str| {
        alarms.get(&format!("listbackup-local-{name}")).unwrap_or_else(|| panic!("no {name}: {:?}", alarms.keys()))
    };
    let rate = alarm("error-rate-runJob");
    assert_eq!((&rate["Threshold"].as_f64(), &rate["Statistic"]), (&Some(0.05), &json!("Average")), "{rate:#}");
    assert_eq!((&rate["EvaluationPeriods"], &rate["Period"]), (&json!(2), &json!(300)), "{rate:#}");
    assert_eq!(alarm("error-rate-api")["MetricName"], "5xx");
    // Stage local ends the file processor after 30 s.
    assert_eq!(alarm("timeout-fileProcessor")["Threshold"].as_f64(), Some(28_500.0));
    for queue in ["job", "data", "job-dlq", "data-dlq"] {
        assert_eq!(alarm(&format!("backlog-{queue}"))["MetricName"], "ApproximateNumberOfMessagesVisible");
    }
    for table in ["jobs", "runs", "files"] {
        for kind in ["read", "write"] {
            assert_eq!(alarm(&format!("throttle-{table}-{kind}"))["Threshold"].as_f64(), Some(1.0));
        }
    }
    let listed = world.cloud.cloudwatch("ListDashboards", &json!({ "DashboardNamePrefix": "listbackup-" })).await;
    let listed = listed["DashboardEntries"].as_array().expect("dashboards");
    let mut names: Vec<_> = listed.iter().filter_map(|entry| entry["DashboardName"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["listbackup-backup-processors-local-backup-performance", "listbackup-v2-system-local"]);
}
