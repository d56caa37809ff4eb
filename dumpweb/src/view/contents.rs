//! What a file holds, as far as a page can show it: text, a picture, a document,
//! or only its type, size and hash.
//!
//! The type is told by the first bytes, never by the name: what a browser is to
//! show as a picture has to be one. Nothing in a dump is ever shown as HTML.

use std::io::{self, Read, SeekFrom};

use dumpcore::{EntryAt, Fault, Op};
use sha2::{Digest as _, Sha256};

use crate::view::error::ViewError;
use crate::view::stop::Stop;

/// The number of bytes of a text that are shown at most.
pub const TEXT_BYTES: usize = 512 << 10;

/// A hash of more bytes than these is made only when it is asked for.
pub const HASHED: u64 = 16 << 20;

/// Pictures that are larger are not shown.
const PICTURE: u64 = 64 << 20;

/// The number of bytes at the beginning that tell the type.
const HEAD: usize = 8000;

/// What a browser may show itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A picture.
    Picture,
    /// A PDF document.
    Pdf,
    /// A sound or a film.
    Media,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its media type, as its first bytes tell.
    pub media: Media,
    /// Its text, if it is one, up to a limit.
    pub text: Option<String>,
    /// Is the text cut?
    pub is_cut: bool,
    /// SHA-256 in hexadecimal digits; `None` where it was not made.
    pub hash: Option<String>,
}

/// A media type, and what can be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media {
    /// `image/png`
    pub name: &'static str,
    /// In words.
    pub words: &'static str,
    /// How a browser shows it; `None`: not at all.
    pub shown: Option<Shown>,
}

const UNKNOWN: Media = Media {
    name: "application/octet-stream",
    words: "not text",
    shown: None,
};

const TEXT: Media = Media {
    name: "text/plain; charset=utf-8",
    words: "text",
    shown: None,
};

/// What files of a type begin with: where, which bytes.
type Mark = (usize, &'static [u8]);

const fn media(name: &'static str, words: &'static str, shown: Option<Shown>) -> Media {
    Media { name, words, shown }
}

/// The types that are told apart.
const MARKS: [(&[Mark], Media); 17] = {
    const PICTURE: Option<Shown> = Some(Shown::Picture);
    const MEDIA: Option<Shown> = Some(Shown::Media);
    [
        (
            &[(0, b"\x89PNG\r\n\x1a\n")],
            media("image/png", "PNG picture", PICTURE),
        ),
        (
            &[(0, b"\xff\xd8\xff")],
            media("image/jpeg", "JPEG picture", PICTURE),
        ),
        (&[(0, b"GIF8")], media("image/gif", "GIF picture", PICTURE)),
        (
            &[(0, b"RIFF"), (8, b"WEBP")],
            media("image/webp", "WebP picture", PICTURE),
        ),
        (
            &[(4, b"ftypavif")],
            media("image/avif", "AVIF picture", PICTURE),
        ),
        (
            &[(0, b"BM"), (6, b"\0\0\0\0")],
            media("image/bmp", "BMP picture", PICTURE),
        ),
        (
            &[(0, b"%PDF-")],
            media("application/pdf", "PDF document", Some(Shown::Pdf)),
        ),
        (&[(0, b"OggS")], media("audio/ogg", "Ogg sound", MEDIA)),
        (&[(0, b"fLaC")], media("audio/flac", "FLAC sound", MEDIA)),
        (&[(0, b"ID3")], media("audio/mpeg", "MP3 sound", MEDIA)),
        (
            &[(0, b"RIFF"), (8, b"WAVE")],
            media("audio/wav", "WAV sound", MEDIA),
        ),
        (&[(4, b"ftyp")], media("video/mp4", "MP4 film", MEDIA)),
        (
            &[(0, b"\x1aE\xdf\xa3")],
            media("video/webm", "Matroska film", MEDIA),
        ),
        (
            &[(0, b"PK\x03\x04")],
            media("application/zip", "ZIP archive or document", None),
        ),
        (
            &[(0, b"\x1f\x8b")],
            media("application/gzip", "gzip archive", None),
        ),
        (
            &[(0, b"\xfd7zXZ\0")],
            media("application/x-xz", "xz archive", None),
        ),
        (
            &[(0, b"\x7fELF")],
            media("application/x-executable", "ELF program", None),
        ),
    ]
};

impl Media {
    /// By the first bytes of a file.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let holds =
            |(at, bytes): &Mark| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes));
        let found = MARKS.iter().find(|(marks, _)| marks.iter().all(holds));
        match found {
            Some((_, media)) => *media,
            // As git and diff tell it.
            None if !head.contains(&0) => TEXT,
            None => UNKNOWN,
        }
    }

    /// Is it text?
    #[must_use]
    pub fn is_text(self) -> bool {
        self == TEXT
    }

    /// May a browser be given a file of this size to show?
    #[must_use]
    pub fn is_shown(self, size: u64) -> bool {
        match self.shown {
            Some(Shown::Picture) => size <= PICTURE,
            Some(_) => true,
            None => false,
        }
    }
}

