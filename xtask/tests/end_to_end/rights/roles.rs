//! The roles of a system's functions, from the committed templates of stage `prod`, as they would be in stage `local`:
//! the stage's name is exchanged, and what AWS names is looked up among what is deployed there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ACCOUNT, REGION, policy::Statement};
use crate::cloud::workspace;

/// The stage whose roles count.
const STAGE: &str = "prod";
/// The stage they are held against.
const HERE: &str = "local";

/// What is deployed: physical ids by stack and logical id.
pub(super) type Deployed = BTreeMap<(String, String), String>;

/// A system's templates, by stack.
#[derive(Debug, Clone)]
pub(super) struct Templates {
    system: String,
    stacks: BTreeMap<String, Value>,
}

/// A function and what its role allows.
#[derive(Debug)]
pub(super) struct Role {
    /// The function's name in stage `local`.
    pub(super) function: String,
    pub(super) statements: Vec<Statement>,
}

impl Templates {
    /// Reads those of a system.
    pub(super) fn read(system: &str) -> Self {
        let folder = workspace().join("templates").join(STAGE);
        let mut stacks = BTreeMap::new();
        for entry in folder.read_dir().expect("the templates") {
            let path = entry.expect("a template").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            let Some(stack) = name.strip_prefix(system).and_then(|rest| rest.strip_prefix('-')) else { continue };
            let text = std::fs::read_to_string(&path).expect("a template");
            stacks.insert(stack.to_owned(), serde_yaml::from_str(&text).expect("YAML"));
        }
        assert!(!stacks.is_empty(), "no templates of {system} in {}", folder.display());
        Self { system: system.to_owned(), stacks }
    }

    /// The names of the stacks in stage `local`, by the stack.
    pub(super) fn stack_names(&self) -> impl Iterator<Item = (&str, String)> {
        self.stacks.keys().map(|stack| (stack.as_str(), format!("{}-{stack}-{HERE}", self.system)))
    }

    /// The template of a stack.
    #[cfg(test)]
    pub(super) fn stack(&mut self, stack: &str) -> &mut Value {
        self.stacks.get_mut(stack).expect("a stack")
    }

    /// Tables whose names do not only differ by the stage's: what they are called here, and what the stage calls them.
    pub(super) fn renamed(&self, deployed: &Deployed) -> BTreeMap<String, String> {
        let mut renamed = BTreeMap::new();
        for (stack, template) in &self.stacks {
            let resources = template["Resources"].as_object().expect("resources").iter();
            for (logical_id, table) in resources.filter(|(_, resource)| resource["Type"] == "AWS::DynamoDB::Table") {
                let resolver = Resolver { templates: self, deployed, stack };
                let name = resolver.text(&table["Properties"]["TableName"]);
                let here = deployed.get(&(stack.clone(), logical_id.clone())).filter(|here| **here != name);
                renamed.extend(here.map(|here| (format!("table/{here}"), format!("table/{name}"))));
            }
        }
        renamed
    }

