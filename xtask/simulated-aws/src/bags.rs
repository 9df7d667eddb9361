//! Property bags: resources without behaviour. Their properties are kept, and their names are unique.
//!
//! `identity` gives each type the physical ID and the attributes that its page in the CloudFormation template reference names ("Return values").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    account::Account,
    resources::{Provided, Provider, Wanted},
};

/// The region of types that have none: their names are unique in the account (for example IAM user guide, "IAM and AWS STS quotas": names).
pub const GLOBAL: &str = "aws-global";

/// Creates, updates and deletes property bags.
pub(crate) const BAG: Provider = Provider { create, update, delete };

/// Returns the region in which a type's resources are kept in [`Account::bags`].
#[must_use]
pub fn region_of<'a>(resource_type: &str, region: &'a str) -> &'a str {
    let service = resource_type.split("::").nth(1).unwrap_or_default();
    if matches!(service, "IAM" | "CloudFront" | "Route53") { GLOBAL } else { region }
}

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let provided = identity(account, wanted, None);
    let key = key(&provided.physical_id, wanted);
    if account.bags.contains_key(&key) {
        return Err(format!("{} already exists", provided.physical_id));
    }
    account.bags.insert(key, wanted.properties.clone());
    account.record_creation(wanted.region, wanted.resource_type, &provided.physical_id);
    Ok(provided)
}

fn update(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    match account.bags.get_mut(&key(physical_id, wanted)) {
        Some(properties) => wanted.properties.clone_into(properties),
        None => return Err(format!("{physical_id} does not exist")),
    }
    Ok(identity(account, wanted, Some(physical_id)))
}

fn delete(account: &mut Account, physical_id: &str, wanted: Wanted<'_>) -> Result<(), String> {
    account.bags.remove(&key(physical_id, wanted));
    account.record_deletion(wanted.region, wanted.resource_type, physical_id);
    Ok(())
}

/// The key of a bag. Names of some types are only unique within another resource.
fn key(physical_id: &str, wanted: Wanted<'_>) -> (String, String, String) {
    let scope: &[&str] = match wanted.resource_type {
        "AWS::Cognito::UserPoolGroup" | "AWS::Cognito::UserPoolUser" => &["UserPoolId"],
        "AWS::Route53::RecordSet" => &["HostedZoneId", "Type"],
        "AWS::Events::Rule" => &["EventBusName"],
        _ => &[],
    };
    let scope = scope.iter().filter_map(|name| wanted.properties[*name].as_str());
    let id: Vec<_> = scope.chain([physical_id]).collect();
    let region = region_of(wanted.resource_type, wanted.region);
    (region.to_owned(), wanted.resource_type.to_owned(), id.join("|"))
}

/// The name that a template gives to a resource, in the property that is the type's name followed by `Name`, or `Name` alone.
fn explicit_name(wanted: Wanted<'_>) -> Option<&str> {
    // The name of an inline policy is only unique within its role.
    if wanted.resource_type == "AWS::IAM::Policy" {
        return None;
    }
    let kind = wanted.resource_type.rsplit("::").next().unwrap_or_default();
    let named = wanted.properties.get(format!("{kind}Name")).or_else(|| wanted.properties.get("Name"));
    let named = named.or_else(|| match wanted.resource_type {
        "AWS::Cognito::UserPoolGroup" => wanted.properties.get("GroupName"),
        "AWS::Cognito::UserPoolUser" => wanted.properties.get("Username"),
        _ => None,
    });
    named.and_then(Value::as_str)
}

/// The physical ID and the attributes of a resource, which has `existing` as its physical ID already.
fn identity(account: &mut Account, wanted: Wanted<'_>, existing: Option<&str>) -> Provided {
    let generated = generated(account, wanted, existing);
    generated.unwrap_or_else(|| {
        // An existing physical ID ends in the name.
        let separator = match wanted.resource_type {
            "AWS::SNS::Topic" => Some(':'),
            "AWS::SQS::Queue" | "AWS::IAM::ManagedPolicy" | "AWS::CloudFront::Function" => Some('/'),
            _ => None,
        };
        let name = existing.map(|id| separator.and_then(|separator| id.rsplit(separator).next()).unwrap_or(id));
        let name = match name.or_else(|| explicit_name(wanted)) {
            Some(name) => name.to_owned(),
            None => account.physical_id(wanted.stack, wanted.logical_id),
        };
        if region_of(wanted.resource_type, "") == GLOBAL {
            global(account, wanted, &name)
        } else {
            named(account, wanted, &name)
        }
    })
}

