"""What reading a folder asks of the network, which is nothing: python -m benchmarks.network [FOLDER] [--ask QUESTION]

FOLDER goes through ingest.py into an empty library under RAG_OFFLINE, in a network of its own that leads nowhere
(`unshare --net`, where permitted). In every Python process of the run, the workers included, a hook writes down and
refuses each look-up of a name and each address that is connected or sent to; where strace is installed, it writes down
what native code asks the kernel for, which is a socket to begin with. Sockets between processes of one machine
(AF_UNIX) are no network, nor is one that Python opens and never connects (urllib3 does so when it is imported, to learn
whether IPv6 is there). The exit status is 1 if anything was tried.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
_CALL = re.compile(r"\b(?:connect|sendto|sendmsg)\(.*sa_family=(?!AF_UNIX)")
_OPENED = "opened"
_SOCKET = re.compile(r"\bsocket\((?!AF_UNIX)")

# Runs at the start of each Python process, before its own code; a worker adds its own refusal behind this one
_HOOK = """
import os, sys
_log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_names = {{"getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo", "connect", "sendto", "sendmsg"}}
def _refuse(event, arguments):
    kind, _, name = event.partition(".")
    if event == "socket.__new__" and arguments[1] != 1:
        os.write(_log, b"{opened}\\n")
    elif kind == "socket" and name in _names:
        address = arguments if name.startswith("get") else arguments[-1]
        if not isinstance(address, (str, bytes, type(None))):
            os.write(_log, f"{{event}} {{address}} in process {{os.getpid()}}\\n".encode())
            raise PermissionError(f"there is no network in this run ({{event}})")
sys.addaudithook(_refuse)
"""


def main(args: Sequence[str] | None = None) -> int:
    """Read the folder, print what became of its files and what was tried; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.network", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "sample_docs", metavar="FOLDER")
    parser.add_argument("--ask", metavar="QUESTION", help="put this question to the library as well")
    parser.add_argument("--dry-run", action="store_true", help="only read the files, embed nothing")
    options = parser.parse_args(args)
    if options.ask and options.dry_run:
        parser.error("--ask needs a library, which --dry-run does not make")
    with tempfile.TemporaryDirectory() as scratch:
        library = ["--library", f"{scratch}/library"]
        dry = ["--dry-run"] if options.dry_run else []
        done, tried = watch([sys.executable, "ingest.py", options.folder.resolve(), "--json", *dry, *library])
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        files = [row for row in rows if "outcome" in row]
        if done.returncode > 1 or not files:
            sys.exit(f"ingest.py ended with {done.returncode}: {done.stderr[-2000:]}")
        kinds = Counter(Path(row["source"]).suffix.lower() for row in files)
        print(f"{len(files)} files of {len(kinds)} kinds:", told(kinds))
        print("states:", told(Counter(row["outcome"] for row in files)))
        if options.ask:
            done, more = watch([sys.executable, "-m", "rag", "ask", options.ask, *library])
            if done.returncode:
                sys.exit(f"ask ended with {done.returncode}: {done.stderr[-2000:]}")
            print("answer:", done.stdout.partition("\n")[0])
            tried += more
    watchers = ["a hook in each Python process", *tracer(Path())[:1], " ".join(isolation()) or "no empty network"]
    print("watched by:", ", ".join(watchers))
    for line in tried:
        print("tried:", line)
    print(f"{len(tried)} attempts to reach the network")
    return 1 if tried else 0


def watch(command: Sequence[str | Path]) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run a command of the project without a network; how it ended, and what it and its children tried."""
    with tempfile.TemporaryDirectory() as scratch:
        log, trace = Path(scratch, "hook.txt"), Path(scratch, "trace.txt")
        Path(scratch, "sitecustomize.py").write_text(_HOOK.format(log=str(log), opened=_OPENED))
        env = {**os.environ, "RAG_OFFLINE": "true", "PYTHONPATH": scratch}
        done = subprocess.run(
            [*isolation(), *tracer(trace), *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        seen = log.read_text().splitlines()
        tried = [line for line in seen if line != _OPENED]
        opened = len(seen) - len(tried)
        if trace.exists():
            calls = trace.read_text(errors="replace").splitlines()
            tried += [call for call in calls if _CALL.search(call)]
            sockets = [call for call in calls if _SOCKET.search(call)]
            if len(sockets) > opened:  # more than Python code did
                tried += sockets
    return done, tried


def tracer(trace: Path) -> list[str]:
    """The command that writes the calls of the network into a file, if strace is there and may be used.

    Not with --seccomp-bpf, which would be faster: a call that a worker's own filter refuses would not be seen.
    """
    command = ["strace", "--follow-forks", "--quiet=all", "-e", "trace=socket,connect,sendto,sendmsg", "-o"]
    return [*command, str(trace)] if works([*command, os.devnull]) else []


def isolation() -> list[str]:
    """The command that gives a process an empty network, if this user may use it."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    return command if works(command) else []


def works(command: list[str]) -> bool:
    """Whether a command that runs another is there and may be used."""
    found = shutil.which(command[0])
    return found is not None and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0


def told(counts: Counter[str]) -> str:
    """Counts in words, the greatest first."""
    return ", ".join(f"{count} {name or 'without a suffix'}" for name, count in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
