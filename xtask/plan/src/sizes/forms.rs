//! The forms of names, ARNs and IDs.

/// The values of `Ref` and `Fn::GetAtt`, by type and attribute (CloudFormation template reference, "Return values" of each type;
/// service authorization reference, ARN formats).
///
/// `{name}` is the resource's name, `{.Property}` a property's value, `{.Property/}` a property's value and a slash, or nothing, `{9}` nine characters, `{26-128}` from 26 to 128.
pub(super) const FORMS: &[(&str, &str, &str)] = &[
    // API Gateway API reference, RestApi: IDs have ten characters.
    ("AWS::ApiGateway::RestApi", "Ref", "{10}"),
    ("AWS::ApiGateway::RestApi", "RootResourceId", "{10}"),
    ("AWS::ApiGateway::Stage", "Ref", "{.StageName}"),
    // API Gateway V2 API reference, Api: IDs have ten characters.
    ("AWS::ApiGatewayV2::Api", "ApiEndpoint", "https://{10}.execute-api.{region}.{suffix}"),
    ("AWS::ApiGatewayV2::Api", "ApiId", "{10}"),
    ("AWS::ApiGatewayV2::Api", "Ref", "{10}"),
    ("AWS::ApiGatewayV2::Stage", "Ref", "{.StageName}"),
    ("AWS::CloudFront::Distribution", "DomainName", "{13-14}.cloudfront.net"),
    ("AWS::CloudFront::Distribution", "Ref", "{13-14}"),
    ("AWS::CloudWatch::Alarm", "Arn", "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"),
    ("AWS::CloudWatch::Alarm", "Ref", "{name}"),
    // Cognito API reference, UserPoolType: IDs of at most 55 characters, the region's name and nine more today.
    ("AWS::Cognito::IdentityPool", "Ref", "{region}:{36}"),
    ("AWS::Cognito::UserPool", "Arn", "arn:{partition}:cognito-idp:{region}:{account}:userpool/{region}_{9-45}"),
    ("AWS::Cognito::UserPool", "ProviderName", "cognito-idp.{region}.{suffix}/{region}_{9-45}"),
    ("AWS::Cognito::UserPool", "ProviderURL", "https://cognito-idp.{region}.{suffix}/{region}_{9-45}"),
    ("AWS::Cognito::UserPool", "Ref", "{region}_{9-45}"),
    ("AWS::Cognito::UserPool", "UserPoolId", "{region}_{9-45}"),
    // Cognito API reference, UserPoolClientType: 1 to 128 characters, 26 today.
    ("AWS::Cognito::UserPoolClient", "ClientId", "{26-128}"),
    ("AWS::Cognito::UserPoolClient", "Ref", "{26-128}"),
    ("AWS::DynamoDB::Table", "Arn", "arn:{partition}:dynamodb:{region}:{account}:table/{name}"),
    ("AWS::DynamoDB::Table", "Ref", "{name}"),
    ("AWS::DynamoDB::Table", "StreamArn", "arn:{partition}:dynamodb:{region}:{account}:table/{name}/stream/{23}"),
    ("AWS::Events::EventBus", "Arn", "arn:{partition}:events:{region}:{account}:event-bus/{name}"),
    ("AWS::Events::EventBus", "Ref", "{name}"),
    ("AWS::Events::Rule", "Arn", "arn:{partition}:events:{region}:{account}:rule/{.EventBusName/}{name}"),
    ("AWS::IAM::Role", "RoleId", "{21}"),
    ("AWS::IAM::Role", "Ref", "{name}"),
    ("AWS::IAM::Role", "Arn", "arn:{partition}:iam::{account}:role/{name}"),
    ("AWS::KMS::Key", "Arn", "arn:{partition}:kms:{region}:{account}:key/{36}"),
    ("AWS::KMS::Key", "Ref", "{36}"),
    ("AWS::Lambda::Alias", "Ref", "arn:{partition}:lambda:{region}:{account}:function:{.FunctionName}:{.Name}"),
    ("AWS::Lambda::Function", "Arn", "arn:{partition}:lambda:{region}:{account}:function:{name}"),
    ("AWS::Lambda::Function", "Ref", "{name}"),
    ("AWS::Logs::LogGroup", "Arn", "arn:{partition}:logs:{region}:{account}:log-group:{name}:*"),
    ("AWS::Logs::LogGroup", "Ref", "{name}"),
    ("AWS::S3::Bucket", "Arn", "arn:{partition}:s3:::{name}"),
    ("AWS::S3::Bucket", "DomainName", "{name}.s3.{suffix}"),
    ("AWS::S3::Bucket", "Ref", "{name}"),
    ("AWS::S3::Bucket", "RegionalDomainName", "{name}.s3.{region}.{suffix}"),
    ("AWS::SNS::Topic", "Ref", "arn:{partition}:sns:{region}:{account}:{name}"),
    ("AWS::SNS::Topic", "TopicArn", "arn:{partition}:sns:{region}:{account}:{name}"),
    ("AWS::SNS::Topic", "TopicName", "{name}"),
    ("AWS::SQS::Queue", "Arn", "arn:{partition}:sqs:{region}:{account}:{name}"),
    ("AWS::SQS::Queue", "QueueName", "{name}"),
    ("AWS::SQS::Queue", "QueueUrl", "https://sqs.{region}.{suffix}/{account}/{name}"),
    ("AWS::SQS::Queue", "Ref", "https://sqs.{region}.{suffix}/{account}/{name}"),
    ("AWS::SSM::Parameter", "Ref", "{name}"),
    ("AWS::SecretsManager::Secret", "Id", "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{6}"),
    ("AWS::SecretsManager::Secret", "Ref", "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}-{6}"),
];

/// The property that names a resource, and the length of the longest name (API reference of each service).
pub(super) const NAMES: &[(&str, &str, usize)] = &[
    ("AWS::CloudWatch::Alarm", "AlarmName", 255),
    ("AWS::DynamoDB::Table", "TableName", 255),
    ("AWS::Events::EventBus", "Name", 256),
    ("AWS::Events::Rule", "Name", 64),
    ("AWS::IAM::Role", "RoleName", 64),
    ("AWS::Lambda::Function", "FunctionName", 64),
    ("AWS::Logs::LogGroup", "LogGroupName", 512),
    ("AWS::S3::Bucket", "BucketName", 63),
    ("AWS::SNS::Topic", "TopicName", 256),
    ("AWS::SQS::Queue", "QueueName", 80),
    ("AWS::SSM::Parameter", "Name", 2048),
    ("AWS::SecretsManager::Secret", "Name", 512),
];
