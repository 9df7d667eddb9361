//! Rules of composite alarms (CloudWatch API reference, `PutCompositeAlarm`): `ALARM(a) OR (OK("b") AND NOT INSUFFICIENT_DATA(c))`.

use super::AlarmState;

/// A token of a rule: a word, a name in quotes, or a parenthesis.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
}

/// Whether a rule fires, if `state` returns the states of alarms; `None` if it cannot be read. A rule about an alarm that does not exist is
/// false.
pub(super) fn fires(rule: &str, state: &dyn Fn(&str) -> Option<AlarmState>) -> Option<bool> {
    let tokens = tokens(rule);
    let mut parser = Parser { tokens: &tokens, state, names: Vec::new() };
    let fires = parser.any()?;
    parser.tokens.is_empty().then_some(fires)
}

/// The alarms that a rule names.
pub(super) fn names(rule: &str) -> Vec<String> {
    let tokens = tokens(rule);
    let mut parser = Parser { tokens: &tokens, state: &|_| None, names: Vec::new() };
    let _ = parser.any();
    parser.names
}

fn tokens(rule: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = rule.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '"' => {
                let length = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
                tokens.push(Token::Word(rest[..length].trim_matches('"').to_owned()));
                length
            }
            _ => {
                let length =
                    rest.find(|next: char| next.is_whitespace() || "()\"".contains(next)).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: &'a [Token],
    state: &'a dyn Fn(&str) -> Option<AlarmState>,
    names: Vec<String>,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first() == Some(&Token::Word(word.to_owned()));
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    /// Terms that `OR` joins. Both sides are always read.
    fn any(&mut self) -> Option<bool> {
        let mut value = self.all()?;
        while self.takes("OR") {
            value |= self.all()?;
        }
        Some(value)
    }

    /// Terms that `AND` joins.
    fn all(&mut self) -> Option<bool> {
        let mut value = self.term()?;
        while self.takes("AND") {
            value &= self.term()?;
        }
        Some(value)
    }

    fn term(&mut self) -> Option<bool> {
        match self.next()? {
            Token::Open => {
                let value = self.any()?;
                (self.next()? == Token::Close).then_some(value)
            }
            Token::Close => None,
            Token::Word(word) => match word.as_str() {
                "NOT" => self.term().map(|value| !value),
                "TRUE" => Some(true),
                "FALSE" => Some(false),
                "ALARM" => self.is(AlarmState::Alarm),
                "OK" => self.is(AlarmState::Ok),
                "INSUFFICIENT_DATA" => self.is(AlarmState::InsufficientData),
                _ => None,
            },
        }
    }

    /// Reads `(name)`; returns whether that alarm is in a state.
    fn is(&mut self, state: AlarmState) -> Option<bool> {
        let (Token::Open, Token::Word(name), Token::Close) = (self.next()?, self.next()?, self.next()?) else {
            return None;
        };
        let is = (self.state)(&name) == Some(state);
        self.names.push(name);
        Some(is)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_combine_the_states_of_alarms() {
        let state = |name: &str| match name {
            "a" => Some(AlarmState::Alarm),
            "b c" => Some(AlarmState::Ok),
            _ => None,
        };
        for (rule, expected) in [
            ("ALARM(a)", Some(true)),
            ("ALARM(\"b c\") OR OK(a)", Some(false)),
            ("ALARM(a) AND (ALARM(x) OR OK(\"b c\"))", Some(true)),
            ("NOT ALARM(a) OR FALSE", Some(false)),
            ("TRUE AND NOT INSUFFICIENT_DATA(x)", Some(true)),
            ("ALARM(a", None),
            ("ALARM(a) ALARM(a)", None),
        ] {
            assert_eq!(fires(rule, &state), expected, "{rule}");
        }
        assert_eq!(names("ALARM(a) OR NOT OK(\"b c\")"), ["a", "b c"]);
    }
}
