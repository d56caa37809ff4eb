//! Names as the kernel takes them.

use std::ffi::CString;

/// A name as the kernel takes it. Names in the library come from the kernel
/// or from `layout` and hold no NUL.
pub(crate) fn c_name(name: &[u8]) -> CString {
    CString::new(name).unwrap_or_default()
}
