'use strict'

// Every message: its fields, its body, its frame, and what decoding makes of it. Both versions must agree.

const { hex } = require('./packages')

const NAMES = ['open', 'options', 'status', 'have', 'unhave', 'want', 'unwant', 'request', 'cancel', 'data', 'close']
const EDGES = [
  0, 1, 127, 128, 16383, 16384, 2097151, 2097152, 268435455, 268435456, 2147483647, 2147483648, 4294967295, 4294967296,
  2 ** 49, 2 ** 53 - 1
]
const CHANNELS = [0, 1, 2, 7, 8, 100, 1000, 100000, 134217727]
const WINDOW = 1048576

// Bodies that no encoder writes: fields in another order, twice, unknown, of another type, cut off, or missing.
const BODIES = {
  open: ['', '1203010203', '0a0301020312020405', '120204050a03010203'],
  options: ['', '10010a0161', '0a01610a016210000a0163'],
  status: ['', '0801', '10010801', '0802'],
  have: [
    '', '1005', '0805', '08051005', '10050805', '080508061001', '08052803', '0805320101', '0805390102030405060708',
    '08053d01020304', '08051a020102', '08051a00', '0805a00101', '08052b', '08052c', '08052e', '0885', '08',
    '088080808080808001', '08ffffffffffffff0f'
  ],
  unhave: ['0805'],
  want: ['0805', '08051080808001'],
  unwant: ['0805'],
  request: ['0805', '080510071801200f', '1007'],
  cancel: ['0805'],
  data: ['0805', '08051200', '08051a0408011200', '08051a06080112001803', '0805220100'],
  close: ['', '0a020102']
}

const times = (length, make) => Array.from({ length }, (_, i) => make(i))

