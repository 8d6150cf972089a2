"""Watching: the broker and its queues over time, and what is wrong with them."""
