"""The library of the recurrence in C: how it is compiled, stored and loaded, and its threads."""

import functools
import hashlib
import logging
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from chromattend.compiled import find_compiler
from chromattend.recurrence import BidirectionalLSTM, compiled


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A process that has not loaded the library, compiles it fast, and has a cache folder of its own."""
    if find_compiler() is None:
        pytest.skip("no C compiler: the recurrence in C is not tested")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("chromattend.compiled.FLAGS", ("-O0", "-shared", "-fPIC"))
    compiled.library.cache_clear()
    yield
    compiled.library.cache_clear()


def test_without_a_compiler_there_is_a_warning_and_torch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    for compiler in ("no-such-compiler", "false"):
        caplog.clear()
        compiled.library.cache_clear()
        monkeypatch.setenv("CC", compiler)
        with caplog.at_level(logging.WARNING):
            assert compiled.library() is None
            assert BidirectionalLSTM(1, 1, 4)(torch.randn(1, 2, 3, 1)).shape == (1, 2, 3, 8)
        assert "lstm.c could not be compiled or loaded" in caplog.text
        assert not list(tmp_path.rglob("*.so"))


@pytest.mark.parametrize("home", ["a file in its place", "read-only", "none"])
def test_without_a_folder_for_caches_a_process_compiles_for_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, home: str
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    if home == "none":
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(Path, "home", functools.partial(_raise, RuntimeError("Could not determine home directory")))
    elif home == "read-only":
        monkeypatch.setenv("HOME", "/proc")  # where not even root can make a folder
    else:
        (tmp_path / "home").write_text("")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with caplog.at_level(logging.INFO):
        assert compiled.library() is not None
        assert BidirectionalLSTM(1, 1, 4)(torch.randn(1, 2, 3, 1)).shape == (1, 2, 3, 8)
    assert len(caplog.records) == 1
    assert "this process compiles" in caplog.text


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "no checksum"])
def test_a_damaged_library_is_compiled_again(tmp_path: Path, damage: str) -> None:
    assert compiled.library() is not None
    (path,), (checksum,) = tmp_path.rglob("*.so"), tmp_path.rglob("*.sha256")
    whole = path.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "zeros": bytes(len(whole))}.get(damage, whole)
    # Another file: this process still has the first one in its memory.
    path.unlink()
    path.write_bytes(damaged)
    if damage == "no checksum":
        checksum.unlink()
    compiled.library.cache_clear()
    assert compiled.library() is not None
    assert path.read_bytes() == whole
    assert checksum.read_text() == hashlib.sha256(whole).hexdigest()


class _Outputs(Dataset[Tensor]):
    """What an LSTM makes of its input, computed where it is asked for."""

    def __init__(self, lstm: BidirectionalLSTM, inputs: Tensor) -> None:
        self.lstm, self.inputs = lstm, inputs

    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> Tensor:
        with torch.inference_mode():
            return self.lstm(self.inputs)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own(two_threads: None) -> None:
    torch.manual_seed(4)
    outputs = _Outputs(BidirectionalLSTM(3, 2, 8), torch.randn(3, 5, 30, 2))
    expected = outputs[0]  # starts the threads of this process
    for found in DataLoader(outputs, batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=20):
        assert torch.equal(found, expected)
    assert torch.equal(outputs[0], expected)
