//! The rate limits of all AWS APIs, in one table.
//!
//! A limit's rate and burst together stay below what AWS allows in any one second. Calls are therefore only throttled if other callers
//! use the same account; the SDK's adaptive retries handle that.

use std::time::Duration;

/// A limit, per account and region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limit {
    /// The name in logs, unique in the table.
    pub(crate) name: &'static str,
    /// Calls per second in the long run.
    pub(crate) per_second: f64,
    /// Calls at once after a pause.
    pub(crate) burst: u32,
    /// Whether the operations share the limit, instead of having it each.
    pub(crate) shared: bool,
}

impl Limit {
    const fn of(name: &'static str, per_second: f64, burst: u32) -> Self {
        Self { name, per_second, burst, shared: true }
    }

    const fn each(name: &'static str, per_second: f64, burst: u32) -> Self {
        Self { name, per_second, burst, shared: false }
    }

    /// The time between calls in the long run.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.per_second)
    }
}

/// Operations of a service that share a limit. The first row that matches counts.
struct Row {
    /// The name in signatures.
    service: &'static str,
    /// Operations, or `METHOD end-of-path` if the protocol does not name them, where `*` is one last segment; empty for all others.
    operations: &'static [&'static str],
    limit: Limit,
}

const fn row(service: &'static str, operations: &'static [&'static str], limit: Limit) -> Row {
    Row { service, operations, limit }
}

/// Sources: the quota pages of Lambda ("Lambda API requests"), API Gateway ("Quotas for creating, deploying and managing an
/// API"), CloudWatch, CloudWatch Logs, Cognito ("Request rate quotas"), Secrets Manager, SNS and S3 ("Performance guidelines"). AWS publishes none for
/// CloudFormation, CloudFront and IAM: AWS's support named 5 a second per operation to users of `DescribeStacks`.
const TABLE: &[Row] = &[
    row("cloudformation", &[], Limit::each("cloudformation", 4.0, 1)),
    row("cloudfront", &[], Limit::each("cloudfront", 4.0, 1)),
    // Bounded by the functions' concurrency alone.
    row("lambda", &["POST /invocations"], Limit::of("lambda:Invoke", 500.0, 500)),
    // 100 a second.
    row("lambda", &["GET /functions/*"], Limit::of("lambda:GetFunction", 80.0, 20)),
    // 15 a second for all other calls together.
    row("lambda", &[], Limit::of("lambda", 12.0, 3)),
    // 1 every 5 seconds.
    row("apigateway", &["POST /deployments"], Limit::of("apigateway:CreateDeployment", 0.19, 1)),
    // 10 a second.
    row("apigateway", &[], Limit::of("apigateway", 8.0, 2)),
    row("iam", &[], Limit::of("iam", 4.0, 1)),
    row("sts", &[], Limit::of("sts", 20.0, 5)),
    // 3,500 writes a second and prefix.
    row("s3", &[], Limit::of("s3", 500.0, 100)),
    // 9 a second.
    row("monitoring", &["DescribeAlarms"], Limit::of("cloudwatch:DescribeAlarms", 7.0, 1)),
    // 50 a second.
    row("monitoring", &["GetMetricData"], Limit::of("cloudwatch:GetMetricData", 40.0, 5)),
    // 3 a second for each of the rest.
    row("monitoring", &[], Limit::each("cloudwatch", 2.0, 1)),
    // 5 to 10 a second for each.
    row("logs", &[], Limit::each("logs", 4.0, 1)),
    // 50 a second and more for each.
    row("secretsmanager", &[], Limit::each("secretsmanager", 10.0, 5)),
    // 300 messages a second in the smallest regions.
    row("sns", &[], Limit::of("sns", 100.0, 20)),
    // 15 to 120 a second, by category.
    row("cognito-idp", &[], Limit::of("cognito", 12.0, 2)),
];

/// For services that the table lacks.
const OTHERS: Limit = Limit::each("others", 4.0, 1);

/// Returns the limit that an operation counts towards.
pub(crate) fn limit(service: &str, operation: &str) -> Limit {
    let matches = |row: &&Row| {
        row.service == service
            && (row.operations.is_empty() || row.operations.iter().any(|known| matches_operation(known, operation)))
    };
    TABLE.iter().find(matches).map_or(OTHERS, |row| row.limit)
}

/// Compares operations: `POST /invocations` matches `POST /2015-03-31/functions/upload/invocations`.
fn matches_operation(known: &str, operation: &str) -> bool {
    match (known.split_once(' '), operation.split_once(' ')) {
        (Some((method, end)), Some((called, path))) => method == called && ends_with(path, end),
        _ => known == operation,
    }
}

fn ends_with(path: &str, end: &str) -> bool {
    match (end.strip_suffix("/*"), path.rsplit_once('/')) {
        (Some(end), Some((folder, last))) => folder.ends_with(end) && !last.is_empty(),
        _ => path.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_above_what_is_published_for_any_second() {
        for (service, operation, published) in [
            ("cloudformation", "DescribeStacks", 5.0),
            ("cloudformation", "DescribeStackEvents", 5.0),
            ("cloudformation", "CreateChangeSet", 5.0),
            ("cloudfront", "POST /2020-05-31/distribution/ABC/invalidation", 5.0),
            ("lambda", "PUT /2015-03-31/functions/upload/code", 15.0),
            ("lambda", "GET /2015-03-31/functions/upload/configuration", 15.0),
            ("lambda", "GET /2015-03-31/functions/upload", 100.0),
            ("apigateway", "GET /restapis/abc/stages/dev", 10.0),
            ("monitoring", "DescribeAlarms", 9.0),
            ("monitoring", "GetMetricData", 50.0),
            ("monitoring", "PutDashboard", 3.0),
            ("logs", "DescribeLogGroups", 10.0),
            ("sns", "Publish", 300.0),
        ] {
            let limit = limit(service, operation);
            let in_a_second = limit.per_second + f64::from(limit.burst);
            assert!(in_a_second <= published, "{service} {operation}: {in_a_second} a second");
        }
        let deployments = limit("apigateway", "POST /restapis/abc/deployments");
        assert!(deployments.interval() > Duration::from_secs(5) && deployments.burst == 1);
    }

    #[test]
    fn invocations_do_not_wait_for_the_control_plane() {
        assert_eq!(limit("lambda", "POST /2015-03-31/functions/upload/invocations").name, "lambda:Invoke");
        assert_eq!(limit("lambda", "POST /2015-03-31/functions/upload/versions").name, "lambda");
        assert_eq!(limit("lambda", "GET /2015-03-31/functions/upload").name, "lambda:GetFunction");
        for other in ["GET /2015-03-31/functions/", "GET /2015-03-31/functions/upload/aliases"] {
            assert_eq!(limit("lambda", other).name, "lambda", "{other}");
        }
        assert_eq!(limit("newservice", "Whatever").name, "others");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = TABLE.iter().map(|row| row.limit.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}
