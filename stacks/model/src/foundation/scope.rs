//! What a stage's resources are called, as far as that is known before they exist: where an execution role's permissions end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rendered::RenderedStack;

/// How many characters of a stack's name are sure to begin the names that CloudFormation makes up: it cuts long ones.
const CERTAIN: usize = 24;

/// ARNs, as text for `Fn::Sub`, by the service in a permission's name: `lambda`, `s3`.
pub(super) type Scopes = BTreeMap<String, BTreeSet<String>>;

/// The ARNs of everything that these stacks have.
pub(super) fn scopes<'a>(stacks: impl IntoIterator<Item = &'a RenderedStack>) -> Scopes {
    let mut scopes = Scopes::new();
    for stack in stacks {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (_, resource) in resources {
            let kind = resource["Type"].as_str().unwrap_or_default();
            let found = Found { kind, properties: &resource["Properties"], stack };
            let (service, arns) = found.arns();
            scopes.entry(service).or_default().extend(arns);
        }
    }
    scopes
}

/// One resource of a template.
struct Found<'a> {
    kind: &'a str,
    properties: &'a Value,
    stack: &'a RenderedStack,
}

impl Found<'_> {
    /// The service as permissions call it, and the resource's ARNs.
    fn arns(&self) -> (String, Vec<String>) {
        let kind = self.kind.trim_start_matches("AWS::");
        let service = service(kind);
        let regional = |tails: Vec<String>| {
            let region = self.stack.region.as_deref().unwrap_or("${AWS::Region}");
            let arn = |tail| format!("arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{tail}");
            tails.into_iter().map(arn).collect::<Vec<_>>()
        };
        let global = |tails: Vec<String>| {
            let arn = |tail| format!("arn:${{AWS::Partition}}:{service}::${{AWS::AccountId}}:{tail}");
            tails.into_iter().map(arn).collect::<Vec<_>>()
        };
        let arns = match kind {
            "S3::Bucket" => vec![format!("arn:${{AWS::Partition}}:s3:::{}", self.name("BucketName"))],
            "S3::BucketPolicy" | "IAM::Policy" => Vec::new(),
            "IAM::Role" => global(vec![format!("role/{}", self.name("RoleName"))]),
            "IAM::ManagedPolicy" => global(vec![format!("policy/{}", self.name("ManagedPolicyName"))]),
            "Lambda::LayerVersion" => regional(and_below("layer:", &self.name("LayerName"), ":*")),
            "Lambda::EventSourceMapping" => regional(vec!["event-source-mapping:*".to_owned()]),
            "Lambda::Function" => regional(and_below("function:", &self.name("FunctionName"), ":*")),
            "Lambda::Alias" | "Lambda::Version" | "Lambda::Permission" | "Lambda::EventInvokeConfig" => Vec::new(),
            "Logs::LogGroup" => regional(and_below("log-group:", &self.name("LogGroupName"), ":*")),
            "DynamoDB::Table" => regional(and_below("table/", &self.name("TableName"), "/*")),
            "SQS::Queue" => regional(vec![self.name("QueueName")]),
            "SNS::Topic" => regional(and_below("", &self.name("TopicName"), ":*")),
            "SQS::QueuePolicy" | "SNS::TopicPolicy" | "SNS::Subscription" => Vec::new(),
            "CloudWatch::Alarm" => regional(vec![format!("alarm:{}", self.name("AlarmName"))]),
            "CloudWatch::Dashboard" => global(vec![format!("dashboard/{}", self.name("DashboardName"))]),
            "Events::Rule" => regional(vec![format!("rule/{}", self.name("Name"))]),
            // Secrets Manager adds a hyphen and six characters of its own.
            "SecretsManager::Secret" => regional(vec![format!("secret:{}-*", self.name("Name"))]),
            // A group that others made of the same name has an id behind it.
            "ResourceGroups::Group" => regional(and_below("group/", &self.name("Name"), "/*")),
            "SSM::Parameter" => regional(vec![format!("parameter/{}", self.name("Name").trim_start_matches('/'))]),
            "Scheduler::Schedule" => regional(vec![format!("schedule/*/{}", self.name("Name"))]),
            "Route53::RecordSet" => self.hosted_zone(),
            // An association is a call on what it protects as well.
            "WAFv2::WebACLAssociation" => regional(vec!["*".to_owned()]).into_iter().chain(gateway(kind)).collect(),
            // Ids that the service makes up: these cannot be told by name.
            _ => match service.as_str() {
                "apigateway" => gateway(kind),
                "cloudfront" => global(vec!["*".to_owned()]),
                "cognito-idp" => regional(vec!["userpool/*".to_owned()]),
                "cognito-identity" => regional(vec!["identitypool/*".to_owned()]),
                "acm" => regional(vec!["certificate/*".to_owned()]),
                _ => regional(vec!["*".to_owned()]),
            },
        };
        (service, arns)
    }

    fn name(&self, property: &str) -> String {
        let given = &self.properties[property];
        match given.as_str().or_else(|| given["Fn::Sub"].as_str()) {
            Some(text) => of_the_system(&known_in_advance(text), self.stack),
            None => format!("{}*", self.stack.name.chars().take(CERTAIN).collect::<String>()),
        }
    }

    fn hosted_zone(&self) -> Vec<String> {
        let zone = self.properties["HostedZoneId"].as_str().unwrap_or("*");
        let tails = [format!("hostedzone/{zone}"), "change/*".to_owned()];
        tails.into_iter().map(|tail| format!("arn:${{AWS::Partition}}:route53:::{tail}")).collect()
    }
}

