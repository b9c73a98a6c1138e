'use strict'

// Whole sessions between a writer, who is the initiator, and a reader: every byte on the wire, with the plaintext of each
// frame beside it. Storage is in memory and everything random is fixed.

const memory = require('./memory')
const { promise, hex, hexPair, patternBlock } = require('./packages')

const SIDES = ['initiator', 'responder']

// Lets everything happen that doesn't wait for anything else.
async function settle (turns = 60) {
  while (turns--) await new Promise(resolve => setImmediate(resolve))
}

class Session {
  constructor (all, rng) {
    this.all = all
    this.rng = rng
    this.feed = all.crypto.keyPair(rng.bytes(32))
    this.base = rng.int(256)
    this.keys = Array.from({ length: 4 }, () => all.noiseKeyPair(rng.bytes(32)))
    this.nonces = [rng.bytes(24), rng.bytes(24)]
    this.sizes = []
    this.frames = []
    this.events = []
  }

  async openWriter () {
    const { publicKey, secretKey } = this.feed
    this.writer = await this.all.open(memory(), publicKey, { secretKey, noiseKeyPair: this.keys[0] })
  }

  async openReader (options) {
    this.reader = await this.all.open(memory(), this.feed.publicKey, { noiseKeyPair: this.keys[1], ...options })
    for (const event of ['append', 'sync', 'peer-open', 'peer-remove']) {
      this.reader.on(event, () => this.events.push('reader ' + event))
    }
  }

  append (count) {
    const blocks = Array.from({ length: count }, () => {
      const size = this.rng.bool(0.1) ? 0 : this.rng.range(1, 30)
      return patternBlock(this.base, this.sizes.push(size) - 1, size)
    })
    return promise(done => this.writer.append(blocks, done))
  }

  get (index) {
    return promise(done => this.reader.get(index, done))
  }

  async connect (options) {
    this.all.fix(this.keys.slice(2), this.nonces)
    // Each gets an object of its own, because the feeds write their keys into it.
    const settings = () => ({ live: false, timeout: false, ...options })
    this.streams = {
      initiator: this.writer.replicate(true, settings()),
      responder: this.reader.replicate(false, settings())
    }
    this.join('initiator', this.streams.initiator, this.streams.responder)
    this.join('responder', this.streams.responder, this.streams.initiator)
    await settle()
    this.all.fix()
  }

  // Carries what one side says to the other and writes it down.
  join (side, stream, other) {
    const plaintexts = []
    const channels = stream.state._messages
    const send = channels.send.bind(channels)
    channels.send = (...message) => {
      const frame = send(...message)
      plaintexts.push(hex(frame))
      return frame
    }
    let handshake = side === 'initiator' ? 2 : 1
    stream.on('data', data => {
      this.frames.push({ from: side, plaintext: handshake-- > 0 ? null : plaintexts.shift(), bytes: hex(data) })
      other.write(Buffer.from(data))
    })
    stream.on('end', () => {
      this.events.push(side + ' end')
      other.end()
    })
    stream.on('error', error => this.events.push(`${side} error ${error.message}`))
    stream.on('close', () => this.events.push(side + ' close'))
  }

  async result (what) {
    await settle()
    const { length, byteLength } = this.reader
    const has = Array.from({ length }, (_, index) => index).filter(index => this.reader.has(index))
    const party = i => ({
      role: ['writer', 'reader'][i],
      static: hexPair(this.keys[i]),
      ephemeral: hexPair(this.keys[2 + i]),
      nonce: hex(this.nonces[i])
    })
    const result = {
      what,
      feed: hexPair(this.feed),
      base: this.base,
      sizes: this.sizes,
      initiator: party(0),
      responder: party(1),
      frames: this.frames,
      // The end of those that are still open belongs to it.
      events: this.events,
      reader: { length, byteLength, has }
    }
    for (const side of SIDES) this.streams[side].destroy()
    await settle()
    return result
  }
}

const PLAYS = {
  clone: ['everything, not live: both sides end by themselves', async s => {
    await s.append(12)
    await s.openReader()
    await s.connect()
  }],
  'clone-large': ['more blocks than requests may be in flight', async s => {
    await s.append(70)
    await s.openReader()
    await s.connect()
    await settle(300)
  }],
  sparse: ['sparse reader: get three blocks, then seek', async s => {
    await s.append(30)
    await s.openReader({ sparse: true })
    await s.connect({ live: true })
    for (const index of [4, 29, 11]) await s.get(index)
    await promise(done => s.reader.seek(Math.floor(s.writer.byteLength / 3), done))
  }],
  live: ['live reader: the writer appends while connected', async s => {
    await s.append(2)
    await s.openReader()
    await s.connect({ live: true })
    for (const count of [1, 5]) {
      await s.append(count)
      await settle()
    }
  }],
  update: ['sparse reader that only asks for updates', async s => {
    await s.append(5)
    await s.openReader({ sparse: true })
    await s.connect({ live: true })
    await promise(done => s.reader.update(done))
    await s.append(4)
    await promise(done => s.reader.update({ minLength: 9 }, done))
  }],
  'ack-extension': ['acknowledged download and an extension message each way', async s => {
    await s.append(3)
    await s.openReader()
    const onmessage = () => {}
    const ours = s.writer.registerExtension('zeta', { onmessage })
    s.writer.registerExtension('alpha', { onmessage })
    const theirs = s.reader.registerExtension('zeta', { onmessage })
    await s.connect({ live: true, ack: true })
    ours.broadcast(Buffer.from('from the writer'))
    theirs.broadcast(Buffer.from('from the reader'))
    await settle()
  }],
  'upload-off': ['the writer stops uploading and starts again', async s => {
    await s.append(6)
    await s.openReader({ sparse: true })
    await s.connect({ live: true })
    await s.get(1)
    for (const on of [false, true]) {
      s.writer.setUploading(on)
      await settle()
    }
    await s.get(5)
  }]
}

module.exports = async (all, rng) => {
  const sessions = []
  for (const [name, [what, play]] of Object.entries(PLAYS)) {
    const session = new Session(all, rng.fork(name))
    await session.openWriter()
    await play(session)
    sessions.push({ name, ...await session.result(what) })
  }
  return { hypercore: all.version, sessions }
}
