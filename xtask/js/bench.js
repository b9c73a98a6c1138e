'use strict'

// JavaScript hypercore 8 or 9 behind the contract of `hypercore bench-peer` (docs/testing.md): one workload a process, its measures as
// one line of JSON.
//
//   node bench.js VERSION WORKLOAD --dir DIR [--NAME VALUE]...

const fs = require('fs')
const net = require('net')
const path = require('path')
const { once } = require('events')
const { promise, packages, open, close, treeHash } = require('./feed')
const { piped } = require('./socket')

const POOL = 1 << 20

const [version, workload, ...words] = process.argv.slice(2)
// Loading them is no part of a workload.
const { hypercore } = packages(version)
const settings = {}
for (let at = 0; at < words.length; at++) {
  const name = words[at].slice(2)
  settings[name] = words[at + 1] === undefined || words[at + 1].startsWith('--') ? '' : words[++at]
}
const number = (name, otherwise) => settings[name] === undefined ? otherwise : Number(settings[name])

// Marsaglia's xorshift of 32 bits; zero, which would stay zero, stands for another seed.
function xorshift (seed) {
  let word = (seed >>> 0) || 0x9e3779b9
  return () => {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    return word >>> 0
  }
}

// What is appended: cut out of one pool, so that making a block costs nothing.
function blocks (size) {
  const pool = Buffer.alloc(Math.ceil((POOL + size) / 4) * 4)
  const next = xorshift(0)
  for (let at = 0; at < pool.length; at += 4) pool.writeUInt32LE(next(), at)
  return nth => {
    const start = (nth * 4099) % POOL
    return pool.subarray(start, start + size)
  }
}

function stopwatch () {
  const processor = process.cpuUsage()
  const start = process.hrtime.bigint()
  return () => {
    const { user, system } = process.cpuUsage(processor)
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9, cpu: (user + system) / 1e6 }
  }
}

function disk (dir) {
  const files = fs.readdirSync(dir).map(name => fs.statSync(path.join(dir, name)))
  const sum = of => files.reduce((sum, file) => sum + of(file), 0)
  return { disk_apparent: sum(file => file.size), disk_allocated: sum(file => file.blocks * 512) }
}

// Asks for each, so many at a time.
async function atATime (many, count, ask) {
  let next = 0
  const lane = async () => {
    while (next++ < count) await ask()
  }
  await Promise.all(Array.from({ length: Math.max(1, many) }, lane))
}

const get = (feed, index) => promise(done => feed.get(index, done))

async function create () {
  const stop = stopwatch()
  const feed = await open(version, settings.dir)
  await close(feed)
  return stop()
}

async function append () {
  const feed = await open(version, settings.dir)
  const [count, size, batch] = [number('count'), number('size'), number('batch', 1)]
  const block = blocks(size)
  const first = feed.length
  const stop = stopwatch()
  if (settings.pipeline !== undefined) {
    await new Promise((resolve, reject) => {
      let left = count
      const done = error => error ? reject(error) : --left === 0 && resolve()
      for (let nth = first; nth < first + count; nth++) feed.append(block(nth), done)
    })
  } else {
    for (let nth = first; nth < first + count; nth += batch) {
      const many = Math.min(batch, first + count - nth)
      const value = batch === 1 ? block(nth) : Array.from({ length: many }, (_, more) => block(nth + more))
      await promise(done => feed.append(value, done))
    }
  }
  const measured = stop()
  const root = await treeHash(version, feed)
  const key = feed.key.toString('hex')
  await close(feed)
  return { ...measured, count, bytes: count * size, root, key, ...disk(settings.dir) }
}

async function openFeed () {
  const stop = stopwatch()
  const feed = await open(version, settings.dir)
  const measured = stop()
  const first = stopwatch()
  await get(feed, xorshift(number('seed', 1))() % feed.length)
  const told = { count: feed.length, first_get_seconds: first().seconds }
  await close(feed)
  return { ...measured, ...told }
}

