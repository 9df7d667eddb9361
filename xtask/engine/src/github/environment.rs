//! Reads the protection rules of an environment, which decide who approves a deploy and from which branches jobs run.

use serde_json::Value;

use super::{Github, GithubError};

/// The protection rules of an environment, as far as they decide about deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether jobs wait for the approval of a reviewer.
    pub(crate) has_reviewers: bool,
    /// The branches and tags whose jobs may use the environment.
    pub(crate) sources: Sources,
}

/// The branches and tags whose jobs may use an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sources {
    /// Every branch and every tag.
    All,
    /// The branches with protection rules of their own.
    Protected,
    /// The branches and tags that match these patterns, each with `branch` or `tag`.
    Patterns(Vec<(String, String)>),
}

impl Sources {
    /// Describes the sources other than `branch`; `None` if there are no others that GitHub lists.
    pub(crate) fn beyond(&self, branch: &str) -> Option<String> {
        match self {
            Self::All => Some("jobs of every branch and tag may use it".to_owned()),
            Self::Protected => None,
            Self::Patterns(patterns) => {
                let others = patterns.iter().filter(|(kind, pattern)| kind != "branch" || pattern != branch);
                let others: Vec<_> = others.map(|(kind, pattern)| format!("{kind} `{pattern}`")).collect();
                (!others.is_empty()).then(|| format!("jobs of {} may use it", others.join(" and ")))
            }
        }
    }
}

impl Github {
    /// Reads the rules of an environment; `None` if there is no such environment (GitHub REST API, "Get an environment" and "List
    /// deployment branch policies").
    ///
    /// # Errors
    ///
    /// When GitHub does not respond or refuses the call.
    pub(crate) async fn environment(&self, name: &str) -> Result<Option<Rules>, GithubError> {
        let environment = match self.get(&format!("environments/{name}")).await {
            Err(error) if error.is_missing() => return Ok(None),
            environment => environment?,
        };
        let rules = environment["protection_rules"].as_array().into_iter().flatten();
        let is_review = |rule: &Value| {
            let reviewers = rule["reviewers"].as_array();
            rule["type"] == "required_reviewers" && reviewers.is_some_and(|reviewers| !reviewers.is_empty())
        };
        let has_reviewers = rules.into_iter().any(is_review);
        let policy = &environment["deployment_branch_policy"];
        let sources = if policy["protected_branches"] == true {
            Sources::Protected
        } else if policy["custom_branch_policies"] == true {
            Sources::Patterns(self.patterns(name).await?)
        } else {
            Sources::All
        };
        Ok(Some(Rules { has_reviewers, sources }))
    }

    async fn patterns(&self, environment: &str) -> Result<Vec<(String, String)>, GithubError> {
        let listed = self.get(&format!("environments/{environment}/deployment-branch-policies?per_page=100")).await?;
        let policies = listed["branch_policies"].as_array().into_iter().flatten();
        // A policy without a type is for branches.
        let text = |policy: &Value, field: &str, default: &str| policy[field].as_str().unwrap_or(default).to_owned();
        Ok(policies.map(|policy| (text(policy, "type", "branch"), text(policy, "name", ""))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stages_own_branch_is_none_too_many() {
        let patterns = |list: &[(&str, &str)]| {
            Sources::Patterns(list.iter().map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned())).collect())
        };
        assert_eq!(patterns(&[("branch", "main")]).beyond("main"), None);
        assert_eq!(Sources::Protected.beyond("main"), None);
        assert_eq!(Sources::All.beyond("main").as_deref(), Some("jobs of every branch and tag may use it"));
        let more = patterns(&[("branch", "main"), ("branch", "release/*"), ("tag", "main")]);
        let expected = "jobs of branch `release/*` and tag `main` may use it";
        assert_eq!(more.beyond("main").as_deref(), Some(expected));
    }
}
