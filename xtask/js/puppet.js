'use strict'

// A JavaScript peer that does what it is told: one order a line of JSON on standard input, one reply a line on standard
// output. The example `puppet` of the crate hypercore takes the same orders and carries them out with ours; its head shows
// some.
//
//   node puppet.js VERSION

const net = require('net')
const readline = require('readline')
const { createRequire } = require('module')
const { promise, open, close, append, summary, treeHash, audit } = require('./feed')
const { piped } = require('./socket')

const version = process.argv[2]
const Protocol = createRequire(require.resolve('hypercore' + version))('hypercore-protocol')

// How many blocks are appended at a time to fill a feed.
const BATCH = 8192

const sleep = () => new Promise(resolve => setTimeout(resolve, 3))

const feeds = new Map()
const downloads = new Map()
const links = new Map()

function named (map, name) {
  if (!map.has(name)) throw new Error('there is no ' + name)
  return map.get(name)
}

function info ({ feed, seen }) {
  return {
    ...summary(feed),
    byte_length: feed.byteLength,
    have: feed.downloaded(0, feed.length),
    remote_length: feed.remoteLength,
    // Here also those count that have not opened the feed.
    peers: feed.peers.filter(peer => peer.remoteOpened || peer._remoteOpened).length,
    acks: seen.acks,
    downloads: seen.downloads,
    uploads: seen.uploads,
    // Gets that had to wait: there those that still do.
    waits: feed._waiting.length
  }
}

// How the feed is to be exchanged on a connection.
const options = ({ stream, live, noise, encrypted }, { download, upload, ack, requests }) =>
  ({ stream, live, noise, encrypted, download, upload, ack, maxRequests: requests })

function join (link, part) {
  const held = named(feeds, part.feed)
  if (part.ack) link.stream.on('ack', have => held.seen.acks.push(have.start))
  held.feed.replicate(link.initiator, options(link, part))
}

function prepare (initiator, order) {
  const { live, noise, encrypted, timeout } = order
  const handlers = { live: !!live, noise, encrypted, timeout }
  if (order.refuse) handlers.onauthenticate = (key, done) => done(new Error('not welcome'))
  handlers.ondiscoverykey = discoveryKey => {
    const name = (order.shares || []).find(name => named(feeds, name).feed.discoveryKey.equals(discoveryKey))
    if (name) join(link, { feed: name })
  }
  const stream = new Protocol(initiator, handlers)
  const link = { initiator, live: !!live, noise, encrypted, stream, heard: new Map(), extensions: new Map() }
  for (const name of order.extensions || []) {
    const heard = []
    const onmessage = message => heard.push(message.toString('base64'))
    link.heard.set(name, heard)
    link.extensions.set(name, stream.registerExtension(name, { encoding: 'binary', onmessage }))
  }
  for (const part of order.feeds || []) join(link, part)
  links.set(order.as, link)
  return link
}

// Joins a connection to its socket, and notes how it ends.
function run (link, socket) {
  const { stream } = link
  link.socket = socket
  link.ended = piped(stream, socket).then(failure => ({ failure, sent: stream.bytesSent, received: stream.bytesReceived }))
}

