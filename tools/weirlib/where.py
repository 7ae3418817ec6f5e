"""Where the CPUs of a machine are that says nothing any more.

Asks QEMU's monitor (QMP, a unix socket) for each CPU's registers, follows
the kernel's frame pointers, and names functions and lines by the kernel's
symbols. The machine goes on meanwhile: what is said of a CPU that runs is of
some moment.
"""

import json
import re
import socket
import subprocess

from weirlib import host

DEEPEST = 8
ROOMS = r"^.*/(?=(boot|arch|mm|kernel)/)"
KERNEL = 0xFFFF800000000000     # addresses from here on
INTERRUPTS = 0x200              # in RFLAGS
SECONDS = 5                     # that the monitor may take to answer


class Monitor:
    """A connection to QEMU's monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r")
        self.lines.readline()                   # the greeting
        self._ask("qmp_capabilities")

    def _ask(self, command, **arguments):
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode())
        while True:
            line = self.lines.readline()
            answer = json.loads(line) if line else {"return": ""}
            if "event" not in answer:
                return answer.get("return", "")

    def say(self, cpu, line):
        return self._ask("human-monitor-command", **{
            "command-line": line, "cpu-index": cpu})

    def close(self):
        self.lines.close()
        self.socket.close()


def places(elf, addresses):
    """`function (file:line)` of each address in the kernel."""
    if not addresses or not elf.is_file():
        return [f"{a:#x}" for a in addresses]
    tool = host.COMPILER.removesuffix("gcc") + "addr2line"
    done = subprocess.run([tool, "-f", "-e", elf, *map(hex, addresses)],
                          capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    found = []
    for i, address in enumerate(addresses):
        name, line = lines[2 * i:2 * i + 2] or ("??", "??")
        line = re.sub(r" \(discriminator.*", "", line)
        line = re.sub(ROOMS, "", line)  # it was built in another place
        found.append(f"{name} ({line})" if name != "??" else f"{address:#x}")
    return found


def chain(monitor, cpu, registers):
    """Addresses in the kernel, from the inside out."""
    found = [registers["RIP"]]
    rbp = registers["RBP"]
    while len(found) < DEEPEST and rbp >= KERNEL and rbp % 8 == 0:
        words = re.findall(r"0x([0-9a-f]{16})",
                           monitor.say(cpu, f"x/2gx {rbp:#x}"))
        if len(words) != 2 or int(words[1], 16) < KERNEL:
            break
        found.append(int(words[1], 16) - 1)     # inside the call
        if int(words[0], 16) <= rbp:
            break
        rbp = int(words[0], 16)
    return found


def one_cpu(monitor, cpu, elf):
    text = monitor.say(cpu, "info registers")
    registers = {name: int(value, 16) for name, value in
                 re.findall(r"\b(RIP|RBP|RFL)=([0-9a-f]+)", text)}
    if len(registers) != 3:
        return f"cpu {cpu} is not known"
    masked = "" if registers["RFL"] & INTERRUPTS else ", interrupts off"
    if "HLT=1" in text:
        return f"cpu {cpu} is halted" + (masked and masked + " for ever")
    if registers["RIP"] < KERNEL:
        return f"cpu {cpu} runs a program at {registers['RIP']:#x}"
    named = places(elf, chain(monitor, cpu, registers))
    return f"cpu {cpu} is in " + ", called by ".join(named) + masked


def look(path, cpus, elf):
    """A sentence for each CPU; [] where the monitor does not answer."""
    try:
        monitor = Monitor(path)
    except OSError:
        return []
    try:
        return [one_cpu(monitor, cpu, elf) for cpu in range(cpus)]
    except (OSError, ValueError):
        return []
    finally:
        monitor.close()
