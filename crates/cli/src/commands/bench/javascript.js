'use strict'
// One workload of `hypercore bench` in JavaScript hypercore 8 or 9, whichever is installed in the working directory. It keeps to the
// contract of `hypercore bench-peer`: the last line of output is one object of JSON.

const net = require('net')
const hypercore = require('hypercore')
const { version } = require('hypercore/package.json')

const [workload, ...words] = process.argv.slice(1)
const settings = {}
while (words.length) settings[words.shift().slice(2)] = words.shift()
const number = (name, otherwise) => Number(settings[name] || otherwise)

const POOL = 1 << 20

function numbers (seed) {
  let state = seed || 0x9e3779b9
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

function blocks (size) {
  const next = numbers(0)
  const pool = Buffer.alloc(Math.ceil((POOL + size) / 4) * 4)
  for (let at = 0; at < pool.length; at += 4) pool.writeUInt32LE(next(), at)
  return (nth) => {
    const start = nth * 4099 % POOL
    return pool.subarray(start, start + size)
  }
}

// Calls something that takes a callback.
function call (object, method, ...values) {
  return new Promise((resolve, reject) => {
    object[method](...values, (error, value) => error ? reject(error) : resolve(value))
  })
}

async function open (key, options) {
  const feed = hypercore(settings.dir, key, options)
  await call(feed, 'ready')
  return feed
}

function watch () {
  const [start, used] = [process.hrtime.bigint(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(used)
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9, cpu: (user + system) / 1e6 }
  }
}

const workloads = {
  async create () {
    const stop = watch()
    await call(await open(), 'close')
    return stop()
  },

  async append () {
    const [count, size, batch] = [number('count'), number('size'), number('batch', 1)]
    const [feed, block] = [await open(), blocks(size)]
    const stop = watch()
    for (let nth = 0; nth < count; nth += batch) {
      const many = []
      for (let more = nth; more < Math.min(count, nth + batch); more++) many.push(block(more))
      await call(feed, 'append', batch === 1 ? many[0] : many)
    }
    return { ...stop(), count, bytes: count * size }
  },

  async open () {
    const stop = watch()
    const feed = await open()
    return { ...stop(), count: feed.length }
  },

  async get () {
    const [feed, count, next] = [await open(), number('count'), numbers(1)]
    const some = async (left) => {
      let bytes = 0
      while (left--) bytes += (await call(feed, 'get', next() % feed.length)).length
      return bytes
    }
    await some(Math.min(count, 10000))
    const stop = watch()
    const bytes = await some(count)
    return { ...stop(), count, bytes }
  },

  async stream () {
    const feed = await open()
    let [count, bytes] = [0, 0]
    const stop = watch()
    for await (const block of feed.createReadStream({ batch: number('batch', 1) })) {
      count++
      bytes += block.length
    }
    return { ...stop(), count, bytes }
  },

  async audit () {
    const feed = await open()
    const stop = watch()
    const found = await call(feed, 'audit')
    return { ...stop(), count: found.valid, bytes: feed.byteLength }
  },

  async serve () {
    const feed = await open()
    const server = net.createServer((socket) => {
      socket.setNoDelay(true)
      const stream = feed.replicate(false, { live: true })
      stream.on('error', () => {})
      socket.on('error', () => {})
      socket.pipe(stream).pipe(socket)
    })
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
    const listening = server.address().port
    console.log(JSON.stringify({
      listening, key: feed.key.toString('hex'), length: feed.length, byteLength: feed.byteLength
    }))
    await new Promise((resolve) => process.stdin.resume().on('end', resolve))
    return {}
  },

  async clone () {
    const [host, port] = settings.connect.split(':')
    const length = number('length')
    const stop = watch()
    const feed = await open(Buffer.from(settings.key, 'hex'))
    const socket = net.connect(Number(port), host)
    socket.setNoDelay(true)
    const stream = feed.replicate(true, { live: true })
    stream.on('error', () => {})
    socket.pipe(stream).pipe(socket)
    await new Promise((resolve) => {
      let stored = 0
      feed.on('download', () => { if (++stored === length) resolve() })
    })
    return { ...stop(), count: length, bytes: number('bytes') }
  }
}

workloads[workload]().then((measures) => {
  console.log(JSON.stringify({ impl: `js-${version}`, cmd: workload, ...measures }))
  process.exit(0)
}, (error) => {
  console.error(error.message)
  process.exit(1)
})
