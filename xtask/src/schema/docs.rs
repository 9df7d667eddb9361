//! The schemas' descriptions as rustdoc comments: the first sentence, without markup that rustdoc would trip over.

/// What AWS's writers leave to be filled in.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("AOlong", "AWS Organizations"),
    ("CFNlong", "CloudFormation"),
    ("CFNshort", "CloudFormation"),
    ("IAMlong (IAM)", "IAM"),
    ("IAMlong", "IAM"),
    ("KMSlong", "AWS KMS"),
    ("LAMlong", "Lambda"),
];

/// The first sentence of a description, in plain text with `code` marked. `None` when there is nothing to say.
#[must_use]
pub fn sentence(description: &str) -> Option<String> {
    let text = without_markup(description);
    let first = first_sentence(&text);
    let text = escaped(first.trim().trim_end_matches([':', ',', ';']));
    text.chars()
        .any(char::is_alphanumeric)
        .then(|| if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") })
}

/// Doc comment lines of at most `width` columns, indented as they will be after formatting.
#[must_use]
pub fn comment(text: &str, marker: &str, width: usize) -> String {
    let mut lines = Vec::new();
    let mut line = String::from(marker);
    for word in text.split_whitespace() {
        if line.len() > marker.len() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::replace(&mut line, String::from(marker)));
        }
        line.push(' ');
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

/// Drops HTML tags, keeps the text of links, and fills in the names that AWS's writers abbreviate.
fn without_markup(description: &str) -> String {
    let mut text = String::with_capacity(description.len());
    let mut rest = description;
    while let Some(letter) = rest.chars().next() {
        if let Some((shown, after)) = link(rest) {
            text.push_str(shown);
            rest = after;
        } else if let Some(after) = tag(rest) {
            rest = after;
        } else {
            text.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    let text = text.replace("``", "`").replace(['\u{a0}', '\t'], " ").replace("KMSlong (KMS)", "KMSlong");
    PLACEHOLDERS.iter().fold(text, |text, (placeholder, name)| text.replace(placeholder, name))
}

/// `[shown](address)` at the start of a text, and what comes after it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (shown, after) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    (!shown.contains(['[', ']'])).then_some((shown, after))
}

/// What comes after an HTML tag at the start of a text.
fn tag(text: &str) -> Option<&str> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    let name = inside.trim_start_matches('/').split(' ').next()?;
    matches!(name, "a" | "b" | "br" | "br/" | "code" | "em" | "i" | "li" | "note" | "ol" | "p" | "ul").then_some(after)
}

/// Up to the first full stop that a capital letter follows, or the first line.
fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    let line = text.split("\n").next().unwrap_or(text);
    for (index, _) in line.match_indices(". ") {
        let abbreviation = ["e.g", "i.e", "etc", "vs", "approx"].iter().any(|short| line[..index].ends_with(short));
        let next_is_capital = line[index + 2..].trim_start().starts_with(|letter: char| !letter.is_lowercase());
        if !abbreviation && next_is_capital {
            return &line[..=index];
        }
    }
    line
}

/// Escapes what rustdoc would take for a link or a tag; inside `code` nothing needs it.
fn escaped(text: &str) -> String {
    let unpaired = !text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '`' if unpaired => {}
            '`' => {
                in_code = !in_code;
                escaped.push('`');
            }
            '[' | ']' | '<' | '>' | '*' | '_' | '#' if !in_code => {
                escaped.push('\\');
                escaped.push(letter);
            }
            _ => escaped.push(letter),
        }
    }
    let escaped: Vec<_> = escaped.split_whitespace().map(with_marked_address).collect();
    escaped.join(" ").trim_start_matches(['-', '+', ' ']).to_owned()
}

/// Puts bare addresses into code, which rustdoc asks for.
fn with_marked_address(word: &str) -> String {
    let bare = word.starts_with("http://") || word.starts_with("https://");
    if bare { format!("`{}`", word.replace('\\', "")) } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_sentence_is_kept() {
        let text = "A name (e.g. S3. No) for it. More follows.";
        assert_eq!(sentence("Its name. More.").as_deref(), Some("Its name."));
        assert_eq!(sentence(text).as_deref(), Some("A name (e.g. S3."));
        assert_eq!(sentence("Version 1.2 of it\n + a list").as_deref(), Some("Version 1.2 of it."));
        assert_eq!(sentence("  "), None);
    }

    #[test]
    fn markup_is_removed_or_escaped() {
        let text = "<p>See [the *guide*](https://example.com/a) for ``Code`` and List<String> [x].</p>";
        assert_eq!(sentence(text).as_deref(), Some("See the \\*guide\\* for `Code` and List\\<String\\> \\[x\\]."));
        assert_eq!(sentence("The KMSlong (KMS) key.").as_deref(), Some("The AWS KMS key."));
        assert_eq!(sentence("An unpaired `tick.").as_deref(), Some("An unpaired tick."));
        assert_eq!(sentence("At https://example.com/a_b now").as_deref(), Some("At `https://example.com/a_b` now."));
    }

    #[test]
    fn comments_are_wrapped() {
        assert_eq!(comment("one two three", "///", 11), "/// one two\n/// three\n");
    }
}
