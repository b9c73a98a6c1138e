'use strict'

// Joins the stream of a connection to a socket: when either ends, both do. Resolves once they have, to the error it was, if any.
function piped (stream, socket) {
  return new Promise(resolve => {
    let failure = null
    const failed = error => {
      failure = failure || error.message
      stream.destroy()
      socket.destroy()
    }
    stream.on('error', failed)
    socket.on('error', failed)
    socket.on('close', () => stream.destroy())
    stream.on('close', () => resolve(failure))
    stream.pipe(socket).pipe(stream)
  })
}

module.exports = { piped }
