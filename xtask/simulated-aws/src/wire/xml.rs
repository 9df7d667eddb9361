//! XML responses: elements in order, with escaped texts.

use std::fmt;

/// An element with either a text or children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: String,
    content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Text(String),
    Children(Vec<Element>),
}

impl Element {
    /// An element without children.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), content: Content::Children(Vec::new()) }
    }

    /// An element with a text.
    #[must_use]
    pub fn text(name: impl Into<String>, text: impl fmt::Display) -> Self {
        Self { name: name.into(), content: Content::Text(text.to_string()) }
    }

    /// Adds a child.
    #[must_use]
    pub fn with(self, child: Self) -> Self {
        self.with_all([child])
    }

    /// Adds a child with a text, if there is one.
    #[must_use]
    pub fn with_text(self, name: &str, text: Option<impl fmt::Display>) -> Self {
        self.with_all(text.map(|text| Self::text(name, text)))
    }

    /// Adds children.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        if let Content::Children(all) = &mut self.content {
            all.extend(children);
        }
        self
    }

    /// A list of the Query protocol: each item is named `member`.
    #[must_use]
    pub fn list(name: impl Into<String>, items: impl IntoIterator<Item = Vec<Self>>) -> Self {
        Self::new(name).with_all(items.into_iter().map(|children| Self::new("member").with_all(children)))
    }
}

impl fmt::Display for Element {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{}>", self.name)?;
        match &self.content {
            Content::Text(text) => escape(text, formatter)?,
            Content::Children(children) => children.iter().try_for_each(|child| child.fmt(formatter))?,
        }
        write!(formatter, "</{}>", self.name)
    }
}

fn escape(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        formatter.write_str(&rest[..at])?;
        formatter.write_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            _ => "&quot;",
        })?;
        rest = &rest[at + 1..];
    }
    formatter.write_str(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_lists_have_members() {
        let tags = Element::list("Tags", [vec![Element::text("Key", "a<b & \"c\"")], vec![Element::text("Key", 7)]]);
        let stack = Element::new("Stack").with(tags).with_text("Reason", None::<&str>);
        assert_eq!(
            stack.to_string(),
            "<Stack><Tags><member><Key>a&lt;b &amp; &quot;c&quot;</Key></member><member><Key>7</Key></member></Tags></Stack>"
        );
    }
}