    /// The ARNs of the user pools and keys that have the stage's tags.
    pub(super) fn pools(&self, deployed: &Deployed) -> BTreeSet<String> {
        let mut pools = BTreeSet::new();
        for (stack, template) in &self.stacks {
            let resources = template["Resources"].as_object().expect("resources").iter();
            for (logical_id, key) in resources.clone().filter(|(_, resource)| resource["Type"] == "AWS::KMS::Key") {
                for tag in [("stage", STAGE), ("system", self.system.as_str())] {
                    let tag = serde_json::json!({ "Key": tag.0, "Value": tag.1 });
                    let tags = key["Properties"]["Tags"].as_array().expect("tags");
                    assert!(tags.contains(&tag), "{logical_id} lacks {tag}");
                }
                let id = deployed.get(&(stack.clone(), logical_id.clone()));
                pools.extend(id.map(|id| format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}")));
            }
            for (logical_id, pool) in resources.filter(|(_, resource)| resource["Type"] == "AWS::Cognito::UserPool") {
                let tags = &pool["Properties"]["UserPoolTags"];
                assert_eq!(
                    (&tags["stage"], &tags["system"]),
                    (&STAGE.into(), &self.system.as_str().into()),
                    "{logical_id}"
                );
                let id = deployed.get(&(stack.clone(), logical_id.clone()));
                pools.extend(id.map(|id| format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{id}")));
            }
        }
        pools
    }

    /// Each function's role, where things are as `deployed` says.
    pub(super) fn roles(&self, deployed: &Deployed) -> Vec<Role> {
        let mut roles = Vec::new();
        for (stack, template) in &self.stacks {
            let resources = template["Resources"].as_object().expect("resources");
            for function in resources.values().filter(|resource| resource["Type"] == "AWS::Lambda::Function") {
                let properties = &function["Properties"];
                let role = properties["Role"]["Fn::GetAtt"][0].as_str().expect("a role of the same stack");
                let resolver = Resolver { templates: self, deployed, stack };
                let name = resolver.text(&properties["FunctionName"]);
                let statements = statements(&resources[role], |value| resolver.text(value));
                roles.push(Role { function: name, statements });
            }
            let attached = resources.values().any(|resource| {
                matches!(resource["Type"].as_str(), Some("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy"))
            });
            assert!(!attached, "{stack}: policies beside roles are not looked at");
        }
        roles
    }
}

/// The most that any of these roles may do, whatever its policies say: the boundary of the stage.
pub(super) fn boundary() -> Vec<Statement> {
    let (templates, nothing) = (Templates::read("foundation"), Deployed::new());
    let resolver = Resolver { templates: &templates, deployed: &nothing, stack: "pipeline" };
    let policy = &templates.stacks["pipeline"]["Resources"]["RoleBoundary"]["Properties"]["PolicyDocument"];
    let statements = policy["Statement"].as_array().expect("statements").iter();
    statements.map(|statement| Statement::read(statement, |value| resolver.text(value))).collect()
}

fn statements(role: &Value, resolve: impl Fn(&Value) -> String) -> Vec<Statement> {
    let properties = &role["Properties"];
    assert!(properties["ManagedPolicyArns"].is_null(), "managed policies are not looked at: {properties}");
    let policies = properties["Policies"].as_array().expect("policies").iter();
    policies
        .flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("statements"))
        .map(|statement| Statement::read(statement, &resolve))
        .collect()
}

/// Turns values of a stack's template into texts.
struct Resolver<'a> {
    templates: &'a Templates,
    deployed: &'a Deployed,
    stack: &'a str,
}

impl Resolver<'_> {
    fn text(&self, value: &Value) -> String {
        if let Some(text) = value.as_str() {
            return here(text);
        }
        let call = value.as_object().filter(|call| call.len() == 1).and_then(|call| call.iter().next());
        match call.map(|(name, argument)| (name.as_str(), argument)) {
            Some(("Ref", name)) => self.reference(name.as_str().expect("a name"), None),
            Some(("Fn::GetAtt", parts)) => {
                let part = |place: usize| parts[place].as_str().expect("a name");
                self.reference(part(0), Some(part(1)))
            }
            Some(("Fn::Sub", text)) => self.filled(text.as_str().expect("a text without variables of its own")),
            _ => panic!("{}: the test does not know {value}", self.stack),
        }
    }

    /// A text whose `${…}` are filled in.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').expect("a closing brace");
            filled.push_str(&here(before));
            match name.split_once('.') {
                _ if name.starts_with('!') => filled.push_str(&format!("${{{}}}", &name[1..])),
                Some((name, attribute)) => filled.push_str(&self.reference(name, Some(attribute))),
                None => filled.push_str(&self.reference(name, None)),
            }
            rest = after;
        }
        filled + &here(rest)
    }

    fn reference(&self, name: &str, attribute: Option<&str>) -> String {
        match name {
            "AWS::AccountId" => return ACCOUNT.to_owned(),
            "AWS::Partition" => return "aws".to_owned(),
            "AWS::Region" => return REGION.to_owned(),
            _ => {}
        }
        let template = &self.templates.stacks[self.stack];
        let resource = &template["Resources"][name];
        if resource.is_null() {
            assert!(!template["Parameters"][name].is_null(), "{}: {name} is nothing", self.stack);
            return self.parameter(name);
        }
        let kind = resource["Type"].as_str().expect("a type");
        let Some(id) = self.deployed.get(&(self.stack.to_owned(), name.to_owned())) else {
            // Stage `local` does without it, so nothing there is it.
            return format!("not in stage {HERE}: {name}");
        };
        let arn = |service: &str, resource: &str| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}");
        match (kind, attribute) {
            ("AWS::DynamoDB::Table", Some("Arn")) => arn("dynamodb", &format!("table/{id}")),
            ("AWS::SQS::Queue", Some("Arn")) => arn("sqs", id.rsplit('/').next().unwrap_or_default()),
            ("AWS::Cognito::UserPool", Some("Arn")) => arn("cognito-idp", &format!("userpool/{id}")),
            ("AWS::KMS::Key", Some("Arn")) => arn("kms", &format!("key/{id}")),
            ("AWS::Events::EventBus", Some("Arn")) => arn("events", &format!("event-bus/{id}")),
            ("AWS::S3::Bucket", Some("Arn")) => format!("arn:aws:s3:::{id}"),
            // A secret's id is its ARN on AWS, and its name on the emulator.
            ("AWS::SecretsManager::Secret", None) if !id.starts_with("arn:") => {
                arn("secretsmanager", &format!("secret:{id}"))
            }
            (
                "AWS::SNS::Topic" | "AWS::SecretsManager::Secret" | "AWS::Lambda::Alias" | "AWS::ApiGatewayV2::Api",
                None,
            ) => id.clone(),
            _ => panic!("{}: the test does not know {attribute:?} of {name}, a {kind}", self.stack),
        }
    }

    /// What another stack puts out under the parameter's name.
    fn parameter(&self, name: &str) -> String {
        let found = self.templates.stacks.iter().find(|(_, template)| !template["Outputs"][name].is_null());
        let (stack, template) = found.unwrap_or_else(|| panic!("{}: nobody puts {name} out", self.stack));
        Resolver { stack, ..*self }.text(&template["Outputs"][name]["Value"])
    }
}