const orders = {
  async open (order) {
    const feed = await open(version, order.dir, order.key && Buffer.from(order.key, 'hex'), {
      sparse: !!order.sparse,
      eagerUpdate: !!order.eager,
      live: !order.static
    })
    const seen = { acks: [], downloads: [], uploads: 0, messages: new Map(), extensions: new Map() }
    feed.on('download', index => seen.downloads.push(index))
    feed.on('upload', () => seen.uploads++)
    const held = { feed, seen }
    feeds.set(order.feed, held)
    // A static one has no key yet.
    return feed.key ? info(held) : {}
  },

  async append ({ feed }, order) {
    await append(feed, order.blocks.map(text => Buffer.from(text, 'base64')))
    return { length: feed.length }
  },

  // Appends blocks that say which they are, up to a length.
  async fill (held, { length, size }) {
    const { feed } = held
    while (feed.length < length) {
      const blocks = []
      const end = Math.min(length, feed.length + BATCH)
      for (let index = feed.length; index < end; index++) blocks.push(Buffer.from(String(index).padStart(size, '0')))
      await append(feed, blocks)
    }
    return info(held)
  },

  async finalize ({ feed }) {
    await promise(done => feed.finalize(done))
    return { key: feed.key.toString('hex') }
  },

  async info (held) {
    return { ...info(held), tree_hash: await treeHash(version, held.feed) }
  },

  // Waits until a number of `info`, or the length of a list in it, is as large as it is to be.
  async wait (held, { what, least }) {
    while (true) {
      const all = info(held)
      if ((Array.isArray(all[what]) ? all[what].length : all[what]) >= least) return all
      await sleep()
    }
  },

  async get ({ feed }, { blocks, wait, timeout, if_available: ifAvailable }) {
    const all = blocks.map(index => promise(done => feed.get(index, { wait, timeout, ifAvailable }, done)))
    return { data: (await Promise.all(all)).map(block => block.toString('base64')) }
  },

  async seek ({ feed }, { byte }) {
    return new Promise((resolve, reject) =>
      feed.seek(byte, (error, block, offset) => error ? reject(error) : resolve({ block, offset })))
  },

  async update (held, { length, if_available: ifAvailable, block }) {
    await promise(done => held.feed.update({ minLength: length, ifAvailable, hash: !block }, done))
    return info(held)
  },

  // The last block, of a longer feed.
  async head ({ feed }, { length }) {
    const block = await promise(done => feed.head({ update: true, minLength: length }, done))
    return { data: [block.toString('base64')] }
  },

  async download ({ feed }, { as, start, end, linear, blocks }) {
    const range = blocks ? { blocks } : { start, end, linear: !!linear }
    const download = { feed }
    download.done = promise(done => { download.id = feed.download(range, done) })
    download.done.catch(() => {})
    downloads.set(as, download)
    return {}
  },

  async done ({ as }) {
    await named(downloads, as).done
    return {}
  },

  async undownload ({ as }) {
    const { feed, id } = named(downloads, as)
    feed.undownload(id)
    return {}
  },

  async cancel ({ feed }, { start, end }) {
    feed.cancel(start, end)
    return {}
  },

  async clear ({ feed }, { start, end }) {
    await promise(done => feed.clear(start, end, done))
    return {}
  },

  // Loses a block without telling anybody.
  async lose ({ feed }, { block }) {
    feed.bitfield.set(block, false)
    return {}
  },

  // Whether a peer is believed to have a block.
  async claims ({ feed }, { block }) {
    return { yes: feed.peers.some(peer => peer.remoteBitfield.get(block)) }
  },

  async audit ({ feed }) {
    const { valid, invalid } = await promise(done => feed.audit(done))
    if (invalid) throw new Error(`${invalid} blocks are wrong`)
    return { valid }
  },

  async downloading ({ feed }, { yes }) {
    feed.setDownloading(yes)
    return {}
  },

  async uploading ({ feed }, { yes }) {
    feed.setUploading(yes)
    return {}
  },

  async extension ({ feed, seen }, { name }) {
    seen.messages.set(name, [])
    const onmessage = message => seen.messages.get(name).push(message.toString('base64'))
    seen.extensions.set(name, feed.registerExtension(name, { encoding: 'binary', onmessage }))
    return {}
  },

  async broadcast ({ feed, seen }, { name, data }) {
    named(seen.extensions, name).broadcast(Buffer.from(data, 'base64'))
    return { peers: feed.peers.length }
  },

  // The messages of an extension, once there are so many of them.
  async messages ({ seen }, { name, least }) {
    while (named(seen.messages, name).length < least) await sleep()
    return { data: named(seen.messages, name) }
  },

  async close ({ feed }) {
    await close(feed)
    return {}
  },

  // Waits for one connection.
  async listen (order) {
    const server = net.createServer()
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
    const link = prepare(false, order)
    link.ended = new Promise(resolve => server.once('connection', socket => {
      server.close()
      run(link, socket)
      link.ended.then(resolve)
    }))
    return { port: server.address().port }
  },

  async connect (order) {
    const socket = net.connect(order.port, '127.0.0.1')
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    run(prepare(true, order), socket)
    return {}
  },

  // Adds a feed to a connection that runs.
  async add (order) {
    join(named(links, order.link), order)
    return {}
  },

  // Sends a message about the connection as a whole.
  async say ({ link, name, data }) {
    named(named(links, link).extensions, name).send(Buffer.from(data, 'base64'))
    return {}
  },

  // The messages about the connection as a whole, once there are so many of them.
  async heard ({ link, name, least }) {
    const heard = named(named(links, link).heard, name)
    while (heard.length < least) await sleep()
    return { data: heard }
  },

  async hang_up ({ link }) {
    named(links, link).socket.end()
    return {}
  },

  // Waits for the end of a connection, and says how it ended.
  async ended ({ link }) {
    const { failure, sent, received } = await named(links, link).ended
    if (failure) throw new Error(failure)
    return { sent, received }
  },

  // Stops reading from a connection for a while.
  async pause ({ link }) {
    named(links, link).socket.pause()
    return {}
  },

  async resume ({ link }) {
    named(links, link).socket.resume()
    return {}
  }
}

// Orders that aren't about a feed that is open.
const WITHOUT_FEED = new Set(['open', 'done', 'undownload', 'listen', 'connect', 'add',
  'say', 'heard', 'hang_up', 'ended', 'pause', 'resume'])

async function obey (order) {
  const call = orders[order.do]
  if (!call) throw new Error('nobody knows how to ' + order.do)
  return WITHOUT_FEED.has(order.do) ? call(order) : call(named(feeds, order.feed), order)
}

readline.createInterface(process.stdin)
  .on('line', line => {
    const order = JSON.parse(line)
    const reply = fields => process.stdout.write(JSON.stringify({ type: 'reply', n: order.n, ...fields }) + '\n')
    obey(order).then(reply, error => reply({ error: error.message, kind: error.code || error.message }))
  })
  // Not by closing: a sparse feed with eager updates never ends then. Who wants the files closes the feeds.
  .on('close', () => process.exit(0))
