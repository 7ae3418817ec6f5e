"""The records that the guest writes on COM2 (docs/protocol.md).

    @weir KIND LENGTH\\n  then LENGTH bytes, then \\n

Nothing else is on that line; bytes that are no record are kept in `noise`,
for they mean that the kernel's side is broken.
"""

import re

HEADER = re.compile(rb"@weir ([a-z]+) ([0-9]{1,6})\n")
LONGEST_HEADER = 40


class Parser:
    """Feed it bytes as they come; it yields (kind, payload) pairs."""

    def __init__(self):
        self.buffer = b""
        self.noise = b""

    def feed(self, data):
        self.buffer += data
        while True:
            record = self._next()
            if record is None:
                return
            yield record

    def _next(self):
        start = self.buffer.find(b"@weir ")
        if start < 0:
            keep = len(b"@weir ") - 1
            self.noise += self.buffer[:-keep]
            self.buffer = self.buffer[-keep:]
            return None
        self.noise += self.buffer[:start]
        self.buffer = self.buffer[start:]
        header = HEADER.match(self.buffer)
        if header is None:
            if len(self.buffer) > LONGEST_HEADER:
                self.noise += self.buffer[:1]
                self.buffer = self.buffer[1:]
                return self._next()
            return None
        end = header.end() + int(header.group(2))
        if len(self.buffer) <= end:
            return None
        payload = self.buffer[header.end():end]
        self.buffer = self.buffer[end + 1:]
        return header.group(1).decode(), payload


def fields(payload):
    """The key=value words of a record, e.g. of a beat."""
    words = payload.decode(errors="replace").split()
    return dict(word.split("=", 1) for word in words if "=" in word)
