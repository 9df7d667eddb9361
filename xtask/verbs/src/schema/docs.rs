//! Turns the schemas' descriptions into rustdoc comments: the first sentence, without markup that rustdoc would misread.

/// Placeholders of AWS's documentation, each with the name that it stands for.
const PLACEHOLDERS: &[(&str, &str)] = &[
    ("AOlong", "AWS Organizations"),
    ("CFNlong", "CloudFormation"),
    ("CFNshort", "CloudFormation"),
    ("IAMlong (IAM)", "IAM"),
    ("IAMlong", "IAM"),
    ("KMSlong", "AWS KMS"),
    ("LAMlong", "Lambda"),
];

/// Returns the first sentence of a description, in plain text with marked `code`, or `None` if it has no words.
#[must_use]
pub(crate) fn sentence(description: &str) -> Option<String> {
    let text = remove_markup(description);
    let first = first_sentence(&text);
    let text = escape(first.trim().trim_end_matches([':', ',', ';']));
    text.chars()
        .any(char::is_alphanumeric)
        .then(|| if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") })
}

/// Returns doc comment lines of at most `width` columns.
#[must_use]
pub(crate) fn comment(text: &str, marker: &str, width: usize) -> String {
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

/// Removes HTML tags, keeps the text of links, and replaces placeholders.
fn remove_markup(description: &str) -> String {
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

/// Returns the text of a link `[text](address)` at the start, and the rest after it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (shown, after) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = after.split_once(')')?;
    (!shown.contains(['[', ']'])).then_some((shown, after))
}

/// Returns the rest after an HTML tag at the start.
fn tag(text: &str) -> Option<&str> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    let name = inside.trim_start_matches('/').split(' ').next()?;
    matches!(name, "a" | "b" | "br" | "br/" | "code" | "em" | "i" | "li" | "note" | "ol" | "p" | "ul").then_some(after)
}

/// Returns the text up to the first full stop before a capital letter, or the first line.
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

/// Escapes characters outside of `code` that rustdoc would read as a link or a tag.
fn escape(text: &str) -> String {
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
    let escaped: Vec<_> = escaped.split_whitespace().map(mark_address).collect();
    escaped.join(" ").trim_start_matches(['-', '+', ' ']).to_owned()
}

/// Marks bare addresses as code, as rustdoc requires.
fn mark_address(word: &str) -> String {
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
