"""Who may do what on the HTTP API, and the record of who did."""
