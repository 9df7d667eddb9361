//! The hash of a stack's template, as an output of the deployed stack.
//!
//! One list of all stacks then says which of their templates differ, and only those are read. The output is part of what is sent to
//! CloudFormation, and of no template that is written, compared or shown: as a line of committed templates, it would conflict in every merge.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The output's name.
const OUTPUT: &str = "XtaskTemplateHash";

/// Returns the hash of a template without the output.
pub(crate) fn hash(template: &Value) -> String {
    hex::encode(Sha256::digest(template.to_string()))
}

/// Returns the template with its hash as an output. A stack's own output of that name stays.
pub(crate) fn with_hash(template: &Value) -> Value {
    let mut hashed = template.clone();
    if hashed["Outputs"][OUTPUT].is_null() {
        hashed["Outputs"][OUTPUT] = json!({ "Value": hash(template) });
    }
    hashed
}

/// Returns a template that CloudFormation returned as it was before [`with_hash`].
pub(crate) fn without_hash(mut template: Value) -> Value {
    if let Some(outputs) = template.get_mut("Outputs").and_then(Value::as_object_mut)
        && outputs.get(OUTPUT).is_some_and(|output| output["Value"].as_str().is_some_and(is_hash))
    {
        outputs.remove(OUTPUT);
        if outputs.is_empty() {
            template.as_object_mut().map(|template| template.remove("Outputs"));
        }
    }
    template
}

/// Takes the hash from the outputs of a deployed stack.
pub(crate) fn take(outputs: &mut BTreeMap<String, String>) -> Option<String> {
    outputs.get(OUTPUT).is_some_and(|value| is_hash(value)).then(|| outputs.remove(OUTPUT))?
}

/// SHA-256 in hexadecimal digits.
fn is_hash(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_read_as_it_was_before_its_hash_was_added() {
        for template in [
            json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } }),
            json!({ "Outputs": { "Id": { "Value": { "Ref": "Queue" } } }, "Resources": {} }),
            json!({ "Outputs": { OUTPUT: { "Value": { "Ref": "Queue" } } }, "Resources": {} }),
        ] {
            assert_eq!(without_hash(with_hash(&template)), template);
        }
    }

    #[test]
    fn only_a_hash_is_taken_from_the_outputs() {
        let template = json!({ "Resources": {} });
        let sent = with_hash(&template)["Outputs"][OUTPUT]["Value"].as_str().expect("a text").to_owned();
        let mut outputs = BTreeMap::from([(OUTPUT.to_owned(), sent.clone()), ("Id".to_owned(), "q".to_owned())]);
        assert_eq!(take(&mut outputs), Some(sent.clone()));
        assert_eq!((sent, outputs.len()), (hash(&template), 1));
        let mut own = BTreeMap::from([(OUTPUT.to_owned(), "the stack's own".to_owned())]);
        assert_eq!((take(&mut own), own.len()), (None, 1));
    }
}
