'use strict'

// Whole directories as the packages write them, and what each has in it; then damaged ones, and what opening them gives.

const fs = require('fs')
const path = require('path')
const { createHash } = require('crypto')
const { promise, hex, hexNode, patternBlock } = require('./packages')

const FILES = ['key', 'secret_key', 'tree', 'signatures', 'bitfield', 'data']

const sha256 = bytes => createHash('sha256').update(bytes).digest('hex')
const close = feed => promise(done => feed.close(done))
const sizes = (rng, length, max) => Array.from({ length }, () => rng.bool(0.15) ? 0 : rng.range(1, max))
const blocks = (base, sizes, from = 0, to = sizes.length) => sizes.slice(from, to).map((size, i) => patternBlock(base, from + i, size))
const append = (feed, list) => promise(done => feed.append(list, done))

async function appendOneByOne (feed, list) {
  for (const block of list) await promise(done => feed.append(block, done))
}

// Opens a copy, because opening writes.
async function withCopy (dir, use) {
  const copy = dir + '.copy'
  fs.cpSync(dir, copy, { recursive: true })
  const result = await use(copy)
  fs.rmSync(copy, { recursive: true })
  return result
}

// Ranges of blocks that are there, the end not included.
function present (feed) {
  const ranges = []
  for (let i = 0; i < feed.length; i++) {
    if (!feed.has(i)) continue
    const last = ranges.at(-1)
    if (last && last[1] === i) last[1]++
    else ranges.push([i, i + 1])
  }
  return ranges
}

class Directories {
  constructor (all, rng, folder) {
    Object.assign(this, { all, rng, folder, list: [] })
    fs.rmSync(folder, { recursive: true, force: true })
  }

  path (name) {
    return path.join(this.folder, name)
  }

  keys (rng) {
    return this.all.crypto.keyPair(rng.bytes(32))
  }

  writer (name, { publicKey, secretKey }, options) {
    return this.all.open(this.path(name), publicKey, { secretKey, ...options })
  }

  async done (name, feed, facts) {
    await close(feed)
    const dir = this.path(name)
    const found = await withCopy(dir, copy => this.read(copy))
    const files = {}
    for (const file of FILES.filter(file => fs.existsSync(path.join(dir, file)))) {
      const bytes = fs.readFileSync(path.join(dir, file))
      files[file] = { size: bytes.length, sha256: sha256(bytes) }
    }
    const { has, sha256OfPresentBlocks, ...first } = found
    this.list.push({ name, ...facts, ...first, has, files, sha256OfPresentBlocks })
  }

  async read (dir) {
    const feed = await this.all.open(dir)
    const { writable, live, length, byteLength } = feed
    const roots = length ? await promise(done => feed._roots(length, done)) : []
    const has = present(feed)
    const bytes = []
    for (const [from, to] of has) {
      for (let i = from; i < to; i++) bytes.push(await promise(done => feed.get(i, done)))
    }
    const found = {
      key: hex(feed.key),
      discoveryKey: hex(feed.discoveryKey),
      writable,
      live,
      length,
      byteLength,
      downloaded: feed.downloaded(0, length),
      treeHash: length ? hex(this.all.crypto.tree(roots)) : null,
      roots: roots.map(hexNode),
      has,
      sha256OfPresentBlocks: sha256(Buffer.concat(bytes))
    }
    await close(feed)
    return found
  }

  async appended () {
    for (const count of [0, 1, 2, 3, 10, 100]) {
      const rng = this.rng.fork('len' + count)
      const feed = await this.writer('len-' + count, this.keys(rng))
      const base = rng.int(256)
      const list = sizes(rng, count, count > 10 ? 60 : 20)
      await appendOneByOne(feed, blocks(base, list))
      await this.done('len-' + count, feed, {
        how: 'blocks appended one at a time', base, sizes: list, batches: list.map(() => 1)
      })
    }
    const rng = this.rng.fork('batch')
    const feed = await this.writer('batch-7', this.keys(rng))
    const base = rng.int(256)
    const list = sizes(rng, 7, 30)
    await append(feed, blocks(base, list))
    await this.done('batch-7', feed, { how: 'one append of 7 blocks', base, sizes: list, batches: [7] })
  }

  async thousand () {
    const rng = this.rng.fork('thousand')
    const count = 1000 + rng.range(1, 40)
    const list = sizes(rng, count, 40)
    const base = rng.int(256)
    const batches = []
    let feed = await this.writer('len-1000', this.keys(rng))
    for (let at = 0; at < count; at += batches.at(-1)) {
      const step = Math.min(count - at, rng.pick([1, 1, 2, 5, 17, 64, 130]))
      batches.push(step)
      await append(feed, blocks(base, list, at, at + step))
      if (batches.length !== 20) continue
      await close(feed)
      feed = await this.all.open(this.path('len-1000'))
    }
    await this.done('len-1000', feed, { how: 'batches, reopened after the twentieth', base, sizes: list, batches })
  }