// The same with bytes in hex, for JSON.
function plain (value) {
  if (value === null || value === undefined) return null
  if (Buffer.isBuffer(value)) return hex(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}

const present = fields => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
const codec = ({ messages }, name) => messages[name[0].toUpperCase() + name.slice(1)]

function channels (all, onmessage, encoding) {
  const types = NAMES.map((name, type) => ({
    context: null,
    onmessage: (channel, message) => onmessage(channel, type, message),
    encoding: encoding || codec(all, name)
  }))
  return new all.Channels({ types })
}

// The fields to encode, by name. What is drawn depends on the order of all of this.
function samples (rng) {
  const int = () => rng.bool(0.5) ? rng.pick(EDGES) : rng.bits(50)
  const node = () => ({ index: int(), hash: rng.bytes(32), size: int() })
  const flags = [undefined, true, false]
  const out = {}
  out.open = [{ discoveryKey: rng.bytes(32) }, { discoveryKey: rng.bytes(32), capability: rng.bytes(32) }]
  out.options = [
    {}, { ack: true }, { ack: false }, { extensions: [], ack: false }, { extensions: ['a'] },
    { extensions: ['alpha', 'beta', 'gamma/2'], ack: true },
    { extensions: ['', 'h\u00e6ndelse', '\u96ea', 'x'.repeat(200)], ack: false }
  ]
  out.status = flags.flatMap(uploading => flags.map(downloading => present({ uploading, downloading })))
  out.have = [
    ...EDGES.map(start => ({ start })),
    ...times(8, () => ({ start: int(), length: int() })),
    { start: 0, length: WINDOW, bitfield: Buffer.alloc(0) },
    { start: 0, length: WINDOW, bitfield: rng.bytes(5) },
    { start: 8192, length: 8192, bitfield: rng.bytes(200) },
    { start: 12, length: 1, ack: true },
    { start: 12, length: 1, ack: false },
    { start: 0, length: 0, bitfield: rng.bytes(1), ack: true }
  ]
  for (const name of ['unhave', 'want', 'unwant']) {
    out[name] = [{ start: 0 }, ...times(6, i => present({ start: int(), length: i % 3 ? int() : undefined }))]
  }
  out.want.push({ start: 0, length: WINDOW }, { start: 3 * WINDOW, length: WINDOW })
  out.request = [
    { index: 0 },
    { bytes: 0, index: 5, hash: false, nodes: 0 },
    { bytes: 1234567, index: 5, hash: true, nodes: 0 },
    { index: 4, hash: true, nodes: 1 },
    { index: 3, nodes: 2 ** 32 + 1 },
    { index: 3, nodes: 2 ** 53 - 1 },
    ...times(8, () => ({ bytes: rng.bool() ? 0 : int(), index: int(), hash: rng.bool(), nodes: rng.bits(52) }))
  ]
  out.cancel = [
    { index: 0 },
    { index: 9, bytes: 10, hash: true },
    { index: 9, bytes: 0, hash: false },
    ...times(3, () => ({ index: int(), bytes: int(), hash: rng.bool() }))
  ]
  out.data = [
    { index: 0 },
    { index: 0, value: Buffer.alloc(0), nodes: [] },
    { index: 1, value: rng.bytes(3), nodes: [] },
    { index: 300, value: null, nodes: [node()], signature: rng.bytes(64) },
    { index: 300, value: rng.bytes(127), nodes: times(3, node), signature: null },
    { index: 70000, value: rng.bytes(700), nodes: times(12, node), signature: rng.bytes(64) }
  ]
  out.close = [{}, { discoveryKey: rng.bytes(32) }]
  return out
}

function encodings (v8, v9, rng) {
  const fields = samples(rng)
  const [old, own] = [v8, v9].map(all => channels(all))
  return NAMES.flatMap((name, type) => fields[name].map(message => {
    const channel = rng.pick(CHANNELS)
    const body = codec(v9, name).encode(message)
    const frame = own.send(channel, type, message)
    const same = body.equals(codec(v8, name).encode(message)) && frame.equals(old.send(channel, type, message))
    if (!same) throw new Error(`the versions differ in ${name}`)
    const decoded = plain(codec(v9, name).decode(body))
    return { name, type, channel, message: plain(message), body: hex(body), frame: hex(frame), decoded }
  }))
}

// An extension's message has no fields: a number and then the payload as it is.
function extensions (all, rng) {
  return [0, 1, 127, 128, 300].map(id => {
    const channel = rng.int(20)
    const payload = rng.bytes(rng.int(40))
    let frame
    const protocol = Object.assign(Object.create(all.SimpleProtocol.prototype), {
      _messages: channels(all),
      _handshaking: false,
      _pending: [],
      _encryption: null,
      handlers: {
        send (data) {
          frame = hex(data)
          return true
        }
      }
    })
    protocol.extension(channel, id, payload)
    return { channel, id, payload: hex(payload), frame }
  })
}

function decodings (all) {
  return NAMES.flatMap((name, type) => BODIES[name].map(body => {
    let decoded = null
    try {
      decoded = plain(codec(all, name).decode(Buffer.from(body, 'hex')))
    } catch {
      // It is refused.
    }
    return { name, type, body, decoded }
  }))
}

// Frames and keep-alives in one stream of bytes, and pieces to cut it into.
function stream (all, rng, encode) {
  const frames = []
  const messages = []
  const short = encode.filter(({ frame }) => frame.length < 1200)
  for (let i = 0; i < 25; i++) {
    if (rng.bool(0.2)) {
      frames.push(Buffer.from([0]))
      continue
    }
    const { channel, type, body, frame } = rng.pick(short)
    frames.push(Buffer.from(frame, 'hex'))
    messages.push({ channel, type, body })
  }
  const bytes = Buffer.concat(frames)
  const cuts = []
  for (let left = bytes.length; left > 0; left -= cuts[cuts.length - 1]) {
    cuts.push(Math.min(left, rng.pick([1, 1, 2, 3, 10, 50, 200])))
  }
  const received = []
  const take = (channel, type, body) => received.push({ channel, type, body: hex(body) })
  const receiver = channels(all, take, { decode: body => Buffer.from(body) })
  let at = 0
  for (const cut of cuts) receiver.recv(Buffer.from(bytes.subarray(at, at += cut)))
  if (JSON.stringify(received) !== JSON.stringify(messages)) throw new Error('the receiver got something else')
  return { bytes: hex(bytes), cuts, messages }
}

module.exports = (v8, v9, rng) => {
  const encode = encodings(v8, v9, rng)
  const extension = extensions(v9, rng)
  const noisePayload = times(3, () => {
    const nonce = rng.bytes(24)
    return { nonce: hex(nonce), body: hex(v9.messages.NoisePayload.encode({ nonce })) }
  })
  const decode = decodings(v9)
  return { encode, extension, noisePayload, decode, stream: stream(v9, rng, encode) }
}
module.exports.NAMES = NAMES
module.exports.plain = plain
