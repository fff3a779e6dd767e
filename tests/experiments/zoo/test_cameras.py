"""Each camera of the zoo shows what it is there for, on walls and steps."""

import stat
import sys

import numpy as np
import pytest
import yaml

from experiments.zoo.cameras import MODELS, ZOO, zoo_camera
from experiments.zoo.cameras_blots import Blots
from experiments.zoo.cameras_lost_pixels import LostPixels
from experiments.zoo.cameras_multipath import Multipath
from experiments.zoo.capsule_scene import Pixels, draw_scene
from experiments.zoo.foreign_camera import ENVIRONMENT, Foreign
from refiner.errors import UsageError

FOCAL_PX = 400.0
ENTRIES = yaml.safe_load(ZOO.read_text())["cameras"]
AT_HAND = [name for name, entry in ENTRIES.items() if entry["model"] in MODELS]


def see(model, scene, seed=0, origin=(0, 0)):
    return model.see(scene.astype(np.float32), FOCAL_PX, origin, np.random.default_rng(seed))


def wall(depth_mm=700.0, shape=(120, 160)):
    return np.full(shape, depth_mm, np.float32)


def tilted(degrees, shape=(120, 160)):
    """A wall of one tilt everywhere: z grows by tan(tilt) of a pixel's size each pixel."""
    grown = (1 + np.tan(np.radians(degrees)) / FOCAL_PX) ** np.arange(shape[1])
    return np.tile(500 * grown, (shape[0], 1)).astype(np.float32)


def neighbours(lost):
    """Correlation of a mask with itself one column on."""
    return np.corrcoef(lost[:, :-1].ravel(), lost[:, 1:].ravel())[0, 1]


def test_lost_pixels_are_single_and_more_on_steep_surfaces():
    model = LostPixels(lamp_mm=1e-6)
    lost = see(model, wall()) == 0
    assert lost.mean() == pytest.approx(model.lost, abs=0.01)
    assert abs(neighbours(lost)) < 0.05
    shares = [(see(model, tilted(degrees)) == 0).mean() for degrees in (10, 49, 75)]
    # Half way between 30 and 68 degrees half of what steepness adds is added.
    assert shares == pytest.approx([0.04, (0.04 + 0.95) / 2, 0.95], abs=0.02)


def test_lost_pixels_have_shadows_and_ragged_rims():
    scene = wall(1000.0)
    scene[:, 60:80] = 500.0
    seen = see(LostPixels(lost=0.0, lost_steep=0.0), scene)
    # 60 mm * 400 px * (1 / 500 - 1 / 1000) = 24 px in shadow, except for the rims' stray pixels.
    assert (seen[:, 84:102] == 0).all()
    assert (seen[:, 110:] > 0).all()
    near = (seen > 0) & (seen < 600)
    assert 0.1 < near[:, 58:60].mean() < 0.9
    assert not near[:, :54].any()


def test_multipath_has_rows_that_stay_and_single_readings_that_stray():
    model = Multipath(noise_mm=0.5)
    one, other = (see(model, wall(700.0), seed) for seed in (0, 1))
    rows = [seen.mean(axis=1) for seen in (one, other)]
    assert one.mean(axis=0).std() < 0.2
    assert rows[0].std() == pytest.approx(np.hypot(model.row_mm, model.row_noise_mm), rel=0.2)
    assert np.corrcoef(rows)[0, 1] > 0.4
    # A window that begins ten rows lower has the rows of the image.
    quiet = Multipath(noise_mm=0.0, row_noise_mm=0.0)
    whole = see(quiet, wall(700.0))
    assert see(quiet, wall(700.0)[10:], origin=(0, 10)) == pytest.approx(whole[10:], abs=1e-3)


