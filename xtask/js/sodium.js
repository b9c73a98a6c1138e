'use strict'

// Lets hypercore 8 run on a current Node. Its handshake was written for sodium-native 2, of which no binary exists for
// Node 14 and later; package.json gives it version 3 instead. Version 3 wants output buffers of exactly the right length,
// which the handshake doesn't care for, and has functions over a state where version 2 had an object for the stream cipher.

const sodium = require('sodium-native')

const TAG = sodium.crypto_aead_xchacha20poly1305_ietf_ABYTES
const { crypto_aead_xchacha20poly1305_ietf_encrypt: encrypt, crypto_aead_xchacha20poly1305_ietf_decrypt: decrypt } = sodium

sodium.crypto_aead_xchacha20poly1305_ietf_encrypt = (out, message, ...rest) =>
  encrypt(out.subarray(0, message.length + TAG), message, ...rest)

sodium.crypto_aead_xchacha20poly1305_ietf_decrypt = (out, nsec, cipher, ...rest) => {
  if (cipher.length < TAG) throw new Error('shorter than its tag')
  return decrypt(out.subarray(0, cipher.length - TAG), nsec, cipher, ...rest)
}

sodium.crypto_stream_xor_instance = (nonce, key) => {
  const state = Buffer.alloc(sodium.crypto_stream_xor_STATEBYTES)
  sodium.crypto_stream_xor_init(state, nonce, key)
  return {
    update: (out, bytes) => sodium.crypto_stream_xor_update(state, out, bytes),
    final: () => sodium.crypto_stream_xor_final(state)
  }
}

module.exports = sodium
