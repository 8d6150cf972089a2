"""`warren dlq watch`: what goes on, in a terminal."""
