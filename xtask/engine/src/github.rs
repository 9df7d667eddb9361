//! The little that is asked of GitHub: a pull request's comment, and which run has an artifact.
//!
//! Everything comes from the variables that GitHub's runners set; a laptop that sets them does the same.

use std::io::Write;

use miette::Diagnostic;
use serde_json::{Value, json};
use thiserror::Error;

use crate::http::{HttpError, Request, Response};

/// The most characters of a comment's text (GitHub refuses longer ones: "body is too long (maximum is 65536 characters)").
const COMMENT_LIMIT: usize = 65_536;
/// How many things come in one page, the most that GitHub gives.
const PAGE: usize = 100;

/// GitHub did not do what was asked.
#[derive(Debug, Error, Diagnostic)]
pub enum GithubError {
    /// It does not answer.
    #[error("failed to ask GitHub")]
    Http(#[from] HttpError),
    /// A file for the job cannot be written.
    #[error("failed to write the file that {name} names")]
    File {
        /// The variable.
        name: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It refuses.
    #[error("GitHub answers {status} to {what}: {message}")]
    #[diagnostic(help("the job's token needs the permission for it; see `permissions:` in the workflow"))]
    Refused {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// GitHub's message.
        message: String,
    },
}

impl GithubError {
    /// Is the token just not allowed to? That of a run for a fork's pull request only reads.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }
}

/// A repository at GitHub, and a token for it.
#[derive(Clone)]
pub struct Github {
    api: String,
    repository: String,
    token: String,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Github").field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// A variable that is set to something.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Gives a job's later steps these values, as `steps.<id>.outputs.<name>`; nothing where no job is running.
///
/// # Errors
///
/// When the file that GitHub names cannot be written.
pub fn set_outputs(outputs: &[(&str, String)]) -> Result<(), GithubError> {
    let lines: String = outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    append_to("GITHUB_OUTPUT", &lines)
}

/// Adds to the job's summary; nothing where no job is running.
///
/// # Errors
///
/// When the file that GitHub names cannot be written.
pub fn add_summary(markdown: &str) -> Result<(), GithubError> {
    append_to("GITHUB_STEP_SUMMARY", markdown)
}

fn append_to(name: &'static str, text: &str) -> Result<(), GithubError> {
    let Some(path) = variable(name) else { return Ok(()) };
    let file = fs_err::OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| GithubError::File { name, source })
}

impl Github {
    /// The repository of this run; `None` where `GITHUB_REPOSITORY` or `GITHUB_TOKEN` is not set.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let api = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
        Some(Self { api, repository: variable("GITHUB_REPOSITORY")?, token: variable("GITHUB_TOKEN")? })
    }

    /// Writes a comment that holds `marker` under a pull request, over the one that is there; returns its address.
    ///
    /// # Errors
    ///
    /// When GitHub does not answer or refuses.
    pub async fn comment(&self, number: u64, marker: &str, text: &str) -> Result<String, GithubError> {
        let body = json!({ "body": shortened(&format!("{marker}\n{text}")) });
        let written = match self.find_comment(number, marker).await? {
            Some(id) => self.call("PATCH", &format!("issues/comments/{id}"), Some(&body)).await?,
            None => self.call("POST", &format!("issues/{number}/comments"), Some(&body)).await?,
        };
        Ok(written["html_url"].as_str().unwrap_or_default().to_owned())
    }

    async fn find_comment(&self, number: u64, marker: &str) -> Result<Option<u64>, GithubError> {
        for page in 1.. {
            let path = format!("issues/{number}/comments?per_page={PAGE}&page={page}");
            let comments = self.call("GET", &path, None).await?;
            let comments = comments.as_array().cloned().unwrap_or_default();
            let ours = |comment: &&Value| {
                // Whoever quotes it has not written it.
                comment["body"].as_str().is_some_and(|body| body.starts_with(marker))
            };
            if let Some(found) = comments.iter().find(ours) {
                return Ok(found["id"].as_u64());
            }
            if comments.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// The newest run of one of these branches that has an artifact of this name.
    ///
    /// Only the repository's own branches count: a fork's run can upload anything under any name.
    ///
    /// # Errors
    ///
    /// When GitHub does not answer or refuses.
    pub async fn run_with_artifact(&self, name: &str, branches: &[&str]) -> Result<Option<u64>, GithubError> {
        let found = self.call("GET", &format!("actions/artifacts?name={name}&per_page={PAGE}"), None).await?;
        let artifacts = found["artifacts"].as_array().cloned().unwrap_or_default();
        let ours = |artifact: &&Value| {
            let run = &artifact["workflow_run"];
            artifact["expired"] == json!(false)
                && run["repository_id"].is_u64()
                && run["repository_id"] == run["head_repository_id"]
                && run["head_branch"].as_str().is_some_and(|branch| branches.contains(&branch))
        };
        let runs = artifacts.iter().filter(ours).filter_map(|artifact| artifact["workflow_run"]["id"].as_u64());
        Ok(runs.max())
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, GithubError> {
        let request = Request::new(method, format!("{}/repos/{}/{path}", self.api, self.repository))
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let request = body.map_or(request.clone(), |body| request.json(body));
        let Response { status, body, .. } = request.send().await?;
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let what = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let message = value["message"].as_str().unwrap_or("no message").to_owned();
        Err(GithubError::Refused { what, status, message })
    }
}

fn shortened(text: &str) -> String {
    const REST: &str = "\n\n… the rest is in the job's summary.";
    let Some((end, _)) = text.char_indices().nth(COMMENT_LIMIT) else { return text.to_owned() };
    let end = text[..end - REST.len()].rfind('\n').unwrap_or(0);
    format!("{}{REST}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comment_is_cut_at_a_line() {
        let text = "a line of text\n".repeat(6_000);
        let short = shortened(&text);
        assert!(short.chars().count() <= COMMENT_LIMIT);
        assert!(short.contains("a line of text\n\n… the rest"), "{}", &short[short.len() - 80..]);
        assert_eq!(shortened("short"), "short");
    }
}
