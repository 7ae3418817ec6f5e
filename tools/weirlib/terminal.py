"""This terminal as the guest's console.

A line is where the other end of COM1 is: a unix socket of QEMU's, which has
keys of its own (Ctrl-A X leaves), or a pseudo-terminal, for Bochs, which has
none: then those keys are ours.
"""

import os
import pty
import select
import socket
import sys
import termios
import threading
import time
import tty

PROMPT = b"weir> "
CTRL_A = b"\x01"


class SocketLine:
    """QEMU's socket at `path`, which ends when QEMU does."""
    own_keys = False

    def __init__(self, path):
        self.path = str(path)

    def open(self):
        com1 = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                com1.connect(self.path)
                return com1.detach()
            except OSError:
                time.sleep(0.02)
        return None

    def close(self):
        pass


class PtyLine:
    """A pseudo-terminal; `name` is the guest's end. We hold that open, too,
    so that the line is up from now until close()."""
    own_keys = True

    def __init__(self):
        self.master, self.guest = pty.openpty()
        tty.setraw(self.guest)
        self.name = os.ttyname(self.guest)

    def open(self):
        return self.master

    def close(self):
        os.close(self.guest)


class Keys:
    """Ctrl-A X leaves; Ctrl-A twice is one Ctrl-A."""

    def __init__(self, leave):
        self.leave = leave
        self.escaped = False

    def filter(self, data):
        """What of `data` is for the guest."""
        kept = b""
        for key in (data[i:i + 1] for i in range(len(data))):
            if self.escaped:
                self.escaped = False
                if key in b"xX":
                    self.leave()
                elif key == CTRL_A:
                    kept += key
            elif key == CTRL_A:
                self.escaped = True
            else:
                kept += key
        return kept


class Terminal:
    """Between this terminal and a line, on a thread of its own."""

    def __init__(self, line, first="", log=None, keyboard=True, leave=None):
        """`first` is typed at the first prompt; `log` is a file for a copy
        of the output; `leave` is called by a line without keys of its own."""
        self.line = line
        self.first = first.encode() + b"\r" if first else b""
        self.log = open(log, "wb", buffering=0) if log else None
        self.inputs = [sys.stdin] if keyboard else []
        self.keys = Keys(leave)
        self.saved = None
        self.thread = threading.Thread(target=self._relay, daemon=True)

    def start(self):
        if self.inputs and sys.stdin.isatty():
            self.saved = termios.tcgetattr(sys.stdin)
            tty.setraw(sys.stdin)
        self.thread.start()

    def stop(self):
        """Once the machine has ended: shows the rest of its output."""
        self.line.close()
        self.thread.join(1)
        if self.saved:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self.saved)
        if self.log:
            self.log.close()

    def _relay(self):
        com1 = self.line.open()
        seen = b""
        while com1 is not None:
            ready, _, _ = select.select([com1] + self.inputs, [], [])
            if com1 in ready:
                data = self._output(com1)
                if not data:
                    os.close(com1)
                    return
                seen = seen[-len(PROMPT):] + data
                if self.first and PROMPT in seen:
                    os.write(com1, self.first)
                    self.first = b""
            if sys.stdin in ready:
                self._input(com1)

    def _output(self, com1):
        try:
            data = os.read(com1, 4096)
        except OSError:         # a pseudo-terminal's way to say: closed
            return b""
        os.write(sys.stdout.fileno(), data)
        if self.log:
            self.log.write(data)
        return data

    def _input(self, com1):
        data = os.read(sys.stdin.fileno(), 1024)
        if not data:
            self.inputs = []    # the input ends, the guest goes on
        if self.line.own_keys:
            data = self.keys.filter(data)
        os.write(com1, data)
