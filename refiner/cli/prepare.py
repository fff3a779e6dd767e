"""The verb `prepare`: from a recording to a dataset of hand crops."""

import hashlib
import shlex
from pathlib import Path
from typing import Any, Literal

from refiner.errors import UsageError
from refiner.files import require_apart

CUBE_MM = 260.0
"""Side of the cube that an adult's hand fits in."""
MOST_LEFT_OUT = 0.9
"""Where a larger share of the frames is left out, what is left is more likely wrong than right: exit status 2."""


def prepare(
    src: str,
    out: str,
    *,
    layout: Literal["folder", "nyu"] = "folder",
    camera: str | None = None,
    depth_unit_mm: float | None = None,
    size: int = 128,
    cube_mm: float | None = None,
    range: str | None = None,
    roi: str | None = None,
    centres: str | None = None,
    hand: Literal["right", "left"] | None = None,
    pattern: str | None = None,
    camera_image: str | None = None,
    kind: Literal["real", "synthetic"] | None = None,
    mask_with_synthetic: bool = False,
    views: str | None = None,
    on_error: Literal["skip", "stop"] = "skip",
    overwrite: bool = False,
) -> int:
    """Find the hand in each depth map of a recording, cut it out and store it.

    The hand is taken to be the nearest thing to the camera of a hand's size; where it is not, narrow the search with
    --range or --roi, or say where the hands are with --centres. Frames without a hand, maps that cannot be depth maps
    of a hand and files that cannot be read are left out, counted, and named in NAME.prepare.json beside the dataset;
    where they are more than 90 % of the frames, the exit status is 2. The same command goes on after an interruption.

    Args:
        src: Folder of depth maps (PNG of 16 bits; TIFF, NPY or NPZ of 16 bits or float, with one map or many),
            subfolders and links included, or one file of many: one sequence a folder, its frames in natural order of
            their names. A camera.json in a folder holds for it and the folders below: fx, fy, cx, cy and perhaps
            depth_unit_mm, or the file that RealSense, Azure Kinect and Open3D tools write.
        out: The dataset to write, NAME.zarr.
        layout: How the recording is laid out: folder, or nyu (SRC is its folder train or test; crops about the palm
            label, joints are stored as nyu14).
        camera: fx,fy,cx,cy in pixels, or the name of a camera that is known (kinect1, kinect2, sr305, d435 and more; a
            wrong name lists all); overrides camera.json. Maps that are smaller than a known camera's image are taken
            for crops of it that it looks at the middle of. Without either, a Kinect v1 is assumed that looks at
            the middle of each image.
        depth_unit_mm: Millimetres in one unit of the files' numbers; overrides camera.json. Without either it is that
            of the known camera, else 1, and a recording whose hands are then of an impossible size is refused.
        size: Side of the stored crops in pixels.
        cube_mm: Side of the cube around the hand; 260, in which an adult's hand fits, or the layout's own: nyu 300.
        range: near,far in mm: nothing nearer or farther is taken for the hand.
        roi: x,y,w,h in pixels: the hand is looked for in this part of the image.
        centres: Text file with `relative/path u v z` a line: hand centres in pixels and mm, used as they stand;
            frames that are not listed are left out.
        hand: Stored with every map as its side. Left hands are stored as they are, not mirrored.
        pattern: Of folder: take only files whose path in the recording ends like this, 'depth/*.png'.
        camera_image: w,h in pixels of the image that the camera's numbers are for, where the maps have another size;
            they are taken to show its whole width.
        kind: Of nyu: real maps, or the renders beside them; real where nothing is given.
        mask_with_synthetic: Of nyu: keep real readings only where the frame's render has one, as the paper did.
        views: Of nyu: cameras 1, 2, 3 separated by commas; 1, which the benchmark uses, where nothing is given.
        on_error: What to do with a file that cannot be read.
        overwrite: Replace what lies at OUT.
    """
    from dataclasses import replace

    from refiner.cli.prepare_report import say, say_cameras, write_report
    from refiner.cli.progress import Progress
    from refiner.datasets.centres import read_centres
    from refiner.datasets.hands import find_hands
    from refiner.datasets.layouts import LAYOUTS, SKELETONS_OF, GivenCamera
    from refiner.datasets.layouts.nyu import CUBE_MM as NYU_CUBE_MM
    from refiner.datasets.prepare import cut_by_border, image_edges, write_crops
    from refiner.datasets.recorded_sensor import describe_recording
    from refiner.datasets.store_writer import provenance, require_writable
    from refiner.sensors.catalogue import camera_of

    cube_mm = (NYU_CUBE_MM if layout == "nyu" else CUBE_MM) if cube_mm is None else cube_mm
    more = _layout_options(layout, pattern, kind, views, mask_with_synthetic=mask_with_synthetic)
    known, unit_mm, given_camera = None, depth_unit_mm, None
    if camera is not None and "," not in camera:
        known = camera_of(camera)
        unit_mm = known.unit_mm if depth_unit_mm is None else depth_unit_mm
        given_camera = GivenCamera(known.camera, by_size={known.image_px: known.camera}, loose_crops=True)
        _check(camera_image is None, "--camera-image", camera_image, f"none beside --camera {camera}, which knows it")
    elif camera is not None:
        wanted = "fx,fy,cx,cy or the name of a known camera"
        given_camera = GivenCamera(_numbers("--camera", camera, wanted, [True, True, False, False]))  # pyright: ignore[reportArgumentType]
    near_far = _numbers("--range", range, "near,far", [False, True])
    image_px = _numbers("--camera-image", camera_image, "w,h", [True, True])
    region = _numbers("--roi", roi, "x,y,w,h", [False, False, True, True])
    _check(near_far is None or 0 <= near_far[0] < near_far[1], "--range", range, "near,far in mm with near < far")
    _check(region is None or all(n == int(n) for n in region), "--roi", roi, "x,y,w,h in whole pixels")
    _check(depth_unit_mm is None or 0 < depth_unit_mm < 1e4, "--depth-unit-mm", depth_unit_mm, "mm above 0")
    _check(8 <= size <= 4096, "--size", size, "8 to 4096 pixels")
    _check(0 < cube_mm < 1e4, "--cube-mm", cube_mm, "mm above 0")
    _check(centres is None or (range is None and roi is None), "--centres", centres, "no --range or --roi beside it")
    recording, target = Path(src), Path(out)
    require_apart(target, "the recording", recording, inside=True)
    require_writable(target, overwrite)

    frames = LAYOUTS[layout](recording, given_camera, unit_mm, **more)
    if image_px is not None:
        width, height = (int(n) for n in image_px)
        frames = [
            f if f.given is None else replace(f, given=GivenCamera(f.given.camera, (width, height))) for f in frames
        ]
    with Progress(len(frames), "frames searched") as progress:
        hands = find_hands(
            frames,
            cube_mm=cube_mm,
            near_far_mm=near_far,  # pyright: ignore[reportArgumentType]
            roi=region and tuple(int(n) for n in region),  # pyright: ignore[reportArgumentType]
            centres=read_centres(Path(centres)) if centres else None,
            on_error=on_error,
            on_progress=progress.update,
        )
    say_cameras(frames, hands)
    for warning in hands.warnings:
        say(warning)
    cameras, focal_lengths = set(hands.cameras), {camera[:2] for camera in hands.cameras}
    configuration = {
        "layout": layout,
        "camera": list(cameras.pop()) if len(cameras) == 1 else None,
        "focal_px": list(focal_lengths.pop()) if len(focal_lengths) == 1 else None,
        "camera_assumed": any(frame.given is None for frame in frames),
        "size": size,
        "cube_mm": cube_mm,
        "range_mm": near_far,
        "roi_px": region,
        "centres_sha256": centres and hashlib.sha256(Path(centres).read_bytes()).hexdigest(),
        "hand": hand,
        "camera_image_px": image_px,
        **more,
        "frames": len(frames),
        "no_hand": len(hands.no_hand),
        "implausible": len(hands.implausible),
        "unreadable": len(hands.unreadable),
    }
    options = {
        "layout": layout, "camera": camera, "depth-unit-mm": depth_unit_mm, "size": size, "cube-mm": cube_mm,
        "range": range, "roi": roi, "centres": centres, "hand": hand, "pattern": pattern,
        "camera-image": camera_image, "kind": kind, "views": views, "on-error": on_error,
    }  # fmt: skip
    words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
    words += ["--mask-with-synthetic"] if mask_with_synthetic else []
    command = shlex.join(["refiner", "prepare", src, out, *words])
    beyond = cut_by_border(image_edges(hands, cube_mm, size), size)
    cut = [frame.source for frame, is_cut in zip(hands.frames, beyond, strict=True) if is_cut]
    sensor = describe_recording(hands, known, cube_mm, {"camera": camera, "depth_unit_mm": depth_unit_mm})
    with Progress(len(hands), "maps written") as progress:
        write_crops(
            target,
            hands,
            cube_mm=cube_mm,
            size=size,
            side=None if hand is None else ("right", "left").index(hand),
            provenance=provenance(command, configuration, None, []),
            skeleton=SKELETONS_OF.get(layout),
            sensor=sensor,
            overwrite=overwrite,
            on_progress=progress.update,
        )
    report = target.with_suffix(".prepare.json")
    write_report(report, hands, len(frames), cut)
    print(f"wrote {out}: {len(hands)} maps of {len(frames)} frames")
    if hands.left_out > MOST_LEFT_OUT * (len(frames) - len(hands.unlisted)):
        say(
            f"{hands.left_out} of {len(frames)} frames are left out, which is more than {MOST_LEFT_OUT:.0%}: look at "
            f"the others before you use them (refiner inspect {out} --sheet sheet.png), and at {report}"
        )
        return 2
    return 0


