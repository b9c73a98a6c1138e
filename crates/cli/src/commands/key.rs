//! `hypercore key show|export|import|backup`: the keys of a feed, and how not to lose them.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use hypercore::{Dialect, File, Hypercore, KeyPair, PublicKey, SecretKey};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{close, open};
use crate::{
    failure::{Code, Failure},
    output::Output,
    secret::{self, Secret, write_private},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Print the keys of a feed: the secret one only if asked for.
    Show(Show),
    /// Write a key of a feed to a file or to standard output: the secret one only if asked for.
    Export(Export),
    /// Make a copy writable with the secret key of its feed.
    Import(Import),
    /// Write all that it takes to go on with a feed elsewhere, but its blocks.
    Backup(Backup),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// Print the secret key, too. Whoever sees it can append to the feed for ever.
    #[arg(long)]
    pub(crate) secret: bool,

    /// Print it even where people look.
    #[arg(long, requires = "secret")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The file to write, readable for its owner only. Without it, the key goes to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Write the secret key in place of the public one.
    #[arg(long)]
    pub(crate) secret: bool,

    /// Replace a file that is there; print a secret key even where people look.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The directory of the copy.
    pub(crate) dir: PathBuf,

    /// The secret key: a file secret_key, hex digits, or a backup. - is standard input.
    pub(crate) file: PathBuf,

    /// Take it although the copy is shorter than the feed was when the backup was made. What is appended then makes a second history,
    /// which readers of the first one refuse.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The feed's directory.
    pub(crate) dir: PathBuf,

    /// The file to write, readable for its owner only.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,

    /// Replace a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
}

pub(super) async fn run(arguments: Key, output: &Output) -> Result<(), Failure> {
    match arguments {
        Key::Show(arguments) => show(&arguments, output),
        Key::Export(arguments) => export(&arguments, output),
        Key::Import(arguments) => import(&arguments, output).await,
        Key::Backup(arguments) => backup(&arguments, output).await,
    }
}

fn show(arguments: &Show, output: &Output) -> Result<(), Failure> {
    let key = public(&arguments.dir)?;
    let mut fields = fields(&key);
    let mut human = Zeroizing::new(format!(
        "key            {key}\ndiscovery key  {}",
        key.discovery_key()
    ));
    if arguments.secret {
        refuse_terminal(arguments.force)?;
        let hex = secret::to_hex(secret_of(&arguments.dir, &key)?.secret());
        human.push_str("\nsecret key     ");
        human.push_str(&hex);
        if let Value::Object(fields) = &mut fields {
            fields.insert("secret_key".to_owned(), Value::String(hex.to_string()));
        }
    }
    output.result("key", fields, human.as_str())
}

fn export(arguments: &Export, output: &Output) -> Result<(), Failure> {
    let key = public(&arguments.dir)?;
    let text = match arguments.secret {
        true => secret::to_hex(secret_of(&arguments.dir, &key)?.secret()),
        false => Zeroizing::new(key.to_string()),
    };
    let Some(file) = &arguments.output else {
        if arguments.secret {
            refuse_terminal(arguments.force)?;
        }
        let name = if arguments.secret {
            "secret_key"
        } else {
            "key"
        };
        return output.result("key", json!({ name: text.as_str() }), text.as_str());
    };
    let line = Zeroizing::new(format!("{}\n", text.as_str()));
    write_private(file, line.as_bytes(), arguments.force)?;
    written(file, &key, output)
}

async fn backup(arguments: &Backup, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let feed = open(dir, Dialect::default()).await?;
    let pair = secret_of(dir, &feed.key())?;
    let text = secret::backup(&pair, feed.len());
    close(dir, &feed).await?;
    write_private(&arguments.output, text.as_bytes(), arguments.force)?;
    written(&arguments.output, &feed.key(), output)?;
    output.tell(
        "         put it where only you can read it. Back up the blocks, too: any clone is one",
    );
    Ok(())
}

async fn import(arguments: &Import, output: &Output) -> Result<(), Failure> {
    let dir = &arguments.dir;
    let secret = Secret::read(&arguments.file)?;
    let feed = open(dir, Dialect::default()).await?;
    let checked = check(&feed, &secret, arguments.force).map_err(|error| error.of(dir.display()));
    let closed = close(dir, &feed).await;
    checked.and(closed)?;
    // Opening with a key that fits stores it.
    let feed = Hypercore::builder(dir)
        .create_if_missing(false)
        .secret_key(secret.pair.secret().clone())
        .open()
        .await
        .map_err(|error| Failure::at(dir, error))?;
    close(dir, &feed).await?;
    let mut fields = fields(&feed.key());
    if let Value::Object(fields) = &mut fields {
        fields.insert("length".to_owned(), feed.len().into());
    }
    let human = format!(
        "imported the secret key of {}, {} blocks",
        feed.key(),
        feed.len()
    );
    output.tell("writable now. Never append to two copies of one feed: readers would refuse one of the histories");
    output.result("imported", fields, human)
}

