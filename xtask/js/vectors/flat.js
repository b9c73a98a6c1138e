'use strict'

// The arithmetic of flat trees; what a number of JavaScript can't hold is null.

const safe = number => Number.isSafeInteger(number) ? number : null
const FUNCTIONS = [
  'depth', 'offset', 'parent', 'sibling', 'leftChild', 'rightChild', 'children', 'leftSpan', 'rightSpan', 'count',
  'countLeaves', 'nextLeaf'
]
const MOVES = [
  'next', 'prev', 'sibling', 'parent', 'leftSpan', 'rightSpan', 'leftChild', 'rightChild', 'nextTree', 'prevTree'
]

const inOrder = numbers => [...numbers].sort((a, b) => a - b)
const times = (length, make) => Array.from({ length }, (_, i) => make(i))

function indexes (flat, rng) {
  const all = new Set(times(130, i => i))
  for (let depth = 0; depth <= 52; depth++) {
    for (const by of [-2, -1, 0, 1]) all.add(2 ** depth + by)
  }
  for (let i = 0; i < 250; i++) all.add(rng.bits(52))
  // By depth, so that parents of every height are among them.
  for (let i = 0; i < 150; i++) {
    const depth = rng.range(1, 45)
    all.add(flat.index(depth, rng.bits(51 - depth)))
  }
  return inOrder(all).filter(index => index >= 0 && index <= 2 ** 52)
}

function node (flat, index) {
  const out = { index }
  for (const name of FUNCTIONS) {
    const value = flat[name](index)
    out[name] = Array.isArray(value) ? value.map(safe) : safe(value)
  }
  return out
}

// Goes on until a number is no longer safe.
function walk (flat, rng, bits) {
  const start = rng.bits(bits)
  const iterator = flat.iterator(start)
  const steps = []
  for (let i = 0; i < 25; i++) {
    const op = rng.pick(MOVES)
    iterator[op]()
    const { index, offset, factor } = iterator
    if (safe(index) === null || safe(factor) === null || index > 2 ** 50) break
    steps.push({ op, index, offset, factor, isLeft: iterator.isLeft() })
  }
  return { start, steps }
}

module.exports = ({ flat }, rng) => {
  const nodes = indexes(flat, rng).map(index => node(flat, index))
  const index = times(80, () => {
    const depth = rng.range(0, 40)
    const offset = rng.bits(50 - depth)
    return { depth, offset, index: safe(flat.index(depth, offset)) }
  })
  const ends = new Set([0, 2, 4, 6, 8, 10, 12, 14, 16, 30, 32, 34])
  for (let depth = 5; depth <= 51; depth += 2) {
    for (const by of [0, -2, 2]) ends.add(2 ** depth + by)
  }
  for (let i = 0; i < 60; i++) ends.add(2 * rng.bits(i < 30 ? 20 : 50))
  const fullRoots = inOrder(ends).map(index => ({ index, roots: flat.fullRoots(index) }))
  const patch = times(40, () => {
    const from = 2 * rng.int(60)
    const to = from + 2 * rng.int(80)
    return { from, to, nodes: flat.patch(from, to) }
  })
  const walks = times(40, i => walk(flat, rng, i < 20 ? 12 : 40))
  return { nodes, index, fullRoots, patch, walks }
}
