'use strict'

// Randomness from a seed: SHA-512 of the seed and a counter. A fork has a seed of its own, so that one kind of vectors can
// draw more without changing the others.

const { createHash } = require('crypto')

const RANGE = 2 ** 48

class Rng {
  constructor (seed) {
    this.seed = seed
    this.counter = 0
    this.left = Buffer.alloc(0)
  }

  fork (label) {
    return new Rng(`${this.seed}/${label}`)
  }

  bytes (count) {
    while (this.left.length < count) {
      const next = createHash('sha512').update(`${this.seed}#${this.counter++}`).digest()
      this.left = Buffer.concat([this.left, next])
    }
    const out = Buffer.from(this.left.subarray(0, count))
    this.left = this.left.subarray(count)
    return out
  }

  // In [0, 1).
  float () {
    return this.bytes(6).readUIntBE(0, 6) / RANGE
  }

  // Below `bound`.
  int (bound) {
    return Math.floor(this.float() * bound)
  }

  // Both ends included.
  range (from, to) {
    return from + this.int(to - from + 1)
  }

  bool (chance = 0.5) {
    return this.float() < chance
  }

  pick (list) {
    return list[this.int(list.length)]
  }

  // A number of up to so many bits, where each count of bits is as likely as any other.
  bits (max) {
    const count = this.range(0, max)
    return count && Math.floor(2 ** (count - 1) + this.float() * 2 ** (count - 1))
  }
}

module.exports = Rng