  // More than one page of the bitfield.
  async twoPages () {
    const rng = this.rng.fork('pages')
    const count = 8192 + rng.range(20, 60)
    const list = Array.from({ length: count }, (_, i) => i % 3 ? 0 : 1)
    const base = rng.int(256)
    const feed = await this.writer('two-pages', this.keys(rng))
    await append(feed, blocks(base, list))
    await this.done('two-pages', feed, {
      how: 'one append; every third block is one byte, the others are empty', base, sizes: count, batches: [count]
    })
  }

  // Lets a reader do something while it is connected to a writer.
  async connected (writer, reader, use) {
    const streams = [writer.replicate(true, { live: true }), reader.replicate(false, { live: true })]
    for (const stream of streams) stream.on('error', () => {})
    streams[0].pipe(streams[1]).pipe(streams[0])
    await use()
    for (const stream of streams) stream.destroy()
    await new Promise(resolve => setTimeout(resolve, 20))
  }

  async copies () {
    const rng = this.rng.fork('copies')
    const base = rng.int(256)
    const list = sizes(rng, 120, 50)
    // The packages can't read an empty block before there is a data file, so the first one fetched has bytes.
    list[7] = list[3] = 9
    const keys = this.keys(rng)
    const source = await this.writer('source', keys)
    await append(source, blocks(base, list, 0, 100))
    const first = list.slice(0, 100)
    const reader = (name, options) => this.all.open(this.path(name), keys.publicKey, options)
    const fetch = (feed, indexes) => this.connected(source, feed, async () => {
      for (const index of indexes) await promise(done => feed.get(index, done))
    })

    const full = await reader('clone-full')
    await this.connected(source, full, () => promise(done => full.download({ start: 0, end: 100 }, done)))
    await this.done('clone-full', full, { how: 'all 100 blocks downloaded, in random order', base, sizes: first })

    const sparse = await reader('clone-sparse', { sparse: true })
    const got = [7, 0, rng.range(10, 60), 99, rng.range(60, 98)]
    await fetch(sparse, got)
    await this.done('clone-sparse', sparse, { how: 'sparse, these blocks one after the other', got, base, sizes: first })

    const update = await reader('clone-update-only', { sparse: true })
    await this.connected(source, update, () => promise(done => update.update(done)))
    await this.done('clone-update-only', update, {
      how: 'sparse, update() only: tree nodes but no blocks', base, sizes: first
    })

    const grown = await reader('clone-grown', { sparse: true })
    await fetch(grown, [3, 98])
    await append(source, blocks(base, list, 100, 120))
    await fetch(grown, [119, 101, 50])
    const how = 'sparse; 3 and 98 at length 100, then 119, 101 and 50 at length 120'
    await this.done('clone-grown', grown, { how, got: [3, 98, 119, 101, 50], base, sizes: list })
    await close(source)
    fs.rmSync(this.path('source'), { recursive: true })
  }

  // A writer whose seed comes after the sizes, with all blocks in one append.
  async written (label, name, count, max, options) {
    const rng = this.rng.fork(label)
    const base = rng.int(256)
    const list = sizes(rng, count, max)
    const feed = await this.writer(name, this.keys(rng), options)
    return { rng, base, list, feed, all: blocks(base, list) }
  }

  async cleared () {
    const one = await this.written('clear', 'cleared', 100, 50)
    await append(one.feed, one.all)
    const ranges = [[20, 30], [50, 51], [one.rng.range(60, 70), one.rng.range(71, 80)]]
    for (const [from, to] of ranges) await promise(done => one.feed.clear(from, to, done))
    await this.done('cleared', one.feed, {
      how: 'clear() of ranges in the middle; the data file keeps its bytes',
      cleared: ranges,
      base: one.base,
      sizes: one.list
    })
    const end = await this.written('clear-end', 'cleared-end', 40, 50)
    await append(end.feed, end.all)
    await promise(done => end.feed.clear(30, 40, done))
    await this.done('cleared-end', end.feed, {
      how: 'clear(30, 40) of 40 blocks; the data file is truncated', cleared: [[30, 40]], base: end.base, sizes: end.list
    })
  }

  // The key of a feed that isn't live is the hash of its tree.
  async notLive () {
    const rng = this.rng.fork('static')
    const base = rng.int(256)
    const list = sizes(rng, 6, 30)
    const feed = await this.all.open(this.path('not-live'), null, { live: false })
    await append(feed, blocks(base, list))
    await promise(done => feed.finalize(done))
    await this.done('not-live', feed, { how: '{ live: false }, six blocks, finalize()', base, sizes: list })
  }

