"""The document store: with each service's `repository.py`, the only place that knows the Mongo driver."""

from warren.storage.mongo import DURABLE, STORE, Database, Document, Mongo, store_errors

__all__ = ["DURABLE", "STORE", "Database", "Document", "Mongo", "store_errors"]
