//! The ARNs of a stage's resources, as far as they are known before the resources exist. They limit the permissions of
//! roles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rendered::{ParameterSource, RenderedStack};

/// The number of characters of a stack's name with which generated names begin at least: CloudFormation shortens long
/// names.
const PREFIX_LENGTH: usize = 24;

/// ARNs, as text for `Fn::Sub`, by the service as actions name it: `lambda`, `s3`.
pub(super) type Scopes = BTreeMap<String, BTreeSet<String>>;

/// Returns the ARNs of all resources of these stacks.
pub(super) fn scopes<'a>(stacks: impl IntoIterator<Item = &'a RenderedStack>) -> Scopes {
    let (mut scopes, all) = (Scopes::new(), stacks.into_iter().collect::<Vec<_>>());
    // Of a rendered and a deployed stack, the first counts.
    let owners = all.iter().rev().map(|stack| ((stack.system.as_str(), stack.stack.as_str()), *stack)).collect();
    for stack in &all {
        let resources = stack.template["Resources"].as_object().into_iter().flatten();
        for (_, resource) in resources {
            let type_name = resource["Type"].as_str().unwrap_or_default();
            let resource = StackResource { type_name, properties: &resource["Properties"], stack, owners: &owners };
            let (service, arns) = resource.arns();
            scopes.entry(service).or_default().extend(arns);
        }
    }
    scopes
}

/// One resource of a template.
#[derive(Clone, Copy)]
struct StackResource<'a> {
    type_name: &'a str,
    properties: &'a Value,
    stack: &'a RenderedStack,
    /// All stacks, by system and name.
    owners: &'a BTreeMap<(&'a str, &'a str), &'a RenderedStack>,
}

