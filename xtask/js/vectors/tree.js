'use strict'

// The index of a tree: digests, proofs, and what one uploader remembers of one downloader. A state is the list of nodes
// that were set, in order; setting one whose sibling is there sets the parent as well.

const { hex } = require('./packages')

const LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 21, 32, 33, 40, 64, 100]
const times = (length, make) => Array.from({ length }, (_, i) => make(i))

class State {
  constructor (all, kind) {
    this.kind = kind
    this.tree = all.treeIndex()
    this.set = []
  }

  put (index) {
    this.tree.set(index)
    this.set.push(index)
  }

  nodes (end) {
    return times(end, i => i).filter(index => this.tree.get(index))
  }
}

function full (all, length) {
  const state = new State(all, 'full')
  state.end = 2 * length
  for (let block = 0; block < length; block++) state.put(2 * block)
  return state
}

// What a sparse reader has after some proofs at each of some lengths.
function partial (all, rng, lengths, each) {
  const state = new State(all, 'partial')
  state.end = 2 * Math.max(...lengths)
  for (const length of lengths) {
    const remote = full(all, length).tree
    for (let i = 0; i < each; i++) {
      let node = 2 * rng.int(length)
      const proof = remote.proof(node, { digest: state.tree.digest(node) })
      state.put(node)
      proof.nodes.forEach(index => state.put(index))
      // The reader computes the nodes on the way up.
      while (!state.tree.get(all.flat.parent(node)) && state.tree.get(all.flat.sibling(node))) {
        node = all.flat.parent(node)
        state.put(node)
      }
    }
  }
  return state
}

function describe (state) {
  const { kind, tree, set, end } = state
  const limit = end + 8
  const nodes = state.nodes(4 * limit)
  return {
    kind,
    set,
    nodes,
    bitfieldLength: tree.bitfield.length,
    bits: hex(tree.bitfield.toBuffer()).replace(/(00)+$/, ''),
    blocks: tree.blocks(),
    roots: tree.roots(),
    verifiedBy: nodes.slice(0, 40).map(node => {
      const extra = []
      const value = tree.verifiedBy(node, extra)
      return { node, value, nodes: extra }
    }),
    digests: times(Math.min(120, Math.ceil(limit / 2)), i => ({ node: 2 * i, digest: tree.digest(2 * i) }))
  }
}

function proofs (states, rng) {
  return states.flatMap(({ tree }, state) => {
    const blocks = times(tree.blocks(), block => 2 * block).filter(node => tree.get(node))
    if (!blocks.length) return []
    return times(12, i => {
      const node = rng.pick(blocks)
      const other = rng.pick(states)
      const digest = i < 2 ? i : i < 7 ? other.tree.digest(node) : rng.bits(10)
      const hash = rng.bool(0.3)
      const { nodes, verifiedBy } = tree.proof(node, { digest, hash })
      return { state, node, digest, hash, nodes, verifiedBy }
    })
  })
}

function session (all, rng) {
  const length = rng.range(3, 90)
  const local = full(all, length).tree
  const remote = new State(all)
  const reader = all.treeIndex()
  const requests = times(12, () => {
    const block = rng.int(length)
    const hash = rng.bool(0.2)
    const digest = rng.bool(0.8) ? reader.digest(2 * block) : rng.bits(8)
    const { nodes, verifiedBy } = local.proof(2 * block, { digest, hash, tree: remote.tree })
    for (const index of [2 * block, ...nodes]) reader.set(index)
    return { block, hash, digest, nodes, verifiedBy }
  })
  return { length, requests, remoteTree: remote.nodes(4 * length) }
}

// Far out, where a digest has more than 32 bits. The bits are set as they are, without parents.
function large (all, rng) {
  const tree = all.treeIndex()
  const block = rng.bits(46)
  const count = rng.range(1, 5)
  const bits = []
  for (let i = 0; i < count; i++) {
    let node = 2 * block
    for (let up = rng.range(1, 44); up > 0; up--) node = all.flat.parent(node)
    if (!rng.bool()) node = all.flat.sibling(node)
    if (Number.isSafeInteger(node) && node < 2 ** 48) bits.push(node)
  }
  bits.forEach(node => tree.bitfield.set(node, true))
  const digest = tree.digest(2 * block)
  return bits.length && digest < 2 ** 53 ? [{ bits, bitfieldLength: tree.bitfield.length, block, digest }] : []
}

module.exports = (all, rng) => {
  const states = LENGTHS.map(length => full(all, length))
  for (let i = 0; i < 14; i++) {
    const lengths = [rng.range(2, 40)]
    for (let more = i % 3; more > 0; more--) lengths.push(lengths[lengths.length - 1] + rng.range(1, 60))
    states.push(partial(all, rng, lengths, rng.range(1, 6)))
  }
  return {
    states: states.map(describe),
    proofs: proofs(states, rng),
    sessions: times(10, () => session(all, rng)),
    large: times(20, () => large(all, rng)).flat()
  }
}
