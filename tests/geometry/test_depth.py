import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refiner.errors import DepthFormatError
from refiner.geometry.depth import DepthCodec, dequantize, to_mm, to_units

CODEC = DepthCodec(size=8, cube_mm=260.0, unit_mm=1.0)


def test_encode_by_hand():
    # Centre 600, cube 260: 470 -> -1, 600 -> 0, 665 -> 0.5, 730 -> 1, no reading -> 1.
    depth = np.array([[470, 600, 665, 730, 0]], dtype=np.float32)
    np.testing.assert_allclose(CODEC.encode(depth, 600, 260), [[-1, 0, 0.5, 1, 1]])


def test_decode_by_hand():
    values = np.array([[-1.5, -1, 0, 0.5, 0.94, 0.96]], dtype=np.float32)
    np.testing.assert_allclose(CODEC.decode(values, 600, 260), [[470, 470, 600, 665, 722.2, 0]], rtol=1e-6)


@given(st.floats(300, 2000), st.floats(100, 400), st.floats(-1, 0.9))
def test_decode_inverts_encode(z, cube, value):
    depth = np.full((1, 1), z + value * cube / 2, dtype=np.float32)
    np.testing.assert_allclose(CODEC.decode(CODEC.encode(depth, z, cube), z, cube), depth, atol=1e-3)


def test_each_item_has_its_own_cube():
    depth = np.full((2, 1, 1), 500, dtype=np.float32)
    np.testing.assert_allclose(CODEC.encode(depth, [500, 450], [100, 200])[:, 0, 0], [0, 0.5])


def test_the_scale_does_not_depend_on_the_map():
    # A normalisation by the map's own minimum and maximum would give the same values for both.
    shallow, deep = np.array([[590, 610]], np.float32), np.array([[500, 700]], np.float32)
    assert np.ptp(CODEC.encode(shallow, 600, 260)) == pytest.approx(20 / 130)
    assert np.ptp(CODEC.encode(deep, 600, 260)) == pytest.approx(200 / 130)


def test_units_round_and_zero_means_no_reading():
    np.testing.assert_array_equal(to_units(np.array([0, 0.04, 0.16, 650.07]), 0.1), [0, 1, 2, 6501])


@given(st.integers(0, 65535), st.sampled_from([0.1, 0.125, 1.0]))
def test_stored_numbers_survive_the_way_through_millimetres(stored, unit):
    depth = np.array([stored], dtype=np.uint16)
    np.testing.assert_array_equal(to_units(to_mm(depth, unit), unit), depth)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_units_refuse_what_is_no_depth(bad):
    with pytest.raises(DepthFormatError, match="negative or non-finite"):
        to_units(np.array([500.0, bad]), 1.0)


def test_units_refuse_what_does_not_fit():
    with pytest.raises(DepthFormatError, match="7000 mm does not fit.*at most 6554 mm"):
        to_units(np.array([7000.0]), 0.1)


def test_dequantize_stays_in_its_step_and_keeps_holes():
    depth = np.tile(np.array([0, 500], np.float32), (64, 1))
    spread = dequantize(depth, 2.0, np.random.default_rng(0))
    assert (spread[:, 0] == 0).all()
    assert (np.abs(spread[:, 1] - 500) <= 1).all()
    assert spread[:, 1].std() == pytest.approx(2 / 12**0.5, rel=0.2)


def test_codec_refuses_nonsense():
    with pytest.raises(ValueError, match="No depth codec"):
        DepthCodec(size=64, cube_mm=260, unit_mm=0)
