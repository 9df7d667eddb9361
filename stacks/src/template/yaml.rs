//! Templates as people read them: sections and attributes in CloudFormation's usual order.
//!
//! Only the order differs from what CloudFormation is sent; parsing the text gives the same template back.

use indexmap::IndexMap;
use serde_json::Value;

use crate::rendered::RenderedStack;

const SECTIONS: &[&str] =
    &["AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs"];
const ATTRIBUTES: &[&str] = &["Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"];

impl RenderedStack {
    /// The template in YAML, with a note on where it comes from.
    ///
    /// # Panics
    ///
    /// Never: a JSON value can always be written as YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut sections = ordered(&self.template, SECTIONS);
        if let Some(Node::Plain(resources)) = sections.shift_remove("Resources") {
            let resources = entries(&resources)
                .map(|(logical_id, resource)| (logical_id.clone(), Node::Ordered(ordered(resource, ATTRIBUTES))))
                .collect();
            let position =
                usize::from(sections.contains_key("Parameters")) + usize::from(sections.contains_key("Conditions")) + 2;
            sections.shift_insert(position.min(sections.len()), "Resources".to_owned(), Node::Ordered(resources));
        }
        let body = serde_saphyr::to_string(&sections).expect("JSON can be written as YAML");
        format!("# Written by `cargo xtask render` from stacks/src; do not edit.\n{body}")
    }
}

/// A part of a template whose keys stand in an order of their own.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
enum Node {
    Ordered(IndexMap<String, Node>),
    Plain(Value),
}

fn ordered(json: &Value, order: &[&str]) -> IndexMap<String, Node> {
    let mut found: IndexMap<String, Node> =
        entries(json).map(|(key, value)| (key.clone(), Node::Plain(value.clone()))).collect();
    let rank = |key: &String| order.iter().position(|name| name == key).unwrap_or(order.len());
    found.sort_by(|left, _, right, _| rank(left).cmp(&rank(right)).then(left.cmp(right)));
    found
}

fn entries(json: &Value) -> impl Iterator<Item = (&String, &Value)> {
    json.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn stack(template: Value) -> RenderedStack {
        RenderedStack {
            system: "test".to_owned(),
            stack: "one".to_owned(),
            name: "test-one-dev".to_owned(),
            region: None,
            template,
            parameters: BTreeMap::new(),
            depends_on: BTreeSet::new(),
            functions: Vec::new(),
            layers: Vec::new(),
            apis: Vec::new(),
        }
    }

    #[test]
    fn sections_stand_in_the_usual_order_and_the_type_comes_first() {
        let yaml = stack(json!({
            "Outputs": { "Id": { "Value": { "Ref": "Queue" } } },
            "Resources": { "Queue": { "Properties": { "A": 1 }, "DependsOn": ["B"], "Type": "AWS::SQS::Queue" } },
            "Conditions": { "C": { "Fn::Equals": ["a", "b"] } },
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "What it is.",
            "Parameters": { "P": { "Type": "String" } },
        }))
        .to_yaml();
        let keys: Vec<_> = yaml.lines().filter(|line| line.starts_with(char::is_alphabetic)).collect();
        let names: Vec<_> = keys.iter().filter_map(|line| line.split(':').next()).collect();
        assert_eq!(names, SECTIONS);
        let position = |text: &str| yaml.find(text).unwrap_or_else(|| panic!("no {text} in\n{yaml}"));
        assert!(position("Type: AWS::SQS::Queue") < position("DependsOn:"));
        assert!(position("DependsOn:") < position("Properties:"));
    }

    fn text() -> impl Strategy<Value = String> {
        const MISREAD: &[&str] = &[
            "yes",
            "no",
            "on",
            "off",
            "12:30:45",
            "2012-10-17",
            "0123",
            "1e3",
            "null",
            "~",
            "",
            "=",
            "<<",
            "y",
            "0x1F",
        ];
        prop_oneof![proptest::sample::select(MISREAD).prop_map(str::to_owned), "[ -~]{0,20}", "[a-z${}:!#&*\n]{0,12}",]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in proptest::collection::vec(text(), 1..8), number: i32, flag: bool) {
            let template = json!({ "Resources": { "R": { "Type": "T", "Properties": { "V": values, "N": number, "F": flag } } } });
            let yaml = stack(template.clone()).to_yaml();
            let back: Value = serde_saphyr::from_str(&yaml).expect("YAML");
            prop_assert_eq!(back, template, "{}", yaml);
        }

        #[test]
        fn readers_of_yaml_1_1_get_strings_too(value in text()) {
            let yaml = stack(json!({ "Resources": { "R": { "Type": "T", "Properties": { "V": value } } } })).to_yaml();
            let back: serde_yaml::Value = serde_yaml::from_str(&yaml).expect("YAML");
            prop_assert_eq!(back["Resources"]["R"]["Properties"]["V"].as_str(), Some(value.as_str()), "{}", yaml);
        }
    }
}
