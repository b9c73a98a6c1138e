'use strict'

// node generate.js --seed SEED --out FOLDER: writes the vectors, by calling the published packages. The same seed gives the
// same bytes.

const fs = require('fs')
const path = require('path')
const { parseArgs } = require('util')
const Rng = require('./rng')
const { load } = require('./packages')
const crypto = require('./crypto')

// Lists and objects have a line for each of their parts, down to a depth below which all is on one line: short files of
// which a change can still be read.
function text (value, depth, indent = '') {
  const flat = value === null || typeof value !== 'object' || Object.keys(value).length === 0
  const numbers = Array.isArray(value) && value.every(item => typeof item === 'number')
  if (depth === 0 || flat || numbers) return JSON.stringify(value)
  const inner = indent + ' '
  const parts = Object.keys(value).map(key => {
    const label = Array.isArray(value) ? '' : JSON.stringify(key) + ': '
    return inner + label + text(value[key], depth - 1, inner)
  })
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${parts.join(',\n')}\n${indent}${close}`
}

async function main () {
  const { values: { seed, out } } = parseArgs({ options: { seed: { type: 'string' }, out: { type: 'string' } } })
  const rng = new Rng('hypercore-vectors:' + seed)
  const [v8, v9] = [load(8), load(9)]
  // Downloads choose their blocks by this.
  const choices = rng.fork('math-random')
  Math.random = () => choices.float()

  fs.mkdirSync(out, { recursive: true })
  const write = (name, value, depth = 2) => fs.writeFileSync(path.join(out, name + '.json'), text(value, depth) + '\n')
  write('flat-tree', require('./flat')(v9, rng.fork('flat')))
  write('hashes', crypto.hashes(v9, rng.fork('hashes')))
  write('keys', crypto.keys(v8, v9, rng.fork('keys')))
  write('signatures', crypto.signatures(v8, v9, rng.fork('signatures')))
  write('merkle', crypto.merkle(v8, v9, rng.fork('merkle')))
  write('bitfield-rle', require('./rle')(v9, rng.fork('rle')))
  write('messages', require('./messages')(v8, v9, rng.fork('messages')))
  write('tree-index', require('./tree')(v9, rng.fork('tree')))
  write('bitfield-pages', require('./bitfield')(v9, rng.fork('bitfield')))
  for (const [own, other] of [[v8, v9], [v9, v8]]) {
    const suffix = '-v' + own.version
    write('handshake' + suffix, await require('./handshake')(own, rng.fork('handshake')))
    write('sessions' + suffix, await require('./sessions')(own, rng.fork('sessions')), 4)
    write('put' + suffix, await require('./put')(own, other, rng.fork('put')), 4)
    write('sleep' + suffix, await require('./sleep')(own, v8, rng.fork('sleep'), path.join(out, 'sleep' + suffix)))
  }
}

// Streams that were destroyed may still have timers.
main().then(() => process.exit(0), error => {
  console.error(error)
  process.exit(1)
})
