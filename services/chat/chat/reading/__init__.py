"""How far users have read."""
