"""`tools/weir profile -- COMMAND`: where the kernel spends its instructions.

One CPU, under icount. QEMU logs each block of translated code that it enters
(-d exec,nochain), for the kernel's text only; a block runs to its first
branch, and objdump says how many instructions that are, of which function.
What is inlined counts where it is. Much slower than the same boot without.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from weirlib import vm

# What ends a block of QEMU's: branches, what changes how code runs, and each
# round of a string instruction.
ENDS = re.compile(r"(j|call|ret|iret|sysret|syscall|hlt|[cs]ti|int|ud2|rep|"
                  r"pause|rdtsc|rdmsr|wrmsr|invlpg|popf|in |out )|mov .*%cr")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
LINE = re.compile(r"^([0-9a-f]{16}):\s+(.+)$")


def disassembly(elf):
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", elf],
                          capture_output=True, text=True,
                          check=True).stdout


def code(text):
    """{address: (function, instructions to the end of a block)}"""
    name, lines = "?", []
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            name = found[1]
        elif found := LINE.match(line.strip()):
            lines.append((int(found[1], 16), name, found[2]))
    blocks, length, after = {}, 0, None
    for address, name, text in reversed(lines):
        length = 1 if ENDS.match(text) or name != after else length + 1
        blocks[address], after = (name, length), name
    return blocks


def tally(path, counts):
    """Counts the blocks of QEMU's log by address; the log is a fifo."""
    with open(path, "rb") as log:
        for line in log:
            if line.startswith(b"Trace"):
                counts[line.split(b"/", 2)[1]] += 1


def executed(args, command, blocks):
    """{function: instructions} of one boot."""
    entered, found = Counter(), Counter()
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "log"
        os.mkfifo(fifo)
        reader = threading.Thread(target=tally, args=(fifo, entered),
                                  daemon=True)
        reader.start()
        options = vm.Options(cpus=1, accel="icount", mem=args.mem,
                             swap=args.swap, tlb=args.tlb, ram=args.ram,
                             exec_log=(fifo, min(blocks), max(blocks)))
        result = vm.run(options, command)
        if result.status:
            raise vm.HostError(f"{result.command}: status {result.status} "
                               + result.verdict)
        reader.join()
    print(result.text, end="", file=sys.stderr)
    for address, n in entered.items():
        name, length = blocks.get(int(address, 16), ("?", 1))
        found[name] += n * length
    return found


def table(spent, per, rows):
    whole = sum(spent.values())
    lines = [f"{whole / per:10.1f}  100.0 %  all of the kernel"]
    for name, n in spent.most_common(rows):
        lines.append(f"{n / per:10.1f}  {100 * n / whole:5.1f} %  {name}")
    return "\n".join(lines)


def profile(args):
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        print("tools/weir profile: a command is missing", file=sys.stderr)
        return 2
    blocks = code(disassembly(vm.ROOT / "build/weir.elf"))
    try:
        spent = executed(args, command, blocks)
        if args.less:
            spent.subtract(executed(args, ["sh", "-c", args.less], blocks))
    except vm.HostError as error:
        print(error, file=sys.stderr)
        return vm.HOST
    print(table(spent, args.per, args.rows))
    return 0


def add_verbs(sub):
    usual = vm.Options()
    verb = sub.add_parser("profile", help="instructions of the kernel by "
                          "function, for a command on one CPU")
    for key in ("mem", "swap", "ram"):
        verb.add_argument(f"--{key}", type=int, metavar="MiB",
                          default=getattr(usual, key))
    verb.add_argument("--tlb", metavar="POLICY")
    verb.add_argument("--less", metavar="COMMAND", help="a line of the shell: "
                      "what it costs, in a boot of its own, is taken away")
    verb.add_argument("--per", type=float, default=1, metavar="N",
                      help="divide by N, e.g. pages moved")
    verb.add_argument("--rows", type=int, default=40, metavar="N")
    verb.add_argument("command", nargs="...", metavar="COMMAND")
    verb.set_defaults(run=profile)
