//! Templates: parsed once, and shared by change sets, stacks and operations.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

/// A template in JSON, with the order of its resources.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) text: String,
    pub(super) body: Value,
    /// The resources that each resource refers to, or names in `DependsOn`.
    pub(super) needs: BTreeMap<String, BTreeSet<String>>,
    /// The resources that need each resource.
    pub(super) needed_by: BTreeMap<String, BTreeSet<String>>,
}

/// A template with its parameters' values: what a stack is deployed with.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) template: Arc<Template>,
    pub(super) parameters: Arc<BTreeMap<String, String>>,
    pub(super) tags: Arc<BTreeMap<String, String>>,
    pub(super) role: Option<Arc<str>>,
    /// Whether each condition is met.
    pub(super) conditions: Arc<BTreeMap<String, bool>>,
}

/// What happens to a resource that leaves its stack or is replaced (CloudFormation template reference, "`DeletionPolicy` attribute").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    Delete,
    Retain,
    RetainExceptOnCreate,
}

impl Template {
    /// Reads a template. The errors are those of `ValidateTemplate`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let body: Value = serde_json::from_str(text)
            .map_err(|error| format!("Template format error: JSON not well-formed. ({error})"))?;
        let resources = body.get("Resources").and_then(Value::as_object).filter(|resources| !resources.is_empty());
        let resources = resources.ok_or("Template format error: At least one Resources member must be defined.")?;
        let mut needs = BTreeMap::new();
        let mut unresolved: BTreeSet<&str> = BTreeSet::new();
        let parameters = body.get("Parameters").and_then(Value::as_object);
        for (id, resource) in resources {
            let mut targets = BTreeSet::new();
            references(resource.get("Properties").unwrap_or(&Value::Null), &mut targets);
            unresolved.extend(targets.iter().copied().filter(|target| {
                !resources.contains_key(*target) && parameters.is_none_or(|all| !all.contains_key(*target))
            }));
            targets.extend(listed(resource.get("DependsOn")));
            let targets = targets.into_iter().filter(|target| resources.contains_key(*target) && target != id);
            needs.insert(id.clone(), targets.map(str::to_owned).collect::<BTreeSet<_>>());
        }
        if !unresolved.is_empty() {
            let names = unresolved.into_iter().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "Template format error: Unresolved resource dependencies [{names}] in the Resources block of the template"
            ));
        }
        let mut needed_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, targets) in &needs {
            for target in targets {
                needed_by.entry(target.clone()).or_default().insert(id.clone());
            }
        }
        let template = Self { text: text.to_owned(), body, needs, needed_by };
        template.order()?;
        Ok(template)
    }

    /// Returns the resources, each one after those that it needs.
    pub(super) fn order(&self) -> Result<Vec<&str>, String> {
        let mut missing: BTreeMap<&str, usize> =
            self.needs.iter().map(|(id, needs)| (id.as_str(), needs.len())).collect();
        let mut order: Vec<_> = missing.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
        let mut next = 0;
        while let Some(id) = order.get(next).copied() {
            next += 1;
            for dependent in self.needed_by.get(id).into_iter().flatten() {
                if let Some(count) = missing.get_mut(dependent.as_str()) {
                    *count -= 1;
                    if *count == 0 {
                        order.push(dependent);
                    }
                }
            }
        }
        if order.len() == missing.len() {
            return Ok(order);
        }
        let circle: Vec<_> = missing.iter().filter(|(_, count)| **count > 0).map(|(id, _)| *id).collect();
        Err(format!("Circular dependency between resources: [{}]", circle.join(", ")))
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.body["Resources"].as_object().into_iter().flatten();
        resources.map(|(id, resource)| (id.as_str(), resource))
    }

    pub(super) fn resource(&self, id: &str) -> &Value {
        &self.body["Resources"][id]
    }

    pub(super) fn resource_type(&self, id: &str) -> &str {
        self.resource(id)["Type"].as_str().unwrap_or_default()
    }

    /// Reads `DeletionPolicy` or `UpdateReplacePolicy` of a resource.
    pub(super) fn policy(&self, id: &str, attribute: &str) -> Policy {
        match self.resource(id)[attribute].as_str() {
            Some("Retain") => Policy::Retain,
            Some("RetainExceptOnCreate") => Policy::RetainExceptOnCreate,
            _ => Policy::Delete,
        }
    }

    /// The capabilities that the template needs (CloudFormation API reference, `CreateChangeSet`, `Capabilities`).
    pub(super) fn capability(&self) -> Option<&'static str> {
        const NAMES: [(&str, &str); 5] = [
            ("AWS::IAM::Group", "GroupName"),
            ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
            ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
            ("AWS::IAM::Role", "RoleName"),
            ("AWS::IAM::User", "UserName"),
        ];
        let of_iam = |resource: &Value| resource["Type"].as_str().is_some_and(|name| name.starts_with("AWS::IAM::"));
        let is_named = |resource: &Value| {
            NAMES.iter().any(|(kind, name)| resource["Type"] == *kind && !resource["Properties"][*name].is_null())
        };
        if self.resources().any(|(_, resource)| is_named(resource)) {
            return Some("CAPABILITY_NAMED_IAM");
        }
        self.resources().any(|(_, resource)| of_iam(resource)).then_some("CAPABILITY_IAM")
    }
}

