//! The list of resource types that get typed properties.

use std::{fmt, str::FromStr};

use miette::Diagnostic;
use thiserror::Error;

/// The name of a resource type: `AWS::<service>::<resource>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeName {
    service: String,
    resource: String,
}

/// A line of the list is not the name of a type.
#[derive(Debug, Error, Diagnostic, PartialEq, Eq)]
#[error("line {line}: `{text}` is not a resource type")]
#[diagnostic(help("write one type per line, like AWS::S3::Bucket; # starts a comment"))]
pub(crate) struct TypeListError {
    line: usize,
    text: String,
}

/// A text is not the name of a type.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a resource type looks like AWS::S3::Bucket")]
pub(crate) struct TypeNameError;

impl TypeName {
    /// Returns the service, for example `S3`.
    #[must_use]
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Returns the resource within the service, for example `Bucket`.
    #[must_use]
    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AWS::{}::{}", self.service, self.resource)
    }
}

impl FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |part: &str| {
            part.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && part.chars().all(|letter| letter.is_ascii_alphanumeric())
        };
        match text.split("::").collect::<Vec<_>>()[..] {
            ["AWS", service, resource] if is_name(service) && is_name(resource) => {
                Ok(Self { service: service.to_owned(), resource: resource.to_owned() })
            }
            _ => Err(TypeNameError),
        }
    }
}

/// Parses the list: one type in each line, `#` starts a comment. Returns each type once, sorted.
///
/// # Errors
///
/// When a line is not the name of a type.
pub(crate) fn parse(list: &str) -> Result<Vec<TypeName>, TypeListError> {
    let mut types = Vec::new();
    for (number, line) in (1..).zip(list.lines()) {
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            continue;
        }
        types.push(text.parse().map_err(|_| TypeListError { line: number, text: text.to_owned() })?);
    }
    types.sort();
    types.dedup();
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_repetitions_are_ignored() {
        let types = parse("# these\nAWS::S3::Bucket # data\n\nAWS::IAM::Role\nAWS::S3::Bucket\n").expect("sound");
        let names: Vec<_> = types.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["AWS::IAM::Role", "AWS::S3::Bucket"]);
    }

    #[test]
    fn a_wrong_line_is_named() {
        for wrong in ["S3::Bucket", "AWS::S3", "AWS::S3::Bucket::Policy", "AWS::S3::Bu cket", "AWS::::Bucket"] {
            let error = parse(&format!("AWS::IAM::Role\n{wrong}")).expect_err(wrong);
            assert_eq!(error, TypeListError { line: 2, text: wrong.to_owned() });
        }
    }
}
