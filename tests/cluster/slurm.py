"""A Slurm of two nodes on this machine, for the time of the tests."""

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

# The steps of a job look for the configuration here and nowhere else.
ETC = Path("/etc/slurm")
MUNGE_KEY = Path("/etc/munge/munge.key")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

# The nodes share the memory and the cores of one machine. Memory is enforced by sampling, because a control group
# needs a systemd that a container does not have. A job that is put back waits as long as a credential is valid. A node
# that is set down stays down, although its daemon still answers.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=0
SlurmdParameters=config_overrides
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
GresTypes=gpu
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
MinJobAge=600
KillWait=5
InactiveLimit=0
SlurmdTimeout=60
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{second}] CPUs=4 RealMemory=16000 Gres=gpu:1
PartitionName=batch Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=n[1-2] MaxTime=INFINITE State=UP
"""
# A GPU needs a device file; nothing opens these.
GPUS = "NodeName=n1 Name=gpu File=/dev/null\nNodeName=n2 Name=gpu File=/dev/zero\n"


def missing() -> str | None:
    """Say what keeps a Slurm from running here, or nothing."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no {', '.join(absent)}: apt install slurm-wlm munge"
    if os.geteuid() != 0:
        return "only root can start a Slurm"
    if (ETC / "slurm.conf").exists() and not (ETC / "slurm.conf").read_text().startswith("ClusterName=tests\n"):
        return f"{ETC}/slurm.conf is that of another cluster"
    return None


@dataclass
class Slurm:
    """The daemons of a cluster, all of them children of this process.

    Attributes:
        folder: state and logs.
        daemons: name -> process.
    """

    folder: Path
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self) -> None:
        """Start munge, the controller and two nodes; wait until both are idle."""
        for name in ("state", "spool-n1", "spool-n2"):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        ports = dict(zip(("controller", "first", "second"), _free_ports(), strict=True))
        ETC.mkdir(exist_ok=True)
        configuration = CONFIGURATION.format(host=socket.gethostname().split(".")[0], folder=self.folder, **ports)
        (ETC / "slurm.conf").write_text(configuration)
        (ETC / "gres.conf").write_text(GPUS)
        if not MUNGE_KEY.exists():
            MUNGE_KEY.parent.mkdir(parents=True, exist_ok=True)
            MUNGE_KEY.write_bytes(os.urandom(1024))
        # munged runs as root here, and asks that nobody else could have written its key.
        key = self.folder / "munge.key"
        key.write_bytes(MUNGE_KEY.read_bytes())
        key.chmod(0o400)
        self._spawn(
            "munged", "--foreground", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munged.seed",
            f"--log-file={self.folder}/munged.log", "--force",
        )  # fmt: skip
        self._until(lambda: (self.folder / "munge.socket").exists(), "munged")
        self._spawn("slurmctld", "-D", "-c")
        self._until(lambda: self.query("scontrol", "ping").returncode == 0, "slurmctld")
        for node in ("n1", "n2"):
            self._spawn("slurmd", "-D", "-N", node, name=node)
        self._until(lambda: self.states() == {"n1": "idle", "n2": "idle"}, "n1")

    def _spawn(self, *command: str, name: str | None = None) -> None:
        name = name or command[0]
        with (self.folder / f"{name}.out").open("w") as log:
            self.daemons[name] = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _until(self, ready, daemon: str) -> None:
        limit = time.monotonic() + 30
        while not ready():
            process = self.daemons[daemon]
            assert process.poll() is None, (self.folder / f"{daemon}.out").read_text()
            assert time.monotonic() < limit, f"{daemon} is not ready: {self.states()}"
            time.sleep(0.1)

    def stop(self) -> None:
        """End all jobs, then the daemons that were started here."""
        self.query("scancel", "--user=root", "--signal=KILL", "--full")
        self.query("scancel", "--user=root")
        limit = time.monotonic() + 20
        while self.jobs() and time.monotonic() < limit:
            time.sleep(0.2)
        for process in reversed(list(self.daemons.values())):
            process.terminate()
        for process in self.daemons.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)

    def query(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a client of Slurm."""
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        answer = self.query("sinfo", "--Node", "--noheader", "--format=%N %T", "--partition=batch")
        return dict(line.split() for line in answer.stdout.splitlines())

    def jobs(self, state: str = "PENDING,RUNNING,COMPLETING", folder: Path | None = None) -> list[tuple[str, str, str]]:
        """Return number, node and comment (rule and wildcards) of the jobs in these states: of all, or of a folder."""
        answer = self.query("squeue", "--noheader", f"--states={state}", "--format=%i|%N|%k|%Z")
        lines = [line.split("|", 3) for line in answer.stdout.splitlines()]
        return [tuple(job) for *job, place in lines if folder is None or Path(place) == folder]  # type: ignore[misc]


def _free_ports() -> list[int]:
    """Return three ports, the last two in a row, as Slurm's node list wants them."""
    while True:
        sockets = [socket.socket() for _ in range(3)]
        try:
            for each in sockets[:2]:
                each.bind(("127.0.0.1", 0))
            first = sockets[1].getsockname()[1]
            try:
                sockets[2].bind(("127.0.0.1", first + 1))
            except (OSError, OverflowError):
                continue
            return [sockets[0].getsockname()[1], first, first + 1]
        finally:
            for each in sockets:
                each.close()
