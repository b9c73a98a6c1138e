//! Blocks as values: JSON through serde, and an encoding of one's own.

use bytes::Bytes;
use hypercore::{BoxError, Encode, Encoding, Hypercore, Json, Storage};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    at: u64,
    celsius: f32,
}

/// Four bytes a reading: hundredths of a degree, big-endian.
#[derive(Clone, Copy, Debug, Default)]
struct Hundredths;

impl Encoding for Hundredths {
    type Value = i32;

    fn decode(&self, block: Bytes) -> Result<i32, BoxError> {
        Ok(i32::from_be_bytes(block[..].try_into()?))
    }
}

impl Encode<i32> for Hundredths {
    fn encode(&self, value: i32) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(&value.to_be_bytes()))
    }
}

#[async_std::main]
async fn main() -> hypercore::Result<()> {
    let log = Hypercore::open(Storage::memory()).await?;

    // Handles of one feed may see it differently.
    let readings = log.typed::<Json<Reading>>();
    let first = Reading {
        at: 1,
        celsius: 21.5,
    };
    readings.append(&first).await?;
    assert_eq!(readings.get(0).await?, first);
    assert_eq!(log.get(0).await?, "{\"at\":1,\"celsius\":21.5}\n");

    let compact = log.typed::<Hundredths>();
    compact.append(2150).await?;
    assert_eq!(compact.get(1).await?, 2150);

    // A block that can't be read so is an error of that call, and of no other.
    assert!(readings.get(1).await.is_err());
    Ok(())
}
