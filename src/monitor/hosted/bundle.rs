use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::DeflateDecoder;
use thiserror::Error;

use crate::canary::definition::Canary;
use crate::canary::load::{ImportError, Imports, load};
use crate::diagnostic::{MessageFormat, SourceFile, render};
use crate::runner::script::{self, ScriptPlace};

/// BOUND: what a bundle may hold, decompressed; more is a mistake or an attack.
const BYTES_MAX: usize = 16 * 1024 * 1024;
const FILES_MAX: usize = 1_000;
const END_BYTES: usize = 22;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

/// The files of a canary's code, as they were zipped.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, Vec<u8>>,
}

/// Why a bundle is none, or holds no canary that can be run.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BundleFault {
    /// Not the bytes of a zip file.
    #[error("the code is no readable zip file")]
    NotZip,
    /// More than is looked at.
    #[error("the code holds more than {BYTES_MAX} bytes or {FILES_MAX} files")]
    TooLarge,
    /// No file of ours, or several and none that the handler names.
    #[error("the code holds no single canary in YAML or Luau")]
    NoCanary,
    /// A canary of ours with faults.
    #[error("the canary in the code has faults: {0}")]
    Faults(Box<str>),
}

impl Bundle {
    /// Reads a zip file.
    ///
    /// Source: PKWARE's APPNOTE.TXT; stored and deflated entries, by the central directory.
    pub fn unzip(bytes: &[u8]) -> Result<Self, BundleFault> {
        let (mut at, count) = directory(bytes).ok_or(BundleFault::NotZip)?;
        if count > FILES_MAX {
            return Err(BundleFault::TooLarge);
        }
        let (mut files, mut total) = (BTreeMap::new(), 0);
        for _ in 0..count {
            let entry = Entry::read(bytes, at).ok_or(BundleFault::NotZip)?;
            at = entry.next;
            if entry.name.ends_with('/') {
                continue;
            }
            total += entry.size;
            if total > BYTES_MAX {
                return Err(BundleFault::TooLarge);
            }
            let content = entry.content(bytes).ok_or(BundleFault::NotZip)?;
            files.insert(entry.name, content);
        }
        Ok(Self { files })
    }

    /// The file that holds the canary: the one that the handler names, or the only one.
    pub fn main(&self, handler: Option<&str>) -> Option<&str> {
        let is_ours = |name: &&String| {
            [".yaml", ".yml", ".luau", ".lua"].iter().any(|end| name.ends_with(end))
        };
        let ours = self.files.keys().filter(is_ours).map(String::as_str).collect::<Vec<_>>();
        let stem =
            handler.map(|handler| handler.rsplit_once('.').map_or(handler, |(stem, _)| stem));
        let named = |name: &&&str| {
            let own = name.rsplit_once('.').map_or(**name, |(own, _)| own);
            Some(**name) == handler || stem.is_some_and(|stem| own == stem || own.ends_with(stem))
        };
        match (ours.as_slice(), ours.iter().find(named)) {
            (_, Some(named)) => Some(named),
            ([only], None) => Some(only),
            _ => None,
        }
    }

    /// The canary in it.
    ///
    /// Errors: `NoCanary` for code of another kind, `Faults` for a canary that cannot be run.
    pub fn canary(
        &self,
        handler: Option<&str>,
        scripts: &ScriptPlace,
    ) -> Result<Canary, BundleFault> {
        let main = self.main(handler).ok_or(BundleFault::NoCanary)?;
        let text = self.text(main).ok_or(BundleFault::NoCanary)?;
        let file = SourceFile::new(main, text);
        let is_script = main.ends_with(".lua") || main.ends_with(".luau");
        let loaded = match is_script {
            true => script::load(&file, Path::new(""), self, scripts),
            false => load(&file, Path::new(""), self),
        };
        loaded.map(|loaded| loaded.canary).map_err(|faults| {
            let shown = |fault: &crate::canary::load::Fault| {
                render(&fault.diagnostic, &fault.file, MessageFormat::Short).trim().to_owned()
            };
            BundleFault::Faults(faults.iter().map(shown).collect::<Vec<_>>().join("; ").into())
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.files.get(name)?.clone()).ok()
    }
}

impl Imports for Bundle {
    fn read(&self, path: &str) -> Result<SourceFile, ImportError> {
        let text = self.text(path).ok_or(ImportError::NotFound)?;
        Ok(SourceFile::new(path, text))
    }
}

/// Where the central directory starts, and how many entries it has.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let is_end = |at: &usize| bytes.get(*at..*at + 4) == Some(b"PK\x05\x06");
    let end = (first..=last).rev().find(is_end)?;
    Some((long(bytes, end + 16)?, short(bytes, end + 10)?))
}

