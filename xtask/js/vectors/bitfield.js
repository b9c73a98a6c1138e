'use strict'

// Pages of the bitfield file, and what is counted, found and compressed in them.

const { hex } = require('./packages')

const SHAPES = [
  { pageSize: 3584, max: 40, count: 12 },
  { pageSize: 3584, max: 300, count: 40 },
  { pageSize: 3584, max: 8192, count: 60 },
  { pageSize: 3584, max: 8192, fill: 8192, count: 10 },
  { pageSize: 3584, max: 20000, count: 80 },
  { pageSize: 3584, max: 30000, fill: 25000, count: 30 },
  { pageSize: 3328, max: 300, count: 40 },
  { pageSize: 3328, max: 8192, count: 60 }
]
const RANGES = [
  [0, 1048576], [0, 8192], [8192, 8192], [16384, 8192], [0, 16384], [8192, 1048576], [1048576, 1048576]
]
const times = (length, make) => Array.from({ length }, make)
const trimmed = bytes => hex(bytes).replace(/(00)+$/, '')

function one (all, rng, { pageSize, max, fill, count }) {
  const bits = all.bitfield(pageSize)
  const tree = all.treeIndex(bits.tree)
  const ops = []
  const set = (from, to, value) => {
    ops.push([from, to, value])
    for (let index = from; index < to; index++) {
      bits.set(index, value)
      if (value) tree.set(2 * index)
    }
  }
  if (fill) set(0, fill, true)
  for (let i = 0; i < count; i++) {
    const from = rng.int(max)
    const to = Math.min(max, from + rng.pick([1, 1, 1, 2, 5, 8, 30, 200]))
    set(from, to, rng.bool(0.75))
  }
  const pages = times(bits.pages.length, (_, i) => {
    const { buffer } = bits.pages.get(i, true) || { buffer: Buffer.alloc(pageSize) }
    const [data, tree, index] = [[0, 1024], [1024, 3072], [3072]].map(part => trimmed(Buffer.from(buffer).subarray(...part)))
    return { data, tree, index }
  })
  const totals = times(12, () => {
    const start = rng.int(max)
    const end = start + rng.int(max - start) + 1
    return { start, end, total: bits.total(start, end) }
  })
  const compress = RANGES.map(([start, length]) => ({ start, length, encoded: hex(bits.compress(start, length)) }))
  const zeros = times(4, () => {
    const start = rng.int(max)
    const end = start + rng.range(1, max - start)
    const iterator = bits.iterator(start, end)
    const found = []
    let next
    while (found.length < 50 && (next = iterator.next()) !== -1) found.push(next)
    return { start, end, found }
  })
  return { pageSize, ops, pages, totals, compress, zeros }
}

module.exports = (all, rng) => SHAPES.map(shape => one(all, rng, shape))