/// Types whose physical ID is not a name.
fn generated(account: &mut Account, wanted: Wanted<'_>, existing: Option<&str>) -> Option<Provided> {
    let (region, id) = (wanted.region, account.id.clone());
    let chance = &mut account.chance;
    let known = existing.map(str::to_owned);
    Some(match wanted.resource_type {
        "AWS::KMS::Key" => {
            let key = known.unwrap_or_else(|| chance.uuid());
            provided(&key, &[("Arn", &format!("arn:aws:kms:{region}:{id}:key/{key}")), ("KeyId", &key)])
        }
        "AWS::CloudFront::OriginAccessControl" => {
            let control = known.unwrap_or_else(|| format!("E{}", chance.capitals(13)));
            provided(&control, &[("Id", &control)])
        }
        "AWS::CertificateManager::Certificate" => {
            let arn = || format!("arn:aws:acm:{region}:{id}:certificate/{}", chance.uuid());
            provided(&known.unwrap_or_else(arn), &[])
        }
        "AWS::Route53::HostedZone" => {
            let zone = known.unwrap_or_else(|| format!("Z{}", chance.capitals(20)));
            provided(&zone, &[("Id", &zone)])
        }
        "AWS::Cognito::UserPoolClient" => {
            let client = known.unwrap_or_else(|| chance.hex(26));
            provided(&client, &[("ClientId", &client)])
        }
        "AWS::Cognito::IdentityPool" => {
            let pool = known.unwrap_or_else(|| format!("{region}:{}", chance.uuid()));
            provided(&pool, &[("Id", &pool)])
        }
        _ => return None,
    })
}

/// Types whose names are unique in the account.
fn global(account: &Account, wanted: Wanted<'_>, name: &str) -> Provided {
    let properties = wanted.properties;
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}::{}:{rest}", account.id);
    let path = properties["Path"].as_str().unwrap_or("/").trim_start_matches('/');
    match wanted.resource_type {
        "AWS::IAM::Role" => {
            let role_id = format!("AROA{}", name.to_uppercase());
            provided(name, &[("Arn", &arn("iam", &format!("role/{path}{name}"))), ("RoleId", &role_id)])
        }
        "AWS::IAM::ManagedPolicy" => {
            let arn = arn("iam", &format!("policy/{path}{name}"));
            provided(&arn, &[("PolicyArn", &arn)])
        }
        "AWS::IAM::OIDCProvider" => {
            let url = properties["Url"].as_str().unwrap_or_default();
            let arn = arn("iam", &format!("oidc-provider/{}", url.strip_prefix("https://").unwrap_or(url)));
            provided(&arn, &[("Arn", &arn)])
        }
        "AWS::CloudFront::Function" => {
            let arn = arn("cloudfront", &format!("function/{name}"));
            provided(&arn, &[("FunctionARN", &arn), ("FunctionMetadata.FunctionARN", &arn)])
        }
        _ => provided(name, &[("Id", name)]),
    }
}

/// Types whose names are unique in a region.
fn named(account: &Account, wanted: Wanted<'_>, name: &str) -> Provided {
    let Wanted { region, resource_type, properties, .. } = wanted;
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:{}:{rest}", account.id);
    let text = |field: &str| properties[field].as_str().unwrap_or_default();
    match resource_type {
        "AWS::SNS::Topic" => {
            let arn = arn("sns", name);
            provided(&arn, &[("TopicArn", &arn), ("TopicName", name)])
        }
        "AWS::SQS::Queue" => {
            let url = format!("https://sqs.{region}.amazonaws.com/{}/{name}", account.id);
            provided(&url, &[("Arn", &arn("sqs", name)), ("QueueName", name), ("QueueUrl", &url)])
        }
        "AWS::KMS::Alias" => provided(text("AliasName"), &[]),
        "AWS::DynamoDB::Table" => {
            let table = arn("dynamodb", &format!("table/{name}"));
            let stream = format!("{table}/stream/2026-01-05T00:00:00.000");
            provided(name, &[("Arn", &table), ("StreamArn", &stream)])
        }
        "AWS::SSM::Parameter" => provided(name, &[("Type", text("Type")), ("Value", text("Value"))]),
        "AWS::Events::EventBus" => {
            provided(name, &[("Arn", &arn("events", &format!("event-bus/{name}"))), ("Name", name)])
        }
        "AWS::Logs::LogGroup" => provided(name, &[("Arn", &arn("logs", &format!("log-group:{name}:*")))]),
        _ => {
            let service = resource_type.split("::").nth(1).unwrap_or_default().to_lowercase();
            provided(name, &[("Arn", &arn(&service, name)), ("Id", name)])
        }
    }
}

