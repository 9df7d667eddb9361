//! What a workflow's jobs call is held against the roles they take, as `bootstrap --print-policy` shows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use engine::rights::{
    Place,
    calls::{self, Call},
};
use regex_lite::Regex;
use reqwest::{Method, Url, header::HeaderValue};
use serde_json::{Value, json};

use super::{
    ACCOUNT, REGION,
    policy::{Need, Statement, allows},
};
use crate::{
    cloud::Cloud,
    proxy::{Proxy, Seen},
};

/// The role that the running job has taken, by name; empty before it takes one.
pub(crate) type Taken = Arc<Mutex<String>>;

/// What was seen of jobs, by role.
#[derive(Debug, Default)]
struct Noted {
    needs: BTreeMap<String, BTreeSet<Need>>,
    odd: BTreeSet<String>,
}

/// Jobs whose calls are watched.
pub(crate) struct Jobs {
    pub(crate) taken: Taken,
    noted: Arc<Mutex<Noted>>,
    proxy: Proxy,
}

impl Jobs {
    pub(crate) fn watch(cloud: &Cloud) -> Self {
        let (taken, noted) = (Taken::default(), Arc::<Mutex<Noted>>::default());
        let (role, notes) = (Arc::clone(&taken), Arc::clone(&noted));
        let proxy = Proxy::watching(&cloud.endpoint(), move |seen| {
            let role = role.lock().expect("a role").clone();
            let mut notes = notes.lock().expect("notes");
            match needs(seen) {
                Ok(needs) if needs.is_empty() => {}
                Ok(needs) => notes.needs.entry(role).or_default().extend(needs),
                Err(odd) => {
                    notes.odd.insert(odd);
                }
            }
        });
        Self { taken, noted, proxy }
    }

    pub(crate) fn endpoint(&self) -> String {
        self.proxy.endpoint()
    }

    /// Fails where a job called what its role does not allow, or called anything without a role. `policies` are those that
    /// `bootstrap` shows of each stage; each of their roles must have been taken.
    pub(crate) async fn assert_allowed(&self, cloud: &Cloud, policies: &[Value]) {
        let mut tags = pool_tags(cloud).await;
        tags.extend(distribution_tags(cloud).await);
        let noted = self.noted.lock().expect("notes");
        let mut wrong: Vec<String> = noted.odd.iter().cloned().collect();
        let mut roles: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
        for role in ["DeployRole", "PlanRole"].iter().flat_map(|role| policies.iter().map(move |all| &all[*role])) {
            let statements = role["allows"].as_array().expect("statements").iter();
            let text = |value: &Value| value.as_str().expect("a text that is filled in").to_owned();
            roles.insert(
                role["name"].as_str().expect("a name").to_owned(),
                statements.map(|statement| Statement::read(statement, text)).collect(),
            );
        }
        for (role, needs) in &noted.needs {
            let Some(statements) = roles.remove(role) else {
                wrong.push(format!("calls with the role `{role}`: {needs:#?}"));
                continue;
            };
            let refused = needs.iter().map(|need| tagged(need, &tags)).filter(|need| !allows(&statements, need));
            wrong.extend(refused.map(|need| format!("{role} may not {} on {}", need.action, need.resource)));
        }
        wrong.extend(roles.keys().map(|role| format!("no job took {role}")));
        assert!(wrong.is_empty(), "AWS would have refused:\n{}", wrong.join("\n"));
    }
}

/// Each user pool's tags, by its ARN.
async fn pool_tags(cloud: &Cloud) -> BTreeMap<String, Vec<(String, String)>> {
    let listed = cloud.cognito("ListUserPools", &json!({ "MaxResults": 60 })).await;
    let mut tags = BTreeMap::new();
    for id in listed["UserPools"].as_array().expect("pools").iter().filter_map(|pool| pool["Id"].as_str()) {
        let described = cloud.cognito("DescribeUserPool", &json!({ "UserPoolId": id })).await;
        let own = described["UserPool"]["UserPoolTags"].as_object().cloned().unwrap_or_default();
        let own = own.into_iter().map(|(name, value)| (name, value.as_str().expect("a text").to_owned()));
        tags.insert(arn("cognito-idp", &format!("userpool/{id}")), own.collect());
    }
    tags
}

