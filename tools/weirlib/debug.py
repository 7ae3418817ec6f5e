"""`make gdb`: the machine stopped before its first instruction, and gdb."""

import shutil
import subprocess
import sys
import threading
import time

from weirlib import vm


def gdb(args):
    if shutil.which("gdb") is None:
        print("gdb is not installed: apt-get install -y gdb", file=sys.stderr)
        return vm.HOST
    log = vm.ROOT / "build" / "gdb-console.log"
    options = vm.Options(cpus=args.cpus, gdb=True, log=str(log))
    machine = vm.Machine(options, args.command)
    thread = threading.Thread(target=machine.run, daemon=True)
    thread.start()
    for _ in range(100):
        if machine.dir and (machine.dir / "gdb.sock").exists():
            break
        if not thread.is_alive():
            break
        time.sleep(0.1)
    else:
        print("QEMU opened no socket for gdb.", file=sys.stderr)
        return vm.HOST
    print(f"The console goes to {log}. Try: hbreak kernel_main, continue")
    status = subprocess.run(
        ["gdb", "-q", "-ex", f"target remote {machine.dir}/gdb.sock",
         str(vm.ROOT / "build" / "weir.elf")], check=False).returncode
    machine.stop()
    thread.join(10)
    return status


def add_verbs(sub):
    verb = sub.add_parser("gdb", help="boot stopped, with gdb attached")
    verb.add_argument("--cpus", type=int, default=4)
    verb.add_argument("command", nargs="*", metavar="COMMAND")
    verb.set_defaults(run=gdb)
