"""Files that are whole or absent: the helper of the model, under the name by which this package knows it."""

from __future__ import annotations

from eiann.files import (
    TEMPORARY,
    check_can_be_made,
    replacing,
    replacing_folder,
    sync_path,
    write_bytes,
    write_json,
    write_text,
    write_texts,
)

__all__ = [
    "TEMPORARY",
    "check_can_be_made",
    "replacing",
    "replacing_folder",
    "sync_path",
    "write_bytes",
    "write_json",
    "write_text",
    "write_texts",
]
