"""Code in C, compiled for this machine's CPU on first use."""

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from chromattend.files import atomic, sha256

logger = logging.getLogger(__name__)

FLAGS = ("-O3", "-shared", "-fPIC", "-mcpu=native" if platform.machine() == "arm64" else "-march=native")


def find_compiler() -> str | None:
    """Return the C compiler of the environment variable CC or on the path, or None."""
    return os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def load(source: Path, otherwise: str) -> ctypes.CDLL | None:
    """Return the compiled functions of a file; if it cannot be compiled, log a warning and return None.

    Compilation takes a second and is done once per kind of CPU: the result is stored in the user's cache folder. If
    that folder cannot be written, each process compiles for itself.

    Args:
        source: file of C.
        otherwise: what it means for the user that the functions are not there, for the warning.
    """
    compiler = find_compiler()
    if compiler is None:
        logger.warning("no C compiler was found, so %s; install gcc", otherwise)
        return None
    key = hashlib.sha256(repr((source.read_text(), FLAGS, compiler, _cpu())).encode()).hexdigest()[:16]
    folder = _cache_folder()
    try:
        if folder is not None:
            return ctypes.CDLL(str(_stored(compiler, source, folder / f"{source.stem}-{key}.so")))
        logger.info("no folder for caches can be written, so this process compiles %s for itself", source)
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, f"{source.stem}.so")
            _compile(compiler, source, path)
            return ctypes.CDLL(str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        logger.warning("%s: %s could not be compiled or loaded: %s", otherwise, source, reason)
        return None


def _cache_folder() -> Path | None:
    """Return the folder of this program's caches, or None if it cannot be written."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chromattend"
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None


def _stored(compiler: str, source: Path, path: Path) -> Path:
    """Return the library that is stored as `path`, compiled again unless it is whole: a cut one crashes its process."""
    checksum = path.with_suffix(".sha256")
    if not (path.is_file() and checksum.is_file() and checksum.read_text() == sha256(path)):
        with atomic(path) as temporary:
            _compile(compiler, source, temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            digest = sha256(temporary)
        with atomic(checksum) as temporary:
            temporary.write_text(digest)
    return path


def _compile(compiler: str, source: Path, path: Path) -> None:
    command = [*compiler.split(), *FLAGS, "-o", str(path), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _cpu() -> str:
    """Return the CPU features that the compiler's `native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
