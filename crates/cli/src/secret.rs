//! Secret keys in files, which are for their owner's eyes only.
//!
//! One is read from any of these: the 64 bytes of a file `secret_key`, the same as 128 hex digits, its seed as 64 hex digits, or
//! a backup, which is a line of JSON and also tells how long the feed was.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hypercore::{KeyPair, PublicKey, SecretKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::failure::{Code, Failure};

/// No form of a key is longer.
const MAX_FILE: u64 = 4096;

/// A secret key that was read from a file.
#[derive(Debug)]
pub(crate) struct Secret {
    pub(crate) pair: KeyPair,
    /// How long the feed was when the file was written, if that is known.
    pub(crate) length: Option<u64>,
}

impl Secret {
    /// Reads a file, or standard input if it is called `-`.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let cannot = |error| Failure::system(format_args!("cannot read {}", file.display()), error);
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE as usize));
        let read = match file == Path::new("-") {
            true => io::stdin().take(MAX_FILE).read_to_end(&mut bytes),
            false => {
                let input = fs::File::open(file).map_err(cannot)?;
                input.take(MAX_FILE).read_to_end(&mut bytes)
            }
        };
        read.map_err(cannot)?;
        Secret::parse(&bytes).ok_or_else(|| {
            let message = format!("{}: this is no secret key", file.display());
            Failure::new(Code::Other, message)
                .hint("a file secret_key, 128 or 64 hex digits, or what `hypercore key backup` wrote, is one")
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
        if !text.starts_with('{') {
            // The 64 digits of a seed are as many bytes as a key has.
            let pair = parse_hex(text).or_else(|| parse_raw(bytes))?;
            return Some(Secret { pair, length: None });
        }
        let backup: Value = serde_json::from_str(text).ok()?;
        let pair = parse_hex(backup.get("secret_key")?.as_str()?)?;
        let key: PublicKey = backup.get("key")?.as_str()?.parse().ok()?;
        (pair.public() == key).then_some(Secret {
            pair,
            length: Some(backup.get("length")?.as_u64()?),
        })
    }
}

fn parse_hex(text: &str) -> Option<KeyPair> {
    let bytes = Zeroizing::new(HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?);
    match bytes.as_slice().try_into() {
        Ok(seed) => Some(KeyPair::from_seed(seed)),
        Err(_) => parse_raw(&bytes),
    }
}

fn parse_raw(bytes: &[u8]) -> Option<KeyPair> {
    let secret = SecretKey::from_bytes(bytes.try_into().ok()?).ok()?;
    Some(KeyPair::from_secret(secret))
}

/// A secret key as 128 hex digits.
pub(crate) fn to_hex(secret: &SecretKey) -> Zeroizing<String> {
    Zeroizing::new(HEXLOWER.encode(secret.to_bytes().as_slice()))
}

/// A backup of a key as a line of JSON, without which nobody can append to the feed, and from which it can be made again.
pub(crate) fn backup(pair: &KeyPair, length: u64) -> Zeroizing<String> {
    let mut object = json!({
        "v": 1,
        "type": "backup",
        "key": pair.public().to_string(),
        "length": length,
    });
    let hex = to_hex(pair.secret());
    if let Value::Object(fields) = &mut object {
        fields.insert("secret_key".to_owned(), Value::String(hex.to_string()));
    }
    Zeroizing::new(format!("{object}\n"))
}

/// Writes a file that only its owner may read. One that is there is replaced only if told to.
pub(crate) fn write_private(file: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let cannot = |error| Failure::system(format_args!("cannot write {}", file.display()), error);
    if force {
        // Not written over: it may be readable for others, or a link to something else.
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = match options.open(file) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already", file.display());
            return Err(Failure::new(Code::Other, message)
                .hint("choose another name, or say --force to replace it"));
        }
        opened => opened.map_err(cannot)?,
    };
    out.write_all(bytes)
        .and_then(|()| out.sync_all())
        .map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_secret_key_is_read() {
        let pair = KeyPair::from_seed([7; 32]);
        let raw = pair.secret().to_bytes();
        let hex = to_hex(pair.secret());
        for (form, length) in [
            (raw.to_vec(), None),
            (hex.as_bytes().to_vec(), None),
            (format!(" {}\n", hex.to_uppercase()).into_bytes(), None),
            (HEXLOWER.encode(&[7; 32]).into_bytes(), None),
            (backup(&pair, 9).as_bytes().to_vec(), Some(9)),
        ] {
            let secret = Secret::parse(&form).unwrap();
            assert_eq!(secret.pair.public(), pair.public());
            assert_eq!(secret.length, length);
        }
    }

    #[test]
    fn what_is_no_secret_key_is_refused() {
        let pair = KeyPair::from_seed([7; 32]);
        let other = KeyPair::from_seed([8; 32]).public().to_string();
        let mut halves = pair.secret().to_bytes();
        halves[63] ^= 1;
        let foreign = backup(&pair, 9).replace(&pair.public().to_string(), &other);
        for form in [
            &b""[..],
            b"not hex",
            &[7; 63],
            halves.as_slice(),
            HEXLOWER.encode(halves.as_slice()).as_bytes(),
            b"{}",
            foreign.as_bytes(),
        ] {
            assert!(Secret::parse(form).is_none(), "{} bytes", form.len());
        }
    }
}
