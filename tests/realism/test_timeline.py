import numpy as np
import pytest
from fakes import write_maps

from refiner.datasets.store import DepthStore
from refiner.realism.runs import ASKED, apart
from refiner.realism.timeline import place, rows_of, timelines


def stored(name, sources, z_mm=None, **arrays):
    """Flat maps that came from somewhere; each has its own crop where `z_mm` is given."""
    maps = np.full((len(sources), 8, 8), 700.0, np.float32)
    centre_mm = np.zeros((len(sources), 3), np.float32)
    centre_mm[:, 2] = 700 if z_mm is None else z_mm
    return DepthStore(write_maps(name, maps, source=sources, centre_mm=centre_mm, **arrays))


def pose(item, number, name="p.zarr"):
    return f"render seed=0 item={item} of {name} item {number}"


def test_files_of_a_folder_are_frames_in_natural_order_over_all_sets():
    """As `real_depth` divides a recording: one folder in two sets, and others that are in one alone."""
    first = stored("first.zarr", ["a/f_2.png", "a/f_10.png", "b/f_1.png"])
    second = stored("second.zarr", ["a/f_11.png", "a/f_3.png"])
    times = timelines([first, second])
    assert times[0].sequence.tolist() == [0, 0, 1]
    assert times[1].sequence.tolist() == [0, 0]
    assert times[0].frame.tolist() == [0, 2, 0]
    assert times[1].frame.tolist() == [3, 1]


def test_files_of_one_name_that_show_other_hands_are_of_other_recordings():
    here, there = stored("here.zarr", ["0.png", "1.png"], [600, 610]), stored("there.zarr", ["0.png"], [650])
    times = timelines([here, there, stored("again.zarr", ["1.png"], [610])])
    assert times[1].sequence[0] != times[0].sequence[0] == times[2].sequence[0]
    assert times[2].frame.tolist() == [1]


def test_poses_are_frames_and_drawn_hands_sequences():
    posed, drawn = [pose(0, 4), pose(1, 7), pose(2, 4)], ["render seed=0 item=0", "render seed=0 item=1"]
    times = timelines([stored("posed.zarr", posed), stored("drawn.zarr", drawn), stored("more.zarr", drawn[1:])])
    assert times[0].sequence.tolist() == [0, 0, 0]
    assert times[0].frame.tolist() == [4, 7, 4]
    assert times[0].hands().tolist() == [0, 1, 0]
    assert len({0, *times[1].sequence}) == 3
    assert times[2].sequence[0] == times[1].sequence[1]  # the same hand in another set


def test_sets_of_other_programs_are_one_sequence_or_what_their_arrays_say():
    maps, numbers = np.full((3, 8, 8), 700.0, np.float32), np.int32([5, 5, 6])
    bare = DepthStore(write_maps("bare.zarr", maps))
    told = DepthStore(write_maps("told.zarr", maps, sequence=numbers, frame=np.int32([8, 9, 0])))
    times = timelines([bare, told])
    assert times[0].sequence.tolist() == [0, 0, 0]
    assert times[0].frame.tolist() == [0, 1, 2]
    assert times[1].sequence.tolist() == [1, 1, 2]
    assert times[1].frame.tolist() == [8, 9, 0]


@pytest.mark.parametrize(
    ("rows", "sources"),
    [
        ([0, 1, 3, 4], [pose(i, k, "fits.zarr") for i, k in enumerate((0, 1, 3, 4))]),  # the fit of one failed
        ([0, 1, 2, 3, 4, 0, 1, 2, 3, 4], [pose(i, i % 5) for i in range(10)]),  # two rounds of jitters
        ([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [pose(i, i // 2) for i in range(10)]),  # two variants of each
        ([0, 1, 2, 3, 4], ["elsewhere"] * 5),
    ],
)
def test_renders_in_the_crops_of_camera_maps_show_their_hands(rows, sources):
    z_mm = np.array([600, 611, 622, 633, 644])
    camera = stored("camera.zarr", [f"{number}.png" for number in range(5)], z_mm)
    renders = stored("renders.zarr", sources, z_mm[rows])
    assert rows_of(renders, camera).tolist() == rows
    assert rows_of(stored("others.zarr", sources, z_mm[rows] + 1), camera) is None


def test_a_hand_its_renders_and_their_variants_are_on_one_side():
    z_mm = np.linspace(600, 700, 100)
    camera = stored("camera.zarr", [f"{number}.png" for number in range(100)], z_mm)
    found = np.setdiff1d(np.arange(100), [0, 50, 99])  # three hands were not found
    jitters = np.tile(found, 3)
    sources = [pose(item, number) for item, number in enumerate(jitters)]
    ((real, renders),) = place((camera, stored("renders.zarr", sources, z_mm[jitters])))
    asked = apart(real.timeline, 0).roles == ASKED
    assert renders.timeline is real.timeline
    assert asked[renders.rows].tolist() == asked[jitters].tolist()
    assert 30 < asked.sum() < 50
