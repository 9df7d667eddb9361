//! The permissions of functions that connect to sources: the secrets of sources, and the buckets and roles that connectors use.

use listbackup_contract::SYSTEM;
use model::{
    parts::policy::Statement,
    stage::Stage,
    template::{Expression, Text},
};

use super::Settings;

/// Stage `local` allows every bucket as a source.
const ANY: &str = "*";

/// Allows `actions` on the secrets of sources, which functions create and whose names are therefore patterns.
pub(super) fn secrets(stage: &Stage, actions: &[&str]) -> Statement {
    let arn = format!(
        "arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{SYSTEM}/{}/sources/*",
        stage.name
    );
    Statement::allow(actions.iter().copied(), [Expression::sub(&arn, []).into()])
}

/// Allows listing and reading source buckets: those that the stage's settings list, and all others through roles that customers create.
pub(super) fn read(settings: &Settings) -> Vec<Statement> {
    let roles = "arn:${AWS::Partition}:iam::*:role/listbackup-source-*";
    let mut statements = vec![Statement::allow(["sts:AssumeRole"], [Expression::sub(roles, []).into()])];
    let pattern = |bucket: &str, rest: &str| -> Text {
        Expression::sub(&format!("arn:${{AWS::Partition}}:s3:::{bucket}{rest}"), []).into()
    };
    let allow = |buckets: &[&str]| {
        let objects = buckets.iter().map(|bucket| pattern(bucket, "/*"));
        [
            Statement::allow(["s3:ListBucket"], buckets.iter().map(|bucket| pattern(bucket, ""))),
            Statement::allow(["s3:GetObject"], objects),
        ]
    };
    let mut buckets: Vec<_> = settings.source_buckets.iter().filter_map(|pair| pair.split(':').next()).collect();
    buckets.sort_unstable();
    buckets.dedup();
    if buckets.contains(&ANY) {
        let reason = "Every bucket of the local cloud may be a source.";
        statements.extend(allow(&[ANY]).map(|statement| statement.because(reason)));
    } else if !buckets.is_empty() {
        statements.extend(allow(&buckets));
    }
    statements
}
