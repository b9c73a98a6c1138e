'use strict'

// One version of hypercore with the inner packages that it resolves to, and with its ephemeral keys and nonces under our
// control: whatever is queued is used in place of what is random.

const sodium = require('../sodium')
const { createRequire } = require('module')

const promise = call => new Promise((resolve, reject) => call((error, value) => error ? reject(error) : resolve(value)))
const hex = bytes => bytes ? Buffer.from(bytes).toString('hex') : null
const hexNode = ({ index, size, hash }) => ({ index, size, hash: hex(hash) })

function load (version) {
  const inside = (from, name) => createRequire(from.resolve(name))
  const feed = inside({ resolve: require.resolve }, 'hypercore' + version)
  const protocol = inside(feed, 'hypercore-protocol')
  const simple = inside(protocol, 'simple-hypercore-protocol')
  const handshake = inside(simple, 'simple-handshake')
  const all = {
    version,
    hypercore: require('hypercore' + version),
    crypto: feed('hypercore-crypto'),
    flat: feed('flat-tree'),
    rle: feed('bitfield-rle'),
    bitfield: feed('./lib/bitfield'),
    treeIndex: feed('./lib/tree-index'),
    Generator: feed('merkle-tree-stream/generator'),
    SimpleProtocol: protocol('simple-hypercore-protocol'),
    messages: simple('./messages'),
    Channels: simple('simple-message-channels'),
    dh: handshake('noise-protocol/dh')
  }
  const queue = { ephemerals: [], nonces: [] }
  const keyPair = real => (publicKey, secretKey) => {
    const next = queue.ephemerals.shift()
    if (!next) return real(publicKey, secretKey)
    publicKey.set(next.publicKey)
    secretKey.set(next.secretKey)
  }
  if (version === 8) {
    sodium.crypto_kx_keypair = keyPair(sodium.crypto_kx_keypair)
    const real = sodium.randombytes_buf
    sodium.randombytes_buf = out => {
      if (out.length === 24 && queue.nonces.length) out.set(queue.nonces.shift())
      else real(out)
    }
  } else {
    all.dh.generateKeypair = keyPair(all.dh.generateKeypair)
    const crypto = simple('hypercore-crypto')
    const real = crypto.randomBytes
    crypto.randomBytes = count => count === 24 && queue.nonces.length ? Buffer.from(queue.nonces.shift()) : real(count)
  }
  // What the next handshake shall use; nothing makes it random again.
  all.fix = (ephemerals = [], nonces = []) => {
    queue.ephemerals = [...ephemerals]
    queue.nonces = [...nonces]
  }
  all.noiseKeyPair = seed => {
    const pair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(32) }
    all.dh.generateSeedKeypair(pair.publicKey, pair.secretKey, seed)
    return pair
  }
  all.open = async (storage, key, options) => {
    const feed = all.hypercore(storage, key, options)
    await promise(done => feed.ready(done))
    return feed
  }
  return all
}

const hexPair = ({ publicKey, secretKey }) => ({ publicKey: hex(publicKey), secretKey: hex(secretKey) })

// Block `index` of a feed that need not be stored: byte j is (base + 31 * index + 7 * j) & 255.
function patternBlock (base, index, length) {
  return Buffer.from(Array.from({ length }, (_, j) => (base + 31 * index + 7 * j) & 255))
}

module.exports = { load, promise, hex, hexNode, hexPair, patternBlock }