/// A resource with attributes that are texts.
pub(crate) fn provided(physical_id: &str, attributes: &[(&str, &str)]) -> Provided {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    Provided { physical_id: physical_id.to_owned(), attributes: attributes.collect::<BTreeMap<_, _>>() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(resource_type: &'a str, properties: &'a Value) -> Wanted<'a> {
        Wanted { region: "eu-west-1", stack: "notes-dev", logical_id: "Thing", resource_type, properties }
    }

    fn attribute(provided: &Provided, name: &str) -> String {
        provided.attributes[name].as_str().expect("a text").to_owned()
    }

    #[test]
    fn physical_ids_and_attributes_are_those_of_the_type() {
        let mut account = Account::new("123456789012", "eu-west-1", 1);
        let mut create = |resource_type, properties: Value| {
            create(&mut account, wanted(resource_type, &properties)).expect("created")
        };
        let topic = create("AWS::SNS::Topic", json!({ "TopicName": "alarms" }));
        assert_eq!(topic.physical_id, "arn:aws:sns:eu-west-1:123456789012:alarms");
        let queue = create("AWS::SQS::Queue", json!({ "QueueName": "jobs" }));
        assert_eq!(queue.physical_id, "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs");
        assert_eq!(attribute(&queue, "Arn"), "arn:aws:sqs:eu-west-1:123456789012:jobs");
        let role = create("AWS::IAM::Role", json!({ "Path": "/app/" }));
        assert!(role.physical_id.starts_with("notes-dev-Thing-"), "{role:?}");
        assert_eq!(attribute(&role, "Arn"), format!("arn:aws:iam::123456789012:role/app/{}", role.physical_id));
        let policy = create("AWS::IAM::ManagedPolicy", json!({ "ManagedPolicyName": "boundary" }));
        assert_eq!(policy.physical_id, "arn:aws:iam::123456789012:policy/boundary");
        let provider = create("AWS::IAM::OIDCProvider", json!({ "Url": "https://token.example.com" }));
        assert_eq!(provider.physical_id, "arn:aws:iam::123456789012:oidc-provider/token.example.com");
        let key = create("AWS::KMS::Key", json!({}));
        assert!(attribute(&key, "Arn").ends_with(&format!(":key/{}", key.physical_id)));
        let [first, second] = [0, 1].map(|_| create("AWS::IAM::Policy", json!({ "PolicyName": "inline" })).physical_id);
        assert_ne!(first, second, "the name of an inline policy is not unique");
    }

    #[test]
    fn an_update_keeps_the_identity() {
        let mut account = Account::new("123456789012", "eu-west-1", 1);
        for resource_type in
            ["AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::KMS::Key", "AWS::IAM::ManagedPolicy", "AWS::X::Y"]
        {
            let (old, new) = (json!({}), json!({ "Description": "new" }));
            let created = create(&mut account, wanted(resource_type, &old)).expect("created");
            let updated = update(&mut account, &created.physical_id, wanted(resource_type, &new)).expect("updated");
            assert_eq!(updated, created, "{resource_type}");
        }
    }

    #[test]
    fn names_are_unique_within_their_scope() {
        let mut account = Account::new("123456789012", "eu-west-1", 1);
        let group = |pool: &str| json!({ "GroupName": "admins", "UserPoolId": pool });
        for (properties, is_new) in [(group("a"), true), (group("b"), true), (group("a"), false)] {
            let created = create(&mut account, wanted("AWS::Cognito::UserPoolGroup", &properties));
            assert_eq!(created.is_ok(), is_new, "{properties}");
        }
        let role = json!({ "RoleName": "deployer" });
        create(&mut account, wanted("AWS::IAM::Role", &role)).expect("created");
        let elsewhere = Wanted { region: "us-east-1", ..wanted("AWS::IAM::Role", &role) };
        assert_eq!(create(&mut account, elsewhere), Err("deployer already exists".to_owned()));
    }

    #[test]
    fn stateful_resources_have_another_generation_after_they_were_deleted() {
        let mut account = Account::new("123456789012", "eu-west-1", 1);
        let table = json!({ "TableName": "notes" });
        let wanted = wanted("AWS::DynamoDB::Table", &table);
        create(&mut account, wanted).expect("created");
        let first = account.stateful();
        assert_eq!((first.len(), first[0].physical_id.as_str()), (1, "notes"));
        delete(&mut account, "notes", wanted).expect("deleted");
        assert!(account.stateful().is_empty());
        create(&mut account, wanted).expect("created");
        assert!(account.stateful()[0].generation > first[0].generation);
    }
}
