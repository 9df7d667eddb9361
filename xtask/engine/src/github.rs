//! Calls to GitHub: the comment of a pull request, artifacts of runs, rules of environments, and the outputs of a job's step.
//!
//! [`runs`] decides which run's artifacts can be deployed, [`download`] and [`attestation`] verify their bytes. The environment variables are those of GitHub's runners. On a laptop that sets them, everything works alike.

pub(crate) mod attestation;
pub(crate) mod download;
pub(crate) mod environment;
pub(crate) mod runs;

use std::io::Write;

use miette::Diagnostic;
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    http::{HttpError, Request, Response},
    surroundings,
};

/// The longest comment, in characters (GitHub: "body is too long (maximum is 65536 characters)").
const COMMENT_LIMIT: usize = 65_536;
/// The largest page size.
const PAGE: usize = 100;

/// A call to GitHub failed.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum GithubError {
    /// GitHub does not respond.
    #[error("failed to call GitHub")]
    #[diagnostic(help("check the network and GITHUB_API_URL, then run the command again"))]
    Http(#[from] HttpError),
    /// A file of the job cannot be written.
    #[error("failed to write to the file that {name} names")]
    #[diagnostic(help("check the path in {name} and its permissions"))]
    File {
        /// The variable.
        name: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// GitHub refuses the call.
    #[error("failed to call GitHub: {request} returned status {status}: {message}")]
    #[diagnostic(help("grant the job's token the permission for this call under `permissions:` in the workflow"))]
    Refused {
        /// The request's method and path.
        request: String,
        /// The status.
        status: u16,
        /// GitHub's message.
        message: String,
    },
}

impl GithubError {
    /// Whether the token lacks the permission. The token of a fork's pull request can only read.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// Whether GitHub has no such item, or the token cannot see it.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 410, .. })
    }
}

/// A repository at GitHub, and a token for it.
#[derive(Clone)]
pub(crate) struct Github {
    api: String,
    repository: String,
    token: String,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Github").field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// Returns an environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    surroundings::variable(name)
}

/// Sets outputs of the job's step: `steps.<id>.outputs.<name>`. Outside a job, it does nothing.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn set_outputs(outputs: &[(&str, String)]) -> Result<(), GithubError> {
    let lines: String = outputs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    append_to("GITHUB_OUTPUT", &lines)
}

/// Adds to the job's summary. Outside a job, it does nothing.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn add_summary(markdown: &str) -> Result<(), GithubError> {
    append_to("GITHUB_STEP_SUMMARY", markdown)
}

fn api() -> String {
    variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned())
}

fn append_to(name: &'static str, text: &str) -> Result<(), GithubError> {
    let Some(path) = variable(name) else { return Ok(()) };
    let file = fs_err::OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| GithubError::File { name, source })
}

impl Github {
    /// Returns this repository, whether it is the one of this run or not; `None` if neither `GITHUB_TOKEN` nor `GH_TOKEN` is set.
    pub(crate) fn of(repository: &str) -> Option<Self> {
        let token = variable("GITHUB_TOKEN").or_else(|| variable("GH_TOKEN"))?;
        Some(Self { api: api(), repository: repository.to_owned(), token })
    }

    /// Returns the repository of this run; `None` if `GITHUB_REPOSITORY` or `GITHUB_TOKEN` is not set.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(Self { api: api(), repository: variable("GITHUB_REPOSITORY")?, token: variable("GITHUB_TOKEN")? })
    }

    /// Posts a comment that begins with `marker` to a pull request, or replaces the earlier one; returns its URL.
    ///
    /// # Errors
    ///
    /// When GitHub does not respond or refuses the call.
    pub(crate) async fn comment(&self, number: u64, marker: &str, text: &str) -> Result<String, GithubError> {
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
            let has_marker = |comment: &&Value| {
                // A comment that quotes the marker is not this tool's.
                comment["body"].as_str().is_some_and(|body| body.starts_with(marker))
            };
            if let Some(comment) = comments.iter().find(has_marker) {
                return Ok(comment["id"].as_u64());
            }
            if comments.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    async fn get(&self, path: &str) -> Result<Value, GithubError> {
        self.call("GET", path, None).await
    }

    async fn call(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Value, GithubError> {
        let request = self.request(method, path);
        let request = body.map_or(request.clone(), |body| request.json(body));
        let response = request.send().await?;
        if response.is_success() {
            return Ok(response.json().unwrap_or_default());
        }
        Err(refused(method, path, &response))
    }

    fn request(&self, method: &'static str, path: &str) -> Request {
        Request::new(method, format!("{}/repos/{}/{path}", self.api, self.repository))
            .bearer(&self.token)
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
    }
}

fn refused(method: &'static str, path: &str, response: &Response) -> GithubError {
    let request = format!("{method} {}", path.split('?').next().unwrap_or_default());
    let answer = response.json().unwrap_or_default();
    let message = answer["message"].as_str().unwrap_or("no message").to_owned();
    GithubError::Refused { request, status: response.status, message }
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
