//! Values derived from a post's text: the slug and the reading time.

/// Words per minute.
const READING_SPEED: usize = 200;

/// Derives a part of a URL from a title: lower-case letters and digits, words joined by one hyphen. Empty if the title
/// has none of these.
pub(crate) fn slug(title: &str) -> String {
    let kept: String = title
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            'a'..='z' | '0'..='9' => Some(character),
            '-' => Some('-'),
            _ if character.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect();
    kept.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Returns the reading time in minutes, at least one.
pub(crate) fn reading_minutes(text: &str) -> usize {
    (text.split_whitespace().count() / READING_SPEED).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_made_of_the_titles_words() {
        for (title, expected) in [
            ("Building Scalable APIs with FastAPI", "building-scalable-apis-with-fastapi"),
            ("  C++ & Rust:   fast -- and safe!  ", "c-rust-fast-and-safe"),
            ("Größe 2.0", "gre-20"),
            ("snake_case\tand\nlines", "snakecase-and-lines"),
            ("日本語", ""),
            ("-", ""),
        ] {
            assert_eq!(slug(title), expected, "{title}");
        }
    }

    #[test]
    fn the_reading_time_is_at_least_a_minute() {
        for (words, minutes) in [(0, 1), (1, 1), (399, 1), (400, 2), (1000, 5)] {
            assert_eq!(reading_minutes(&"word ".repeat(words)), minutes, "{words}");
        }
    }
}
