"""MNIST and Fashion-MNIST: 70,000 grey images of 28 x 28 pixels in ten classes, in the IDX format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from eiann.data.dataset import DataSets
from eiann.data.files import RemoteFile, data_folder, fetch, find, missing
from eiann.data.idx import read_idx
from eiann.data.images import Images, split_images
from eiann.data.registry import register

Count = Annotated[int, Field(ge=1)]

_KINDS = {"images": ("images-idx3-ubyte", 3), "labels": ("labels-idx1-ubyte", 1)}
_MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_FASHION_URLS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_FASHION_SHA256 = {
    "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}

MNIST_FILES = {
    stem: RemoteFile(f"{stem}.gz", tuple(f"{url}{stem}.gz" for url in _MNIST_URLS), sha256)
    for stem, sha256 in _MNIST_SHA256.items()
}
FASHION_MNIST_FILES = {
    stem: RemoteFile(f"{stem}.gz", tuple(f"{url}{stem}.gz" for url in _FASHION_URLS), sha256)
    for stem, sha256 in _FASHION_SHA256.items()
}


@register("mnist")
def mnist(
    *,
    folder: Path | None = None,
    download: bool = False,
    flatten: bool = True,
    train_size: Count = 50_000,
    validation_size: Count = 10_000,
) -> DataSets:
    """Handwritten digits (LeCun, Cortes and Burges 1998): 50,000 / 10,000 / 10,000 images.

    Training takes the first images of the training file, validation its last ones; test is the test file.

    Args:
        folder: where the four IDX files lie, gzipped or not, or a folder with ``mnist`` or ``MNIST/raw`` in it. In the
            default folder only these two are searched: the files of Fashion-MNIST have the same names.
        download: get missing files from the public mirrors, checked by SHA-256.
        flatten: inputs ``(n, 784)``; otherwise ``(n, 1, 28, 28)``. Pixels go from 0 to 1.
        train_size: use only the first so many training images.
        validation_size: validate on the last so many images of the training file.

    Raises:
        UserError: if a file is missing or broken.

    Example:
        >>> data = mnist(folder=Path("~/data"), train_size=20_000)  # doctest: +SKIP
    """
    return _load("mnist", MNIST_FILES, ("mnist", "MNIST/raw"), folder, download, flatten, train_size, validation_size)


@register("fashion_mnist")
def fashion_mnist(
    *,
    folder: Path | None = None,
    download: bool = False,
    flatten: bool = True,
    train_size: Count = 50_000,
    validation_size: Count = 10_000,
) -> DataSets:
    """Pictures of clothes (Xiao, Rasul and Vollgraf 2017), in the format and with the options of ``mnist``.

    Its subfolders are ``fashion_mnist`` and ``FashionMNIST/raw``.
    """
    places = ("fashion_mnist", "FashionMNIST/raw")
    return _load("fashion_mnist", FASHION_MNIST_FILES, places, folder, download, flatten, train_size, validation_size)


def _load(
    name: str,
    files: Mapping[str, RemoteFile],
    subfolders: tuple[str, ...],
    folder: Path | None,
    download: bool,
    flatten: bool,
    train_size: int,
    validation_size: int,
) -> DataSets:
    top = data_folder(folder)
    places = [top / subfolder for subfolder in subfolders] + ([top] if folder else [])

    def locate(stem: str) -> Path:
        dotted = stem.replace("-idx", ".idx")
        candidates = [variant + suffix for variant in (stem, dotted) for suffix in ("", ".gz")]
        found = find(candidates, places)
        if found is None and download:
            found = fetch(files[stem], places[0])
        if found is None:
            raise missing(name, f"{stem} (with or without .gz)", places)
        return found

    def read(part: str) -> Images:
        paths = {kind: locate(f"{part}-{ending}") for kind, (ending, _) in _KINDS.items()}
        arrays = {kind: read_idx(paths[kind], ndim) for kind, (_, ndim) in _KINDS.items()}
        return Images(arrays["images"][:, None], arrays["labels"], str(paths["images"]))

    return split_images(
        name,
        read("train"),
        read("t10k"),
        classes=10,
        train_size=train_size,
        validation_size=validation_size,
        flatten=flatten,
    )
