"""The dlq_monitor service."""
