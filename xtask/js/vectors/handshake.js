'use strict'

// Whole handshakes with fixed keys, and then messages in both directions: the bytes on the wire, the state of Noise after
// every message, and what each side makes of what arrives.

const { hex, hexPair } = require('./packages')
const { NAMES, plain } = require('./messages')

const SIDES = ['initiator', 'responder']
const other = side => SIDES[1 - SIDES.indexOf(side)]

function noiseState ({ symmetricState: bytes }) {
  return {
    chainingKey: hex(bytes.subarray(0, 64)),
    hash: hex(bytes.subarray(64, 128)),
    cipherKey: hex(bytes.subarray(128, 160)),
    cipherNonce: hex(bytes.subarray(160, 168))
  }
}

class Pair {
  constructor (all, rng, encrypted) {
    this.all = all
    this.rng = rng
    const pair = () => all.noiseKeyPair(rng.bytes(32))
    this.statics = [pair(), pair()]
    this.ephemerals = [pair(), pair()]
    this.nonces = [rng.bytes(24), rng.bytes(24)]
    this.wire = []
    this.queue = []
    this.plaintexts = []
    this.states = { initiator: [], responder: [] }
    this.received = { initiator: [], responder: [] }
    this.split = {}
    this.handshakeHash = {}
    all.fix(this.ephemerals, this.nonces)
    SIDES.forEach((side, i) => { this[side] = this.start(side, this.statics[i], encrypted) })
    this.startState = noiseState(this.initiator._handshake.noise.state)
  }

  start (side, keyPair, encrypted) {
    const handlers = {
      keyPair,
      encrypted,
      send: data => {
        const bytes = Buffer.from(data)
        this.wire.push({ from: side, bytes: hex(bytes) })
        this.queue.push({ to: other(side), bytes })
        return true
      },
      destroy: error => { if (error) throw error },
      onextension: (channel, id, payload) => {
        this.received[side].push({ name: 'extension', channel, id, payload: hex(payload) })
      }
    }
    for (const name of NAMES) {
      handlers['on' + name] = (channel, message) => this.received[side].push({ name, channel, message: plain(message) })
    }
    const protocol = new this.all.SimpleProtocol(side === 'initiator', handlers)
    this.listen(side, protocol._handshake.noise)
    return protocol
  }

  // Notes the state after every message of the handshake, the last of which ends it.
  listen (side, noise) {
    const { onhandshake } = noise
    noise.onhandshake = (state, done) => {
      this.states[side].push(noiseState(state))
      this.split[side] = { tx: hex(noise.split.tx.subarray(0, 32)), rx: hex(noise.split.rx.subarray(0, 32)) }
      this.handshakeHash[side] = this.states[side].at(-1).hash
      onhandshake(state, done)
    }
    for (const method of ['send', 'recv']) {
      const real = noise[method].bind(noise)
      noise[method] = (data, done) => real(data, (...result) => {
        if (noise.state.symmetricState) this.states[side].push(noiseState(noise.state))
        done(...result)
      })
    }
  }

  deliver () {
    while (this.queue.length) {
      const { to, bytes } = this.queue.shift()
      this[to].recv(bytes)
    }
  }

  async shakeHands () {
    for (let turn = 0; turn < 20; turn++) {
      await new Promise(resolve => setImmediate(resolve))
      this.deliver()
    }
    this.all.fix()
    const messages = this.wire.splice(0)
    const { initiator, responder } = this.split
    if (messages.length !== 3 || initiator.tx !== responder.rx || initiator.rx !== responder.tx) {
      throw new Error('the handshake failed')
    }
    return messages
  }

  capabilities (key) {
    const { initiator, responder } = this
    return {
      key: hex(key),
      initiatorSends: hex(initiator.capability(key)),
      responderSends: hex(responder.capability(key)),
      initiatorExpects: hex(initiator.remoteCapability(key)),
      responderExpects: hex(responder.remoteCapability(key))
    }
  }

  // Values around the 64 bytes of a block of the key stream.
  talk (key) {
    for (const side of SIDES) {
      const channels = this[side]._messages
      const real = channels.send.bind(channels)
      channels.send = (...message) => {
        const frame = real(...message)
        this.plaintexts.push(hex(frame))
        return frame
      }
    }
    const ping = side => {
      this[side].ping()
      this.plaintexts.push('00')
    }
    const { initiator, responder, rng } = this
    const discoveryKey = this.all.crypto.discoveryKey(key)
    initiator.open(1, { key, discoveryKey })
    responder.open(1, { key, discoveryKey })
    responder.want(1, { start: 0, length: 1048576 })
    initiator.status(1, { uploading: true, downloading: false })
    initiator.have(1, { start: 2 })
    initiator.have(1, { start: 0, length: 1048576, bitfield: Buffer.from([2, 0xe0]) })
    ping('initiator')
    for (const size of [0, 1, 50, 63, 64, 65, 127, 128, 500]) {
      const value = rng.bytes(size)
      const nodes = [{ index: size, hash: rng.bytes(32), size }]
      initiator.data(1, { index: size, value, nodes, signature: rng.bytes(64) })
      responder.request(1, { bytes: 0, index: size, hash: false, nodes: 0 })
    }
    ping('responder')
    responder.options(1, { ack: true, extensions: ['example'] })
    responder.extension(1, 0, Buffer.from('hello'))
    responder.close(1, {})
    initiator.close(1, {})
    const stream = this.wire.map(({ from, bytes }, i) => ({ from, plaintext: this.plaintexts[i], bytes }))
    this.deliver()
    return stream
  }
}

async function one (all, rng, encrypted) {
  const pair = new Pair(all, rng, encrypted)
  const messages = await pair.shakeHands()
  const keys = [rng.bytes(32), rng.bytes(32)]
  const capabilities = keys.map(key => pair.capabilities(key))
  const stream = pair.talk(keys[0])
  const party = i => ({
    static: hexPair(pair.statics[i]),
    ephemeral: hexPair(pair.ephemerals[i]),
    nonce: hex(pair.nonces[i])
  })
  return {
    protocolName: `Noise_XX_25519_${all.version === 8 ? 'X' : ''}ChaChaPoly_BLAKE2b`,
    encrypted,
    initiator: party(0),
    responder: party(1),
    messages,
    startState: pair.startState,
    initiatorStates: pair.states.initiator,
    responderStates: pair.states.responder,
    handshakeHash: pair.handshakeHash.initiator,
    split: pair.split,
    capabilities,
    stream,
    received: pair.received
  }
}

module.exports = async (all, rng) => {
  const cases = []
  for (const label of ['case0', 'case1', 'case2']) cases.push(await one(all, rng.fork(label), true))
  cases.push(await one(all, rng.fork('plain'), false))
  return { hypercore: all.version, cases }
}
