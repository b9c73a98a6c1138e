'use strict'

// Run-length codes: what the encoder writes, and what it never would.

const { hex } = require('./packages')

const SHORT = [
  '', '00', 'ff', '80', 'e0', '0000', 'ffff', 'ff00', '00ff', 'ffe0', '0001', '000000', 'ffffff', '00000001', 'ff00ff',
  '00ff00', 'ffff00', 'aa', 'aaff', 'aaffff', 'aaffffff', 'aa00', 'aa0000', 'aa000000bb', 'aaffbb', 'aaffffbb',
  'aaffffffbb', 'aa00bb', 'aa0000bb', 'ffaa', 'ffffaa', '00aa', '0000aa', '000000aa'
]
const STRANGE = [
  '', '01', '03', '05', '07', '0505', '0707', '0507', '00', '0000', '02', '0400', '04ffff', '04ff', '06aabb', '06aabbcc',
  '80', '81', '8080', '818001', 'ff', '0b02f0', '17', '02e0', '02f8', '3302f0', '0200', '8500', '0601', 'fd7f'
]
// The package repeats whatever a code asks it to.
const MAX_DECODED = 512

const times = (length, make) => Array.from({ length }, make)

// Runs of zeros, of ones, of one byte, and of noise.
function runs (rng, length) {
  const bytes = Buffer.alloc(length)
  let at = 0
  while (at < length) {
    const end = at + Math.min(length - at, rng.pick([1, 1, 2, 3, 5, 17, 64, 200]))
    const kind = rng.int(4)
    if (kind === 2) rng.bytes(end - at).copy(bytes, at)
    else bytes.fill([0, 255, null, null][kind] ?? rng.int(256), at, end)
    at = end
  }
  return bytes
}

module.exports = ({ rle }, rng) => {
  const aligned = rle.align(4)
  const inputs = SHORT.map(text => Buffer.from(text, 'hex'))
  for (const length of [31, 32, 63, 64, 127, 128, 129, 511, 1024, 8191, 8192]) {
    const last = Buffer.alloc(length)
    last[length - 1] = 1
    inputs.push(Buffer.alloc(length, 255), last)
  }
  inputs.push(...times(60, () => runs(rng, rng.range(1, 700))))
  inputs.push(...times(30, () => rng.bytes(rng.range(1, 40))))
  const encode = inputs.map(input => {
    const encoded = rle.encode(input)
    if (!aligned.encode(input).equals(encoded)) throw new Error('alignment changes the code')
    return {
      bitfield: hex(input),
      encoded: hex(encoded),
      decoded: hex(rle.decode(encoded)),
      decodedAlign4: hex(aligned.decode(encoded))
    }
  })

  const strange = [...STRANGE, ...times(40, () => hex(rng.bytes(rng.range(1, 6))))]
  const decode = []
  for (const text of strange) {
    const encoded = Buffer.from(text, 'hex')
    let result = { decoded: null, decodedAlign4: null }
    try {
      const length = rle.decodingLength(encoded)
      if (length > MAX_DECODED) continue
      // Which is what it makes of a varint that doesn't end.
      if (!Number.isNaN(length)) result = { decoded: hex(rle.decode(encoded)), decodedAlign4: hex(aligned.decode(encoded)) }
    } catch {
      // It is no code.
    }
    decode.push({ encoded: text, ...result })
  }
  return { encode, decode }
}