def test_multipath_flies_at_rims_and_deepens_hollows():
    scene = wall(760.0)
    scene[:, 60:80] = 700.0
    quiet = Multipath(noise_mm=0.0, row_noise_mm=0.0, row_mm=0.0, dim_mm=0.0, hollow_mm=0.0)
    seen = see(quiet, scene)
    between = (seen > 705) & (seen < 755)
    assert between[:, 58:62].mean() > 0.5
    assert not between[:, 64:76].any()
    hollow = wall(700.0)
    hollow[50:70, 70:90] = 720.0
    deeper = see(Multipath(noise_mm=0.0, row_noise_mm=0.0, row_mm=0.0, dim_mm=0.0), hollow) - see(quiet, hollow)
    assert 8 < deeper[60, 80] < 20
    assert abs(deeper[10, 10]) < 0.1


def test_blots_see_in_terraces_lose_patches_and_fatten_what_is_near():
    model = Blots()
    seen = see(model, tilted(20))
    steps = model.baseline_mm * FOCAL_PX * model.steps / seen[seen > 0]
    assert steps == pytest.approx(np.rint(steps), abs=1e-2)
    lost = see(Blots(lost=0.1, lost_far=0.0), wall()) == 0
    assert lost.mean() == pytest.approx(0.1, abs=0.05)
    assert neighbours(lost) > 0.5
    scene = wall(1000.0)
    scene[:, 60:80] = 500.0
    near = see(Blots(lost=0.0, lost_far=0.0, torn=0.0), scene)
    width = ((near > 0) & (near < 600)).sum(axis=1).mean()
    assert 22.5 < width < 26  # 20 px, and up to 3 on either side


def test_the_list_holds_eight_cameras_of_unlike_images_and_two_are_kept_apart():
    assert len(ENTRIES) == 8
    final = [entry["model"] for entry in ENTRIES.values() if entry.get("final")]
    assert len(final) == 2
    assert len({(*entry["image_px"], entry["focal_px"]) for entry in ENTRIES.values()}) == 8
    seeds = [seed for entry in ENTRIES.values() for seed in entry["seeds"].values()]
    assert len(set(seeds)) == 24


@pytest.mark.parametrize("name", [name for name in AT_HAND if ENTRIES[name]["model"] != "foreign"])
def test_a_camera_sees_a_hand_the_same_again_in_whole_units(name, tmp_path):
    camera = zoo_camera(name, ENTRIES[name])
    scene = draw_scene(camera.pixels, seed=1, item=3)
    one, again, other = (
        camera.see([scene], seed=seed, items=[3], attempts=[0], folder=tmp_path)[0] for seed in (1, 1, 2)
    )  # fmt: skip
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    units = one / np.float32(camera.unit_mm)
    assert np.array_equal(units, np.rint(units))
    hand = (scene.hand_mm > 0) & (one > 0)
    assert hand.sum() > 0.3 * (scene.hand_mm > 0).sum()
    assert np.median(np.abs(one - scene.scene_mm)[hand]) < 25


def test_a_camera_that_is_none_is_refused():
    entry = ENTRIES["lost_pixels"]
    for wrong in ({"model": "sonar"}, {"settings": {"gain": 1}}, {"colour": 1}, {"seeds": {"synthetic": 1}}):
        with pytest.raises(UsageError, match="Camera mine"):
            zoo_camera("mine", {**entry, **wrong})


def test_other_peoples_code_gets_frames_of_one_size_and_its_answer_is_cut_to_the_window(tmp_path):
    """An interpreter of our own making stands in for theirs: it adds 7 mm to what it is given."""
    python = tmp_path / ENVIRONMENT / "bin/python"
    python.parent.mkdir(parents=True)
    code = (
        "import sys, numpy as np; d = np.load(sys.argv[2]); "
        "assert d['seeds'].max() < 2**32 and d['grey'].dtype == np.uint8; "
        "assert d['depth_m'].shape[1:] == (120, 143); "
        "np.save(sys.argv[3], np.rint(d['depth_m'] * 1000 + 7).astype(np.uint16))"
    )
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    pixels = Pixels(212, 120, 155.0, 450.0, 700.0)
    scenes = [draw_scene(pixels, seed=0, item=item) for item in range(2)]
    seen = Foreign().see_all(scenes, pixels, [(0, 0), (0, 1)], tmp_path)
    for scene, depth_mm in zip(scenes, seen, strict=True):
        assert depth_mm == pytest.approx(scene.scene_mm + 7, abs=0.51)