  async noSecretKey () {
    const { base, list, feed, all } = await this.written('nosecret', 'no-secret-key', 5, 30, { storeSecretKey: false })
    await appendOneByOne(feed, all)
    await this.done('no-secret-key', feed, {
      how: '{ storeSecretKey: false }', base, sizes: list, batches: list.map(() => 1)
    })
  }

  async oldPageSize () {
    const dir = this.path('old-page-size')
    fs.mkdirSync(dir, { recursive: true })
    const header = Buffer.alloc(32)
    header.set([5, 2, 87])
    header.writeUInt16BE(3328, 5)
    fs.writeFileSync(path.join(dir, 'bitfield'), header)
    const { base, list, feed, all } = await this.written('oldpages', 'old-page-size', 300, 10)
    await append(feed, all)
    await this.done('old-page-size', feed, {
      how: 'the bitfield file existed with page size 3328', base, sizes: list, batches: [300]
    })
  }

  async truncated () {
    const { base, list, feed, all } = await this.written('truncate', 'truncated', 60, 30)
    await appendOneByOne(feed, all)
    await promise(done => feed.truncate(37, done))
    await this.done('truncated', feed, {
      how: 'truncate(37) of 60 blocks', base, sizes: list, batches: list.map(() => 1)
    })
  }

  async mixed (v8) {
    const rng = this.rng.fork('mixed')
    const base = rng.int(256)
    const list = sizes(rng, 9, 30)
    const { publicKey, secretKey } = this.keys(rng)
    const first = await v8.open(this.path('mixed-8-then-9'), publicKey, { secretKey })
    await appendOneByOne(first, blocks(base, list, 0, 5))
    await close(first)
    const feed = await this.all.open(this.path('mixed-8-then-9'))
    await appendOneByOne(feed, blocks(base, list, 5, 9))
    await this.done('mixed-8-then-9', feed, {
      how: 'five blocks by version 8, then four by version 9',
      writtenByV8: 5,
      base,
      sizes: list,
      batches: list.map(() => 1)
    })
  }

  async damaged () {
    const rng = this.rng.fork('recover')
    const base = rng.int(256)
    const list = sizes(rng, 10, 30).map(size => size + 1)
    const { publicKey, secretKey } = this.keys(rng)
    const source = this.path('source')
    const feed = await this.all.open(source, publicKey, { secretKey })
    await appendOneByOne(feed, blocks(base, list))
    await close(feed)
    const cut = (file, length) => dir => fs.truncateSync(path.join(dir, file), length)
    const remove = file => dir => fs.unlinkSync(path.join(dir, file))
    const damages = {
      'tree-lost-last-nodes': cut('tree', 32 + 40 * 17),
      'tree-lost-more-nodes': cut('tree', 32 + 40 * 13),
      'tree-empty': cut('tree', 32),
      'signatures-lost-last': cut('signatures', 32 + 64 * 9),
      'data-short': cut('data', 10),
      'bitfield-lost': cut('bitfield', 32),
      'key-lost': remove('key'),
      'secret-key-lost': remove('secret_key')
    }
    const recover = []
    for (const [what, damage] of Object.entries(damages)) {
      const name = 'recover-' + what
      fs.cpSync(source, this.path(name), { recursive: true })
      damage(this.path(name))
      const result = await withCopy(this.path(name), copy => this.reopen(copy, publicKey))
      recover.push({ name, base, sizes: list, originalKey: hex(publicKey), ...result })
    }
    fs.rmSync(source, { recursive: true })
    return recover
  }

  async reopen (dir, key) {
    const feed = this.all.hypercore(dir)
    feed.on('error', () => {})
    try {
      await promise(done => feed.ready(done))
    } catch (error) {
      return { error: error.message }
    }
    const { length, byteLength, live, writable } = feed
    const sameKey = feed.key.equals(key)
    await close(feed)
    return { error: null, sameKey, length, byteLength, live, writable }
  }
}

module.exports = async (all, v8, rng, folder) => {
  const directories = new Directories(all, rng, folder)
  await directories.appended()
  await directories.thousand()
  if (all.version === 9) await directories.twoPages()
  await directories.copies()
  await directories.cleared()
  await directories.notLive()
  await directories.noSecretKey()
  await directories.oldPageSize()
  if (all.version === 9) {
    await directories.truncated()
    await directories.mixed(v8)
  }
  const recover = await directories.damaged()
  return { hypercore: all.version, directories: directories.list, recover }
}
