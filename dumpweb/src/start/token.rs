//! The token that lets its user in, and the directory that it is kept in:
//! `$XDG_RUNTIME_DIR/dumpweb`.

use std::env;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use dumpcli::failure::Failure;

/// The directory of what runs; `None` where there is none for this user.
#[must_use]
pub(crate) fn folder() -> Option<PathBuf> {
    let own = nix::unistd::geteuid();
    let given = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let given = given.filter(|path| path.is_absolute());
    let usual = || PathBuf::from(format!("/run/user/{own}"));
    let folder = given.unwrap_or_else(usual);
    // What another user owns would show the token to that one.
    let is_own =
        fs::metadata(&folder).is_ok_and(|meta| meta.is_dir() && meta.uid() == own.as_raw());
    is_own.then(|| folder.join("dumpweb"))
}

/// A token that nobody guesses: 256 bits from the system, in hexadecimal digits.
///
/// # Errors
/// The system gives none.
pub(crate) fn make() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    let read = fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(|cause| Failure::Failed(format!("no random numbers for a token: {cause}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_guesses_a_token() {
        let token = make().expect("random numbers");
        assert_eq!(token.len(), 64);
        assert_ne!(token, make().expect("random numbers"));
    }
}
