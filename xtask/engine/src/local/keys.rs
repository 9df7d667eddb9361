//! The keys with which calls to the local cloud are signed. They are generated at each start, and lie in a file that only its owner reads.
//!
//! The file has the format of the AWS CLI, so that other tools can sign as well: `AWS_SHARED_CREDENTIALS_FILE` names it.

use std::fmt::{Debug, Formatter};

use camino::Utf8Path;

use super::{LocalError, error::io};

/// The file's name within the local cloud's folder.
pub(super) const FILE: &str = "credentials";
/// The access key of the local cloud: its account, because MiniStack takes the account from the access key.
pub(super) const ACCOUNT: &str = "000000000000";
const ACCESS_KEY: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    access_key: String,
    secret: String,
}

impl Debug for Keys {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl Keys {
    /// The well-known keys of an emulator that verifies no signature.
    #[must_use]
    pub fn well_known() -> Self {
        Self { access_key: "test".to_owned(), secret: "test".to_owned() }
    }

    #[cfg(test)]
    pub(super) fn of(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret: secret.to_owned() }
    }

    /// Generates the keys of a new local cloud.
    pub(super) fn generate() -> Result<Self, LocalError> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random)
            .map_err(|error| io("generate the local cloud's secret")(std::io::Error::other(error.to_string())))?;
        Ok(Self { access_key: ACCOUNT.to_owned(), secret: hex::encode(random) })
    }

    /// Reads the keys of the local cloud whose files are in `directory`; `None` if none was started there.
    ///
    /// # Errors
    ///
    /// When the file exists but cannot be read.
    pub fn read(directory: &Utf8Path) -> Result<Option<Self>, LocalError> {
        match fs_err::read_to_string(directory.join(FILE)) {
            Ok(text) => Ok(parse(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("read the local cloud's keys")(error)),
        }
    }

    /// Writes the file, which only its owner can read.
    pub(super) fn write(&self, directory: &Utf8Path) -> Result<(), LocalError> {
        let failed = || io("write the local cloud's keys");
        let text = format!("[default]\n{ACCESS_KEY} = {}\n{SECRET} = {}\n", self.access_key, self.secret);
        // A temporary file is created with mode 0600, and keeps it when it is renamed.
        let file = tempfile::NamedTempFile::new_in(directory).map_err(failed())?;
        fs_err::write(file.path(), text).map_err(failed())?;
        file.persist(directory.join(FILE)).map_err(|error| failed()(error.error))?;
        Ok(())
    }

    /// Removes the file.
    pub(super) fn remove(directory: &Utf8Path) -> Result<(), LocalError> {
        match fs_err::remove_file(directory.join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("remove the local cloud's keys")(error))
            }
            _ => Ok(()),
        }
    }

    /// The access key.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

fn parse(text: &str) -> Option<Keys> {
    let value = |name: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        let value = pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned());
        value.filter(|value| !value.is_empty())
    };
    Some(Keys { access_key: value(ACCESS_KEY)?, secret: value(SECRET)? })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_owner_reads_the_keys_which_differ_at_each_start() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
        assert_eq!(Keys::read(directory).expect("readable"), None);
        let keys = Keys::generate().expect("random numbers");
        keys.write(directory).expect("written");
        assert_eq!(Keys::read(directory).expect("readable"), Some(keys.clone()));
        let mode = std::fs::metadata(directory.join(FILE)).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!((keys.access_key(), keys.secret().len()), (ACCOUNT, 64));
        assert_ne!(Keys::generate().expect("random numbers"), keys);
        Keys::remove(directory).expect("removed");
        assert_eq!(Keys::read(directory).expect("readable"), None);
    }

    #[test]
    fn the_secret_is_not_printed() {
        let keys = Keys::generate().expect("random numbers");
        let printed = format!("{keys:?}");
        assert!(printed.contains(ACCOUNT) && !printed.contains(keys.secret()), "{printed}");
    }

    #[test]
    fn half_a_file_has_no_keys() {
        assert_eq!(parse("[default]\naws_access_key_id = 000000000000\n"), None);
        assert_eq!(parse("aws_access_key_id=1\naws_secret_access_key=\n"), None);
    }
}