/// Whether a key may make this copy writable.
fn check(feed: &Hypercore, secret: &Secret, force: bool) -> Result<(), Failure> {
    if feed.is_static() {
        return Err(Failure::new(Code::Other, "a static feed has no secret key")
            .hint("what it holds is final; make a new feed with: hypercore create DIR"));
    }
    if feed.key() != secret.pair.public() {
        let message = format!(
            "the secret key belongs to another feed, {}",
            secret.pair.public()
        );
        return Err(Failure::new(Code::Other, message).hint("take the secret key of this feed"));
    }
    match secret.length {
        Some(length) if length > feed.len() && !force => {
            let message = format!(
                "{} blocks are here, and the feed had {length} when its key was backed up",
                feed.len()
            );
            Err(Failure::new(Code::Incomplete, message)
                .hint("fetch the rest first, with: hypercore clone LINK DIR; or say --force if nobody has seen it"))
        }
        _ => Ok(()),
    }
}

/// The public key in a directory, which isn't opened: another process may have it.
fn public(dir: &Path) -> Result<PublicKey, Failure> {
    let bytes = read_key::<32>(dir, File::Key)?.ok_or_else(|| {
        Failure::new(Code::NotFound, "no feed is stored here")
            .of(dir.display())
            .hint("make one with: hypercore create DIR")
    })?;
    Ok(PublicKey::new(*bytes))
}

/// The secret key beside it.
fn secret_of(dir: &Path, key: &PublicKey) -> Result<KeyPair, Failure> {
    let bytes = read_key::<64>(dir, File::SecretKey)?.ok_or_else(|| {
        Failure::new(Code::NotFound, "the secret key is not here")
            .of(dir.display())
            .hint("it is where the feed was made, or in the file that --secret-at named there")
    })?;
    let pair = SecretKey::from_bytes(&bytes).ok().map(KeyPair::from_secret);
    pair.filter(|pair| pair.public() == *key).ok_or_else(|| {
        Failure::new(
            Code::Damaged,
            "the file secret_key is not the key of this feed",
        )
        .of(dir.display())
        .hint("put back the right one from a backup, with: hypercore key import DIR FILE")
    })
}

/// What a file of a key holds. None if there is no such file, or nothing in it.
fn read_key<const LEN: usize>(
    dir: &Path,
    file: File,
) -> Result<Option<Zeroizing<[u8; LEN]>>, Failure> {
    let cannot =
        |error| Failure::system(format_args!("{}: cannot read {file}", dir.display()), error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(LEN + 1));
    match fs::File::open(dir.join(file.name())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened
            .and_then(|input| input.take(LEN as u64 + 1).read_to_end(&mut bytes))
            .map_err(cannot)?,
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    match bytes.as_slice().try_into() {
        Ok(key) => Ok(Some(Zeroizing::new(key))),
        Err(_) => {
            let message = format!(
                "{}: the file {file} is damaged: {LEN} bytes are a key",
                dir.display()
            );
            Err(Failure::new(Code::Damaged, message)
                .hint("put it back from a backup, or clone the feed again"))
        }
    }
}

/// A secret doesn't go where somebody may be looking over a shoulder, and where it stays in the scroll-back.
fn refuse_terminal(force: bool) -> Result<(), Failure> {
    if force || !io::stdout().is_terminal() {
        return Ok(());
    }
    Err(
        Failure::new(Code::Other, "a secret key is not printed on a terminal")
            .hint("write it to a file: hypercore key export DIR --secret -o FILE; or say --force"),
    )
}

fn written(file: &Path, key: &PublicKey, output: &Output) -> Result<(), Failure> {
    let name = file.display().to_string();
    output.news(
        "written",
        json!({ "file": name, "key": key.to_string() }),
        format_args!("written  {name}"),
    )
}

fn fields(key: &PublicKey) -> Value {
    json!({ "key": key.to_string(), "discovery_key": key.discovery_key().to_string() })
}
