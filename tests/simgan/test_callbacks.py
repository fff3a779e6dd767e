import numpy as np
import torch

from refiner import viz
from refiner.simgan.callbacks import sample_sheet


def test_sheet_rows_by_hand():
    synthetic = torch.full((2, 1, 64, 64), 0.0)
    refined, real = synthetic.clone(), torch.ones(2, 1, 64, 64)
    refined[1] += 0.1  # 13 mm farther
    refined[0, 0, 0, 0] = 1.0  # lost
    sheet = sample_sheet(synthetic, refined, real, torch.tensor([260.0, 260.0]), 13.0)
    assert sheet.dtype == np.uint8
    height = sheet.shape[0] // 4
    columns = [60, 60 + sheet.shape[1] // 2]  # inside the first and the second map
    rows = [row * height + height // 2 for row in range(4)]
    centre = viz.colour_depth(np.array([[2.0]]), 1.0, 3.0)[0, 0]
    np.testing.assert_array_equal(sheet[rows[0], columns[0]], centre)
    np.testing.assert_array_equal(sheet[rows[1], columns[0]], centre)
    assert (sheet[rows[1], columns[1]] != centre).any()
    np.testing.assert_array_equal(sheet[rows[2], columns[0]], viz.colour_difference(np.zeros((1, 1)), 1.0)[0, 0])
    np.testing.assert_array_equal(sheet[rows[2], columns[1]], viz.colour_difference(np.ones((1, 1)), 1.0)[0, 0])
    np.testing.assert_array_equal(sheet[rows[3], columns[0]], viz.NO_READING)
    top = 3 * height - 128 - 1  # first pixel row of the third row's maps: the lost reading is grey there
    assert (sheet[2 * height : top + 4, :3] == np.array(viz.NO_READING)).all(axis=-1).any()
