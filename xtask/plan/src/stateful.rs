//! Resource types that hold data.

/// Types whose loss loses data: AWS's own list of stateful types, as its template validator carries it, hosted zones, and users
/// of a pool, who have a password. Queues are not among them: their messages are in transit.
const STATEFUL: &[&str] = &[
    "AWS::Backup::BackupVault",
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolUser",
    "AWS::DocDB::DBCluster",
    "AWS::DocDB::DBInstance",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Elasticsearch::Domain",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::SDB::Domain",
    "AWS::SecretsManager::Secret",
];

/// Does deleting or replacing a resource of this type lose data?
#[must_use]
pub fn is_stateful(resource_type: &str) -> bool {
    STATEFUL.contains(&resource_type)
}
