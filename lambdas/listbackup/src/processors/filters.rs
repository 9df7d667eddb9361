//! Which listed files a source's settings select.

use super::media;
use crate::{connectors::Listed, shared::rows::source::SourceSettings};

/// Whether a file is backed up. Files that are not selected are not counted.
pub(super) fn selects(settings: &SourceSettings, file: &Listed) -> bool {
    let path = file.path.as_str();
    let is_below = |folder: &String| is_below(folder, path);
    let included = settings.include_folders.is_empty() || settings.include_folders.iter().any(is_below);
    let excluded = settings.exclude_folders.iter().any(is_below);
    let is_small = settings.max_file_size.zip(file.size).is_none_or(|(largest, size)| size <= largest);
    included && !excluded && is_small && has_type(&settings.file_types, path)
}

/// Whether a path is below a folder. Slashes around the folder's name do not matter.
fn is_below(folder: &str, path: &str) -> bool {
    let folder = folder.trim_matches('/');
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path has one of the types: extensions, with or without a dot, or categories.
fn has_type(types: &[String], path: &str) -> bool {
    if types.is_empty() {
        return true;
    }
    let extension = media::extension(path);
    let category = media::describe(path).0.as_str();
    types.iter().any(|wanted| {
        let wanted = wanted.trim_start_matches('.').to_ascii_lowercase();
        wanted == extension || wanted == category
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::Origin;

    fn file(path: &str, size: Option<u64>) -> Listed {
        let origin = Origin::S3 { key: path.to_owned() };
        Listed { path: path.to_owned(), origin, size, modified_at: None, origin_tag: None }
    }

    fn settings(text: &str) -> SourceSettings {
        serde_json::from_str(text).expect("settings")
    }

    #[test]
    fn settings_select_files() {
        for (text, selected, others) in [
            ("{}", vec!["a", "b/c"], vec![]),
            (r#"{"includeFolders": ["b", "/d/e/"]}"#, vec!["b/c", "d/e/f"], vec!["a", "bc/d", "d/f", "b"]),
            (r#"{"excludeFolders": ["b"]}"#, vec!["a", "bc"], vec!["b/c"]),
            (r#"{"includeFolders": ["b"], "excludeFolders": ["b/x"]}"#, vec!["b/c"], vec!["b/x/c"]),
            (r#"{"fileTypes": [".TXT", "image"]}"#, vec!["a.txt", "x/b.JPG"], vec!["a.json", "txt", "a.txt.gz"]),
        ] {
            let settings = settings(text);
            for path in selected {
                assert!(selects(&settings, &file(path, None)), "{text}: {path}");
            }
            for path in others {
                assert!(!selects(&settings, &file(path, None)), "{text}: {path}");
            }
        }
    }

    #[test]
    fn large_files_are_left_out_if_their_size_is_known() {
        let settings = settings(r#"{"maxFileSize": 10}"#);
        assert!(selects(&settings, &file("a", Some(10))) && selects(&settings, &file("a", None)));
        assert!(!selects(&settings, &file("a", Some(11))));
    }
}
