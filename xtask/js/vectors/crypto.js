'use strict'

// Hashes, keys, signatures, and the roots of one growing feed.

const { hex, hexNode, hexPair, patternBlock } = require('./packages')

const node = (index, size, hash) => ({ index, size, hash })

function hashes ({ crypto, flat }, rng) {
  const leaf = [0, 1, 2, 31, 32, 33, 64, 100, 127, 128, 129, 255, 256, 1000].map(length => {
    const data = rng.bytes(length)
    return { data: hex(data), hash: hex(crypto.data(data)) }
  })
  const parent = Array.from({ length: 12 }, (_, i) => {
    const depth = i < 6 ? i : rng.range(0, 40)
    const offset = 2 * rng.bits(48 - depth)
    const child = offset => node(flat.index(depth, offset), rng.bits(i < 6 ? 20 : 51), rng.bytes(32))
    const [left, right] = [child(offset), child(offset + 1)]
    const hash = hex(crypto.parent(left, right))
    if (hex(crypto.parent(right, left)) !== hash) throw new Error('the order of the children matters')
    return { left: hexNode(left), right: hexNode(right), size: left.size + right.size, hash }
  })
  const lengths = [0, 1, 2, 3, 5, 8, 21, 1000, 12345, rng.bits(30)]
  const tree = lengths.map(length => {
    const roots = flat.fullRoots(2 * length).map(index => node(index, rng.bits(40), rng.bytes(32)))
    return { length, roots: roots.map(hexNode), hash: hex(crypto.tree(roots)) }
  })
  const discoveryKey = Array.from({ length: 6 }, (_, i) => {
    const publicKey = i ? rng.bytes(32) : Buffer.alloc(32)
    return { publicKey: hex(publicKey), discoveryKey: hex(crypto.discoveryKey(publicKey)) }
  })
  return { leaf, parent, tree, discoveryKey }
}

function keys (v8, v9, rng) {
  const four = make => Array.from({ length: 4 }, () => {
    const seed = rng.bytes(32)
    return { seed: hex(seed), ...make(seed) }
  })
  return {
    sign: four(seed => hexPair(v9.crypto.keyPair(seed))),
    noise: four(seed => {
      const [a, b] = [v8, v9].map(version => hexPair(version.noiseKeyPair(seed)))
      if (a.publicKey !== b.publicKey || a.secretKey !== b.secretKey) throw new Error('the versions differ')
      return a
    })
  }
}

function signatures (v8, v9, rng) {
  return [1, 2, 3, 255, 256, 65536, 2 ** 32, null].map(fixed => {
    const seed = rng.bytes(32)
    const { publicKey, secretKey } = v8.crypto.keyPair(seed)
    const drawn = rng.bits(45) + 1
    const length = fixed || drawn
    const roots = v8.flat.fullRoots(2 * length).map(index => node(index, rng.bits(30), rng.bytes(32)))
    const treeHash = v8.crypto.tree(roots)
    const signable = v9.crypto.signable(roots, length)
    const signatureV8 = v8.crypto.sign(treeHash, secretKey)
    const signatureV9 = v9.crypto.sign(signable, secretKey)
    return {
      seed: hex(seed),
      publicKey: hex(publicKey),
      length,
      roots: roots.map(hexNode),
      treeHash: hex(treeHash),
      signableV9: hex(signable),
      signatureV8: hex(signatureV8),
      signatureV9: hex(signatureV9),
      v8AcceptsV8: v8.crypto.verify(treeHash, signatureV8, publicKey),
      v8AcceptsV9: v8.crypto.verify(treeHash, signatureV9, publicKey)
    }
  })
}

function merkle (v8, v9, rng) {
  const seed = rng.bytes(32)
  const { publicKey, secretKey } = v9.crypto.keyPair(seed)
  const base = rng.int(256)
  const max = 1100
  const sizes = Array.from({ length: max }, () => rng.bool(0.1) ? 0 : rng.range(1, 40))
  const wanted = new Set(Array.from({ length: 67 }, (_, i) => i))
  for (const edge of [127, 128, 129, 255, 256, 257, 511, 512, 513, 1000, 1023, 1024, 1025, max]) wanted.add(edge)
  for (let i = 0; i < 20; i++) wanted.add(rng.range(67, max))

  const generator = new v9.Generator(v9.crypto, [])
  const states = []
  let byteLength = 0
  for (let length = 0; length <= max; length++) {
    if (length) {
      const size = sizes[length - 1]
      byteLength += size
      generator.next(patternBlock(base, length - 1, size))
    }
    if (!wanted.has(length)) continue
    const { roots } = generator
    const sign = ({ crypto }, message) => length ? hex(crypto.sign(message, secretKey)) : null
    states.push({
      length,
      byteLength,
      roots: roots.map(hexNode),
      treeHash: hex(v9.crypto.tree(roots)),
      signatureV8: sign(v8, v9.crypto.tree(roots)),
      signatureV9: sign(v9, v9.crypto.signable(roots, length))
    })
  }
  return { seed: hex(seed), publicKey: hex(publicKey), base, sizes, states }
}

module.exports = { hashes, keys, signatures, merkle }
