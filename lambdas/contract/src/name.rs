//! The name of a function.

use std::fmt;

/// The name of a function in the workspace, in its template and in AWS. Displayed as `<system>-<function>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName {
    /// The system that owns the function, for example `notes`.
    pub system: &'static str,
    /// The function's name within its system, for example `list`.
    pub function: &'static str,
    /// The logical ID of the `AWS::Lambda::Function` in its template.
    pub logical_id: &'static str,
    shared_binary: Option<&'static str>,
}

impl FunctionName {
    /// The name of a function with a binary of its own, `<system>-<function>`.
    #[must_use]
    pub const fn new(system: &'static str, function: &'static str, logical_id: &'static str) -> Self {
        Self { system, function, logical_id, shared_binary: None }
    }

    /// Declares that the function is part of the binary `<system>-<binary>`, which serves several functions.
    #[must_use]
    pub const fn in_binary(self, binary: &'static str) -> Self {
        Self { shared_binary: Some(binary), ..self }
    }

    /// Returns the name of the `[[bin]]` that contains the function.
    #[must_use]
    pub fn binary(&self) -> String {
        format!("{}-{}", self.system, self.shared_binary.unwrap_or(self.function))
    }

    /// Returns the function's `Handler` in Lambda. In a shared binary it selects the function, so it is the function's
    /// name; a binary with one function ignores it.
    #[must_use]
    pub const fn handler(&self) -> &'static str {
        match self.shared_binary {
            Some(_) => self.function,
            None => "bootstrap",
        }
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.system, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionName;

    #[test]
    fn a_function_has_a_binary_of_its_own() {
        const LIST: FunctionName = FunctionName::new("notes", "list", "ListFunction");
        assert_eq!(LIST.to_string(), "notes-list");
        assert_eq!((LIST.binary().as_str(), LIST.handler()), ("notes-list", "bootstrap"));
    }

    #[test]
    fn functions_of_a_shared_binary_differ_in_their_handler() {
        const LIST: FunctionName = FunctionName::new("notes", "list", "ListFunction").in_binary("api");
        assert_eq!(LIST.to_string(), "notes-list");
        assert_eq!((LIST.binary().as_str(), LIST.handler()), ("notes-api", "list"));
    }
}
