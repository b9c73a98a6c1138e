'use strict'

// Files in memory that answer on the next tick and in order, so that whole sessions repeat byte for byte.

class File {
  constructor () {
    this.bytes = Buffer.alloc(0)
  }

  read (offset, size, done) {
    process.nextTick(() => {
      if (size && offset + size > this.bytes.length) return done(new Error('Could not satisfy length'))
      done(null, Buffer.from(this.bytes.subarray(offset, offset + size)))
    })
  }

  write (offset, data, done = () => {}) {
    const copy = Buffer.from(data)
    process.nextTick(() => {
      const missing = copy.length ? offset + copy.length - this.bytes.length : 0
      if (missing > 0) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(missing)])
      copy.copy(this.bytes, offset)
      done(null)
    })
  }

  del (offset, size, done = () => {}) {
    process.nextTick(() => {
      const { length } = this.bytes
      if (offset <= length && offset + size >= length) this.bytes = this.bytes.subarray(0, offset)
      done(null)
    })
  }

  close (done) {
    process.nextTick(done, null)
  }
}

module.exports = () => {
  const files = new Map()
  return name => {
    if (!files.has(name)) files.set(name, new File())
    return files.get(name)
  }
}