impl StackResource<'_> {
    /// Returns the service as actions name it, and the resource's ARNs.
    fn arns(&self) -> (String, Vec<String>) {
        let type_name = self.type_name.trim_start_matches("AWS::");
        let service = service_of(type_name);
        let regional = |tails: Vec<String>| {
            let region = self.stack.region.as_deref().unwrap_or("${AWS::Region}");
            let arn = |tail| format!("arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{tail}");
            tails.into_iter().map(arn).collect::<Vec<_>>()
        };
        let global = |tails: Vec<String>| {
            let arn = |tail| format!("arn:${{AWS::Partition}}:{service}::${{AWS::AccountId}}:{tail}");
            tails.into_iter().map(arn).collect::<Vec<_>>()
        };
        let arns = match type_name {
            "S3::Bucket" => vec![format!("arn:${{AWS::Partition}}:s3:::{}", self.name("BucketName"))],
            "S3::BucketPolicy" | "IAM::Policy" => Vec::new(),
            "IAM::Role" => global(vec![format!("role/{}", self.name("RoleName"))]),
            "IAM::ManagedPolicy" => global(vec![format!("policy/{}", self.name("ManagedPolicyName"))]),
            "Lambda::LayerVersion" => regional(with_children("layer:", &self.name("LayerName"), ":*")),
            "Lambda::EventSourceMapping" => regional(vec!["event-source-mapping:*".to_owned()]),
            "Lambda::Function" => regional(with_children("function:", &self.name("FunctionName"), ":*")),
            "Lambda::Alias" | "Lambda::Version" | "Lambda::Permission" | "Lambda::EventInvokeConfig" => Vec::new(),
            "Logs::LogGroup" => regional(with_children("log-group:", &self.name("LogGroupName"), ":*")),
            "DynamoDB::Table" => regional(with_children("table/", &self.name("TableName"), "/*")),
            "SQS::Queue" => regional(vec![self.name("QueueName")]),
            "SNS::Topic" => regional(with_children("", &self.name("TopicName"), ":*")),
            "SQS::QueuePolicy" | "SNS::TopicPolicy" | "SNS::Subscription" => Vec::new(),
            "CloudWatch::Alarm" => regional(vec![format!("alarm:{}", self.name("AlarmName"))]),
            "CloudWatch::Dashboard" => global(vec![format!("dashboard/{}", self.name("DashboardName"))]),
            "Events::EventBus" => regional(vec![format!("event-bus/{}", self.name("Name"))]),
            "Events::Rule" => regional(vec![format!("rule/{}{}", self.bus(), self.name("Name"))]),
            // Secrets Manager adds a hyphen and six characters.
            "SecretsManager::Secret" => regional(vec![format!("secret:{}-*", self.name("Name"))]),
            // The ARN of a group may end with an ID.
            "ResourceGroups::Group" => regional(with_children("group/", &self.name("Name"), "/*")),
            "KMS::Alias" => regional(vec![self.name("AliasName")]),
            "KMS::Key" => regional(vec!["key/*".to_owned()]),
            "SSM::Parameter" => regional(vec![format!("parameter/{}", self.name("Name").trim_start_matches('/'))]),
            "Scheduler::Schedule" => {
                regional(vec![format!("schedule/{}/{}", self.schedule_group(), self.name("Name"))])
            }
            "Route53::RecordSet" => self.hosted_zone(),
            "ApiGateway::DomainName" | "ApiGatewayV2::DomainName" => self.domain(),
            // Their domain is a resource of its own.
            _ if type_name.starts_with("ApiGateway") && type_name.contains("Mapping") => self.domain(),
            "CloudFront::Function" => global(vec![format!("function/{}", self.name("Name"))]),
            "CloudFront::OriginAccessControl" => global(vec!["origin-access-control/*".to_owned()]),
            "CloudFront::Distribution" => global(vec!["distribution/*".to_owned()]),
            // An ACL may contain rule sets that AWS manages.
            "WAFv2::WebACL" => {
                let scope = if self.properties["Scope"] == "CLOUDFRONT" { "global" } else { "regional" };
                let own = format!("{scope}/webacl/{}/*", self.name("Name"));
                regional(vec![own, format!("{scope}/managedruleset/*/*")])
            }
            // An association is an action on the ACL and on the stage that it protects.
            "WAFv2::WebACLAssociation" => {
                vec!["arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/*/stages/*".to_owned()]
            }
            // The service generates IDs, which are not known in advance.
            _ => match service.as_str() {
                "apigateway" => gateway_arns(type_name),
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
            Some(text) => to_pattern(&with_wildcards(text), self.stack),
            // A hyphen follows the stack's name; of a long one, only the beginning is certain.
            None if self.stack.name.len() <= PREFIX_LENGTH => format!("{}-*", self.stack.name),
            None => format!("{}*", self.stack.name.chars().take(PREFIX_LENGTH).collect::<String>()),
        }
    }

    /// Returns the bus of a rule as a folder; nothing for the account's own bus (Service Authorization Reference, "Amazon EventBridge":
    /// `rule-on-custom-event-bus`).
    fn bus(&self) -> String {
        let given = &self.properties["EventBusName"];
        if given.is_null() || given == "default" {
            return String::new();
        }
        if given.is_string() || given["Fn::Sub"].is_string() {
            return format!("{}/", self.name("EventBusName"));
        }
        self.referenced_bus(given).unwrap_or_else(|| "*".to_owned()) + "/"
    }

    /// Returns the name of a bus of this stack, or of one whose output is a parameter of this stack.
    fn referenced_bus(&self, given: &Value) -> Option<String> {
        let id = given["Ref"].as_str().or_else(|| given["Fn::GetAtt"][0].as_str())?;
        let bus = &self.stack.template["Resources"][id];
        if bus.is_object() {
            return Some(StackResource { properties: &bus["Properties"], ..*self }.name("Name"));
        }
        let ParameterSource::Output { stack, output } = self.stack.parameters.get(id)? else { return None };
        let owner = *self.owners.get(&(self.stack.system.as_str(), stack.as_str()))?;
        let value = &owner.template["Outputs"][output]["Value"];
        let id = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())?;
        let properties = &owner.template["Resources"][id]["Properties"];
        Some(StackResource { properties, stack: owner, ..*self }.name("Name"))
    }

    fn schedule_group(&self) -> String {
        let group = &self.properties["GroupName"];
        if group.is_null() { "default".to_owned() } else { self.name("GroupName") }
    }

    /// Returns the paths of a custom domain, whose name is its ID. A mapping may refer to a domain, which has its own paths.
    fn domain(&self) -> Vec<String> {
        let given = &self.properties["DomainName"];
        if given.as_str().or_else(|| given["Fn::Sub"].as_str()).is_none() {
            return Vec::new();
        }
        let name = self.name("DomainName");
        let paths = ["/domainnames".to_owned(), format!("/domainnames/{name}"), format!("/domainnames/{name}/*")];
        paths.map(|path| format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::{path}")).into()
    }

    fn hosted_zone(&self) -> Vec<String> {
        let zone = self.properties["HostedZoneId"].as_str().unwrap_or("*");
        let tails = [format!("hostedzone/{zone}"), "change/*".to_owned()];
        tails.into_iter().map(|tail| format!("arn:${{AWS::Partition}}:route53:::{tail}")).collect()
    }
}

