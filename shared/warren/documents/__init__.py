"""What `docs/` says of the contracts, generated from them: `make docs` writes it, a test finds it stale."""
