"""A download is kept only when its checksum is right; every failure is one line and leaves nothing behind."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eiann.data import load
from eiann.data.cifar10 import CIFAR10_ARCHIVE
from eiann.data.files import RemoteFile, fetch
from eiann.data.mnist import FASHION_MNIST_FILES, MNIST_FILES
from eiann.errors import UserError
from tests.eiann.data.idx_files import write


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *message: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web site on this machine: its address and the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=str(served)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", served
    server.shutdown()
    thread.join()
    server.server_close()


def remote(url: str, served: Path, name: str = "digits.gz", content: bytes = b"twelve bytes") -> RemoteFile:
    (served / name).write_bytes(content)
    return RemoteFile(name, (f"{url}absent/{name}", f"{url}{name}"), hashlib.sha256(content).hexdigest())


def test_the_next_address_is_tried_when_one_fails(site: tuple[str, Path], tmp_path: Path) -> None:
    file = remote(*site)
    path = fetch(file, tmp_path / "data")
    assert path == tmp_path / "data" / "digits.gz"
    assert path.read_bytes() == b"twelve bytes"


def test_a_file_that_is_there_is_not_fetched_again(site: tuple[str, Path], tmp_path: Path) -> None:
    file = remote(*site)
    fetch(file, tmp_path / "data")
    (site[1] / "digits.gz").unlink()
    assert fetch(file, tmp_path / "data").read_bytes() == b"twelve bytes"


def test_a_wrong_checksum_leaves_nothing_behind(site: tuple[str, Path], tmp_path: Path) -> None:
    file = remote(*site)
    (site[1] / "digits.gz").write_bytes(b"twelve lies.")
    with pytest.raises(UserError, match=r"digits\.gz: found no way to download it into .*digits\.gz.*hash") as error:
        fetch(file, tmp_path / "data")
    assert "\n" not in str(error.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_no_connection_is_one_line(tmp_path: Path) -> None:
    file = RemoteFile("digits.gz", ("http://127.0.0.1:9/digits.gz",), "0" * 64)
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/digits\.gz: ") as error:
        fetch(file, tmp_path / "data")
    assert "\n" not in str(error.value)


def test_missing_files_are_downloaded_when_asked_for(
    site: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = site
    write(served, packed=True)
    for stem in MNIST_FILES:
        content = (served / f"{stem}.gz").read_bytes()
        monkeypatch.setitem(MNIST_FILES, stem, remote(url, served, f"{stem}.gz", content))
    sizes = {"train_size": 5, "validation_size": 3}
    data = load("mnist", folder=tmp_path / "data", download=True, **sizes)
    assert len(data.train) == 5
    assert sorted(path.name for path in (tmp_path / "data" / "mnist").iterdir()) == sorted(
        f"{stem}.gz" for stem in MNIST_FILES
    )
    assert len(load("mnist", folder=tmp_path / "data", **sizes).test) == 4


@pytest.mark.parametrize("file", [*MNIST_FILES.values(), *FASHION_MNIST_FILES.values(), CIFAR10_ARCHIVE])
def test_every_published_file_has_a_checksum_and_an_encrypted_address_first(file: RemoteFile) -> None:
    assert len(bytes.fromhex(file.sha256)) == 32
    assert file.urls[0].startswith("https://")
    assert all(url.endswith(f"/{file.name}") for url in file.urls)