struct Entry {
    name: String,
    method: usize,
    packed: usize,
    size: usize,
    local: usize,
    next: usize,
}

impl Entry {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        if bytes.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let name_end = at + ENTRY_BYTES + short(bytes, at + 28)?;
        let name = String::from_utf8(bytes.get(at + ENTRY_BYTES..name_end)?.to_vec()).ok()?;
        Some(Self {
            name,
            method: short(bytes, at + 10)?,
            packed: long(bytes, at + 20)?,
            size: long(bytes, at + 24)?,
            local: long(bytes, at + 42)?,
            next: name_end + short(bytes, at + 30)? + short(bytes, at + 32)?,
        })
    }

    fn content(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let names = short(bytes, self.local + 26)? + short(bytes, self.local + 28)?;
        let start = self.local + LOCAL_BYTES + names;
        let packed = bytes.get(start..start.checked_add(self.packed)?)?;
        let content = match self.method {
            0 => packed.to_vec(),
            8 => {
                let mut plain = Vec::new();
                // A size that is too small in the directory must not let more be unpacked.
                let most = u64::try_from(self.size).ok()?;
                DeflateDecoder::new(packed).take(most).read_to_end(&mut plain).ok()?;
                plain
            }
            _ => return None,
        };
        (content.len() == self.size).then_some(content)
    }
}

fn short(bytes: &[u8], at: usize) -> Option<usize> {
    let pair = bytes.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_le_bytes(*pair)))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*four)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a.yaml` stored, holding `name: a`, as `zip -0` writes it.
    fn zipped() -> Vec<u8> {
        let (name, content) = (b"a.yaml", b"name: a");
        let sizes = [7_u32, 7].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
        let local = [
            b"PK\x03\x04".as_slice(),
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0; 4],
            &sizes,
            &[6, 0, 0, 0],
            name,
            content,
        ]
        .concat();
        let entry = [
            b"PK\x01\x02".as_slice(),
            &[20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0; 4],
            &sizes,
            &[6, 0],
            &[0; 12],
            &[0; 4],
            name,
        ]
        .concat();
        let offset = u32::try_from(local.len()).unwrap().to_le_bytes();
        let end =
            [b"PK\x05\x06".as_slice(), &[0; 4], &[1, 0, 1, 0], &[0; 4], &offset, &[0, 0]].concat();
        [local, entry, end].concat()
    }

    #[test]
    fn a_stored_file_is_read_and_is_the_canary() {
        let bundle = Bundle::unzip(&zipped()).unwrap();
        assert_eq!(bundle.main(Some("index.handler")), Some("a.yaml"));
        assert_eq!(bundle.text("a.yaml").as_deref(), Some("name: a"));
    }

    #[test]
    fn cut_bytes_are_refused_wherever_they_are_cut() {
        let whole = zipped();
        for end in 0..whole.len() {
            assert_eq!(Bundle::unzip(&whole[..end]).unwrap_err(), BundleFault::NotZip, "{end}");
        }
    }

    #[test]
    fn the_handler_chooses_among_several() {
        let names = ["x/home.yaml", "x/shop.yaml", "index.js"];
        let files = names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
        let bundle = Bundle { files };
        assert_eq!(bundle.main(Some("shop.handler")), Some("x/shop.yaml"));
        assert_eq!(bundle.main(Some("x/home.yaml")), Some("x/home.yaml"));
        assert_eq!(bundle.main(Some("other.handler")), None);
        assert_eq!(bundle.canary(None, &ScriptPlace::Here).unwrap_err(), BundleFault::NoCanary);
    }
}