def _layout_options(
    layout: str, pattern: str | None, kind: str | None, views: str | None, *, mask_with_synthetic: bool
) -> dict[str, Any]:
    """Return the options that this layout alone has."""
    if layout == "nyu":
        _check(pattern is None, "--layout", layout, "folder where --pattern is given")
    if layout != "nyu":
        _check(
            kind is None and views is None and not mask_with_synthetic, "--layout", layout,
            "nyu where --kind, --views or --mask-with-synthetic is given",
        )  # fmt: skip
        return {} if pattern is None else {"pattern": pattern}
    numbers = (views or "1").split(",")
    _check(set(numbers) <= {"1", "2", "3"} and len(set(numbers)) == len(numbers), "--views", views, "some of 1,2,3")
    return {
        "kind": kind or "real",
        "mask_with_synthetic": mask_with_synthetic,
        "views": [int(number) for number in numbers],
    }


def _numbers(option: str, text: str | None, wanted: str, positive: list[bool]) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    good = len(numbers) == len(positive) and all(
        abs(n) < float("inf") and (n > 0 or not above) for n, above in zip(numbers, positive, strict=True)
    )
    _check(good, option, text, f"{len(positive)} numbers {wanted}")
    return numbers


def _check(good: bool, option: str, found: object, wanted: str) -> None:
    if not good:
        raise UsageError(f"{option}: found {found}, wanted {wanted}. See `refiner prepare --help`.")
