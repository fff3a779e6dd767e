import numpy as np

from refiner.fitting.equations import MISSED_MM, cut_drawn, misfit_mm, surface_mm


def test_the_misfit_by_hand():
    real = np.array([[700, 710], [0, 720]], np.float32)
    drawn = np.array([[703, 800], [700, 0]], np.float32)
    # 3 mm, 90 mm counted as 40, a pixel too many, one too few; three readings.
    assert np.isclose(misfit_mm(drawn, real), (3 + 3 * MISSED_MM) / 3)
    assert misfit_mm(real, real) == 0
    assert misfit_mm(drawn, np.zeros_like(drawn)) == 3 * MISSED_MM  # no reading: nothing is divided by


def test_what_lies_outside_cube_or_image_is_cut():
    drawn = np.array([[500, 600], [700, 900]], np.float32)
    seen = np.array([[True, True], [False, True]])
    cut_drawn(drawn, seen, 550.0, 850.0)
    assert drawn.tolist() == [[0, 600], [0, 0]]


def test_the_surface_is_compared_without_noise_and_where_both_are():
    real = np.zeros((32, 32), np.float32)
    real[4:28, 4:28] = 700
    assert np.isclose(surface_mm(np.where(real > 0, real + 5, 0), real, 2.0), 5)
    assert np.isclose(surface_mm(np.where(real > 0, real - 90, 0), real, 2.0), 20)  # no error counts more
    ragged = real + 5 * (-1.0) ** np.indices(real.shape).sum(axis=0) * (real > 0)
    assert surface_mm(ragged.astype(np.float32), real, 2.0) < 0.5
    smaller = real * (np.arange(32) > 15)
    assert surface_mm(smaller, real, 2.0) == 0  # what one alone covers is the misfit's
    assert surface_mm(np.zeros_like(real), real, 2.0) == 0
