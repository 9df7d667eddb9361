//! Requests of the Query protocol: a form whose keys are paths, such as `Parameters.member.1.ParameterKey`.

use std::collections::BTreeMap;

/// The parameters of a Query request, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads the body of a request.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// Returns a parameter.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a parameter is `true`.
    #[must_use]
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// Returns the values of a list of texts: `ResourcesToSkip.member.1`, `.2`, …
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<String> {
        let item = |number: usize| self.get(&format!("{key}.member.{number}")).map(str::to_owned);
        (1..).map_while(item).collect()
    }

    /// Returns the items of a list of structures, each a form of its own: `Tags.member.1.Key`, `Tags.member.1.Value`, …
    #[must_use]
    pub fn items(&self, key: &str) -> Vec<Self> {
        let item = |number: usize| {
            let item = self.below(&format!("{key}.member.{number}"));
            (!item.0.is_empty()).then_some(item)
        };
        (1..).map_while(item).collect()
    }

    /// Returns the parameters below a key: a structure.
    #[must_use]
    pub fn below(&self, key: &str) -> Self {
        let prefix = format!("{key}.");
        let below = self.0.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix));
        Self(below.map(|(key, value)| (key[prefix.len()..].to_owned(), value.clone())).collect())
    }
}

/// Decodes `%XX` in a step of a path.
#[must_use]
pub fn decoded(step: &str) -> String {
    // These have a meaning in forms, and none in paths.
    let escaped = step.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_texts_and_structures_are_read() {
        let form = Form::parse(
            b"Action=CreateChangeSet&Tags.member.1.Key=stage&Tags.member.1.Value=a%20b&Tags.member.2.Key=x&ResourcesToSkip.member.1=A\
              &DeploymentConfig.DisableRollback=false",
        );
        let tags: Vec<_> = form.items("Tags").iter().map(|tag| tag.get("Key").map(str::to_owned)).collect();
        assert_eq!(tags, [Some("stage".to_owned()), Some("x".to_owned())]);
        assert_eq!(form.items("Tags")[0].get("Value"), Some("a b"));
        assert_eq!(form.texts("ResourcesToSkip"), ["A"]);
        assert_eq!(form.below("DeploymentConfig").get("DisableRollback"), Some("false"));
        assert!(form.items("Parameters").is_empty());
    }

    #[test]
    fn steps_of_a_path_are_decoded() {
        assert_eq!(decoded("arn%3Aaws%3As3"), "arn:aws:s3");
        assert_eq!(decoded("a+b=c&d%2Fe"), "a+b=c&d/e");
    }
}
