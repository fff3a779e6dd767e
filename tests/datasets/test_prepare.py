import json
import os
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest
from hand_scene import CAMERA, draw, hand_scene
from killing import kill_once_written

from refiner.cli.main import main
from refiner.datasets.hands import find_hands
from refiner.datasets.inspection import outside_image, parts_beside
from refiner.datasets.layouts import LAYOUTS, GivenCamera
from refiner.datasets.prepare import write_crops
from refiner.datasets.store import DepthStore, store_digest
from refiner.datasets.store_writer import StoreWriter
from refiner.errors import IncompleteStoreError
from refiner.geometry.camera import project
from refiner.sensors.catalogue import CATALOGUE
from refiner.sensors.measure.names import MEASURES

REAL = Path(__file__).parents[3] / "shared" / "data"
GIVEN = ["--camera", ",".join(map(str, CAMERA))]
KINECT1 = (575, 575, 159.5, 119.5)
PLACES = [np.array([15.0 * k - 30, 5.0 * k, 600.0 + 20 * k]) for k in range(5)]


def record(folder, places=PLACES, unit_mm=1.0, camera=CAMERA):
    """Write a recording of one hand; one frame in two subfolders each, the rest at the top."""
    for k, place in enumerate(places):
        path = folder / ("a" if k == 3 else "b" if k == 4 else ".") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), (hand_scene(place, camera=camera) / unit_mm).astype(np.uint16))
    return folder


@pytest.fixture
def src(tmp_path):
    return record(tmp_path / "src")


def prepare(*words):
    return main(["prepare", *map(str, words)])


def test_a_recording_becomes_a_store(src, capsys):
    assert prepare(src, "out.zarr", *GIVEN, "--size", 64, "--hand", "left") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "wrote out.zarr: 5 maps of 5 frames"
    assert "assumed" not in shown.err
    store = DepthStore("out.zarr")
    assert store.names == ["depth", "camera", "centre_mm", "cube_mm", "source", "sequence", "frame", "side"]
    assert (store.size, store.depth_unit_mm) == (64, 1.0)
    assert list(store.read("source")) == ["0.png", "1.png", "2.png", "a/3.png", "b/4.png"]
    assert store.read("sequence").tolist() == [0, 0, 0, 1, 2]
    assert store.read("frame").tolist() == [0, 1, 2, 0, 0]
    assert store.read("side").tolist() == [1] * 5
    assert store.read("cube_mm").tolist() == [260] * 5
    np.testing.assert_allclose(store.read("centre_mm"), PLACES, atol=25)
    configuration = store.provenance["configuration"]
    assert (configuration["camera"], configuration["camera_assumed"]) == (list(CAMERA), False)
    # The palm, a disc at a known depth, is where the crop's camera projects it; the wall is gone.
    for depth, camera, place in zip(store.read("depth"), store.read("camera"), PLACES, strict=True):
        u, v = np.rint(project(place, camera)).astype(int)
        assert depth[v, u] == place[2]
        assert depth.max() <= place[2] + 160


def test_the_sources_unit_is_kept(tmp_path):
    src = record(tmp_path / "src", unit_mm=0.125)
    (src / "camera.json").write_text(json.dumps(dict(zip(("fx", "fy", "cx", "cy"), CAMERA, strict=True))))
    assert prepare(src, "out.zarr", "--depth-unit-mm", 0.125) == 0
    store = DepthStore("out.zarr")
    assert store.depth_unit_mm == 0.125
    assert store.read("depth")[0, 64, 64] == PLACES[0][2] / 0.125
    np.testing.assert_allclose(store.read("centre_mm"), PLACES, atol=25)


