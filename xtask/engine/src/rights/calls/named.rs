//! Calls of the services whose protocol names the operation and whose body names the resource.
//!
//! Each row is from the service's page in the Service Authorization Reference: the action, and the resource type that it is limited to.

use model::statements::Request;
use serde_json::Value;

use super::Place;

/// Returns the requests of an operation of a service, by the name that it is signed for; `None` where it is not known.
pub(super) fn requests(service: &str, operation: &str, body: &Value, place: &Place) -> Option<Vec<Request>> {
    let field = |name: &str| body[name].as_str();
    let one = |resource: String| Some(vec![Request::new(format!("{service}:{operation}"), resource)]);
    match (service, operation) {
        (
            "secretsmanager",
            "DescribeSecret"
            | "GetSecretValue"
            | "ListSecretVersionIds"
            | "PutSecretValue"
            | "UpdateSecretVersionStage"
            | "DeleteSecret",
        ) => one(place.arn_of(service, "secret:", field("SecretId")?)),
        // The name ends with six characters that the service adds.
        ("secretsmanager", "CreateSecret") => one(place.arn_of(service, "secret:", field("Name")?)),
        ("ssm", "GetParameter" | "PutParameter" | "DeleteParameter") => one(parameter(field("Name")?, place)),
        ("ssm", "GetParametersByPath") => one(parameter(field("Path")?.trim_end_matches('/'), place)),
        ("ssm", "GetParameters") => {
            let names = body["Names"].as_array()?.iter().filter_map(Value::as_str);
            Some(names.map(|name| Request::new("ssm:GetParameters", parameter(name, place))).collect())
        }
        // An operation with a user's own token has no pool and needs no permission of the caller; it is unknown.
        ("cognito-idp", operation) if !operation.is_empty() => {
            one(place.arn(service, &format!("userpool/{}", field("UserPoolId")?)))
        }
        ("sqs", _) => queue(operation, body, place),
        ("sns", "Publish" | "PublishBatch") => {
            // A phone number is the resource of a text message.
            let target = field("TopicArn").or_else(|| field("TargetArn")).or_else(|| field("PhoneNumber"))?;
            Some(vec![Request::new("sns:Publish", target)])
        }
        // An alias stands for a key that the call does not name.
        ("kms", operation) if !operation.is_empty() => {
            let key = field("KeyId").filter(|key| !key.contains("alias/"))?;
            let request = Request::new(format!("{service}:{operation}"), place.arn_of(service, "key/", key));
            Some(vec![in_context(request, &body["EncryptionContext"])])
        }
        ("states" | "events" | "kinesis" | "firehose", _) => stream(service, operation, body, place),
        // CloudWatch signs for another name than its actions have.
        ("monitoring", "PutMetricData") => Some(vec![Request::new("cloudwatch:PutMetricData", "*")]),
        // SES judges the identity of the sender (Service Authorization Reference, "Amazon SES"): the address, or its domain.
        ("ses", "SendEmail" | "SendRawEmail") => one(place.arn(service, &format!("identity/{}", field("Source")?))),
        ("sts", "AssumeRole") => one(field("RoleArn")?.to_owned()),
        // Every identity may call it (STS API reference, `GetCallerIdentity`).
        ("sts", "GetCallerIdentity") => Some(Vec::new()),
        _ => None,
    }
}

/// Adds the encryption context of a request (KMS developer guide, "Condition keys for AWS KMS"). Without one, the request has no such key.
fn in_context(request: Request, context: &Value) -> Request {
    let pairs = context.as_object().into_iter().flatten();
    pairs.fold(request.knowing("kms:EncryptionContextKeys"), |request, (name, value)| {
        let request = request.with("kms:EncryptionContextKeys", name.as_str());
        request.with(&format!("kms:EncryptionContext:{name}"), value.as_str().unwrap_or_default())
    })
}

/// The services that receive events and records, and start executions with them.
fn stream(service: &str, operation: &str, body: &Value, place: &Place) -> Option<Vec<Request>> {
    let field = |name: &str| body[name].as_str();
    let one = |resource: String| Some(vec![Request::new(format!("{service}:{operation}"), resource)]);
    match (service, operation) {
        ("states", "StartExecution" | "StartSyncExecution") => one(field("stateMachineArn")?.to_owned()),
        ("states", "SendTaskSuccess" | "SendTaskFailure" | "SendTaskHeartbeat") => one("*".to_owned()),
        ("events", "PutEvents") => {
            let buses = body["Entries"].as_array()?.iter().map(|entry| entry["EventBusName"].as_str());
            let bus = |name: Option<&str>| place.arn_of(service, "event-bus/", name.unwrap_or("default"));
            Some(buses.map(|name| Request::new("events:PutEvents", bus(name))).collect())
        }
        ("kinesis", "PutRecord" | "PutRecords") => {
            let stream = field("StreamARN").or_else(|| field("StreamName"))?;
            one(place.arn_of(service, "stream/", stream))
        }
        ("firehose", "PutRecord" | "PutRecordBatch") => {
            one(place.arn(service, &format!("deliverystream/{}", field("DeliveryStreamName")?)))
        }
        _ => None,
    }
}

fn parameter(name: &str, place: &Place) -> String {
    place.arn_of("ssm", "parameter/", name.trim_start_matches('/'))
}

/// A batch needs the permission of its parts (SQS developer guide, "Amazon SQS API permissions").
fn queue(operation: &str, body: &Value, place: &Place) -> Option<Vec<Request>> {
    let action = match operation {
        "SendMessageBatch" => "SendMessage",
        "DeleteMessageBatch" => "DeleteMessage",
        "ChangeMessageVisibilityBatch" => "ChangeMessageVisibility",
        "SendMessage"
        | "DeleteMessage"
        | "ReceiveMessage"
        | "GetQueueAttributes"
        | "ChangeMessageVisibility"
        | "PurgeQueue" => operation,
        "GetQueueUrl" => {
            return Some(vec![Request::new("sqs:GetQueueUrl", place.arn("sqs", body["QueueName"].as_str()?))]);
        }
        _ => return None,
    };
    let queue = body["QueueUrl"].as_str()?.rsplit('/').next()?;
    Some(vec![Request::new(format!("sqs:{action}"), place.arn("sqs", queue))])
}
