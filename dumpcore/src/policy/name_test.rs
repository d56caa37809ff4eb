//! Which names are looked for: a test of the last name of a path, or of the
//! whole path.

use std::fmt;
use std::sync::Arc;

use crate::model::path::RelPath;

type Test = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// A test of names: a pattern of the caller's own kind.
///
/// ```
/// use dumpcore::NameTest;
///
/// let tex = NameTest::of_name(|name| name.ends_with(b".tex"));
/// let letters = NameTest::of_path(|path| path.starts_with(b"home/letters/"));
/// # let _ = (tex, letters);
/// ```
#[derive(Clone)]
pub struct NameTest {
    whole: bool,
    test: Test,
}

impl NameTest {
    /// Of the last name of a path.
    pub fn of_name(test: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self {
            whole: false,
            test: Arc::new(test),
        }
    }

    /// Of the whole path: the name of the tree, then the path in it.
    pub fn of_path(test: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> Self {
        Self {
            whole: true,
            test: Arc::new(test),
        }
    }

    /// Does one of the tests hold? The path is only made where it is asked for.
    pub(crate) fn any<E>(
        tests: &[Self],
        name: &[u8],
        path: impl FnOnce() -> Result<RelPath, E>,
    ) -> Result<bool, E> {
        let mut of_name = tests.iter().filter(|test| !test.whole);
        if of_name.any(|test| (test.test)(name)) {
            return Ok(true);
        }
        let mut of_path = tests.iter().filter(|test| test.whole).peekable();
        if of_path.peek().is_none() {
            return Ok(false);
        }
        let path = path()?;
        Ok(of_path.any(|test| (test.test)(path.as_bytes())))
    }
}

impl fmt::Debug for NameTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = if self.whole { "path" } else { "name" };
        f.debug_struct("NameTest")
            .field("of", &of)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn a_path_is_made_only_for_a_test_of_it() {
        let name = NameTest::of_name(|name| name == b"a.tex");
        let path = NameTest::of_path(|path| path == b"home/a.txt");
        let any = |tests: &[NameTest], name: &str| {
            let made = std::cell::Cell::new(false);
            let whole = || -> Result<RelPath, Infallible> {
                made.set(true);
                Ok(RelPath::from("home").join(name.as_bytes()))
            };
            let Ok(found) = NameTest::any(tests, name.as_bytes(), whole);
            (found, made.get())
        };
        let both = [name.clone(), path.clone()];
        assert_eq!(any(&both, "a.tex"), (true, false));
        assert_eq!(any(&both, "a.txt"), (true, true));
        assert_eq!(any(&both, "b"), (false, true));
        assert_eq!(any(&[name], "a.txt"), (false, false));
        assert_eq!(any(&[path], "a.tex"), (false, true));
        assert_eq!(any(&[], "a.tex"), (false, false));
    }
}
