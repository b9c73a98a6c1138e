'use strict'

// What a receiver makes of good and bad Data messages: each is given to a real feed that had some good ones before.

const memory = require('./memory')
const { promise, hex, hexNode, patternBlock } = require('./packages')

const hexMessage = ({ index, value, nodes, signature }) => ({
  index,
  value: hex(value),
  nodes: nodes.map(hexNode),
  signature: hex(signature)
})

const copy = ({ index, value, nodes, signature }) => ({
  index,
  value: value && Buffer.from(value),
  nodes: nodes.map(node => ({ ...node, hash: Buffer.from(node.hash) })),
  signature: signature && Buffer.from(signature)
})

// The package throws where it was not meant to, at once or later.
function put (feed, message) {
  const { index, value, nodes, signature } = copy(message)
  return new Promise(resolve => {
    const thrown = error => end('throws: ' + error.message)
    const end = text => {
      process.removeListener('uncaughtException', thrown)
      resolve(text)
    }
    process.once('uncaughtException', thrown)
    try {
      feed._putBuffer(index, value, { nodes, signature }, null, error => end(error ? error.message : null))
    } catch (error) {
      thrown(error)
    }
  })
}

class Group {
  constructor (all, rng, length) {
    Object.assign(this, { all, rng, length, cases: [] })
    this.base = rng.int(256)
    this.sizes = Array.from({ length: length + 6 }, () => rng.range(0, 20))
    this.keys = all.crypto.keyPair(rng.bytes(32))
  }

  block (index) {
    return patternBlock(this.base, index, this.sizes[index])
  }

  async append (from, to) {
    for (let i = from; i < to; i++) await promise(done => this.writer.append(this.block(i), done))
  }

  reader () {
    return this.all.open(memory(), this.keys.publicKey, { sparse: true })
  }

  // How the writer would answer a request.
  async answer (index, options = {}) {
    const { nodes, signature } = await promise(done => this.writer.proof(index, { digest: 0, ...options }, done))
    const value = options.hash ? null : this.block(index)
    return copy({ index, value, nodes: nodes.map(({ index, size, hash }) => ({ index, size, hash })), signature })
  }

  flip (bytes) {
    bytes[this.rng.int(bytes.length)] ^= 1 << this.rng.int(8)
  }

  async run (name, before, message) {
    const feed = await this.reader()
    for (const one of before) {
      const error = await put(feed, one)
      if (error) throw new Error(error)
    }
    const error = await put(feed, message)
    await new Promise(resolve => setImmediate(resolve))
    const { length, byteLength } = feed
    const upTo = (end, holds) => Array.from({ length: end }, (_, i) => i).filter(holds)
    this.cases.push({
      name,
      before: before.map(hexMessage),
      message: hexMessage(message),
      error,
      length,
      byteLength,
      has: upTo(length, i => feed.has(i)),
      tree: upTo(4 * length + 8, i => feed.tree.get(i))
    })
  }

  // The same with a message that was changed; one without nodes has none to change.
  async changed (name, change, message, before = [], nodes = 0) {
    if (message.nodes.length < nodes) return
    const other = copy(message)
    change(other)
    await this.run(name, before, other)
  }

  async damage (good, index, other) {
    const { rng, length, writer, keys } = this
    const change = (name, how, nodes) => this.changed(name, how, good, [], nodes)
    await change('value changed', m => {
      if (m.value.length) this.flip(m.value)
      else m.value = Buffer.from([1])
    })
    await change('value longer', m => { m.value = Buffer.concat([m.value, Buffer.from([0])]) })
    await change('signature changed', m => this.flip(m.signature))
    await change('signature missing', m => { m.signature = null })
    const known = [await this.answer(rng.int(length))]
    await this.changed('signature missing, feed not empty', m => { m.signature = null }, good, known)
    await change('signature of the other version', m => {
      const { roots } = writer._merkle
      const signed = other.version === 8 ? other.crypto.tree(roots) : other.crypto.signable(roots, length)
      m.signature = other.crypto.sign(signed, keys.secretKey)
    })
    await change('node hash changed', m => this.flip(rng.pick(m.nodes).hash), 1)
    await change('node size changed', m => { rng.pick(m.nodes).size += 1 }, 1)
    await change('first node missing', m => m.nodes.shift(), 1)
    await change('last node missing', m => m.nodes.pop(), 1)
    const extra = () => ({ index: 4 * length + 2, size: 1, hash: rng.bytes(32) })
    await change('extra node at the end', m => m.nodes.push(extra()))
    await change('extra node at the start', m => m.nodes.unshift(extra()))
    await change('nodes reversed', m => m.nodes.reverse(), 2)
    await change('no nodes at all, value only', m => { m.nodes = [] })
    await change('no nodes and no value', m => Object.assign(m, { nodes: [], value: null }))
    await change('another index', m => { m.index = (m.index + 1) % Math.max(2, length) })
    const hash = await this.answer(index, { hash: true })
    await this.changed('hash with value', m => { m.value = this.block(index) }, hash)
  }

  // The reader has a block already, and the writer knows it.
  async shortProofs () {
    const { rng, length } = this
    const first = await this.answer(rng.int(length))
    const feed = await this.reader()
    await put(feed, first)
    for (let i = 0; i < 4; i++) {
      const index = rng.int(length)
      const short = await this.answer(index, { digest: feed.digest(index) })
      await this.run('short proof after another block', [first], short)
      const longer = m => { m.value = Buffer.concat([m.value, Buffer.from([7])]) }
      await this.changed('short proof, value changed', longer, short, [first])
      await this.changed('short proof, node changed', m => this.flip(rng.pick(m.nodes).hash), short, [first], 1)
    }
    await this.run('full proof although some of it is known', [first], await this.answer(rng.int(length)))
    await this.run('the same block again', [first], first)
  }

  async growth () {
    const { rng, length } = this
    const old = await this.answer(rng.int(length))
    await this.append(length, length + 6)
    const newer = await this.answer(length + rng.int(6))
    await this.run('block of a longer feed', [old], newer)
    await this.run('older proof after a newer one', [newer], old)
    const swap = m => { m.signature = old.signature }
    await this.changed('longer feed, signature of the shorter one', swap, newer, [old])
  }

  async play (other) {
    const { publicKey, secretKey } = this.keys
    this.writer = await this.all.open(memory(), publicKey, { secretKey })
    await this.append(0, this.length)
    const index = this.rng.int(this.length)
    const good = await this.answer(index)
    await this.run('good block', [], good)
    await this.run('good hash', [], await this.answer(index, { hash: true }))
    await this.damage(good, index, other)
    if (this.length > 3) await this.shortProofs()
    await this.growth()
    const { base, sizes, length, cases } = this
    return { publicKey: hex(publicKey), base, sizes, length, cases }
  }
}

module.exports = async (all, other, rng) => {
  const groups = []
  for (const length of [1, 2, 5, 8, 13, 40, 100 + rng.int(30)]) {
    groups.push(await new Group(all, rng.fork('length' + length), length).play(other))
  }
  return { hypercore: all.version, groups }
}
