//! What a behaviour shows: facts that are comparable texts.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use regex_lite::Regex;

/// The facts of a behaviour, each with a name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen(Vec<(&'static str, String)>);

impl Seen {
    /// Adds a fact.
    pub(super) fn note(&mut self, name: &'static str, fact: impl ToString) {
        self.0.push((name, fact.to_string()));
    }

    /// The cell of the page that says how these facts differ from the model's.
    pub(super) fn compared_with(&self, model: &Self) -> String {
        let names = |seen: &Self| seen.0.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(self), names(model), "a behaviour notes the same facts everywhere");
        let pairs = self.0.iter().zip(&model.0).filter(|(own, other)| own != other);
        let differences: Vec<_> =
            pairs.map(|((name, own), (_, other))| format!("{name}: {}, not {}", quoted(own), quoted(other))).collect();
        if differences.is_empty() { "agrees".to_owned() } else { format!("differs: {}", differences.join("; ")) }
    }
}

/// A fact in a cell of a table.
fn quoted(fact: &str) -> String {
    format!("`{}`", fact.replace('`', "'").replace('|', "/").replace('\n', " "))
}

/// How a call ended: `accepted`, or the status and the code of its refusal.
pub(super) fn outcome<T, E: ProvideErrorMetadata>(answer: &Result<T, SdkError<E>>) -> String {
    let Err(error) = answer else { return "accepted".to_owned() };
    let status = error.raw_response().map(|response| response.status().as_u16().to_string());
    let status = status.unwrap_or_else(|| "no response".to_owned());
    error.code().map_or_else(|| status.clone(), |code| format!("{status} {code}"))
}

/// How a call ended, with the message of its refusal, in which `s` stands for a name, and `<id>` for a generated ID.
pub(super) fn refusal<T, E: ProvideErrorMetadata>(answer: &Result<T, SdkError<E>>, name: &str) -> String {
    let id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").expect("a pattern");
    let message = answer.as_ref().err().and_then(|error| error.message());
    let message = message.map(|message| id.replace_all(&message.replace(name, "s"), "<id>").into_owned());
    message.map_or_else(|| outcome(answer), |message| format!("{}: {message}", outcome(answer)))
}

#[test]
fn a_cell_names_each_fact_that_differs() {
    let seen = |second: &str| Seen(vec![("first", "a".to_owned()), ("second", second.to_owned())]);
    assert_eq!(seen("b").compared_with(&seen("b")), "agrees");
    assert_eq!(seen("b").compared_with(&seen("c|d")), "differs: second: `b`, not `c/d`");
}
