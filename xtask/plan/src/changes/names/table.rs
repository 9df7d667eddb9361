//! The names that must be unique, by resource type.

/// Properties of a type whose values together belong to one resource at most.
#[derive(Debug)]
pub(in crate::changes) struct Unique {
    pub(in crate::changes) resource_type: &'static str,
    /// The paths of the properties within `Properties`: the name, then the parents that it is unique in. A path that ends with
    /// `/*` is a list, of which each item is a name.
    pub(in crate::changes) properties: &'static [&'static str],
    pub(super) scope: Scope,
    /// Why the name stays taken after the resource is deleted, with its source.
    pub(super) held: Option<&'static str>,
}

impl Unique {
    /// The type whose names these are: both versions of API Gateway share the domain names.
    pub(super) fn namespace(&self) -> &'static str {
        match self.resource_type {
            "AWS::ApiGatewayV2::DomainName" => "AWS::ApiGateway::DomainName",
            own => own,
        }
    }
}

/// Where a name is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// In the account's region.
    Region,
    /// In all regions.
    Global,
}

use Scope::{Global, Region};

const fn unique(resource_type: &'static str, properties: &'static [&'static str], scope: Scope) -> Unique {
    Unique { resource_type, properties, scope, held: None }
}

const fn held(
    resource_type: &'static str,
    properties: &'static [&'static str],
    scope: Scope,
    why: &'static str,
) -> Unique {
    Unique { resource_type, properties, scope, held: Some(why) }
}

/// The rows. "Name type" of the CloudFormation template reference is the source of all of them: names are unique across all
/// active stacks. The API reference of each service says what they are unique in.
pub(in crate::changes) const UNIQUE: &[Unique] = &[
    // API Gateway API reference: CreateAuthorizer, CreateBasePathMapping, CreateDomainName, CreateModel, CreateResource,
    // CreateStage, PutMethod: ConflictException. A second gateway response overwrites the first one (PutGatewayResponse), and
    // is gone when CloudFormation deletes that.
    unique("AWS::ApiGateway::Authorizer", &["Name", "RestApiId"], Region),
    unique("AWS::ApiGateway::BasePathMapping", &["DomainName", "BasePath"], Region),
    unique("AWS::ApiGateway::DomainName", &["DomainName"], Region),
    unique("AWS::ApiGateway::GatewayResponse", &["ResponseType", "RestApiId"], Region),
    unique("AWS::ApiGateway::Method", &["HttpMethod", "ResourceId", "RestApiId"], Region),
    unique("AWS::ApiGateway::Model", &["Name", "RestApiId"], Region),
    unique("AWS::ApiGateway::Resource", &["PathPart", "ParentId", "RestApiId"], Region),
    unique("AWS::ApiGateway::Stage", &["StageName", "RestApiId"], Region),
    unique("AWS::ApiGatewayV2::ApiMapping", &["DomainName", "ApiMappingKey"], Region),
    // API Gateway V2 API reference: CreateAuthorizer, CreateRoute, CreateStage: ConflictException.
    unique("AWS::ApiGatewayV2::Authorizer", &["Name", "ApiId"], Region),
    unique("AWS::ApiGatewayV2::Route", &["RouteKey", "ApiId"], Region),
    unique("AWS::ApiGatewayV2::Stage", &["StageName", "ApiId"], Region),
    unique("AWS::ApiGatewayV2::DomainName", &["DomainName"], Region),
    // CloudFront developer guide, "CNAMEAlreadyExists": an alternate domain name belongs to one distribution.
    unique("AWS::CloudFront::Distribution", &["DistributionConfig/Aliases/*"], Global),
    unique("AWS::CloudFront::Function", &["Name"], Global),
    unique("AWS::CloudFront::OriginAccessControl", &["OriginAccessControlConfig/Name"], Global),
    unique("AWS::CloudWatch::Alarm", &["AlarmName"], Region),
    unique("AWS::CloudWatch::CompositeAlarm", &["AlarmName"], Region),
    unique("AWS::CloudWatch::Dashboard", &["DashboardName"], Global),
    unique("AWS::Cognito::UserPoolGroup", &["GroupName", "UserPoolId"], Region),
    unique("AWS::Cognito::UserPoolUser", &["Username", "UserPoolId"], Region),
    unique("AWS::DynamoDB::Table", &["TableName"], Region),
    unique("AWS::Events::EventBus", &["Name"], Region),
    unique("AWS::Events::Rule", &["Name", "EventBusName"], Region),
    unique("AWS::IAM::ManagedPolicy", &["ManagedPolicyName"], Global),
    unique("AWS::IAM::OIDCProvider", &["Url"], Global),
    unique("AWS::IAM::Role", &["RoleName"], Global),
    unique("AWS::KMS::Alias", &["AliasName"], Region),
    unique("AWS::Lambda::Alias", &["Name", "FunctionName"], Region),
    unique("AWS::Lambda::EventInvokeConfig", &["Qualifier", "FunctionName"], Region),
    // Lambda API reference, CreateEventSourceMapping: ResourceConflictException. One cluster or broker has a mapping for each
    // topic or queue, and one DocumentDB cluster for each database or collection.
    unique(
        "AWS::Lambda::EventSourceMapping",
        &[
            "EventSourceArn",
            "FunctionName",
            "Topics",
            "Queues",
            "DocumentDBEventSourceConfig/DatabaseName",
            "DocumentDBEventSourceConfig/CollectionName",
        ],
        Region,
    ),
    unique("AWS::Lambda::Function", &["FunctionName"], Region),
    unique("AWS::Logs::LogGroup", &["LogGroupName"], Region),
    unique("AWS::ResourceGroups::Group", &["Name"], Region),
    // Route 53 API reference, ChangeResourceRecordSets: CREATE fails for a record set that exists.
    unique("AWS::Route53::RecordSet", &["Name", "Type", "HostedZoneId", "HostedZoneName", "SetIdentifier"], Global),
    held(
        "AWS::S3::Bucket",
        &["BucketName"],
        Global,
        "a deleted bucket's name may stay taken for a while (S3 user guide, Deleting a bucket)",
    ),
    // A bucket has one policy: "The bucket policy already exists on bucket".
    unique("AWS::S3::BucketPolicy", &["Bucket"], Global),
    unique("AWS::SNS::Topic", &["TopicName"], Region),
    held(
        "AWS::SQS::Queue",
        &["QueueName"],
        Region,
        "a deleted queue's name stays taken for 60 seconds (CloudFormation template reference, AWS::SQS::Queue)",
    ),
    unique("AWS::SSM::Parameter", &["Name"], Region),
    unique("AWS::Scheduler::Schedule", &["Name", "GroupName"], Region),
    held(
        "AWS::SecretsManager::Secret",
        &["Name"],
        Region,
        "a deleted secret's name may stay taken for 7 to 30 days, in which it can be restored (Secrets Manager API reference, \
         DeleteSecret)",
    ),
    unique("AWS::StepFunctions::StateMachine", &["StateMachineName"], Region),
    unique("AWS::WAFv2::IPSet", &["Name", "Scope"], Region),
    unique("AWS::WAFv2::WebACL", &["Name", "Scope"], Region),
];