/// Returns a pattern for names that begin with the system's name and contain the stage's, so that a policy is as long
/// for forty functions as for one: `<system>-*-<stage>`, `<system>-<stage>-*` and `<system>-*-<stage>-*`.
/// Other names, and those with a variable after the stage, are returned unchanged.
///
/// No pattern matches a name of another system or stage: no system's name extends another's with a hyphen, neither do the names of
/// stages in one account, and a name contains its stage once (`rendered::names`).
pub(super) fn to_pattern(name: &str, stack: &RenderedStack) -> String {
    let (system, stage) = (&stack.system, stack.stage());
    if stage.is_empty() {
        return name.to_owned();
    }
    let (folder, last) = name.split_at(name.rfind('/').map_or(0, |slash| slash + 1));
    let (first, end) = (format!("{system}-"), format!("-{stage}"));
    let Some(rest) = last.strip_prefix(&first) else { return name.to_owned() };
    if rest.ends_with(&end) && rest.len() > end.len() {
        return format!("{folder}{first}*{end}");
    }
    let middle = format!("{end}-");
    match last.split_once(&middle) {
        Some((_, after)) if after.is_empty() || after.contains(['$', '*']) => name.to_owned(),
        Some((before, _)) if before == system => format!("{folder}{before}{middle}*"),
        Some(_) => format!("{folder}{first}*{middle}*"),
        None => name.to_owned(),
    }
}

/// Returns a resource's ARN and the pattern of its children, without their common beginning. A pattern that ends with `*` includes
/// the children.
fn with_children(prefix: &str, name: &str, children: &str) -> Vec<String> {
    let own = format!("{prefix}{name}");
    if own.ends_with('*') { vec![own] } else { vec![own.clone(), format!("{own}{children}")] }
}

/// Returns the ARNs of an API Gateway resource: the paths of the service's own API, whose methods are the actions.
fn gateway_arns(type_name: &str) -> Vec<String> {
    let paths: &[&str] = match type_name {
        "ApiGateway::Account" => &["/account"],
        "ApiGateway::UsagePlan" | "ApiGateway::UsagePlanKey" => &["/usageplans", "/usageplans/*"],
        "ApiGateway::ApiKey" => &["/apikeys", "/apikeys/*"],
        _ if type_name.starts_with("ApiGatewayV2::") => &["/apis", "/apis/*", "/tags/*"],
        _ => &["/restapis", "/restapis/*", "/tags/*"],
    };
    paths.iter().map(|path| format!("arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::{path}")).collect()
}

/// Returns the service as actions name it, of a type without its `AWS::`.
pub(super) fn service_of(type_name: &str) -> String {
    match type_name.split("::").next().unwrap_or_default() {
        "ApiGatewayV2" => "apigateway".to_owned(),
        "CertificateManager" => "acm".to_owned(),
        "Cognito" if type_name.contains("IdentityPool") => "cognito-identity".to_owned(),
        "Cognito" => "cognito-idp".to_owned(),
        "ResourceGroups" => "resource-groups".to_owned(),
        namespace => namespace.to_lowercase(),
    }
}

