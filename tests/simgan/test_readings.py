import pytest
import torch

from refiner.simgan.readings import MeanReadings


def maps(share):
    return torch.where(torch.arange(10) < round(10 * share), 0.0, 1.0).view(1, 1, 2, 5)


def test_running_means_by_hand():
    readings = MeanReadings()
    assert [value.item() for value in readings.take_in(maps(0.4), maps(0.8))] == pytest.approx([0.4, 0.8])
    found = readings.take_in(maps(0.6), maps(0.8))
    assert [value.item() for value in found] == pytest.approx([0.4 + 0.05 * 0.2, 0.8])
    assert set(readings.state_dict()) == {"refined", "real"}
