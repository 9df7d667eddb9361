//! Rust names for CloudFormation's names.

/// Names that a generated struct must not have, because the generated code uses them.
const RESERVED: &[&str] = &[
    "BTreeMap",
    "Box",
    "Clone",
    "Debug",
    "Default",
    "Option",
    "PartialEq",
    "ResourceType",
    "Self",
    "Serialize",
    "Some",
    "None",
    "String",
    "Value",
    "Vec",
];

/// Words that are not identifiers, from <https://doc.rust-lang.org/reference/keywords.html>.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Words that are one word despite their capitals.
const ONE_WORD: &[(&str, &str)] = &[("OAuth", "Oauth"), ("GiB", "Gib"), ("MiB", "Mib"), ("VCpu", "Vcpu")];

/// Returns a name in snake case: `KMSMasterKeyID` → `kms_master_key_id`, `AliasARNs` → `alias_arns`.
#[must_use]
pub(crate) fn snake_case(name: &str) -> String {
    let name = ONE_WORD.iter().fold(name.to_owned(), |name, (spelled, word)| name.replace(spelled, word));
    let letters: Vec<char> = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut snake = String::with_capacity(name.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        if index > 0 && starts_word(&letters, index) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Returns the identifier of a field or module.
#[must_use]
pub(crate) fn field(name: &str) -> String {
    let snake = snake_case(name);
    match snake.as_str() {
        "self" | "super" | "crate" => format!("{snake}_"),
        keyword if KEYWORDS.contains(&keyword) => format!("r#{snake}"),
        _ => snake,
    }
}

/// Returns a field's name under serde's `rename_all = "PascalCase"`.
#[must_use]
pub(crate) fn pascal_case(field: &str) -> String {
    field.trim_start_matches("r#").split('_').map(capitalize).collect()
}

/// Returns the identifier of a struct.
#[must_use]
pub(crate) fn structure(name: &str) -> String {
    let name = capitalize(&name.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    if RESERVED.contains(&name.as_str()) { format!("{name}Definition") } else { name }
}

fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Returns whether a word starts at this letter: at a capital after a small letter or digit, and at the last capital of
/// a row before a small letter, unless that is a plural's `s`.
fn starts_word(letters: &[char], index: usize) -> bool {
    let (before, here) = (letters[index - 1], letters[index]);
    if !here.is_ascii_uppercase() {
        return false;
    }
    if !before.is_ascii_uppercase() {
        return true;
    }
    match letters.get(index + 1) {
        Some('s') => letters.get(index + 2).is_some_and(char::is_ascii_lowercase),
        Some(next) => next.is_ascii_lowercase(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_snake_case() {
        for (name, expected) in [
            ("BucketName", "bucket_name"),
            ("KMSMasterKeyID", "kms_master_key_id"),
            ("IPV6Enabled", "ipv6_enabled"),
            ("AliasARNs", "alias_arns"),
            ("VpcIDsOfHost", "vpc_ids_of_host"),
            ("DNSSettings", "dns_settings"),
            ("AllowedOAuthFlows", "allowed_oauth_flows"),
            ("MemoryGiBPerVCpu", "memory_gib_per_vcpu"),
            ("S3Key", "s3_key"),
            ("ApiGateway", "api_gateway"),
            ("Route53", "route53"),
        ] {
            assert_eq!(snake_case(name), expected);
        }
    }

    #[test]
    fn identifiers_are_valid() {
        assert_eq!(field("Type"), "r#type");
        assert_eq!(field("Self"), "self_");
        assert_eq!(structure("iso8601UTC"), "Iso8601UTC");
        assert_eq!(structure("Value"), "ValueDefinition");
    }

    #[test]
    fn pascal_case_matches_serdes() {
        assert_eq!(pascal_case("bucket_name"), "BucketName");
        assert_eq!(pascal_case("r#type"), "Type");
        assert_eq!(pascal_case("sse_algorithm"), "SseAlgorithm");
    }
}
