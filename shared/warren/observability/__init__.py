"""Logs, traces and metrics: the same for every service."""