def test_a_camera_is_known_by_name(tmp_path, capsys):
    sr305 = CATALOGUE["sr305"]
    src = tmp_path / "src"
    src.mkdir()
    for k, place in enumerate(PLACES):
        scene = hand_scene(place, camera=sr305.camera, shape=(480, 640))
        cv2.imwrite(str(src / f"{k}.png"), (scene / 0.125).astype(np.uint16))
    assert prepare(src, "out.zarr", "--camera", "sr305") == 0
    store = DepthStore("out.zarr")
    assert store.depth_unit_mm == 0.125
    assert store.sensor["name"] == "sr305"
    assert (store.sensor["camera"], store.sensor["image_px"]) == (list(sr305.camera), [640, 480])
    assert store.sensor["given"] == {"camera": "sr305", "depth_unit_mm": None}
    assert store.sensor["frames"] == 5
    assert set(store.sensor["measured"]) == set(MEASURES)
    assert store.provenance["configuration"]["camera"] == list(sr305.camera)
    # Crops of its image are looked at in their middle.
    loose = tmp_path / "loose"
    loose.mkdir()
    cv2.imwrite(str(loose / "0.png"), (hand_scene((0, 0, 600), camera=(476, 476, 159.5, 119.5)) * 8).astype(np.uint16))
    rows, columns = cv2.imread(str(loose / "0.png"), cv2.IMREAD_UNCHANGED).shape
    assert prepare(loose, "loose.zarr", "--camera", "sr305") == 0
    configuration = DepthStore("loose.zarr").provenance["configuration"]
    assert configuration["camera"] == [476.007, 476.007, (columns - 1) / 2, (rows - 1) / 2]
    assert prepare(src, "bad.zarr", "--camera", "kinect9") == 2
    assert "wanted kinect1" in capsys.readouterr().err
    assert prepare(src, "bad.zarr", "--camera", "sr305", "--camera-image", "640,480") == 2
    assert "--camera-image" in capsys.readouterr().err


def test_an_assumed_camera_is_told(tmp_path, capsys):
    src = record(tmp_path / "src", camera=KINECT1)
    assert prepare(src, "out.zarr") == 0
    assert "no camera is known for 5 of 5 maps: a Kinect v1 is assumed, focal length 575 px" in capsys.readouterr().err
    configuration = DepthStore("out.zarr").provenance["configuration"]
    assert (configuration["camera"], configuration["camera_assumed"]) == (list(KINECT1), True)


def test_frames_that_cannot_be_used_are_left_out_and_named(src, capsys):
    cv2.imwrite(str(src / "1.png"), np.full((240, 320), 1500, np.uint16))  # a wall
    cv2.imwrite(str(src / "2.png"), np.zeros((240, 320, 3), np.uint8))
    assert prepare(src, "out.zarr", *GIVEN) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == "wrote out.zarr: 3 maps of 5 frames"
    assert "no hand in 1 of 5 frames, left out: 1.png (all in out.prepare.json)" in shown.err
    assert "cannot read 1 of 5 frames, left out: 2.png" in shown.err
    report = json.loads(Path("out.prepare.json").read_text())
    assert (report["written"], report["frames"], report["no_hand"]) == (3, 5, ["1.png"])
    assert "a colour image" in report["unreadable"]["2.png"]
    store = DepthStore("out.zarr")
    assert store.read("frame").tolist() == [0, 0, 0]  # the index in the folder, also behind a gap
    assert store.provenance["configuration"]["unreadable"] == 1
    assert prepare(src, "stop.zarr", *GIVEN, "--on-error", "stop") == 2
    assert "2.png is not a depth map" in capsys.readouterr().err
    assert not Path("stop.zarr").exists()


def test_given_centres_are_used_as_they_stand(src):
    lines = ["# path u v z", "", "1.png 160 120 600", "a/3.png 165.5 125 650", "0.png 5 5 3000"]
    Path("centres.txt").write_text("\n".join(lines))
    assert prepare(src, "out.zarr", *GIVEN, "--centres", "centres.txt") == 0
    store = DepthStore("out.zarr")
    assert list(store.read("source")) == ["1.png", "a/3.png"]
    np.testing.assert_allclose(project(store.read("centre_mm"), CAMERA), [[160, 120], [165.5, 125]], atol=1e-4)
    assert store.read("centre_mm")[:, 2].tolist() == [600, 650]
    report = json.loads(Path("out.prepare.json").read_text())
    assert (report["no_hand"], report["unlisted"]) == (["0.png"], ["2.png", "b/4.png"])


