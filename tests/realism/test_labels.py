import numpy as np
import pytest

from refiner.realism.labels import label_shift, shift_by_phase_px


def discs(centre=(32.0, 32.0)):
    v, u = np.mgrid[:64, :64]
    radius = np.hypot(u - centre[0], v - centre[1])
    return np.where(radius < 18, 600 + radius, 0).astype(np.float32)[None]


def test_by_hand():
    before = discs()
    after = before.copy()
    after[before > 0] += 3
    after[0, 32, 30:34] = 0
    after[0, 0, 0] = 600
    hand = int((before > 0).sum())
    result = label_shift(before, after)
    assert result["depth_mm"]["mean"] == pytest.approx(3, abs=1e-4)
    assert result["lost"] == pytest.approx(4 / hand)
    assert result["won"] == pytest.approx(1 / hand)
    # The outline is the same but for the pixel that came: the four that were lost are a hole inside it.
    assert result["silhouette_iou"] == pytest.approx(hand / (hand + 1))
    assert result["shift_px"]["mean"] < 0.1


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.5])
def test_sideways_shifts_are_measured_below_a_pixel(shift):
    assert shift_by_phase_px(discs()[0], discs((32 + shift, 32.0))[0]) == pytest.approx(shift, abs=0.3)


def test_empty_maps_have_not_moved():
    empty = np.zeros((1, 64, 64), np.float32)
    result = label_shift(empty, empty)
    assert result["depth_mm"]["mean"] == 0
    assert result["silhouette_iou"] == 0


def test_other_items_are_refused():
    with pytest.raises(ValueError, match="wanted the same items"):
        label_shift(discs(), np.concatenate([discs(), discs()]))
