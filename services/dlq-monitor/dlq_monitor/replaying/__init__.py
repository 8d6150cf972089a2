"""Bulk replay: a fixed plan, sent at a pace, its outcome seen."""
