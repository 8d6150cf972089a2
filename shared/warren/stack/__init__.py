"""The local stack: broker node, embedded store and services on this machine, under one supervisor."""
