"""Push and pull to a remote with SSH, as ratios to `rsync` over the same OpenSSH server on 127.0.0.1.

`python benchmarks/ssh.py [--objects N] [--large MIB] [--rounds N]`. Both move the objects of one store, to a new
directory and back. Pivot forces each object to the server's disk before it counts as pushed; `rsync` does so with
`--fsync`, and is measured with and without. Pulled objects are verified by Pivot alone. The minimum of the rounds
counts, each in processes of its own; the processor time is that of the client, without the server.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from _processes import DISK, Cost, timed

from pivot_cache.objects.store import ObjectStore

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"

TRANSFER = """
import json, pathlib, sys
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.protocol import RemoteSettings, connect
from pivot_cache.remotes.transfer import fetch, push
from pivot_core.lock import Artifact
way, url, store, listed, state = sys.argv[1:]
artifacts = [Artifact(digest, size) for digest, size in json.loads(pathlib.Path(listed).read_text()).items()]
transfer = {"push": push, "pull": fetch}[way]
outcome = transfer(artifacts, ObjectStore(pathlib.Path(store)), connect(url, RemoteSettings(state=pathlib.Path(state))))
assert len(outcome.transferred) == len(artifacts), outcome.failed
"""


@contextlib.contextmanager
def server(place: pathlib.Path, program: str) -> Iterator[int]:
    """The port of OpenSSH's server, which accepts the key in `place`; ssh and Pivot find both in `place` as HOME."""
    home = place / "home" / ".ssh"
    home.mkdir(parents=True, mode=0o700)
    for key in (place / "host", home / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {(place / 'host.pub').read_text()}")
    config = place / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place / 'host'}\nAuthorizedKeysFile {home}/id_ed25519.pub\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    with contextlib.suppress(OSError):
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's server wants it
    process = subprocess.Popen([program, "-D", "-f", str(config), "-E", str(place / "log")])
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                yield port
                return
            time.sleep(0.05)
        print(f"not measured: sshd does not start: {(place / 'log').read_text().strip()}")
    finally:
        process.terminate()
        process.wait()


def filled(store: ObjectStore, file: pathlib.Path, count: int, size: int) -> Iterator[tuple[str, int]]:
    """Store random objects; yield the digest and the size of each."""
    for _ in range(count):
        file.write_bytes(os.urandom(size))
        artifact = store.put(file)
        yield artifact.digest, artifact.size


def transfers(place: pathlib.Path, port: int, count: int, size: int, rounds: int) -> None:
    store = ObjectStore(place / f"store-{count}" / "files")
    listed = place / "listed.json"
    listed.write_text(json.dumps(dict(filled(store, place / "object", count, size))))
    home = place / "home"
    shell = f"ssh -p {port} -i {home}/.ssh/id_ed25519 -o UserKnownHostsFile={home}/.ssh/known_hosts -F none"
    served, pulled = place / "served", place / "pulled"

    def rsync(way: str, *flags: str) -> list[str]:
        ends = [f"{store.directory}/", f"127.0.0.1:{served}/files/"]
        if way == "pull":
            ends = [ends[1], f"{pulled}/files/"]
        return ["rsync", "-a", *flags, "-e", shell, *ends]

    def pivot(way: str) -> list[str]:
        url, where = f"ssh://127.0.0.1:{port}{served}", store.directory if way == "push" else pulled / "files"
        return [sys.executable, "-c", TRANSFER, way, url, str(where), str(listed), str(place / "state")]

    clients: dict[str, Callable[[str], list[str]]] = {
        "pivot": pivot,
        "rsync": rsync,
        "rsync --fsync": lambda way: rsync(way, "--fsync"),
    }
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(rounds):
        for name, command in clients.items():
            for directory in (served, pulled):
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir()
            for way in ("push", "pull"):
                os.sync()  # what is written back meanwhile is nobody's cost
                costs.setdefault((way, name), []).append(timed(command(way), variables={"HOME": str(home)}))
    what = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
    print(f"{count} x {what}, best of {rounds}")
    shutil.rmtree(store.directory.parent)
    for way in ("push", "pull"):
        show(way, {name: min(costs[way, name]) for name in clients})


def show(way: str, best: dict[str, Cost]) -> None:
    for name, cost in best.items():
        ratio = cost.clock / best["rsync"].clock
        print(f"  {way}  {name:14} {cost.clock:6.2f} s  {ratio:5.2f} x rsync  {cost.used:5.2f} s of CPU", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--large", type=int, default=512, metavar="MIB")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    tools = {name: shutil.which(name, path=PATH) for name in ("sshd", "ssh", "ssh-keygen", "rsync")}
    missing = [name for name, path in tools.items() if path is None]
    if missing:
        print(f"not measured: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed")
        return
    with (
        tempfile.TemporaryDirectory(dir=DISK) as directory,
        server(pathlib.Path(directory), str(tools["sshd"])) as port,
    ):
        transfers(pathlib.Path(directory), port, given.objects, 16 << 10, given.rounds)
        if given.large:
            transfers(pathlib.Path(directory), port, 1, given.large << 20, given.rounds)


if __name__ == "__main__":
    main()
