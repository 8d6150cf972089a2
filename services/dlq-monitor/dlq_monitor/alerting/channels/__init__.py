"""Ways to tell someone of alerts."""
