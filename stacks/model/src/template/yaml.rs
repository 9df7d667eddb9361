//! Templates in YAML for people: sections and attributes in CloudFormation's usual order.
//!
//! Only the order differs from the JSON that a deploy sends; parsing the text returns the same template.

use indexmap::IndexMap;
use serde_json::Value;

use crate::rendered::RenderedStack;

const SECTIONS: &[&str] =
    &["AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs"];
const ATTRIBUTES: &[&str] = &["Type", "Condition", "DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "Properties"];

impl RenderedStack {
    /// Returns the template in YAML, below a comment that names its source.
    ///
    /// # Panics
    ///
    /// Never: a JSON value can always be written as YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let body =
            serde_saphyr::to_string(&to_ordered(&self.template, SECTIONS, 0)).expect("JSON can be written as YAML");
        format!("# Written by `cargo xtask render` from stacks/src; do not edit.\n{body}")
    }
}

/// JSON with keys in a given order. Numbers are `i64` or `f64`, also with serde_json's `arbitrary_precision`.
#[derive(Debug, serde::Serialize)]
#[serde(untagged)]
enum Node {
    Null,
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Object(IndexMap<String, Node>),
}

/// Orders the keys by `order`, then by name. The attributes of a resource have an order of their own.
fn to_ordered(json: &Value, order: &[&str], depth: usize) -> Node {
    match json {
        Value::Null => Node::Null,
        Value::Bool(flag) => Node::Flag(*flag),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Node::Number(number.as_f64().unwrap_or_default()), Node::Integer)
        }
        Value::String(text) => Node::Text(text.clone()),
        Value::Array(items) => Node::List(items.iter().map(|item| to_ordered(item, &[], depth + 1)).collect()),
        Value::Object(object) => {
            let rank = |key: &str| order.iter().position(|name| *name == key).unwrap_or(order.len());
            let mut keys: Vec<_> = object.keys().collect();
            keys.sort_by_key(|key| (rank(key), (*key).clone()));
            // Sections are at depth 0, logical IDs at 1, attributes of resources at 2.
            let below = if depth == 1 { ATTRIBUTES } else { &[] };
            Node::Object(
                keys.into_iter().map(|key| (key.clone(), to_ordered(&object[key], below, depth + 1))).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn stack(template: Value) -> RenderedStack {
        let [system, stack, name] = ["test", "one", "test-one-dev"].map(str::to_owned);
        RenderedStack::deployed(system, stack, name, None, template)
    }

    #[test]
    fn sections_have_the_usual_order_and_the_type_comes_first() {
        let yaml = stack(json!({
            "Outputs": { "Id": { "Value": { "Ref": "Queue" } } },
            "Resources": { "Queue": { "Properties": { "A": 1 }, "DependsOn": ["B"], "Type": "AWS::SQS::Queue" } },
            "Conditions": { "C": { "Fn::Equals": ["a", "b"] } },
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "A test.",
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
        fn a_written_template_is_parsed_back_unchanged(values in proptest::collection::vec(text(), 1..8), number: i32, flag: bool) {
            let template = json!({ "Resources": { "R": { "Type": "T", "Properties": { "V": values, "N": number, "F": flag } } } });
            let yaml = stack(template.clone()).to_yaml();
            let back: Value = serde_saphyr::from_str(&yaml).expect("YAML");
            prop_assert_eq!(back, template, "{}", yaml);
        }

        #[test]
        fn readers_of_yaml_1_1_parse_strings_too(value in text()) {
            let yaml = stack(json!({ "Resources": { "R": { "Type": "T", "Properties": { "V": value } } } })).to_yaml();
            let back: serde_yaml::Value = serde_yaml::from_str(&yaml).expect("YAML");
            prop_assert_eq!(back["Resources"]["R"]["Properties"]["V"].as_str(), Some(value.as_str()), "{}", yaml);
        }
    }
}
