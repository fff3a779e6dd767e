import pytest
import torch

from refiner.checkpoints import POSE_FORMAT, SIMGAN_FORMAT, read_checkpoint
from refiner.errors import CheckpointError


def test_a_checkpoint_of_the_other_kind_is_refused():
    torch.save({"format": SIMGAN_FORMAT}, "refiner.ckpt")
    assert read_checkpoint("refiner.ckpt") == {"format": SIMGAN_FORMAT}
    with pytest.raises(CheckpointError, match="not written by `refiner pose train`"):
        read_checkpoint("refiner.ckpt", POSE_FORMAT)