/// Each distribution's tags, by its ARN.
async fn distribution_tags(cloud: &Cloud) -> BTreeMap<String, Vec<(String, String)>> {
    let element = |text: &str, name: &str| -> Vec<String> {
        let pattern = Regex::new(&format!("<{name}>([^<]*)</{name}>")).expect("a pattern");
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let mut tags = BTreeMap::new();
    for arn in element(&cloud.cloudfront("/distribution").await, "ARN") {
        let listed = cloud.cloudfront(&format!("/tagging?Resource={arn}")).await;
        let own = element(&listed, "Key").into_iter().zip(element(&listed, "Value")).collect();
        tags.insert(arn, own);
    }
    tags
}

/// With what conditions may ask about: the tags of the pool or distribution that it is about.
fn tagged(need: &Need, tags: &BTreeMap<String, Vec<(String, String)>>) -> Need {
    let own = tags.get(&need.resource).into_iter().flatten();
    own.fold(need.clone(), |need, (key, value)| need.with(&format!("aws:ResourceTag/{key}"), value))
}

/// What a call of a deploy needs. Those that nobody signs are clients' of what is deployed.
fn needs(seen: &Seen<'_>) -> Result<Vec<Need>, String> {
    let header = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some(service) =
        header("authorization").split_once("Credential=").and_then(|(_, scope)| scope.split('/').nth(3))
    else {
        return Ok(Vec::new());
    };
    let uri = Url::parse(&format!("http://aws{}", seen.uri)).map_err(|error| format!("{}: {error}", seen.uri))?;
    let form = || Url::parse(&format!("http://aws/?{}", String::from_utf8_lossy(seen.body))).ok();
    let understood = match service {
        "cloudformation" => form().and_then(|form| stacks(&form)),
        "lambda" => functions(seen.method, &uri),
        "monitoring" => {
            let operation = seen.uri.path().rsplit('/').next().filter(|name| !name.is_empty());
            let operation =
                operation.map_or_else(|| form().and_then(|form| query(&form, "Action")), |name| Some(name.to_owned()));
            let target = header("x-amz-target").rsplit('.').next().filter(|name| !name.is_empty()).map(str::to_owned);
            target.or(operation).map(|name| vec![Need::new(format!("cloudwatch:{name}"), "*")])
        }
        "cloudfront" => distributions(seen.method, &uri),
        // Who one is, everybody may ask.
        "sts" => Some(Vec::new()),
        _ => return recorded(seen),
    };
    understood.ok_or_else(|| format!("the test does not know the call {} {} of {service}", seen.method, seen.uri))
}

/// What the engine says of a call that functions make too.
fn recorded(seen: &Seen<'_>) -> Result<Vec<Need>, String> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let call = Call {
        method: seen.method.to_string(),
        target: seen.uri.to_string(),
        headers: seen.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: seen.body.to_vec(),
        status: seen.status.as_u16(),
    };
    let place = Place { account: ACCOUNT.to_owned(), region: REGION.to_owned() };
    Ok(calls::requests(&call, &place)?.iter().map(Need::of).collect())
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn query(uri: &Url, name: &str) -> Option<String> {
    uri.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A path without `%`: the names of functions and distributions escape nothing but colons and dollars.
fn decoded(path: &str) -> String {
    [("%3A", ":"), ("%24", "$")].iter().fold(path.to_owned(), |path, (escaped, plain)| path.replace(escaped, plain))
}

/// CloudFormation's calls name stacks; making a change set also gives CloudFormation a role.
fn stacks(form: &Url) -> Option<Vec<Need>> {
    let action = query(form, "Action")?;
    let Some(stack) = query(form, "StackName") else {
        // All stacks: no name limits that.
        let needed =
            ["cloudformation:DescribeStacks", "cloudformation:ListStacks"].map(|action| Need::new(action, "*"));
        return (action == "DescribeStacks").then(|| needed.to_vec());
    };
    let stack = if stack.starts_with("arn:") { stack } else { arn("cloudformation", &format!("stack/{stack}/id")) };
    let mut needs = vec![Need::new(format!("cloudformation:{action}"), stack)];
    if let Some(role) = query(form, "RoleARN") {
        needs.push(Need::new("iam:PassRole", role).with("iam:PassedToService", "cloudformation.amazonaws.com"));
    }
    Some(needs)
}

/// CloudFront's calls are methods and paths, and its ARNs have no region.
fn distributions(method: &Method, uri: &Url) -> Option<Vec<Need>> {
    let path = decoded(uri.path());
    match (method.as_str(), path.trim_matches('/').split('/').skip(1).collect::<Vec<_>>().as_slice()) {
        ("POST", ["distribution", id, "invalidation"]) => {
            let distribution = format!("arn:aws:cloudfront::{ACCOUNT}:distribution/{id}");
            Some(vec![Need::new("cloudfront:CreateInvalidation", distribution)])
        }
        _ => None,
    }
}

/// Lambda's calls are methods and paths (Lambda API reference); a qualifier makes the ARN longer.
fn functions(method: &Method, uri: &Url) -> Option<Vec<Need>> {
    let path = decoded(uri.path());
    let words: Vec<&str> = path.trim_matches('/').split('/').skip(1).collect();
    let function = |name: &str| match name.strip_prefix("arn:") {
        Some(_) => name.to_owned(),
        None => arn("lambda", &format!("function:{name}")),
    };
    let qualified = |name: &str| match query(uri, "Qualifier") {
        Some(qualifier) => format!("{}:{qualifier}", function(name)),
        None => function(name),
    };
    let layer = |name: &str, version: &str| arn("lambda", &format!("layer:{name}{version}"));
    let (action, resource) = match (method.as_str(), words.as_slice()) {
        ("GET", ["functions"]) => ("ListFunctions", "*".to_owned()),
        ("GET", ["functions", name]) => ("GetFunction", qualified(name)),
        ("DELETE", ["functions", name]) => ("DeleteFunction", qualified(name)),
        ("GET", ["functions", name, "configuration"]) => ("GetFunctionConfiguration", qualified(name)),
        ("PUT", ["functions", name, "code"]) => ("UpdateFunctionCode", function(name)),
        ("GET", ["functions", name, "versions"]) => ("ListVersionsByFunction", function(name)),
        ("POST", ["functions", name, "versions"]) => ("PublishVersion", function(name)),
        ("GET", ["functions", name, "aliases"]) => ("ListAliases", function(name)),
        ("GET", ["functions", name, "aliases", _]) => ("GetAlias", function(name)),
        ("PUT", ["functions", name, "aliases", _]) => ("UpdateAlias", function(name)),
        ("POST", ["functions", name, "invocations"]) => ("InvokeFunction", qualified(name)),
        ("GET", ["layers", name, "versions"]) => ("ListLayerVersions", layer(name, "")),
        ("GET", ["layers", name, "versions", version]) => ("GetLayerVersion", layer(name, &format!(":{version}"))),
        ("DELETE", ["layers", name, "versions", version]) => {
            ("DeleteLayerVersion", layer(name, &format!(":{version}")))
        }
        _ => return None,
    };
    Some(vec![Need::new(format!("lambda:{action}"), resource)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_what_they_name() {
        let needed = |method: &Method, path: &str| {
            let uri = Url::parse(&format!("http://aws{path}")).expect("a URL");
            functions(method, &uri).map(|needs| (needs[0].action.clone(), needs[0].resource.clone()))
        };
        let of = |action: &str, resource: &str| {
            Some((format!("lambda:{action}"), format!("arn:aws:lambda:{REGION}:{ACCOUNT}:{resource}")))
        };
        let alias = needed(&Method::PUT, "/2015-03-31/functions/f/aliases/live");
        assert_eq!(alias, of("UpdateAlias", "function:f"));
        let version = needed(&Method::DELETE, "/2015-03-31/functions/f?Qualifier=3");
        assert_eq!(version, of("DeleteFunction", "function:f:3"));
        let all = needed(&Method::GET, "/2015-03-31/functions").expect("a call");
        assert_eq!(all, ("lambda:ListFunctions".to_owned(), "*".to_owned()));
        assert_eq!(needed(&Method::POST, "/2015-03-31/functions"), None);
        let form = Url::parse("http://aws/?Action=CreateChangeSet&StackName=s&RoleARN=arn%3Arole").expect("a URL");
        let made = stacks(&form).expect("known");
        assert_eq!(made[0].resource, format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/id"));
        assert_eq!((made[1].action.as_str(), made[1].resource.as_str()), ("iam:PassRole", "arn:role"));
    }
}
