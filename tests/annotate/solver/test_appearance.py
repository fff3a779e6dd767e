"""Likeness of patches, and the flow between images."""

import numpy as np
import pytest

from refiner.annotate.solver.appearance import hand_image, unlike_windows
from refiner.annotate.solver.flow import follow
from refiner.annotate.solver.terms import NCC_STEPS


def texture(shift_u=0, shift_v=0):
    rows, columns = np.mgrid[:128, :128].astype(np.float32)
    rows, columns = rows - shift_v, columns - shift_u
    return (0.5 + 0.2 * np.sin(columns / 5) * np.cos(rows / 7) + 0.2 * np.sin((rows + columns) / 11)).astype(np.float32)


def test_near_is_bright_and_nothing_is_black():
    image = hand_image(np.array([[0.0, 470.0, 600.0, 730.0]]), 600.0, 260.0)
    np.testing.assert_allclose(image, [[0.0, 1.0, 0.5, 0.0]])


def test_the_most_alike_place_is_where_the_patch_went():
    example, image = texture(), texture(4, -3)
    windows, middle = unlike_windows(image, [[60.4, 70.0]], example, [[60.0, 70.0]], reach_px=6)
    assert middle.tolist() == [[60, 70]]
    row, column = np.unravel_index(windows[0].argmin(), windows[0].shape)
    assert (column - 6, row - 6) == (4, -3)
    assert windows[0].min() / NCC_STEPS == pytest.approx(0, abs=0.01)
    assert windows[0].max() <= 2 * NCC_STEPS


def test_flat_patches_and_borders_give_numbers():
    flat = np.zeros((128, 128), np.float32)
    windows, middle = unlike_windows(flat, [[-5.0, 200.0]], texture(), [[0.0, 127.0]], reach_px=4)
    assert middle.tolist() == [[0, 127]]
    assert (windows <= 2 * NCC_STEPS).all()


def test_flow_follows_a_shift():
    points = np.array([[60.0, 60.0], [70.5, 50.25]])
    moved = follow(texture(), texture(3, 2), points)
    np.testing.assert_allclose(moved - points, [[3, 2], [3, 2]], atol=0.5)