/// Replaces the variables of a text by `*`, because only a deploy resolves them. Pseudo parameters are kept.
pub(super) fn with_wildcards(text: &str) -> String {
    let mut pieces = text.split("${");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('}') {
            Some((variable, rest)) if variable.starts_with("AWS::") => {
                text.push_str(&format!("${{{variable}}}{rest}"));
            }
            Some((_, rest)) => text.push_str(&format!("*{rest}")),
            None => text.push_str(piece),
        }
    }
    text
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
        for (index, (type_name, properties)) in resources.iter().enumerate() {
            stack.resource(&format!("R{index}"), Resource::new(type_name, properties.clone()));
        }
        let rendered = System::new("system", [stack]).render(&Stage::example("dev")).expect("rendered");
        scopes(&rendered.stacks)
    }

    #[test]
    fn known_names_are_limits_and_generated_names_begin_with_the_stacks() {
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
    fn a_rule_is_limited_by_its_name_and_its_bus() {
        let rule = |bus: Value| ("AWS::Events::Rule", json!({ "Name": "system-done-dev", "EventBusName": bus }));
        let tail = |resources: &[(&str, Value)]| {
            let arn = |arn: &String| arn.split_once("AccountId}:").map(|(_, tail)| tail.to_owned());
            scopes_of(resources)["events"].iter().filter_map(arn).collect::<Vec<_>>()
        };
        assert_eq!(tail(&[rule(Value::Null)]), ["rule/system-*-dev"]);
        assert_eq!(tail(&[rule(json!("default"))]), ["rule/system-*-dev"]);
        assert_eq!(tail(&[rule(json!("partner"))]), ["rule/partner/system-*-dev"]);
        let bus = ("AWS::Events::EventBus", json!({ "Name": "system-events-dev" }));
        let both = tail(&[bus, rule(json!({ "Ref": "R0" }))]);
        assert_eq!(both, ["event-bus/system-*-dev", "rule/system-*-dev/system-*-dev"]);
        assert_eq!(tail(&[rule(json!({ "Ref": "AWS::StackName" }))]), ["rule/*/system-*-dev"]);
    }

    #[test]
    fn names_with_system_and_stage_become_one_pattern() {
        let named = |name: &str| ("AWS::Logs::LogGroup", json!({ "LogGroupName": name }));
        let scopes =
            scopes_of(&[named("/aws/lambda/system-one-dev"), named("/aws/lambda/system-two-dev"), named("other")]);
        let names: Vec<_> =
            scopes["logs"].iter().filter_map(|arn| arn.split_once("log-group:")).map(|(_, name)| name).collect();
        let expected = ["/aws/lambda/system-*-dev", "/aws/lambda/system-*-dev:*", "other", "other:*"];
        assert_eq!(names, expected);
    }

    #[test]
    fn rules_are_limited_to_their_bus() {
        let mut core = Stack::new("core", "");
        let bus = core.resource("Bus", Resource::new("AWS::Events::EventBus", json!({ "Name": "events-dev" })));
        let mut work = Stack::new("work", "");
        let rule = |properties: Value| Resource::new("AWS::Events::Rule", properties);
        core.resource("Done", rule(json!({ "Name": "system-done-dev", "EventBusName": bus.id() })));
        work.resource("Nightly", rule(json!({ "Name": "nightly" })));
        work.resource("Failed", rule(json!({ "Name": "failed", "EventBusName": bus.id() })));
        work.resource("Named", rule(json!({ "Name": "named", "EventBusName": "other" })));
        work.resource("Unknown", rule(json!({ "Name": "unknown", "EventBusName": { "Fn::ImportValue": "bus" } })));
        let rendered = System::new("system", [core, work]).render(&Stage::example("dev")).expect("rendered");
        let scopes = scopes(&rendered.stacks);
        let prefix = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:";
        let arns: Vec<_> = scopes["events"].iter().filter_map(|arn| arn.strip_prefix(prefix)).collect();
        let rules = [
            "rule/*/unknown",
            "rule/events-dev/failed",
            "rule/events-dev/system-*-dev",
            "rule/nightly",
            "rule/other/named",
        ];
        assert_eq!(arns, [&["event-bus/events-dev"], &rules[..]].concat());
    }

    #[test]
    fn names_that_continue_after_the_stage_become_one_pattern() {
        let named = |name: &str| ("AWS::Logs::LogGroup", json!({ "LogGroupName": name }));
        let names = ["/aws/lambda/system-api-dev-get", "/aws/lambda/system-jobs-dev-put", "system-dev-list"];
        let scopes = scopes_of(&names.map(named));
        let patterns: BTreeSet<_> =
            scopes["logs"].iter().filter_map(|arn| arn.split_once("log-group:")).map(|(_, name)| name).collect();
        let expected = ["/aws/lambda/system-*-dev-*", "system-dev-*"];
        assert_eq!(patterns, BTreeSet::from(expected));
        let bucket = ("AWS::S3::Bucket", json!({ "BucketName": { "Fn::Sub": "system-data-dev-${AWS::AccountId}" } }));
        let exact = "arn:${AWS::Partition}:s3:::system-data-dev-${AWS::AccountId}".to_owned();
        assert_eq!(scopes_of(&[bucket])["s3"], BTreeSet::from([exact]));
    }

    #[test]
    fn resources_with_generated_ids_are_limited_to_their_kind() {
        let scopes = scopes_of(&[("AWS::Cognito::UserPool", json!({})), ("AWS::ApiGateway::RestApi", json!({}))]);
        let pools = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/*";
        assert_eq!(scopes["cognito-idp"], BTreeSet::from([pools.to_owned()]));
        assert!(scopes["apigateway"].iter().all(|arn| !arn.ends_with("::*")), "{scopes:?}");
    }
}
