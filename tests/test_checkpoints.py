import pytest
import torch

from refiner.checkpoints import POSE_FORMAT, SIMGAN_FORMAT, read_checkpoint, rebuild_network
from refiner.errors import CheckpointError
from refiner.nets.refiner import PaperRefiner


def test_a_checkpoint_of_the_other_kind_is_refused():
    torch.save({"format": SIMGAN_FORMAT}, "refiner.ckpt")
    assert read_checkpoint("refiner.ckpt") == {"format": SIMGAN_FORMAT}
    with pytest.raises(CheckpointError, match="not written by `refiner pose train`"):
        read_checkpoint("refiner.ckpt", POSE_FORMAT)


def test_networks_of_another_version_are_refused():
    known = {"PaperRefiner": PaperRefiner}
    network = PaperRefiner(8, 1)

    def rebuilt(name="PaperRefiner", weights=None, **settings):
        described = {"class": name, "settings": network.settings | settings}
        weights = network.state_dict() if weights is None else weights
        return rebuild_network(
            {"refiner": described, "depth_refiner_version": "0.0"}, "refiner", known, weights, "a.ckpt"
        )

    assert rebuilt().settings == network.settings
    for wrong, message in (
        ({"name": "Other"}, "class 'Other'; this version knows PaperRefiner"),
        ({"light_margin": 8.0}, "the settings light_margin, which this version's does not have"),
        ({"weights": {}}, "the weights do not fit"),
    ):
        with pytest.raises(CheckpointError, match=f"(?s)a.ckpt.*{message}.*written by depth-refiner 0.0"):
            rebuilt(**wrong)
