//! Handshake, stream cipher and capability of hypercore 8 and 9 connections.