async function getRandom () {
  const feed = await open(version, settings.dir)
  const [count, inflight] = [number('count'), number('inflight', 1)]
  const next = xorshift(number('seed', 1))
  let bytes = 0
  const ask = async () => {
    const block = await get(feed, next() % feed.length)
    bytes += block.length
  }
  await atATime(inflight, Math.min(count, number('warm', 10000)), ask)
  bytes = 0
  const stop = stopwatch()
  await atATime(inflight, count, ask)
  const measured = stop()
  await close(feed)
  return { ...measured, count, bytes }
}

async function stream () {
  const feed = await open(version, settings.dir)
  let [count, bytes] = [0, 0]
  const stop = stopwatch()
  const all = feed.createReadStream({ batch: number('batch', 1) })
  all.on('data', block => {
    count++
    bytes += block.length
  })
  await once(all, 'end')
  const measured = stop()
  await close(feed)
  return { ...measured, count, bytes }
}

async function audit () {
  const feed = await open(version, settings.dir)
  const stop = stopwatch()
  const { valid, invalid } = await promise(done => feed.audit(done))
  const measured = stop()
  const bytes = feed.byteLength
  await close(feed)
  return { ...measured, count: valid, invalid, bytes }
}

async function serve () {
  const feed = await open(version, settings.dir)
  const server = net.createServer({ noDelay: true }, socket => piped(feed.replicate(false, { live: true }), socket))
  server.listen(number('port', 0), '127.0.0.1')
  await once(server, 'listening')
  const hello = { listening: server.address().port, key: feed.key.toString('hex') }
  console.log(JSON.stringify({ ...hello, length: feed.length, byteLength: feed.byteLength }))
  process.stdin.resume()
  await once(process.stdin, 'end')
  const { user, system } = process.cpuUsage()
  return { seconds: 0, cpu: (user + system) / 1e6 }
}

// Connects a copy, lets `work` use it, and measures from before the connection until that is done.
async function copy (sparse, work) {
  const feed = hypercore(settings.dir, Buffer.from(settings.key, 'hex'), { sparse })
  await promise(done => feed.ready(done))
  const stop = stopwatch()
  const [host, port] = settings.connect.split(':')
  const socket = net.connect({ host, port: Number(port), noDelay: true })
  piped(feed.replicate(true, { live: true }), socket)
  const told = await work(feed)
  const measured = stop()
  const root = await treeHash(version, feed)
  const wire = { wire_rx: socket.bytesRead, wire_tx: socket.bytesWritten }
  await close(feed)
  return { ...measured, ...told, ...wire, root, ...disk(settings.dir) }
}

const clone = () => copy(false, async feed => {
  await promise(done => feed.download({ start: 0, end: number('length') }, done))
  return { count: feed.length, bytes: feed.byteLength }
})

const sparse = () => copy(true, async feed => {
  const [count, next] = [number('count'), xorshift(number('seed', 1))]
  let bytes = 0
  await promise(done => feed.update(done))
  await atATime(number('inflight', 1), count, async () => {
    const block = await get(feed, next() % number('length'))
    bytes += block.length
  })
  return { count, bytes }
})

const seek = () => copy(true, async feed => {
  const [count, next] = [number('count'), xorshift(number('seed', 1))]
  await promise(done => feed.update(done))
  await atATime(number('inflight', 1), count, () => {
    const byte = Math.floor(next() / 4294967296 * number('bytes'))
    return promise(done => feed.seek(byte, done))
  })
  return { count, bytes: 0 }
})

async function noop () {
  return { seconds: 0, cpu: 0 }
}

const workloads = { noop, create, append, open: openFeed, get: getRandom, stream, audit, serve, clone, sparse, seek }

workloads[workload]().then(measured => {
  const name = { impl: `js-${version}`, cmd: workload }
  console.log(JSON.stringify({ ...name, ...measured, rss_kib: process.resourceUsage().maxRSS }))
  process.exit(0)
}, error => {
  console.error(error)
  process.exit(1)
})
