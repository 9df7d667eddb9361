//! Alarms and dashboards.

use super::*;

#[test]
fn four_families_of_alarms_have_the_specified_thresholds() {
    const ABOVE: &str = "GreaterThanThreshold";
    const AT_LEAST: &str = "GreaterThanOrEqualToThreshold";
    let prod = rendered(SYSTEM, "prod");
    let found = |name: &str| {
        let full = format!("listbackup-prod-{name}");
        let alarms = prod.stacks.iter().flat_map(|stack| {
            let alarms = of_type(stack, "AWS::CloudWatch::Alarm").into_iter();
            alarms.map(move |(id, alarm)| (stack, id, &alarm["Properties"]))
        });
        let mut named = alarms.filter(|(_, _, alarm)| alarm["AlarmName"] == full);
        let (stack, id, properties) = named.next().unwrap_or_else(|| panic!("no {full}"));
        assert_eq!(properties["TreatMissingData"], "notBreaching");
        assert!(properties["Metrics"].is_null(), "{full} uses metric math");
        let metric = format!(
            "{} {}",
            properties["MetricName"].as_str().expect("a metric"),
            properties["Statistic"].as_str().expect("a statistic")
        );
        (alarm(stack, id), metric)
    };
    let mut count = 0;
    for function in functions::BY_STACK.iter().flat_map(|(_, functions)| *functions) {
        let timeout = match function.function {
            "authorizer" => 10_000.0,
            "backupOrchestrator" => 900_000.0,
            "fileProcessor" => 300_000.0,
            _ => 1000.0 * f64::from(listbackup_contract::limits::TIMEOUT_SECONDS),
        };
        let name = function.function;
        let expected = ((ABOVE.to_owned(), 0.05, 300, 2), "Errors Average".to_owned());
        assert_eq!(found(&format!("error-rate-{name}")), expected);
        let expected = ((AT_LEAST.to_owned(), timeout * 0.95, 300, 1), "Duration Maximum".to_owned());
        assert_eq!(found(&format!("timeout-{name}")), expected);
        count += 2;
    }
    assert_eq!(found("error-rate-api"), ((ABOVE.to_owned(), 0.05, 300, 2), "5xx Average".to_owned()));
    let waiting = "ApproximateNumberOfMessagesVisible Maximum";
    for (name, most, periods) in [
        ("job", 100.0, 3),
        ("data", 1000.0, 3),
        ("job-dlq", 0.0, 1),
        ("data-dlq", 0.0, 1),
        ("events-dlq", 0.0, 1),
        ("insights-dlq", 0.0, 1),
    ] {
        let expected = ((ABOVE.to_owned(), most, 300, periods), waiting.to_owned());
        assert_eq!(found(&format!("backlog-{name}")), expected);
    }
    for table in ["jobs", "runs", "files"] {
        for (kind, metric) in [("read", "ReadThrottleEvents"), ("write", "WriteThrottleEvents")] {
            let expected = ((AT_LEAST.to_owned(), 1.0, 300, 1), format!("{metric} Sum"));
            assert_eq!(found(&format!("throttle-{table}-{kind}")), expected);
        }
    }
    let all = STACKS.map(|name| of_type(stack(&prod, name), "AWS::CloudWatch::Alarm").len());
    assert_eq!(all.iter().sum::<usize>(), count + 1 + 6 + 6);
    assert_eq!(properties(stack(&prod, "core"), "AlarmTopicEmail")["Endpoint"], "ops@example.com");
    assert!(of_type(stack(&rendered(SYSTEM, "dev"), "core"), "AWS::SNS::Subscription").is_empty());
}

#[test]
fn both_dashboards_show_functions_tables_queues_bucket_and_api() {
    let prod = rendered(SYSTEM, "prod");
    let dashboard = |name: &str, id: &str| {
        let dashboard = properties(stack(&prod, name), id).clone();
        (dashboard["DashboardName"].clone(), dashboard["DashboardBody"].to_string())
    };
    let (name, body) = dashboard("api", "SystemDashboard");
    assert_eq!(name, "listbackup-v2-system-prod");
    for shown in [
        "listbackup-data-analysis-prod-dataInsights",
        "listbackup-backup-processors-prod-fileProcessor",
        "ConsumedReadCapacityUnits",
        "WriteThrottleEvents",
        "ApproximateAgeOfOldestMessage",
        "BucketSizeBytes",
        "NumberOfObjects",
        "5xx",
    ] {
        assert!(body.contains(shown), "{shown}");
    }
    let (name, body) = dashboard("backup-processors", "PerformanceDashboard");
    assert_eq!(name, "listbackup-backup-processors-prod-backup-performance");
    for shown in ["ListBackup/prod", "RunsStarted", "RunsFailed", "BytesStored", "RunSeconds", "p95"] {
        assert!(body.contains(shown), "{shown}");
    }
}
