"""The vector index: whatever happens to Chroma's folder, it is made again; processes see one another's writes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.errors import LibraryError
from rag.store import VectorIndex

HERE = Path(__file__).parent


class Vectors:
    """A truth of n random unit vectors, chunks 1 to n of one collection."""

    identity = "these"

    def __init__(self, count: int, dimension: int = 16) -> None:
        made = np.random.default_rng(0).standard_normal((count, dimension)).astype(np.float32)
        self.all = made / np.linalg.norm(made, axis=1, keepdims=True)

    def collections(self) -> list[str]:
        return ["default"]

    def all_chunk_ids(self, collection: str) -> list[int]:
        return list(range(1, len(self.all) + 1))

    def vectors(self, ids: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        return self.all[[i - 1 for i in ids]]


def filled(folder: Path, truth: Vectors) -> VectorIndex:
    index = VectorIndex(folder / "chroma", truth)
    index.add("default", truth.all_chunk_ids("default"), truth.all)
    return index


def assert_whole(index: VectorIndex, truth: Vectors) -> None:
    assert index.ids("default") == truth.all_chunk_ids("default")
    step = max(1, len(truth.all) // 100)
    for chunk_id in truth.all_chunk_ids("default")[::step]:
        assert index.search("default", truth.all[chunk_id - 1].tolist(), 1) == [chunk_id]


def test_what_is_added_is_found_and_what_is_deleted_is_not(tmp_path: Path) -> None:
    truth = Vectors(50)
    index = filled(tmp_path, truth)
    assert_whole(index, truth)
    index.delete("default", [1, 2, 2**40])
    assert index.ids("default") == list(range(3, 51))
    assert 1 not in index.search("default", truth.all[0].tolist(), 50)
    assert index.search("another", truth.all[0].tolist(), 5) == []
    index.add("default", [1, 2], truth.all[:2])
    index.add("default", [1, 2], truth.all[:2])
    assert_whole(index, truth)


def test_several_collections_are_searched_as_one(tmp_path: Path) -> None:
    truth = Vectors(60)
    index = VectorIndex(tmp_path / "chroma", truth)
    for name, ids in (("even", range(2, 61, 2)), ("odd", range(1, 61, 2))):
        index.add(name, list(ids), truth.vectors(list(ids)))
    index.add("whole", truth.all_chunk_ids("default"), truth.all)
    for vector in truth.all[:5].tolist():
        assert index.search_all(["even", "nowhere", "odd"], vector, 7) == index.search("whole", vector, 7)


def test_a_collection_that_is_dropped_leaves_no_bytes(tmp_path: Path) -> None:
    truth = Vectors(300)
    index = filled(tmp_path, truth)
    index.add("leaving", [1001, 1002, 1003], truth.all[:3] * -1)
    index.add("leaving", list(range(2000, 2200)), truth.all[:200] * -1)
    index.drop("leaving")
    index.drop("nowhere")
    assert index.search("leaving", truth.all[0].tolist(), 5) == []
    folders = [path for path in (tmp_path / "chroma").iterdir() if path.is_dir()]
    index.close()
    gone = (truth.all[5] * -1).tobytes()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and gone in path.read_bytes()]
    assert len(folders) == 1
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)


FILL = """
import sys
from pathlib import Path
import numpy as np
from rag.store import VectorIndex

class Truth:
    identity = "t"
    collections = list

folder = Path(sys.argv[1])
index = VectorIndex(folder / "chroma", Truth())
vectors = np.random.default_rng(0).standard_normal((1205, 16)).astype(np.float32)
index.add("small", [1, 2, 3], vectors[:3])
for file in [*folder.rglob("data_level0.bin"), *folder.rglob("length.bin")]:
    assert file.stat().st_size and not any(file.read_bytes()), file