def no_recording(src):
    for path in sorted(src.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def walls(src):
    for path in src.rglob("*.png"):
        cv2.imwrite(str(path), np.full((240, 320), 1500, np.uint16))


def pictures(src):
    for path in src.rglob("*.png"):
        cv2.imwrite(str(path), np.zeros((240, 320), np.uint8))


def blocked(_src):
    Path("out.zarr").write_text("mine")


def bad_centres(_src):
    Path("centres.txt").write_text("0.png 1 2\n")


def no_centres(_src):
    Path("centres.txt").write_text("# none\n")


def unknown_centres(_src):
    Path("centres.txt").write_text("gone.png 1 2 600\n")


@pytest.mark.parametrize(
    ("spoil", "words", "messages"),
    [
        (no_recording, [], ["No depth map in", "found no file"]),
        (walls, [], ["No hand in any of the 5 frames", "1500 to 1500 mm", "--depth-unit-mm", "--roi"]),
        (pictures, [], ["None of the 5 files", "0.png", "type uint8", "wanted integers of at least 16 bits"]),
        (blocked, [], ["out.zarr exists and is not a dataset"]),
        (bad_centres, ["--centres", "centres.txt"], ["centres.txt, line 1: found '0.png 1 2', wanted"]),
        (no_centres, ["--centres", "centres.txt"], ["--centres names no frame"]),
        (unknown_centres, ["--centres", "centres.txt"], ["first is 'gone.png'", "like '0.png'"]),
        (None, ["--centres", "nowhere.txt"], ["nowhere.txt cannot be read"]),
        (None, ["--camera", "575,575,320"], ["--camera: found 575,575,320, wanted 4 numbers fx,fy,cx,cy"]),
        (None, ["--camera", "0,575,320,240"], ["--camera: found 0,575,320,240"]),
        (None, ["--camera", "nan,575,320,240"], ["--camera: found nan,575,320,240"]),
        (None, ["--range", "900,400"], ["--range: found 900,400", "near < far"]),
        (None, ["--roi", "0,0,900,10"], ["0,0,900,10", "320 x 240 pixels"]),
        (None, ["--depth-unit-mm", "0"], ["--depth-unit-mm: found 0"]),
        (None, ["--size", "2"], ["--size: found 2"]),
        (None, ["--cube-mm", "-5"], ["--cube-mm: found -5"]),
        (None, ["--layout", "nothing"], ["layout"]),
    ],
)
def test_bad_input_is_named(src, spoil, words, messages, capsys):
    if spoil is not None:
        spoil(src)
    assert prepare(src, "out.zarr", *(words if "--camera" in words else [*GIVEN, *words])) == 2
    shown = capsys.readouterr().err
    assert all(message in shown for message in messages), shown
    assert not Path("out.zarr").is_dir()


def test_an_output_that_cannot_be_written(src, capsys):
    Path("file").touch()
    assert prepare(src, "file/out.zarr", *GIVEN) == 2
    assert "file is a file. Give another place." in capsys.readouterr().err


def test_a_complete_output_is_kept_without_overwrite(src, capsys):
    assert prepare(src, "out.zarr", *GIVEN) == 0
    before = store_digest(Path("out.zarr"))
    assert prepare(src, "out.zarr", *GIVEN, "--size", 32) == 2
    assert "is complete. Give another name, or --overwrite." in capsys.readouterr().err
    assert store_digest(Path("out.zarr")) == before
    assert prepare(src, "out.zarr", *GIVEN, "--size", 32, "--overwrite") == 0
    assert DepthStore("out.zarr").size == 32


def test_an_interrupted_run_is_continued(src, monkeypatch):
    frames = LAYOUTS["folder"](src, GivenCamera(CAMERA), None)
    hands = find_hands(frames, cube_mm=260)
    settings = {"cube_mm": 260, "size": 32, "side": None, "provenance": {"command": "again"}, "chunk_items": 2}
    write_crops(Path("whole.zarr"), hands, **settings)

    write, done = StoreWriter.write, []

    def write_once(self, start, rows):
        if done:
            raise KeyboardInterrupt
        write(self, start, rows)
        done.append(start)

    monkeypatch.setattr(StoreWriter, "write", write_once)
    with pytest.raises(KeyboardInterrupt):
        write_crops(Path("part.zarr"), hands, **settings)
    with pytest.raises(IncompleteStoreError, match="again"):
        DepthStore("part.zarr")
    monkeypatch.setattr(StoreWriter, "write", write)
    counted = []
    write_crops(Path("part.zarr"), hands, **settings, on_progress=counted.append)
    assert counted[0] == 2  # the first chunk is not written again
    assert sum(counted) == 5
    assert store_digest(Path("part.zarr")) == store_digest(Path("whole.zarr"))


@pytest.mark.slow
def test_the_command_continues_after_a_kill(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    for k in range(700):
        cv2.imwrite(str(src / f"{k}.png"), hand_scene((k % 50 - 25, 0, 600)).astype(np.uint16))
    assert prepare(src, "whole.zarr", *GIVEN) == 0
    words = ["prepare", str(src), "part.zarr", *GIVEN]
    kill_once_written("part.zarr/depth/c/0/0/0", *words)
    with pytest.raises(IncompleteStoreError) as error:
        DepthStore("part.zarr")
    command = shlex.split(str(error.value).split("Continue it with: ")[1])
    assert main(command[1:]) == 0
    whole, part = DepthStore("whole.zarr"), DepthStore("part.zarr")
    assert len(part) == 700
    for name in whole.names:
        np.testing.assert_array_equal(part.read(name), whole.read(name))


@pytest.mark.parametrize(
    ("folder", "words", "unit_mm"),
    [
        ("kinect1_asl", [], 1.0),
        ("kinect2_sequence", ["--camera", "kinect2"], 1.0),
        ("sr305_gestures", ["--camera", "sr305"], 0.125),
    ],
)
def test_real_recordings(tmp_path, folder, words, unit_mm):
    if not (REAL / folder).is_dir():
        pytest.skip(f"the recording {folder} is not beside the repository")
    few = tmp_path / "few"
    for path in sorted((REAL / folder).rglob("*.png"))[:: 40 if folder == "kinect1_asl" else 8]:
        link = few / path.relative_to(REAL / folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    count = len(list(few.rglob("*.png")))
    assert prepare(few, "out.zarr", *words) == 0
    store = DepthStore("out.zarr")
    assert (len(store), store.depth_unit_mm) == (count, unit_mm)
    depth_mm, z = store.read("depth") * unit_mm, store.read("centre_mm")[:, 2, None, None]
    hand = depth_mm > 0
    assert (np.abs(depth_mm - z)[hand] <= 130 + unit_mm).all()
    # Between a fist seen end-on and a hand with its arm: 4 to 50 % of a 260 mm square.
    share = hand.mean(axis=(1, 2))
    assert share.min() > 0.04
    assert share.max() < 0.5


def test_where_a_loose_crop_ends_is_written(tmp_path):
    """A hand whose image ends below the wrist has no forearm, and renders that imitate it must have none either."""
    scene = hand_scene(PLACES[0])
    u, v = np.rint(project(PLACES[0], CAMERA)).astype(int)
    (tmp_path / "loose").mkdir()
    cv2.imwrite(str(tmp_path / "loose/0.png"), scene[: v + 20, u - 40 :].astype(np.uint16))
    fx, fy, cx, cy = CAMERA
    assert prepare(tmp_path / "loose", "out.zarr", "--camera", f"{fx},{fy},{cx - u + 40},{cy}", "--size", 64) == 0
    store = DepthStore("out.zarr")
    left, top, right, bottom = store.read("image_px")[0]
    x, y, z = store.read("centre_mm")[0]
    # 64 px of the map are 260 mm at the centre's depth.
    assert np.isclose(left, (-0.5 - (fx * x / z + cx - u + 40)) * z / fx * 64 / 260 + 31.5, atol=1e-3)
    assert np.isclose(bottom, (v + 19.5 - (fy * y / z + cy)) * z / fy * 64 / 260 + 31.5, atol=1e-3)
    assert top < -0.5
    assert right > 63.5
    rows, columns = np.nonzero(store.read("depth")[0])
    assert bottom - 1.5 < rows.max() < bottom
    assert columns.min() > left


def add_infrared(src, count):
    """Write pictures that are no depth maps beside a recording."""
    (src / "ir").mkdir()
    for k in range(count):
        picture = np.random.default_rng(0).uniform(800, 1000, (240, 320)).astype(np.uint16)
        cv2.imwrite(str(src / "ir" / f"{k}.png"), picture)


def test_maps_that_are_none_are_left_out_with_the_reason(src, capsys):
    add_infrared(src, 3)
    assert prepare(src, "out.zarr", *GIVEN) == 0
    shown = capsys.readouterr()
    assert "3 of 8 maps left out, neighbouring readings differ by" in shown.err
    assert "ir/0.png, ir/1.png, ir/2.png" in shown.err
    assert "--pattern 'depth/*.png'" in shown.err
    assert shown.out.splitlines()[-1] == "wrote out.zarr: 5 maps of 8 frames"
    assert list(json.loads(Path("out.prepare.json").read_text())["implausible"]) == [f"ir/{k}.png" for k in range(3)]
    assert prepare(src, "some.zarr", *GIVEN, "--pattern", "[ab]/*.png") == 0
    assert list(DepthStore("some.zarr").read("source")) == ["a/3.png", "b/4.png"]


def test_where_nearly_all_is_left_out_the_status_says_so(src, capsys):
    add_infrared(src, 50)
    assert prepare(src, "out.zarr", *GIVEN) == 2
    assert "50 of 55 frames are left out, which is more than 90%: look at the others" in capsys.readouterr().err
    assert len(DepthStore("out.zarr")) == 5
    Path("centres.txt").write_text("0.png 160 120 600\n")
    assert prepare(src, "one.zarr", *GIVEN, "--centres", "centres.txt") == 0  # what is not listed was not searched


def test_a_unit_that_makes_giants_is_refused(tmp_path, capsys):
    src = record(tmp_path / "src", unit_mm=0.125)
    assert prepare(src, "out.zarr", *GIVEN) == 2
    assert "give --depth-unit-mm, likely 0.125" in capsys.readouterr().err
    assert not Path("out.zarr").exists()


def test_far_hands_in_a_chosen_range_need_no_more_words(tmp_path):
    src = record(tmp_path / "src", places=[np.array([20.0 * k, 0, 1400.0]) for k in range(5)], camera=KINECT1)
    words = ["--camera", ",".join(map(str, KINECT1)), "--size", 32]
    assert prepare(src, "out.zarr", *words, "--range", "1000,1470") == 0
    assert len(DepthStore("out.zarr")) == 5


def test_a_unit_with_which_hands_would_be_found_is_named(tmp_path, capsys):
    src = record(tmp_path / "src", unit_mm=10)
    assert prepare(src, "out.zarr", *GIVEN) == 2
    assert "give --depth-unit-mm, likely 10;" in capsys.readouterr().err


def test_a_camera_of_another_image_is_refused_and_scaled(src, capsys):
    fx, fy, cx, cy = CAMERA
    twice = ",".join(map(str, (2 * fx, 2 * fy, 2 * cx + 0.5, 2 * cy + 0.5)))
    assert prepare(src, "out.zarr", "--camera", twice) == 2
    assert "at or beyond the border of 0.png, which has 320 x 240 pixels" in capsys.readouterr().err
    assert prepare(src, "out.zarr", "--camera", twice, "--camera-image", "640,480") == 0
    assert "are for 640 x 480 px: for maps of 320 x 240 px" in capsys.readouterr().err
    assert DepthStore("out.zarr").provenance["configuration"]["camera"] == list(CAMERA)
    (src / "camera.json").write_text(
        json.dumps({"width": 640, "height": 480, "fx": 2 * fx, "fy": 2 * fy, "ppx": 2 * cx + 0.5, "ppy": 2 * cy + 0.5})
    )
    assert prepare(src, "json.zarr") == 0
    assert DepthStore("json.zarr").provenance["configuration"]["camera"] == list(CAMERA)


def test_one_camera_has_one_size_of_image(src, capsys):
    cv2.imwrite(str(src / "9.png"), hand_scene(shape=(200, 320)).astype(np.uint16))
    assert prepare(src, "out.zarr", *GIVEN) == 2
    shown = capsys.readouterr().err
    assert "was given for maps of several sizes" in shown
    assert "5 of 320 x 240 px" in shown
    assert "1 of 320 x 200 px" in shown
    assert not Path("out.zarr").exists()
    assert prepare(src, "out.zarr", *GIVEN, "--camera-image", "320,240") == 0
    assert len(DepthStore("out.zarr")) == 6


def test_a_stack_of_maps_with_a_name_of_any_bytes(tmp_path):
    src = tmp_path / os.fsdecode(b"\xca\xd6")
    src.mkdir()
    stack = np.stack([hand_scene(place) for place in PLACES]).astype(np.uint16)
    np.save(src / os.fsdecode(b"\xca.npy"), stack)
    assert prepare(src, "out.zarr", *GIVEN) == 0
    store = DepthStore("out.zarr")
    assert list(store.read("source")) == [f"\\xca.npy#{k}" for k in range(5)]
    np.testing.assert_allclose(store.read("centre_mm"), PLACES, atol=25)
    Path("centres.txt").write_text("\\xca.npy#2 160 120 600\n")
    assert prepare(src, "one.zarr", *GIVEN, "--centres", "centres.txt") == 0


def test_what_else_is_in_view_is_said_and_seen(tmp_path, capsys):
    (tmp_path / "src").mkdir()
    both = np.minimum(hand_scene((-70, 0, 600), arm=(-40, 300, 100)), hand_scene((75, 10, 620), arm=(40, 300, 100)))
    cv2.imwrite(str(tmp_path / "src/two.png"), both.astype(np.uint16))
    cluttered = hand_scene((-60, 0, 600))
    draw(cluttered, CAMERA, (100, -60, 480), (100, -50, 480), 20)
    cv2.imwrite(str(tmp_path / "src/nearer.png"), cluttered.astype(np.uint16))
    cv2.imwrite(str(tmp_path / "src/rim.png"), hand_scene((0, -125, 500)).astype(np.uint16))
    assert prepare(tmp_path / "src", "out.zarr", *GIVEN, "--size", 64) == 0
    shown = capsys.readouterr().err
    assert "another part of a hand's size in 1 of 3 frames, the likeliest was taken: two.png" in shown
    assert "something nearer that is no hand in 1 of 3 frames, passed over: nearer.png" in shown
    assert "the cube is cut by the image's border in 1 of 3 frames: rim.png" in shown
    report = json.loads(Path("out.prepare.json").read_text())
    assert (report["other_parts"], report["nearer_clutter"], report["cut_by_border"]) == (
        ["two.png"], ["nearer.png"], ["rim.png"],
    )  # fmt: skip
    store = DepthStore("out.zarr")
    assert list(store.read("source")) == ["nearer.png", "rim.png", "two.png"]
    assert [parts_beside(store, item) for item in range(3)] == [0, 0, 1]
    hatched = [outside_image(store, item) for item in range(3)]
    assert [bool(mask.any()) for mask in hatched] == [False, True, False]
    assert hatched[1][0].all()
    assert not hatched[1][-1].any()
    assert not store.read("depth", 1, 2)[0][hatched[1]].any()
    assert main(["inspect", "out.zarr", "--sheet", "sheet.png"]) == 0
