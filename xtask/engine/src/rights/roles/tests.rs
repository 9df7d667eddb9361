//! The roles of the example's functions, read for its stage `local`.

use model::{
    example::Example,
    statements::{Decision, decide},
};
use serde_json::json;

use super::*;

/// Both stages, and resources with these physical IDs.
struct Stages {
    other: (Stage, Vec<RenderedSystem>),
    here: (Stage, Vec<RenderedSystem>),
    deployed: Deployed,
}

impl Stages {
    fn new() -> Self {
        let of = |name: &str| {
            let stage = Example::stage_named(name);
            let systems = Example::systems(&stage);
            (stage, systems)
        };
        let (other, here) = (of("prod"), of("local"));
        let mut deployed = Deployed::default();
        for stack in here.1.iter().flat_map(|system| &system.stacks) {
            let resources = stack.template["Resources"].as_object().expect("resources").keys();
            let ids = resources.map(|name| (name.clone(), format!("id-of-{name}"))).collect();
            deployed.0.insert((stack.system.clone(), stack.stack.clone()), ids);
        }
        Self { other, here, deployed }
    }

    fn roles(&self) -> Vec<Role> {
        let other = Rendered { stage: &self.other.0, systems: &self.other.1 };
        let here = Rendered { stage: &self.here.0, systems: &self.here.1 };
        roles(other, here, &self.deployed).expect("roles")
    }

    /// The template with the function of the notes.
    fn api(&mut self) -> &mut Value {
        let stacks = self.other.1.iter_mut().flat_map(|system| &mut system.stacks);
        let mut own = stacks.filter(|stack| stack.functions.iter().any(|one| one.id.logical_id == "ApiFunction"));
        &mut own.next().expect("the stack").template
    }
}

/// The table of the notes, by its physical ID here.
fn table() -> String {
    "arn:aws:dynamodb:us-east-1:000000000000:table/id-of-NotesTable".to_owned()
}

fn is_allowed(role: &Role, request: &Request) -> bool {
    let limit = role.boundary.as_ref().expect("a boundary");
    decide(&role.statements, request) == Decision::Allowed
        && decide(limit, &role.elsewhere(request)) == Decision::Allowed
}

#[test]
fn each_function_has_the_other_stages_role_for_the_resources_here() {
    let roles = Stages::new().roles();
    let functions: Vec<_> = roles.iter().map(|role| role.function.as_str()).collect();
    assert_eq!(functions, ["notes-api-local", "feeds-fetch-local"]);
    let role = &roles[0];
    let used = role.statements.iter().filter(|statement| statement.to_string().contains("dynamodb:"));
    let used: Vec<_> = used.map(ToString::to_string).collect();
    assert!(!used.is_empty() && used.iter().all(|statement| statement.contains(&table())), "{used:?}");
    let text = used.join(" ");
    let action = text.split([' ', ',']).find(|word| word.starts_with("dynamodb:")).expect("an action");
    assert!(is_allowed(role, &Request::new(action, table())), "{role:#?}");
    assert!(!is_allowed(role, &Request::new(action, table().replace("NotesTable", "Other"))));
    assert_eq!(role.unread, BTreeSet::new());
}

#[test]
fn policies_beside_the_role_and_denials_count_and_foreign_ones_are_named() {
    let mut stages = Stages::new();
    let resources = &mut stages.api()["Resources"];
    resources["Beside"] = json!({"Type": "AWS::IAM::Policy", "Properties": {
        "Roles": [{"Ref": "ApiFunctionRole"}],
        "PolicyDocument": {"Statement": [
            {"Effect": "Allow", "Action": "sqs:*", "Resource": {"Fn::Join": ["", ["arn:aws:sqs:", {"Ref": "AWS::Region"}, ":x"]]}},
            {"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"},
        ]},
    }});
    let standard = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    resources["ApiFunctionRole"]["Properties"]["ManagedPolicyArns"] = json!([standard]);
    let role = stages.roles().remove(0);
    let send = Request::new("sqs:SendMessage", "arn:aws:sqs:us-east-1:x");
    assert_eq!(decide(&role.statements, &send), Decision::Allowed);
    assert!(matches!(decide(&role.statements, &Request::new("dynamodb:Query", table())), Decision::Denied(_)));
    assert_eq!(role.unread, BTreeSet::from([format!("the managed policy {standard}")]));
}

#[test]
fn names_accounts_and_regions_of_the_other_stage_are_exchanged() {
    let stages = Stages::new();
    let stack = &stages.other.1[1].stacks[0];
    let other = Rendered { stage: &stages.other.0, systems: &stages.other.1 };
    let here = Rendered { stage: &stages.here.0, systems: &stages.here.1 };
    let mut resolver = Resolver::new(other, here, stack, &stages.deployed);
    for (text, expected) in [
        ("notes-status-prod", "notes-status-local"),
        ("prod-notes-raw-", "local-notes-raw-"),
        ("parameter/notes/prod/*", "parameter/notes/local/*"),
        ("products-prod2", "products-prod2"),
        ("arn:aws:sqs:eu-central-1:111122223333:q", "arn:aws:sqs:us-east-1:000000000000:q"),
    ] {
        assert_eq!(resolver.text(&json!(text)), expected);
    }
    let filled = json!({"Fn::Sub": ["${A}-${!aws:username}-prod-${AWS::AccountId}", {"A": "a"}]});
    assert_eq!(resolver.text(&filled), "a-${aws:username}-local-000000000000");
    assert_eq!(resolver.text(&json!({"Fn::GetAtt": ["Missing", "Arn"]})), "${Missing}");
    assert_eq!(resolver.unread, BTreeSet::new(), "a resource that is omitted here is none that cannot be read");
}
