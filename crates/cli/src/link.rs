//! Links: a feed's key, and perhaps where to find it.
//!
//! `hyper://KEY?peer=HOST:PORT&peer=HOST:PORT`. The scheme may also be `dat://` or absent.

use std::{fmt, str::FromStr};

use hypercore::PublicKey;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) key: PublicKey,
    /// Peers to connect to, `HOST:PORT`.
    pub(crate) peers: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LinkError {
    Key,
    Parameter(String),
}

impl std::error::Error for LinkError {}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Key => {
                write!(
                    f,
                    "a link holds a key of 64 hex digits: hyper://KEY?peer=HOST:PORT"
                )
            }
            LinkError::Parameter(text) => write!(f, "not understood in the link: {text:?}"),
        }
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = ["hyper://", "dat://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        let (key, query) = text.split_once('?').unwrap_or((text, ""));
        let key = key.strip_suffix('/').unwrap_or(key);
        let key = key.parse().map_err(|_| LinkError::Key)?;
        let peers = query
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| match parameter.split_once('=') {
                Some(("peer", peer)) if peer.contains(':') => Ok(peer.to_owned()),
                _ => Err(LinkError::Parameter(parameter.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        Ok(Link { key, peers })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hyper://{}", self.key)?;
        for (n, peer) in self.peers.iter().enumerate() {
            let separator = if n == 0 { '?' } else { '&' };
            write!(f, "{separator}peer={peer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "6b7ecf9ce456d56e5145ec4c00112233445566778899aabbccddeeff01020304";

    #[test]
    fn links_are_read_as_they_are_written() {
        for peers in [vec![], vec!["127.0.0.1:1".to_owned(), "[::1]:2".to_owned()]] {
            let link = Link {
                key: KEY.parse().unwrap(),
                peers,
            };
            assert_eq!(link.to_string().parse(), Ok(link));
        }
    }

    #[test]
    fn other_forms_of_a_key_are_understood() {
        let link: Link = format!("hyper://{KEY}").parse().unwrap();
        for form in [
            KEY.to_owned(),
            format!("dat://{KEY}"),
            format!("hyper://{KEY}/"),
            format!("{KEY}?"),
        ] {
            assert_eq!(form.parse(), Ok(link.clone()), "{form}");
        }
    }

    #[test]
    fn what_is_no_link_is_refused() {
        assert_eq!("hyper://12".parse::<Link>(), Err(LinkError::Key));
        assert_eq!("".parse::<Link>(), Err(LinkError::Key));
        for query in ["peer", "peer=", "peer=host", "seed=a:1"] {
            let link = format!("{KEY}?{query}");
            assert_eq!(
                link.parse::<Link>(),
                Err(LinkError::Parameter(query.to_owned()))
            );
        }
    }
}
