import numpy as np
import pytest

from refiner.simgan.health import Beside, measure, stuck


@pytest.mark.parametrize(
    ("renders", "refined", "camera", "chance", "is_stuck"),
    [
        (0.4, 0.7, 12.0, 0.1, True),  # 11.3 of 11.6 are left
        (0.4, 6.0, 12.0, 0.1, False),  # on its way
        (0.4, 12.5, 12.0, 0.1, False),  # there
        (11.5, 11.4, 12.0, 0.1, False),  # was there from the start
        (0.4, 0.4, 0.5, 0.2, False),  # so far apart are two halves of the camera's
        (3.0, 8.0, 5.0, 0.1, True),  # overshot: farther off than before
        (0.3, -0.2, 0.0, 0.01, False),
    ],
)
def test_what_is_stuck_by_hand(renders, refined, camera, chance, is_stuck):
    assert Beside(renders, refined, camera, chance).is_stuck == is_stuck


def test_a_statistic_that_does_not_move_is_named_with_its_values():
    """Balls: the camera loses one reading in fifty and adds noise of 2 mm, the refiner makes noise alone."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:48, :48]
    ball = np.where(np.hypot(u - 24, v - 24) < 18, 700 + np.hypot(u - 24, v - 24), 0).astype(np.float32)
    renders = np.repeat(ball[None], 40, axis=0)
    noisy = np.where(renders > 0, renders + rng.normal(0, 2, renders.shape), 0).astype(np.float32)
    camera = np.where(rng.random(noisy.shape) < 0.02, 0, noisy).astype(np.float32)
    measured = measure(renders, noisy, camera)
    assert measured["noise_mm"].refined == pytest.approx(2, rel=0.1)
    assert measured["noise_mm"].camera == pytest.approx(2, rel=0.1)
    assert measured["hole_rate"].camera == pytest.approx(0.02, rel=0.2)
    (sentence,) = [words for words in stuck(measured) if "hole" in words]
    assert sentence.startswith("share of holes (val/hole_rate): 0.00% in refined maps, 0.00% in renders, ")
    assert not any("noise (val" in words for words in stuck(measured))
