"""An embedded Postgres in a data dir: made, started and reached by nobody but us. What runs it is somebody else's."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from infra.embedded import launch
from infra.embedded.binaries import POSTGRES_MAJOR, EmbeddedError, postgres_binaries
from infra.ids import random_token
from infra.keys.local import key_path, private_folder, stored

ROLE = "microcos"
DATABASE = "microcos"
SUPERUSER = "postgres"
SOCKET_PATH_BYTES_MAX = 100  # the kernel's limit is 107, 103 on macOS
SOCKET_NAME = ".s.PGSQL.5432"
PREVIOUS_SECONDS_MAX = 8.0
NOBODYS_PID = 4_194_304  # Linux gives out smaller ones only, macOS much smaller ones

SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    # Erased text must not live on in segments that are kept to be written again.
    "wal_recycle": "off",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The log may hold no text of a user: no rows in error details, no statements, no parameters.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "cluster_name": "microcos",
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """Everything is in `data_dir`: the cluster, its passwords, its socket. One at a time may use it: the caller holds
    the data dir's lock."""

    data_dir: Path
    name: str = "postgres"
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def exists(self) -> bool:
        return (self.cluster / "PG_VERSION").is_file()

    def url(self, database: str = DATABASE, *, superuser: bool = False) -> str:
        role = SUPERUSER if superuser else ROLE
        password = self._password(role)
        return f"postgresql://{role}:{password}@/{database}?host={quote(str(self._socket_folder()), safe='')}"

    def prepare(self) -> None:
        """Make the cluster where there is none, and clear what a killed server left. Raises `EmbeddedError`."""
        private_folder(self.data_dir / "run")
        if self.exists and not key_path(self.data_dir, f"postgres_password_{SUPERUSER}").exists():
            raise EmbeddedError(f"{self.cluster} is there but its password in {self.data_dir / 'keys'} is gone.")
        if self.exists and (made_by := (self.cluster / "PG_VERSION").read_text().strip()) != POSTGRES_MAJOR:
            raise EmbeddedError(
                f"{self.cluster} was made by Postgres {made_by}, and this is {POSTGRES_MAJOR}."
                " Choose another --data-dir, or set MICROCOS_DATABASE_URL to a server of that version."
            )
        self._end_previous()
        if not self.exists:
            self._initdb()
        self._take_ownership(self.cluster)

    def command(self) -> list[str]:
        settings = {**SERVER_SETTINGS, "unix_socket_directories": str(self._socket_folder())}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        return launch.command(
            [str(postgres_binaries() / "postgres"), "-D", str(self.cluster.resolve()), *options],
            parent=os.getpid(),
            # An immediate shutdown, since nobody is left who would wait for a slower one.
            stop_signal=signal.SIGQUIT,
            unprivileged=True,
        )

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.url("postgres", superuser=True), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def is_intact(self) -> bool:
        return True

    def complete(self) -> None:
        """Once it is ready: our role and database, where they are missing. Our role is no superuser."""
        with psycopg.connect(self.url("postgres", superuser=True), autocommit=True) as connection:
            role = sql.Identifier(ROLE)
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
                connection.execute(sql.SQL("GRANT pg_checkpoint TO {}").format(role))
            # Encrypted here, so that the password itself is in no statement; set anew, in case its file was lost.
            verifier = connection.pgconn.encrypt_password(self._password(ROLE).encode(), ROLE.encode())
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
            connection.execute(statement.format(role, sql.Literal(verifier.decode())))
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(statement.format(sql.Identifier(DATABASE), role))

    def discard_socket_folder(self) -> None:
        """Remove the socket folder where it lies outside of the data dir."""
        folder = self._socket_folder()
        if folder.parent != self.data_dir.resolve():
            shutil.rmtree(folder, ignore_errors=True)
            (self.data_dir / "run" / "socket_folder").unlink(missing_ok=True)

    def _password(self, role: str) -> str:
        return stored(self.data_dir, f"postgres_password_{role}", random_token)

    def _socket_folder(self) -> Path:
        """A private folder with a path that is short enough: in the data dir, else a temporary one that is kept."""
        own = private_folder(self.data_dir / "run").resolve()
        if len(os.fsencode(own / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX and "," not in str(own):
            return own
        note = own / "socket_folder"
        if note.is_file() and _is_private(Path(note.read_text())):
            return Path(note.read_text())
        folder = Path(tempfile.mkdtemp(prefix="microcos-"))
        note.write_text(str(folder))
        return folder

    def _initdb(self) -> None:
        """Into a draft folder that is renamed at the end: a cluster that is there is whole."""
        draft = self.data_dir / "postgres.new"
        shutil.rmtree(draft, ignore_errors=True)
        password = key_path(self.data_dir, f"postgres_password_{SUPERUSER}")
        self._password(SUPERUSER)
        self._take_ownership(private_folder(draft))
        initdb = [str(postgres_binaries() / "initdb"), "-D", str(draft.resolve()), f"--username={SUPERUSER}"]
        options = ["--auth=scram-sha-256", f"--pwfile={password.resolve()}", "--data-checksums", "--encoding=UTF8"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        done = subprocess.run(
            launch.command([*initdb, *options], parent=os.getpid(), stop_signal=signal.SIGKILL, unprivileged=True),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        draft.rename(self.cluster)

    def _take_ownership(self, folder: Path) -> None:
        """As root, the files belong to who the server runs as; that can change with the machine's rules."""
        if os.geteuid() != 0:
            return
        owner = launch.NOBODY_ID if launch.way_out_of_root() == "nobody" else 0
        if folder.stat().st_uid == owner:
            return
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, owner, owner, follow_symlinks=False)

    def _end_previous(self) -> None:
        """A server of a `dev` that was killed may still be about to stop: wait for it. Lock files whose process is
        another program, as after a reboot, would stop the start. Those whose process is gone stay: by them Postgres
        finds out whether something of that server still runs. But a process that has ended and that nobody has asked
        for its status yet, which PID 1 does a second later or in some containers never, looks alive to Postgres."""
        pid_file = self.cluster / "postmaster.pid"
        locks = (pid_file, self._socket_folder() / f"{SOCKET_NAME}.lock")
        deadline = time.monotonic() + PREVIOUS_SECONDS_MAX
        while (pid := _pid_in(pid_file)) is not None and (line := _command_line(pid)):
            if str(self.cluster.resolve()) not in line:
                _await_memory_free(pid_file, deadline)
                for lock in locks:
                    lock.unlink(missing_ok=True)
                return
            if time.monotonic() > deadline:
                raise EmbeddedError(f"A Postgres (pid {pid}) that uses {self.cluster} does not stop; end it first.")
            os.kill(pid, signal.SIGQUIT)
            time.sleep(0.1)
        _await_memory_free(pid_file, deadline)
        for lock in locks:
            if pid is not None and _pid_in(lock) == pid:
                _, _, rest = lock.read_text().partition("\n")
                lock.write_text(f"{NOBODYS_PID}\n{rest}")


def _pid_in(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None


def _await_memory_free(pid_file: Path, deadline: float) -> None:
    """The children of a server that was killed end a moment after it, and until then Postgres refuses to start."""
    while _is_memory_held(pid_file) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_memory_held(pid_file: Path) -> bool:
    """Whether a process is attached to the shared memory that the seventh line names by key and id. Linux only."""
    try:
        named = pid_file.read_text().splitlines()[6].split()
        listed = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except (FileNotFoundError, IndexError):
        return False
    return any(fields[:2] == named and fields[6] != "0" for fields in map(str.split, listed))


def _command_line(pid: int) -> str:
    """Empty when there is no such process, or only what is left of one."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return ""
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listed.stdout


def _is_private(folder: Path) -> bool:
    """A folder, not a link, that is ours alone: somebody else could have made one of that name meanwhile."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
