"""`make gdb`: the machine stopped before its first instruction, and gdb.

With a lab it goes on until one of that lab's gaps is reached. `--serve`
leaves gdb to somebody else, an editor, who finds it at build/gdb.sock.
"""

import re
import shutil
import subprocess
import sys
import threading
import time

from weirlib import lab as labs, vm

SOCKET = vm.ROOT / "build" / "gdb.sock"
MOST_PLACES = 8     # breakpoints in hardware: there is no kernel yet


def places(name):
    """FILE:LINE of the code in each gap of the lab's, in their order."""
    mark = re.compile(rf"\bYour code \(lab {name}\)|\bLAB {name} begin\b")
    found = []
    for path in labs.load(name).files:
        if not path.endswith(".c"):
            continue
        for number, line in enumerate(
                (vm.ROOT / path).read_text().splitlines(), 1):
            if mark.search(line):
                found.append(f"{path}:{number + 1}")
    return found[:MOST_PLACES]


def commands(args, socket):
    """gdb's, as arguments of its command line."""
    lines = [f"target remote {socket}"]
    if args.lab:
        lines += [f"hbreak {place}" for place in places(args.lab)]
        lines += ["continue"]
    return [word for line in lines for word in ("-ex", line)]


def start(machine):
    """The machine's thread, once gdb can be attached; None: it cannot."""
    thread = threading.Thread(target=machine.run, daemon=True)
    thread.start()
    for _ in range(100):
        if machine.dir and (machine.dir / "gdb.sock").exists():
            return thread
        if not thread.is_alive():
            return None
        time.sleep(0.1)
    return None


def serve(machine, thread):
    """Until the machine ends, or ctrl-C."""
    SOCKET.unlink(missing_ok=True)
    SOCKET.symlink_to(machine.dir / "gdb.sock")
    print(f"The machine waits for gdb: target remote {SOCKET}", flush=True)
    try:
        thread.join()
    finally:
        SOCKET.unlink(missing_ok=True)
    return 0


def gdb(args):
    if not args.serve and shutil.which("gdb") is None:
        print("gdb is not installed: apt-get install -y gdb", file=sys.stderr)
        return vm.HOST
    log = vm.ROOT / "build" / "gdb-console.log"
    options = vm.Options(cpus=args.cpus, gdb=True, log=str(log))
    machine = vm.Machine(options, args.command)
    thread = None
    try:
        thread = start(machine)
        if thread is None:
            print("QEMU opened no socket for gdb.", file=sys.stderr)
            return vm.HOST
        print(f"The console goes to {log}. "
              "Try: hbreak kernel_main, continue", flush=True)
        if args.serve:
            return serve(machine, thread)
        return subprocess.run(
            ["gdb", "-q", *commands(args, machine.dir / "gdb.sock"),
             str(vm.ROOT / "build" / "weir.elf")], check=False,
            cwd=vm.ROOT).returncode
    except labs.LabError as error:
        print(f"gdb: {error}", file=sys.stderr)
        return 2
    finally:
        machine.stop()
        if thread:
            thread.join(10)


def add_verbs(sub):
    verb = sub.add_parser("gdb", help="boot stopped, with gdb attached")
    verb.add_argument("--cpus", type=int, default=4)
    verb.add_argument("--lab", metavar="NAME",
                      help="goes on to what a student wrote")
    verb.add_argument("--serve", action="store_true",
                      help="no gdb, but build/gdb.sock for one")
    verb.add_argument("command", nargs="*", metavar="COMMAND")
    verb.set_defaults(run=gdb)