impl Version {
    /// The resources whose conditions are met.
    pub(super) fn includes(&self, id: &str) -> bool {
        let resource = self.template.resource(id);
        let is_met = |name: &str| self.conditions.get(name).copied().unwrap_or(false);
        !resource.is_null() && resource["Condition"].as_str().is_none_or(is_met)
    }
}

fn listed(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(id)) => vec![id],
        Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Collects the parameters and resources that a value refers to, without pseudo parameters.
pub(super) fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("Ref", Value::String(target)) => add(target, found),
                    ("Fn::GetAtt", Value::String(text)) => add(text.split('.').next().unwrap_or(text), found),
                    ("Fn::GetAtt", Value::Array(parts)) => {
                        if let Some(target) = parts.first().and_then(Value::as_str) {
                            add(target, found);
                        }
                    }
                    ("Fn::Sub", Value::String(text)) => substituted(text, None, found),
                    ("Fn::Sub", Value::Array(items)) => {
                        let own = items.get(1);
                        if let Some(text) = items.first().and_then(Value::as_str) {
                            substituted(text, own, found);
                        }
                        references(own.unwrap_or(&Value::Null), found);
                    }
                    _ => references(value, found),
                }
            }
        }
        _ => {}
    }
}

fn add<'a>(target: &'a str, found: &mut BTreeSet<&'a str>) {
    if !target.starts_with("AWS::") {
        found.insert(target);
    }
}

fn substituted<'a>(text: &'a str, own: Option<&Value>, found: &mut BTreeSet<&'a str>) {
    for name in variables(text).filter(|name| own.is_none_or(|own| own.get(*name).is_none())) {
        add(name.split('.').next().unwrap_or(name), found);
    }
}

/// The variables of a text: `${Name}`, but not `${!Literal}`.
pub(super) fn variables(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim()));
    names.filter(|name| !name.starts_with('!'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_are_ordered_and_circles_are_refused() {
        let template = json!({ "Resources": {
            "A": { "Type": "T", "Properties": { "X": { "Fn::Sub": "${B.Arn}-${AWS::Region}-${!No}" } } },
            "B": { "Type": "T", "DependsOn": "C" },
            "C": { "Type": "T" },
        } });
        let parsed = Template::parse(&template.to_string()).expect("a template");
        assert_eq!(parsed.order(), Ok(vec!["C", "B", "A"]));
        let circle = json!({ "Resources": {
            "A": { "Type": "T", "DependsOn": ["B"] }, "B": { "Type": "T", "DependsOn": "A" },
        } });
        let refused = Template::parse(&circle.to_string()).expect_err("a circle");
        assert_eq!(refused, "Circular dependency between resources: [A, B]");
        let unresolved = json!({ "Resources": { "A": { "Type": "T", "Properties": { "X": { "Ref": "No" } } } } });
        assert!(Template::parse(&unresolved.to_string()).is_err_and(|error| error.contains("[No]")));
    }
}
