//! XML requests: a tree of elements.

use xmlparser::{ElementEnd, Token, Tokenizer};

/// An element of a request, without its attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// The name.
    pub name: String,
    /// The text, with its entities resolved.
    pub text: String,
    /// The elements in it.
    pub children: Vec<Self>,
}

impl Node {
    /// Reads a document; `None` if it is not well-formed.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let mut open = vec![Self::default()];
        for token in Tokenizer::from(text) {
            match token.ok()? {
                Token::ElementStart { local, .. } => {
                    open.push(Self { name: local.as_str().to_owned(), ..Self::default() });
                }
                Token::ElementEnd { end: ElementEnd::Empty | ElementEnd::Close(..), .. } => {
                    let closed = open.pop()?;
                    open.last_mut()?.children.push(closed);
                }
                Token::Text { text } => open.last_mut()?.text.push_str(&unescaped(text.as_str())),
                Token::Cdata { text, .. } => open.last_mut()?.text.push_str(text.as_str()),
                _ => {}
            }
        }
        let [document] = open.as_mut_slice() else { return None };
        document.children.pop()
    }

    /// Returns the first child of a name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Returns the text of the first child of a name.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// Returns the children of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Resolves the five entities of XML and character references (XML 1.0, section 4.6).
fn unescaped(text: &str) -> String {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        let (entity, after) = after.split_once(';').unwrap_or((after, ""));
        let code = entity.strip_prefix("#x").map(|digits| u32::from_str_radix(digits, 16));
        let code = code.or_else(|| entity.strip_prefix('#').map(str::parse));
        resolved.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "amp" => '&',
            _ => code.and_then(Result::ok).and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        });
        rest = after;
    }
    resolved.push_str(rest);
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_with_their_texts_are_read() {
        let text = b"<?xml version=\"1.0\"?><Delete xmlns=\"s3\"><Object><Key>a&amp;b&#x26;&lt;</Key></Object><Object><Key>c</Key>\
                     <VersionId>v</VersionId></Object><Quiet>true</Quiet><Empty/></Delete>";
        let delete = Node::parse(text).expect("well-formed");
        assert_eq!((delete.name.as_str(), delete.text_of("Quiet")), ("Delete", Some("true")));
        let keys: Vec<_> = delete.all("Object").filter_map(|object| object.text_of("Key")).collect();
        assert_eq!(keys, ["a&b&<", "c"]);
        assert!(delete.child("Empty").is_some() && Node::parse(b"<a><b></a").is_none());
    }
}
