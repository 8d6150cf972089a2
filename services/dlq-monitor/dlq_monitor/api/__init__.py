"""The HTTP API of letters and groups; other parts bring their routes with them."""
