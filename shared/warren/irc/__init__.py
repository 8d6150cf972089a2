"""Plays IRC logs into rooms: `parse` reads a log, `script` says who does what, `play` does it, `compare` checks."""
