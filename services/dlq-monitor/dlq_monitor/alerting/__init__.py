"""Alerts: what is wrong is said once, reminded of, and said to be well again."""
