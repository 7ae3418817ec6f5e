"""This terminal as the guest's console, with a command typed in advance.

COM1 is a unix socket here; QEMU's own keys (Ctrl-A X leaves) still work.
"""

import os
import select
import socket
import sys
import termios
import threading
import time
import tty

PROMPT = b"weir> "


class Terminal:
    """Between this terminal and the socket that QEMU offers at `path`."""

    def __init__(self, path, first):
        self.path = str(path)
        self.first = first.encode() + b"\r"
        self.thread = threading.Thread(target=self._relay, daemon=True)

    def start(self):
        self.saved = termios.tcgetattr(sys.stdin)
        tty.setraw(sys.stdin)
        self.thread.start()

    def stop(self):
        self.thread.join(1)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)

    def _connect(self):
        com1 = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                com1.connect(self.path)
                return com1
            except OSError:
                time.sleep(0.02)
        return None

    def _relay(self):
        com1 = self._connect()
        seen = b""
        while com1 is not None:
            ready, _, _ = select.select([com1, sys.stdin], [], [])
            if com1 in ready:
                data = com1.recv(4096)
                if not data:
                    return
                os.write(sys.stdout.fileno(), data)
                seen = seen[-len(PROMPT):] + data
                if self.first and PROMPT in seen:
                    com1.sendall(self.first)
                    self.first = b""
            if sys.stdin in ready:
                com1.sendall(os.read(sys.stdin.fileno(), 1024))
