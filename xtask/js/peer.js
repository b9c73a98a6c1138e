'use strict'

// A JavaScript peer as a program. One JSON object a line on standard output, an exit code other than 0 after an error.
//
//   node peer.js write VERSION DIR INPUT      appends INPUT, making the feed if there is none
//   node peer.js audit VERSION DIR            checks everything and prints every block that is stored
//   node peer.js clear VERSION DIR --start BLOCK --end BLOCK
//   node peer.js hold  VERSION DIR            keeps the feed open until standard input ends
//   node peer.js serve VERSION DIR [--live]   serves one connection and appends each line of standard input meanwhile
//   node peer.js clone VERSION DIR --key KEY --port PORT [--live --until LENGTH]
//
// INPUT is --lines FILE, which makes a block of each line, or --file FILE --block SIZE.

const fs = require('fs')
const net = require('net')
const readline = require('readline')
const { parseArgs } = require('util')
const { promise, open, close, append, summary, treeHash, audit, block } = require('./feed')
const { piped } = require('./socket')

// How many blocks share a signature, in turns: one call for a single block and calls for many are different code there.
const BATCHES = [1, 2, 7, 64, 1, 200]

function print (type, fields) {
  process.stdout.write(JSON.stringify({ type, ...fields }) + '\n')
}

function blocks (options) {
  const bytes = fs.readFileSync(options.lines || options.file)
  const out = []
  let start = 0
  while (start < bytes.length) {
    const end = options.lines ? bytes.indexOf('\n', start) : Math.min(start + Number(options.block), bytes.length)
    out.push(bytes.subarray(start, end))
    start = options.lines ? end + 1 : end
  }
  return out
}

async function write (version, dir, options) {
  const feed = await open(version, dir)
  const list = blocks(options)
  for (let at = 0, turn = 0; at < list.length; turn++) {
    const count = BATCHES[turn % BATCHES.length]
    await append(feed, list.slice(at, at + count))
    at += count
  }
  print('written', summary(feed))
  await close(feed)
}

async function check (version, dir) {
  const feed = await open(version, dir)
  const signatures = await audit(feed)
  for (let index = 0; index < feed.length; index++) {
    if (!feed.has(index)) continue
    print('block', { index, data: (await block(feed, index)).toString('base64') })
  }
  print('audited', { ...summary(feed), treeHash: await treeHash(version, feed), signatures })
  await close(feed)
}

async function clear (version, dir, options) {
  const feed = await open(version, dir)
  await promise(done => feed.clear(Number(options.start), Number(options.end), done))
  print('cleared', summary(feed))
  await close(feed)
}

async function hold (version, dir) {
  const feed = await open(version, dir)
  print('open', summary(feed))
  process.stdin.resume()
  await new Promise(resolve => process.stdin.once('end', resolve))
  await close(feed)
}

// Resolves once the connection has ended, to the error it ended with, if any.
const replicate = (feed, initiator, socket, options) =>
  piped(feed.replicate(initiator, { live: !!options.live }), socket)

async function serve (version, dir, options) {
  const feed = await open(version, dir)
  const server = net.createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  print('listening', { port: server.address().port, ...summary(feed) })
  if (options.live) readline.createInterface(process.stdin).on('line', line => append(feed, [Buffer.from(line)]))
  const socket = await new Promise(resolve => server.once('connection', resolve))
  server.close()
  print('connected')
  const failure = await replicate(feed, false, socket, options)
  print('disconnected', { failure })
  await close(feed)
  // Standard input may still be open.
  process.exit(failure ? 1 : 0)
}

async function clone (version, dir, options) {
  const feed = await open(version, dir, Buffer.from(options.key, 'hex'))
  const until = options.live ? Number(options.until) : null
  const complete = new Promise(resolve => {
    const look = () => {
      const have = feed.downloaded(0, feed.length)
      print('progress', { have, length: feed.length })
      if (have === until) resolve()
    }
    feed.on('sync', look)
    look()
  })
  const socket = net.connect(Number(options.port), '127.0.0.1')
  const ended = replicate(feed, true, socket, options)
  if (options.live) {
    await Promise.race([complete, ended.then(failure => { throw new Error(failure || 'the connection ended early') })])
    socket.end()
  }
  const failure = await ended
  const have = feed.downloaded(0, feed.length)
  print('cloned', { ...summary(feed), have, failure })
  await close(feed)
  if (failure || have !== feed.length) process.exit(1)
}

async function main () {
  const { positionals: [command, version, dir], values } = parseArgs({
    allowPositionals: true,
    options: {
      lines: { type: 'string' },
      file: { type: 'string' },
      block: { type: 'string' },
      start: { type: 'string' },
      end: { type: 'string' },
      key: { type: 'string' },
      port: { type: 'string' },
      live: { type: 'boolean' },
      until: { type: 'string' }
    }
  })
  const run = { write, audit: check, clear, hold, serve, clone }[command]
  if (!run || !dir) throw new Error('see the head of this file')
  await run(version, dir, values)
}

main().catch(error => {
  print('error', { code: error.code, message: error.message })
  process.exit(1)
})
