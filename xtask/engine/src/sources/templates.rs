//! Reads committed templates.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_yaml::Value as Yaml;

use super::{
    SourcesError,
    git::{Commit, Git},
};

/// A stage's templates at a commit, by the stack's name in CloudFormation: `templates/dev/photos-api.yaml` belongs to
/// `photos-api-dev`.
///
/// # Errors
///
/// When git fails, or a file is not a template.
pub(crate) fn at(git: &Git, commit: &Commit, stage: &str) -> Result<BTreeMap<String, Value>, SourcesError> {
    let files = git.files(commit, &format!("templates/{stage}"))?;
    let templates = files.into_iter().filter_map(|(path, content)| {
        let stack = path.rsplit('/').next()?.strip_suffix(".yaml")?.to_owned();
        Some((path, format!("{stack}-{stage}"), content))
    });
    templates
        .map(|(path, stack, content)| {
            let wrong = |reason: String| SourcesError::Template {
                path: path.clone(),
                commit: commit.short().to_owned(),
                reason,
            };
            let text = String::from_utf8(content).map_err(|error| wrong(error.to_string()))?;
            let template = parse(&text).map_err(wrong)?;
            Ok((stack, template))
        })
        .collect()
}

/// Parses a template in YAML, including the short forms of functions (`!Ref`, `!GetAtt A.B`).
///
/// # Errors
///
/// When it is not a template; holds the reason.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let yaml: Yaml = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let template = plain(yaml)?;
    if template.get("Resources").is_some_and(Value::is_object) {
        Ok(template)
    } else {
        Err("it has no `Resources`, so it is not a CloudFormation template".to_owned())
    }
}

fn plain(yaml: Yaml) -> Result<Value, String> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => json!(flag),
        Yaml::Number(number) => number
            .as_i64()
            .map(|number| json!(number))
            .or_else(|| number.as_u64().map(|number| json!(number)))
            .or_else(|| number.as_f64().map(|number| json!(number)))
            .unwrap_or_default(),
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(plain).collect::<Result<_, _>>()?),
        Yaml::Mapping(pairs) => Value::Object(
            pairs.into_iter().map(|(key, value)| Ok((key_text(key)?, plain(value)?))).collect::<Result<_, String>>()?,
        ),
        Yaml::Tagged(tagged) => short_form(&tagged.tag.to_string(), plain(tagged.value)?),
    })
}

fn key_text(key: Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        other => Err(format!("{other:?} cannot be a key")),
    }
}

/// CloudFormation user guide, "Intrinsic function reference": `!GetAtt A.B` is `Fn::GetAtt: [A, B]`.
fn short_form(tag: &str, value: Value) -> Value {
    let name = tag.trim_start_matches('!');
    match (name, value) {
        ("Ref" | "Condition", value) => json!({ name: value }),
        ("GetAtt", Value::String(text)) => {
            let (resource, attribute) = text.split_once('.').unwrap_or((&text, ""));
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        (name, value) => json!({ format!("Fn::{name}"): value }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_become_long_forms() {
        let text = "Resources:\n  A:\n    Type: AWS::SNS::Topic\n    Properties:\n      TopicName: !Sub 'x-${B}'\n      Other: !GetAtt B.Arn\n      Third: !Ref B\n      Count: 3\n";
        let template = parse(text).expect("a template");
        assert_eq!(
            template["Resources"]["A"]["Properties"],
            json!({ "TopicName": { "Fn::Sub": "x-${B}" }, "Other": { "Fn::GetAtt": ["B", "Arn"] }, "Third": { "Ref": "B" }, "Count": 3 })
        );
    }

    #[test]
    fn text_that_is_not_a_template_is_an_error() {
        assert!(parse("a: [").is_err());
        assert!(parse("a: 1").is_err_and(|reason| reason.contains("Resources")));
    }
}
