//! Checks at GitHub whether the environment of a stage's workflows is protected: AWS trusts every job that GitHub lets into it.

use model::stage::{Pipeline, Stage};

use super::{Ailment, AilmentKind};
use crate::{
    error::one_line,
    github::{Github, environment::Rules},
    ui::Ui,
};

/// Lists what an environment's protection lacks; `None` if there is no pipeline, or GitHub cannot be asked. The reason for that is a
/// warning.
pub(crate) async fn protection(stage: &Stage, ui: &Ui) -> Option<Vec<Ailment>> {
    let pipeline = stage.pipeline.as_ref()?;
    let unknown = |reason: &str| {
        let Pipeline { repository, environment, .. } = pipeline;
        ui.warn(format_args!(
            "the reviewers and branches of environment {environment} of {repository} are not verified: {reason}"
        ));
    };
    let Some(github) = Github::of(&pipeline.repository) else {
        unknown("set GITHUB_TOKEN to a token with read access to Actions of the repository");
        return None;
    };
    match github.environment(&pipeline.environment).await {
        Ok(rules) => Some(gaps(stage, pipeline, rules.as_ref())),
        Err(error) => {
            unknown(&one_line(&error));
            None
        }
    }
}

/// What the protection of an environment lacks. Reviewers are required where a person must confirm a deploy too.
fn gaps(stage: &Stage, pipeline: &Pipeline, rules: Option<&Rules>) -> Vec<Ailment> {
    let Pipeline { repository, environment, branch, .. } = pipeline;
    let gap = |state: &str, meaning: String, remedy: String| Ailment {
        what: format!("environment {environment} of {repository}"),
        state: state.to_owned(),
        meaning,
        remedy,
        kind: AilmentKind::Manual,
    };
    let Some(rules) = rules else {
        let meaning =
            "it does not exist, or the token cannot read it; GitHub creates a missing environment without protection, for the \
             first job that names it"
                .to_owned();
        return vec![gap(
            "missing",
            meaning,
            format!("create environment {environment} at GitHub, with required reviewers and only branch {branch}"),
        )];
    };
    let mut gaps = Vec::new();
    if stage.protected && !rules.has_reviewers {
        let meaning = format!("a deploy to {}, which is protected, needs no approval", stage.name);
        gaps.push(gap(
            "no reviewers",
            meaning,
            format!("add required reviewers to environment {environment} at GitHub"),
        ));
    }
    if let Some(others) = rules.sources.beyond(branch) {
        let remedy = format!(
            "allow only branch {branch} under `Deployment branches and tags` of environment {environment} at GitHub"
        );
        gaps.push(gap("open to other branches", others, remedy));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::environment::Sources;

    fn states(protected: bool, rules: Option<&Rules>) -> Vec<String> {
        let text = format!(
            "account: '111122223333'\nregion: eu-central-1\nprotected: {protected}\nsystems: {{}}\npipeline: {{ repository: \
             example/backends, owner_id: 7, repository_id: 42, environment: production, branch: main }}\n"
        );
        let stage = Stage::parse("prod", &text, "prod.yaml").expect("a stage");
        let pipeline = stage.pipeline.clone().expect("a pipeline");
        gaps(&stage, &pipeline, rules).into_iter().map(|gap| gap.state).collect()
    }

    #[test]
    fn reviewers_and_the_branch_are_required() {
        let rules = |has_reviewers, sources| Rules { has_reviewers, sources };
        let own = || Sources::Patterns(vec![("branch".to_owned(), "main".to_owned())]);
        assert_eq!(states(true, Some(&rules(true, own()))), Vec::<String>::new());
        assert_eq!(states(true, Some(&rules(false, own()))), ["no reviewers"]);
        assert_eq!(states(true, Some(&rules(false, Sources::All))), ["no reviewers", "open to other branches"]);
        assert_eq!(states(true, None), ["missing"]);
        // A stage without confirmation needs none at GitHub.
        assert_eq!(states(false, Some(&rules(false, Sources::Protected))), Vec::<String>::new());
    }
}
