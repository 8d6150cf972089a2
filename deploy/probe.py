"""Ask the service in this container for one of its health endpoints: `python probe.py /livez`; exit code 0 if well."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["WARREN_PORT"]), timeout=4)
try:
    connection.request("GET", sys.argv[1])
    answer = connection.getresponse()
    # The engine keeps what a failed check says: the neighbour that is missing, for instance.
    sys.exit(0 if answer.status == http.client.OK else f"HTTP {answer.status}: {answer.read(2000).decode()}")
except (OSError, http.client.HTTPException) as e:
    sys.exit(f"no answer: {e}")
