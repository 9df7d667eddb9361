//! The string literals of a source file, without its tests and without documentation.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The literals of the source, each with its line.
pub(crate) fn of(source: &str) -> Vec<(usize, String)> {
    let mut literals = Vec::new();
    collect(source.parse().expect("Rust"), &mut literals);
    literals
}

fn collect(tokens: TokenStream, literals: &mut Vec<(usize, String)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next_if(|token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                if is_for_tests(&attribute) {
                    // The item that the attribute is on ends with a block or a semicolon.
                    for token in tokens.by_ref() {
                        let is_block =
                            matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                        if is_block || matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ';') {
                            break;
                        }
                    }
                } else if !is_for_readers_of_the_source(&attribute) {
                    collect(attribute.stream(), literals);
                }
            }
            TokenTree::Group(group) => collect(group.stream(), literals),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.starts_with(['"', 'r']) {
                    literals.push((literal.span().start().line, text));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

fn is_for_tests(attribute: &Group) -> bool {
    matches!(attribute.stream().to_string().replace(' ', "").as_str(), "cfg(test)" | "test" | "tokio::test")
}

fn is_for_readers_of_the_source(attribute: &Group) -> bool {
    let name = attribute.stream().into_iter().next().map(|name| name.to_string());
    matches!(name.as_deref(), Some("doc" | "expect" | "allow"))
}

#[test]
fn literals_are_found_except_in_tests_and_documentation() {
    let source = r##"
        //! "Module".
        /// "Item".
        #[error("an error")]
        #[expect(lint, reason = "a reason")]
        struct A;
        fn b() { println!("a {} message", f(r#"raw"#)); }
        #[cfg(test)]
        mod tests { const C: &str = "in a test"; }
        #[cfg(test)]
        mod more;
        const D: &str = "last";
    "##;
    let found: Vec<_> = of(source).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found, [r#""an error""#, r#""a {} message""#, r##"r#"raw"#"##, r#""last""#]);
}