index.add("small", list(range(4, 1206)), vectors[3:])  # more than Chroma holds back
index.close()
again = VectorIndex(folder / "chroma", Truth())
assert again.ids("small") == list(range(1, 1206))
assert [again.search("small", vectors[n].tolist(), 1) for n in (0, 700, 1204)] == [[1], [701], [1205]]
"""


def test_what_was_in_memory_is_not_written_into_the_files_of_a_new_collection(tmp_path: Path) -> None:
    """Chroma makes them of memory that it does not clear; MALLOC_PERTURB_ shows it."""
    environment = {**os.environ, "MALLOC_PERTURB_": "85"}
    subprocess.run([sys.executable, "-c", FILL, str(tmp_path)], env=environment, check=True, timeout=60)


def remove(chroma: Path) -> None:
    shutil.rmtree(chroma)


def remove_vectors(chroma: Path) -> None:
    for segment in (path for path in chroma.iterdir() if path.is_dir()):
        shutil.rmtree(segment)


def cut_vectors(chroma: Path) -> None:
    for path in chroma.rglob("*.bin"):
        os.truncate(path, path.stat().st_size // 2)


def cut_database(chroma: Path) -> None:
    os.truncate(chroma / "chroma.sqlite3", (chroma / "chroma.sqlite3").stat().st_size // 2)


def empty_database(chroma: Path) -> None:
    os.truncate(chroma / "chroma.sqlite3", 0)


def alter_database(chroma: Path) -> None:
    (chroma / "chroma.sqlite3").write_bytes(b"not a database" * 1000)


def put_a_file_in_its_place(chroma: Path) -> None:
    shutil.rmtree(chroma)
    chroma.write_text("")


DAMAGES = [
    remove,
    remove_vectors,
    cut_vectors,
    cut_database,
    empty_database,
    alter_database,
    put_a_file_in_its_place,
]


@pytest.mark.parametrize("count", [60, 1200])  # from 1,000 on, Chroma keeps vectors in files beside its database
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_made_again(tmp_path: Path, damage: Callable[[Path], None], count: int) -> None:
    truth = Vectors(count)
    filled(tmp_path, truth).close()
    damage(tmp_path / "chroma")
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_damaged_under_an_open_index_loses_nothing(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    truth = Vectors(60)
    index = filled(tmp_path, truth)
    damage(tmp_path / "chroma")
    index.add("default", [1], truth.all[:1])
    assert_whole(index, truth)
    index.close()
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)


def test_the_index_of_another_manifest_is_made_again(tmp_path: Path) -> None:
    filled(tmp_path, Vectors(60)).close()
    truth = Vectors(5)
    truth.identity = "others"
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)


def test_an_index_as_it_was_left_is_not_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    truth = Vectors(1200)
    filled(tmp_path, truth).close()
    again = VectorIndex(tmp_path / "chroma", truth)
    assert_whole(again, truth)
    again.close()
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)
    assert caplog.records == []


def test_a_process_killed_inside_costs_no_vector(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    truth = Vectors(60)
    filled(tmp_path, truth).close()
    killed = run_here(f"""
        index = VectorIndex(Path({str(tmp_path)!r}, "chroma"), Vectors(60))
        index._sign = lambda: os.kill(os.getpid(), {signal.SIGKILL})
        index.delete("default", list(range(1, 40)))
    """)
    assert killed.wait() == -signal.SIGKILL
    assert_whole(VectorIndex(tmp_path / "chroma", truth), truth)
    assert "half written" in caplog.text


def test_an_open_reader_sees_what_another_process_writes(tmp_path: Path) -> None:
    truth = Vectors(60)
    index = VectorIndex(tmp_path / "chroma", truth)
    index.add("default", list(range(1, 31)), truth.all[:30])
    assert index.search("default", truth.all[0].tolist(), 1) == [1]
    for code in ('index.add("default", list(range(31, 61)), truth.all[30:])', "truth.all *= -1; index.rebuild()"):
        other = run_here(f"""
            truth = Vectors(60)
            index = VectorIndex(Path({str(tmp_path)!r}, "chroma"), truth)
            {code}
        """)
        assert other.wait() == 0
        if "rebuild" in code:
            truth.all *= -1
        assert_whole(index, truth)


def test_processes_writing_at_once_lose_nothing(tmp_path: Path) -> None:
    truth = Vectors(240)
    truth.identity = "shared"
    writers = [
        run_here(f"""
            truth = Vectors(240)
            truth.identity = "shared"
            truth.all_chunk_ids = lambda collection: []
            index = VectorIndex(Path({str(tmp_path)!r}, "chroma"), truth)
            for first in range({start}, 241, 3):
                index.add("default", [first], truth.all[first - 1 : first])
        """)
        for start in (1, 2, 3)
    ]
    reader = VectorIndex(tmp_path / "chroma", truth)
    truth.all_chunk_ids = lambda collection: []  # type: ignore[method-assign]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        ids = reader.ids("default")
        assert len(ids) >= seen
        seen = len(ids)
        time.sleep(0.05)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    del truth.all_chunk_ids
    assert_whole(reader, truth)


def run_here(code: str) -> subprocess.Popen[bytes]:
    """Run code in another process that has imported this file."""
    lines = [line.removeprefix(" " * 8).removeprefix(" " * 4) for line in code.splitlines()]
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    script = "from test_store import *\n" + "\n".join(line[indent:] for line in lines)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    return subprocess.Popen([sys.executable, "-c", script], env=environment)


def test_a_full_disk_says_so_and_costs_nothing(small_disk: Path) -> None:
    truth = Vectors(1200, dimension=768)
    index = VectorIndex(small_disk / "chroma", truth)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast:
        ballast.write(bytes(3 * 2**20))
    with pytest.raises(LibraryError, match=r"the disk that holds .*chroma is full; free some space"):
        for start in range(0, 1200, 100):
            index.add("default", list(range(start + 1, start + 101)), truth.all[start : start + 100])
    with pytest.raises(LibraryError, match=r"the disk that holds .*chroma is full; free some space"):
        index.search("default", truth.all[0].tolist(), 1)
    (small_disk / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert_whole(index, truth)


def test_a_write_that_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Vectors(60)
    index = filled(tmp_path, truth)

    def refuse(*args: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        with pytest.raises(LibraryError, match="is full; free some space"):
            index.delete("default", [1])
    assert_whole(index, truth)
