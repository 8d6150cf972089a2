"""`warren dlq` on the command line."""
