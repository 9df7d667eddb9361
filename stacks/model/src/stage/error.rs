//! Errors in stage files, with the line, the key and the key that was probably meant.

use thiserror::Error;

/// The content of a stage file is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StageError {
    /// The text is not YAML, or not the YAML of a stage. The source names key, line and column.
    #[error("failed to parse {file}{}", suggested(.suggestion.as_deref()))]
    Syntax {
        /// The file.
        file: String,
        /// The key that an unknown one was probably meant to be.
        suggestion: Option<String>,
        /// The parser's message.
        source: SyntaxError,
    },
    /// The file has settings of a system that the project does not have.
    #[error(
        "failed to parse {file}: there is no system `{system}`{}{}", suggested(.suggestion.as_deref()), listed(.list.as_deref())
    )]
    UnknownSystem {
        /// The file.
        file: String,
        /// The name under `systems`.
        system: String,
        /// The most similar system of the project.
        suggestion: Option<String>,
        /// The place in the project's code that lists its systems, if the project names it.
        list: Option<String>,
    },
    /// The project renders nothing for a system that has settings.
    #[error(
        "failed to render {file}: it has settings of `{system}`, but the project renders no such system; add the system to what \
         `Project::render` returns"
    )]
    NotRendered {
        /// The file.
        file: String,
        /// The name under `systems`.
        system: String,
    },
    /// The settings of a system have a key that the system does not read.
    #[error("failed to parse {file}: the system has no setting `{key}`")]
    UnknownKey {
        /// The file.
        file: String,
        /// The key's path.
        key: String,
    },
    /// A system has a key without a value.
    #[error(
        "failed to parse {file}: system `{system}` has no settings; write `{system}: {{}}` to deploy it with the defaults, or delete \
         the line"
    )]
    EmptySystem {
        /// The file.
        file: String,
        /// The name under `systems`.
        system: String,
    },
    /// A value is not allowed.
    #[error("failed to parse {file}: `{field}` is `{value}`, but must be {expected}")]
    Value {
        /// The file.
        file: String,
        /// The field's path.
        field: &'static str,
        /// The field's value.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
}

/// The parser's message, with line and column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SyntaxError(String);

impl StageError {
    pub(super) fn syntax(file: &str, error: &serde_yaml::Error) -> Self {
        let message = error.to_string();
        let suggestion = suggestion(&message);
        Self::Syntax { file: file.to_owned(), suggestion, source: SyntaxError(message) }
    }

    /// Names the place in the project's code that lists its systems, if the error is about an unknown one: a new system needs a line
    /// there.
    #[must_use]
    pub fn listed_in(self, place: &str) -> Self {
        match self {
            Self::UnknownSystem { file, system, suggestion, .. } => {
                Self::UnknownSystem { file, system, suggestion, list: Some(place.to_owned()) }
            }
            other => other,
        }
    }

    /// Names the new spelling of a setting when the error is about an old one. `renamed` holds pairs of old and new names.
    #[must_use]
    pub fn explain_renamed(self, renamed: &[(&str, &str)]) -> Self {
        match self {
            Self::Syntax { file, suggestion, source } => match source.explain_renamed(renamed) {
                Some(source) => Self::Syntax { file, suggestion: None, source },
                None => Self::Syntax { file, suggestion, source },
            },
            other => other,
        }
    }
}

impl SyntaxError {
    /// Replaces the list of expected fields by the new name, if the unknown field is an old name.
    fn explain_renamed(&self, renamed: &[(&str, &str)]) -> Option<Self> {
        let (before, rest) = self.0.split_once(UNKNOWN_FIELD)?;
        let (old, rest) = rest.split_once('`')?;
        let (_, new) = renamed.iter().find(|(name, _)| *name == old)?;
        let place = rest.rfind(" at line ").map(|start| format!(",{}", &rest[start..])).unwrap_or_default();
        Some(Self(format!("{before}{UNKNOWN_FIELD}{old}`; it is called `{new}`{place}")))
    }
}

/// How serde's message about an unknown field begins: "unknown field `a`, expected one of `b`, `c`".
const UNKNOWN_FIELD: &str = "unknown field `";

/// Returns the expected field that is most similar to the unknown one of serde's message.
fn suggestion(message: &str) -> Option<String> {
    let (_, names) = message.split_once(UNKNOWN_FIELD)?;
    // Every other piece stands between backticks.
    let mut names = names.split('`').step_by(2);
    let unknown = names.next()?;
    closest(unknown, names).map(str::to_owned)
}

/// Returns the candidate that `name` was probably meant to be: the most similar one, if any is similar enough.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// The lowest Jaro-Winkler similarity of a typing mistake.
    const SIMILAR: f64 = 0.7;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|(first, _), (second, _)| first.total_cmp(second))
        .map(|(_, candidate)| candidate)
}

fn listed(place: Option<&str>) -> String {
    place.map(|place| format!("; {place} lists the systems")).unwrap_or_default()
}

fn suggested(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
