'use strict'

// One feed of hypercore 8 or 9 with promises in place of callbacks, and everything that can be checked about it.

require('./sodium')
const { createRequire } = require('module')

const promise = call => new Promise((resolve, reject) => call((error, value) => error ? reject(error) : resolve(value)))

function packages (version) {
  const name = 'hypercore' + version
  return { hypercore: require(name), crypto: createRequire(require.resolve(name))('hypercore-crypto') }
}

async function open (version, dir, key, options) {
  const feed = packages(version).hypercore(dir, key, options)
  // The same failure is also given to the callback.
  feed.on('error', () => {})
  await promise(done => feed.ready(done))
  return feed
}

// Closing alone may lose what the bitfield was told last: a download is reported before that is written.
async function close (feed) {
  await promise(done => feed._sync(null, done))
  await promise(done => feed.close(done))
}

const append = (feed, blocks) => promise(done => feed.append(blocks, done))

function summary (feed) {
  return {
    key: feed.key.toString('hex'),
    discoveryKey: feed.discoveryKey.toString('hex'),
    length: feed.length,
    byteLength: feed.byteLength,
    writable: feed.writable
  }
}

// The hash over the roots, which is what is signed; null for a feed without blocks.
async function treeHash (version, feed) {
  if (!feed.length) return null
  const roots = await promise(done => feed.rootHashes(feed.length - 1, done))
  return packages(version).crypto.tree(roots).toString('hex')
}

// Checks each block that is stored against its hash and each signature that is stored against the roots of its length. The newest length
// must be signed: a feed whose last signature is missing looks whole until somebody asks for it.
async function audit (feed) {
  const { valid, invalid } = await promise(done => feed.audit(done))
  const stored = feed.downloaded(0, feed.length)
  if (invalid || valid !== stored) throw new Error(`${valid} blocks are right and ${invalid} wrong, of ${stored}`)
  let signatures = 0
  for (let index = 0; index < feed.length; index++) {
    const { index: signed, signature } = await promise(done => feed.signature(index, done))
    await promise(done => feed.verify(signed, signature, done))
    signatures++
    index = signed
  }
  return signatures
}

const block = (feed, index) => promise(done => feed.get(index, { wait: false, valueEncoding: 'binary' }, done))

module.exports = { promise, packages, open, close, append, summary, treeHash, audit, block }
