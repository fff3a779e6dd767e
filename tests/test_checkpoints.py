import os
from pathlib import Path

import pytest
import torch

from refiner.checkpoints import POSE_FORMAT, SIMGAN_FORMAT, read_checkpoint, write_atomically
from refiner.errors import CheckpointError


def test_an_interrupted_write_leaves_the_old_file_whole(monkeypatch):
    path = Path("folder/file")
    write_atomically(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"ne")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert [path.name for path in path.parent.iterdir()] == ["file"]
    order = []
    monkeypatch.setattr(os, "fsync", lambda _: order.append("sync"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
    write_atomically(path, lambda file: file.write(b"new"))
    assert order == ["sync", "replace", "sync"]  # content, name, folder
    assert path.read_bytes() == b"new"


def test_a_checkpoint_of_the_other_kind_is_refused():
    torch.save({"format": SIMGAN_FORMAT}, "refiner.ckpt")
    assert read_checkpoint("refiner.ckpt") == {"format": SIMGAN_FORMAT}
    with pytest.raises(CheckpointError, match="not written by `refiner pose train`"):
        read_checkpoint("refiner.ckpt", POSE_FORMAT)