/// Names that begin with the system's and end with the stage's are told by that, so that a policy is as long for forty
/// functions as for one.
pub(super) fn of_the_system(name: &str, stack: &RenderedStack) -> String {
    let stage = stack.name.strip_prefix(&format!("{}-{}-", stack.system, stack.stack)).unwrap_or_default();
    let (folder, last) = name.split_at(name.rfind('/').map_or(0, |slash| slash + 1));
    let (first, end) = (format!("{}-", stack.system), format!("-{stage}"));
    let is_ours = last.strip_prefix(&first).is_some_and(|rest| rest.ends_with(&end) && rest.len() > end.len());
    if is_ours && !stage.is_empty() { format!("{folder}{first}*{end}") } else { name.to_owned() }
}

/// The thing itself, and what lies below it.
fn and_below(prefix: &str, name: &str, below: &str) -> Vec<String> {
    vec![format!("{prefix}{name}"), format!("{prefix}{name}{below}")]
}

/// API Gateway's resources are the paths of its own API, and its actions are that API's methods.
fn gateway(kind: &str) -> Vec<String> {
    let paths: &[&str] = match kind {
        "ApiGateway::Account" => &["/account"],
        "ApiGateway::UsagePlan" | "ApiGateway::UsagePlanKey" => &["/usageplans", "/usageplans/*"],
        "ApiGateway::ApiKey" => &["/apikeys", "/apikeys/*"],
        _ if kind.contains("DomainName") || kind.contains("Mapping") => &["/domainnames", "/domainnames/*"],
        _ if kind.starts_with("ApiGatewayV2::") => &["/apis", "/apis/*", "/tags/*"],
        _ => &["/restapis", "/restapis/*", "/tags/*"],
    };
    paths.iter().map(|path| format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::{path}")).collect()
}

/// The service as permissions call it, of a type without its `AWS::`.
pub(super) fn service(kind: &str) -> String {
    match kind.split("::").next().unwrap_or_default() {
        "ApiGatewayV2" => "apigateway".to_owned(),
        "CertificateManager" => "acm".to_owned(),
        "Cognito" if kind.contains("IdentityPool") => "cognito-identity".to_owned(),
        "Cognito" => "cognito-idp".to_owned(),
        "ResourceGroups" => "resource-groups".to_owned(),
        namespace => namespace.to_lowercase(),
    }
}

/// Pseudo parameters stay; what only a deployment knows may be anything.
pub(super) fn known_in_advance(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut known = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((variable, rest)) if variable.starts_with("AWS::") => {
                known.push_str(&format!("${{{variable}}}{rest}"));
            }
            Some((_, rest)) => known.push_str(&format!("*{rest}")),
            None => known.push_str(piece),
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::{
        stage::Stage,
        template::{Resource, Stack, System},
    };

    fn scopes_of(resources: &[(&str, Value)]) -> Scopes {
        let mut stack = Stack::new("a-stack-with-a-long-name", "");
        for (index, (kind, properties)) in resources.iter().enumerate() {
            stack.resource(&format!("R{index}"), Resource::new(kind, properties.clone()));
        }
        let rendered = System::new("system", [stack]).render(&Stage::example("dev")).expect("rendered");
        scopes(&rendered.stacks)
    }

    #[test]
    fn a_name_that_is_known_is_the_limit_and_one_that_is_made_up_begins_with_the_stacks() {
        let scopes = scopes_of(&[
            ("AWS::SQS::Queue", json!({ "QueueName": { "Fn::Sub": "jobs-${AWS::AccountId}" } })),
            ("AWS::IAM::Role", json!({})),
            ("AWS::S3::Bucket", json!({ "BucketName": { "Fn::Sub": "x-${Other}" } })),
        ]);
        let of = |service: &str| scopes[service].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("sqs"), ["arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:jobs-${AWS::AccountId}"]);
        assert_eq!(of("iam"), ["arn:${AWS::Partition}:iam::${AWS::AccountId}:role/system-a-stack-with-a-lo*"]);
        assert_eq!(of("s3"), ["arn:${AWS::Partition}:s3:::x-*"]);
    }

    #[test]
    fn names_that_say_system_and_stage_are_told_by_that() {
        let named = |name: &str| ("AWS::Logs::LogGroup", json!({ "LogGroupName": name }));
        let scopes =
            scopes_of(&[named("/aws/lambda/system-one-dev"), named("/aws/lambda/system-two-dev"), named("other")]);
        let names: Vec<_> =
            scopes["logs"].iter().filter_map(|arn| arn.split_once("log-group:")).map(|(_, name)| name).collect();
        let expected = ["/aws/lambda/system-*-dev", "/aws/lambda/system-*-dev:*", "other", "other:*"];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_service_that_makes_up_ids_is_limited_to_the_kind_of_thing() {
        let scopes = scopes_of(&[("AWS::Cognito::UserPool", json!({})), ("AWS::ApiGateway::RestApi", json!({}))]);
        let pools = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/*";
        assert_eq!(scopes["cognito-idp"], BTreeSet::from([pools.to_owned()]));
        assert!(scopes["apigateway"].iter().all(|arn| !arn.ends_with("::*")), "{scopes:?}");
    }
}
