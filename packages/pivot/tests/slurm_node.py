"""A Slurm cluster of this one machine, for tests; as root, with Debian's packages ``slurm-wlm`` and ``munge``.

Everything listens on 127.0.0.1 or on sockets in one directory, and no configuration of the machine is read or changed.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={place}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm_node(place: pathlib.Path) -> Iterator[dict[str, str]]:
    """Start the cluster, and yield the environment in which its commands find it."""
    for name in ("munge", "state", "spool"):
        (place / name).mkdir(mode=0o711, parents=True)
    key = place / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    configuration = place / "slurm.conf"
    ports = dict(zip(("control", "daemon"), _free_ports(2), strict=True))
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(CONFIGURATION.format(place=place, host=host, cpus=os.cpu_count(), **ports))
    env = {"SLURM_CONF": str(configuration)}
    munge = [f"--{name}-file={place / file}" for name, file in (("key", "munge.key"), ("pid", "munge.pid"))]
    munge += [f"--log-file={place / 'munge.log'}", f"--seed-file={place / 'seed'}", f"--socket={place}/munge/socket"]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        with (place / "daemons.log").open("wb") as log:
            for words in (["munged", "--foreground", "--force", *munge], ["slurmctld", "-D"], ["slurmd", "-D"]):
                process = subprocess.Popen(words, env={**os.environ, **env}, stdout=log, stderr=log)
                daemons.append(process)
        _wait_for_idle({**os.environ, **env}, place)
        yield env
    finally:
        subprocess.run(["scancel", "--full", "--me"], env={**os.environ, **env}, check=False)
        for process in reversed(daemons):
            process.terminate()
        for process in daemons:
            process.wait(20)


def _wait_for_idle(env: dict[str, str], place: pathlib.Path) -> None:
    until = time.monotonic() + 30
    while True:
        state = subprocess.run(["sinfo", "-h", "-o", "%t"], env=env, capture_output=True, text=True, check=False)
        if state.stdout.strip() == "idle":
            return
        logs = [path.read_text(errors="replace")[-2000:] for path in sorted(place.glob("*.log"))]
        assert time.monotonic() < until, f"the node is {state.stdout.strip()!r}: {logs}"
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        servers = [sockets.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
