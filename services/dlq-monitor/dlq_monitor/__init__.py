"""The dlq-monitor service: parks what is dead, and lets people decide."""
