//! The contents of zips that are read from a folder: a function's binary, or the files of a layer.

use std::io::Read;

/// The most that is unzipped of one zip, four times what Lambda allows for a function with its layers (Lambda developer guide, "Lambda
/// quotas"): a listed zip is read in full before its size is refused.
const UNZIPPED_LIMIT: u64 = 4 * 262_144_000;
/// What is wrong with a zip above the limit, after "it has".
const TOO_LARGE: &str = "more than 1048576000 bytes of files";
/// The binary in a function's zip, which has no other file; an error in words if there is none.
pub(super) fn bootstrap(zip: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = archive(zip)?;
    if archive.len() != 1 {
        return Err(format!("it has {} files instead of only `{}`", archive.len(), super::BOOTSTRAP));
    }
    let entry = archive.by_name(super::BOOTSTRAP).map_err(|error| error.to_string())?;
    let mut binary = Vec::new();
    entry.take(UNZIPPED_LIMIT + 1).read_to_end(&mut binary).map_err(|error| error.to_string())?;
    if binary.len() as u64 > UNZIPPED_LIMIT { Err(format!("it has {TOO_LARGE}")) } else { Ok(binary) }
}

/// The sum of the sizes of a layer's files; an error in words if there are none, or one is damaged.
pub(super) fn size_of_files(zip: &[u8]) -> Result<u64, String> {
    let mut archive = archive(zip)?;
    if archive.is_empty() {
        return Err("it has no files".to_owned());
    }
    let mut sum = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| error.to_string())?;
        let rest = UNZIPPED_LIMIT.saturating_sub(sum) + 1;
        sum += std::io::copy(&mut entry.take(rest), &mut std::io::sink()).map_err(|error| error.to_string())?;
        if sum > UNZIPPED_LIMIT {
            return Err(format!("it has {TOO_LARGE}"));
        }
    }
    Ok(sum)
}

fn archive(zip: &[u8]) -> Result<::zip::ZipArchive<std::io::Cursor<&[u8]>>, String> {
    ::zip::ZipArchive::new(std::io::Cursor::new(zip)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Entry, pack},
        *,
    };

    fn zip(names: &[&str]) -> Vec<u8> {
        let entry = |name: &&str| Entry { name: (*name).to_owned(), executable: true, content: b"content".to_vec() };
        pack(&names.iter().map(entry).collect::<Vec<_>>()).expect("packed")
    }

    #[test]
    fn a_function_is_one_binary() {
        assert_eq!(bootstrap(&zip(&["bootstrap"])).expect("a binary"), b"content");
        let more = bootstrap(&zip(&["bootstrap", "more"])).expect_err("refused");
        assert_eq!(more, "it has 2 files instead of only `bootstrap`");
        assert!(bootstrap(&zip(&["other"])).is_err() && bootstrap(&[7; 30]).is_err());
    }

    #[test]
    fn a_layer_has_files_that_can_be_read() {
        assert_eq!(size_of_files(&zip(&["a", "b"])), Ok(14));
        assert_eq!(size_of_files(&zip(&[])), Err("it has no files".to_owned()));
        let mut damaged = zip(&["a"]);
        // The compressed content follows the header of 30 bytes and the name.
        damaged[31] ^= 0xff;
        assert!(size_of_files(&damaged).is_err() && size_of_files(&[7; 30]).is_err());
    }
}