impl Contents {
    /// Reads what is needed of a file. `hash`: whatever its size.
    ///
    /// # Errors
    /// This user may not read it.
    pub fn read(entry: &EntryAt, hash: bool, stop: &Stop) -> Result<Self, ViewError> {
        let mut file = entry.open()?;
        let failed = |cause| Fault::new(Op::Read, entry.path(), cause);
        let mut text = Vec::new();
        let most = TEXT_BYTES as u64 + 1;
        (&mut file)
            .take(most)
            .read_to_end(&mut text)
            .map_err(failed)?;
        let media = Media::of(&text[..text.len().min(HEAD)]);
        let hash = (hash || entry.meta().size <= HASHED)
            .then(|| hashed(&mut file, stop))
            .transpose()
            .map_err(failed)?
            .flatten();
        let is_cut = media.is_text() && text.len() > TEXT_BYTES;
        text.truncate(TEXT_BYTES);
        if is_cut && let Some(end) = text.iter().rposition(|byte| *byte == b'\n') {
            text.truncate(end + 1);
        }
        Ok(Self {
            media,
            text: media
                .is_text()
                .then(|| String::from_utf8_lossy(&text).into_owned()),
            is_cut,
            hash,
        })
    }
}

/// The media type of a file.
///
/// # Errors
/// It cannot be read.
pub fn media_of(file: &mut (impl Read + io::Seek)) -> io::Result<Media> {
    let mut head = Vec::new();
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(Media::of(&head))
}

/// SHA-256 of all that a file holds, in hexadecimal digits; `None` when nobody waits
/// for it any more.
fn hashed(file: &mut (impl Read + io::Seek), stop: &Stop) -> io::Result<Option<String>> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 << 10];
    loop {
        if stop.is_set() {
            return Ok(None);
        }
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(got) => hasher.update(&buffer[..got]),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
    let digits = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_by_the_first_bytes() {
        for (head, name) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
            (b"\0\0\0\x20ftypavif", "image/avif"),
            (b"\0\0\0\x20ftypisom", "video/mp4"),
            (b"%PDF-1.7", "application/pdf"),
            (b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
            (
                b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                "text/plain; charset=utf-8",
            ),
            (b"", "text/plain; charset=utf-8"),
            (b"a\0b", "application/octet-stream"),
            (b"BM is a text", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(Media::of(head).name, name, "{head:?}");
        }
        assert!(!Media::of(b"\x89PNG\r\n\x1a\n").is_shown(1 << 30));
    }

    #[test]
    fn a_hash_is_that_of_sha256sum() {
        let mut file = io::Cursor::new(b"abc");
        let stop = Stop::default();
        let hash = hashed(&mut file, &stop).expect("read");
        assert_eq!(
            hash.as_deref(),
            Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        );
        stop.set();
        assert_eq!(hashed(&mut file, &stop).expect("read"), None);
    }
}