/// A text with the stage's name exchanged where it stands alone.
fn here(text: &str) -> String {
    let mut words = text.split_inclusive(|character: char| !character.is_ascii_alphanumeric());
    let exchanged = |word: &str| match word.strip_prefix(STAGE) {
        Some(rest) if !rest.starts_with(|character: char| character.is_ascii_alphanumeric()) => format!("{HERE}{rest}"),
        _ => word.to_owned(),
    };
    words.by_ref().map(exchanged).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::policy::{Need, allows},
        *,
    };

    #[test]
    fn the_stage_is_exchanged_where_it_stands_alone() {
        assert_eq!(here("thakii-status-prod"), "thakii-status-local");
        assert_eq!(here("prod-media-raw-"), "local-media-raw-");
        assert_eq!(here("parameter/portfolio/prod/*"), "parameter/portfolio/local/*");
        assert_eq!(here("products-prod2"), "products-prod2");
    }

    /// What is deployed when everything is called like its logical id.
    fn deployed(templates: &Templates) -> Deployed {
        let mut deployed = Deployed::new();
        for (stack, template) in &templates.stacks {
            for name in template["Resources"].as_object().expect("resources").keys() {
                deployed.insert((stack.clone(), name.clone()), name.clone());
            }
        }
        deployed
    }

    fn may(templates: &Templates, function: &str, need: &Need) -> bool {
        let roles = templates.roles(&deployed(templates));
        let role = roles.iter().find(|role| role.function == function).expect("a function");
        allows(&role.statements, need)
    }

    #[test]
    fn an_action_that_is_taken_away_is_missed() {
        let mut templates = Templates::read("thakii");
        let read = Need::new("dynamodb:GetItem", format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/VideoTasksTable"));
        assert!(may(&templates, "thakii-maintenance-local", &read));
        let role = &mut templates.stack("worker")["Resources"]["MaintenanceFunctionRole"]["Properties"];
        let statements = role["Policies"][0]["PolicyDocument"]["Statement"].as_array_mut().expect("statements");
        for statement in statements {
            statement["Action"].as_array_mut().expect("actions").retain(|action| action != "dynamodb:GetItem");
        }
        assert!(!may(&templates, "thakii-maintenance-local", &read));
        assert!(may(&templates, "thakii-status-local", &read), "the others keep theirs");
    }

    #[test]
    fn the_boundary_lets_through_what_roles_may_and_no_other_stages_things() {
        let boundary = boundary();
        let read =
            |table: &str| Need::new("dynamodb:GetItem", format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"));
        assert!(allows(&boundary, &read("thakii-video-tasks-local")));
        assert!(!allows(&boundary, &read("thakii-video-tasks-dev")) && !allows(&boundary, &read("payroll-local")));
        let publish = |topic: &str| Need::new("sns:Publish", format!("arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"));
        assert!(allows(&boundary, &publish("thakii-notifications-local")));
        assert!(!allows(&boundary, &publish("somebody-elses")));
    }

    #[test]
    fn every_role_of_every_system_can_be_read() {
        for (system, functions) in
            [("media-uploader", 5), ("portfolio", 1), ("thakii", 3), ("listbackup", 34), ("analyticbot", 6)]
        {
            let templates = Templates::read(system);
            assert_eq!(templates.roles(&deployed(&templates)).len(), functions, "{system}");
            assert_eq!(templates.roles(&Deployed::new()).len(), functions, "{system}, with nothing deployed");
        }
    }
}
