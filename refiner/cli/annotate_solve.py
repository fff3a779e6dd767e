"""The words of `refiner annotate` that compute: which frames to label, solve, measure, export."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refiner.cli.progress import Progress
from refiner.errors import OutputExistsError
from refiner.files import write_json

if TYPE_CHECKING:
    from refiner.annotate.sessions.session import Session
    from refiner.datasets.store import DepthStore


def select(
    session: str,
    *,
    budget: float | None = None,
    radius: float | None = None,
    descriptor: Literal["codes", "hog", "equal"] = "codes",
    seed: int = 0,
    out: str | None = None,
    overwrite: bool = False,
) -> None:
    """Choose the frames that are worth a person's time: those that most others are like.

    Args:
        session: The session.
        budget: How many, as a share of all (below 1) or a number; 0.1 where neither this nor a radius is given.
        radius: Frames nearer than this to a reference are covered, as a share of the greatest distance; without a
            budget it ends when all are. Without it the one at which the budget covers most frames, but not quite all.
        descriptor: What says which frames are alike: codes of an auto-encoder, HOG, or equal spacing as the baseline.
        seed: Of the auto-encoder.
        out: The file to write; without it references.json in the session.
        overwrite: Replace OUT where it exists.
    """
    from refiner.annotate.references import select as selection
    from refiner.annotate.references.likeness import distances_of
    from refiner.annotate.sessions.session import Session
    from refiner.viz import save_png

    path = Path(session) / "references.json" if out is None else Path(out)
    if out is not None and path.exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    with Session(session) as opened:
        share = 0.1 if budget is None and radius is None else budget
        equal = selection.equally_spaced(opened.frames, 0.1 if share is None else share)
        distances = distances_of(opened, "hog" if descriptor == "equal" else descriptor, seed)
        reach = radius or selection.radius_of_budget(distances, 0.1 if share is None else share)
        if descriptor == "equal":
            frames, coverage = equal, selection.coverage_curve(distances, equal, reach)
        else:
            chosen = selection.select_references(distances, share, reach, labelled=opened.labelled_frames())
            frames, coverage = chosen.frames, chosen.coverage
        curves = {descriptor: coverage, "equally spaced": selection.coverage_curve(distances, equal, reach)}
        opened.set_references(frames, list(coverage))
        write_json(path, {"frames": [int(n) for n in frames], "coverage": [float(value) for value in coverage]})
        save_png(path.with_suffix(".png"), selection.draw_coverage(curves, opened.frames))
    print(f"{path}: {len(frames)} frames, {coverage[-1]:.0%} of all are covered")
    print("reference frames:", *sorted(int(n) for n in frames))


def bones(session: str, *, out: str | None = None, overwrite: bool = False) -> None:
    """Estimate the bone lengths from the labels, and keep them in the session.

    Args:
        session: The session.
        out: Write them (BONES.json), too.
        overwrite: Replace the session's lengths, and OUT where it exists.
    """
    from refiner.annotate.estimate import estimate_bones
    from refiner.annotate.sessions.bones import write_bones
    from refiner.annotate.sessions.session import Session

    if out is not None and Path(out).exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    with Session(session) as opened:
        if opened.bones_mm is not None and not overwrite:
            raise OutputExistsError(f"{session} has bone lengths already. Say --overwrite to estimate them again.")
        found = estimate_bones(opened)
        opened.set_bones(found.lengths_mm)
        for _, joint in opened.skeleton.bones:
            told = "guessed from proportions" if found.guessed[joint] else f"{found.samples[joint]} frames"
            length_mm, spread_mm = found.lengths_mm[joint], found.spread_mm[joint]
            print(f"{opened.skeleton.joints[joint]:<12} {length_mm:6.1f} mm, give or take {spread_mm:.1f} ({told})")
        if out is not None:
            write_bones(out, found.lengths_mm, opened.skeleton)
        print(f"{out or session}: lengths of {len(opened.skeleton.bones)} bones")


def solve(
    session: str,
    *,
    stages: str = "lift,propagate,optimize",
    solver: Literal["fast", "slsqp"] = "fast",
    exact_paper: bool = False,
    no_hand_model: bool = False,
    descriptor: Literal["codes", "hog"] = "codes",
    seed: int = 0,
) -> None:
    """Find the joints of labelled frames in 3D, carry them to all others, and settle the whole sequence.

    Args:
        session: The session, with labels and bone lengths.
        stages: Which; each one done is kept.
        solver: The paper's SLSQP for the lift, or the fast one.
        exact_paper: The published objectives, which know neither the hand model nor the depth of unlabelled frames.
        no_hand_model: Do not lay a hand of known shape upon what is seen.
        descriptor: What says which frames are alike.
        seed: Of the auto-encoder.
    """
    from refiner.annotate.sessions.session import Session
    from refiner.annotate.stages.case import Options
    from refiner.annotate.stages.conflicts import words_of
    from refiner.annotate.stages.solve import solve

    with Session(session) as opened:
        shown: dict[str, Progress] = {}
        counted: dict[str, int] = {}

        def on_progress(stage: str, done: int, of: int) -> None:
            if stage not in shown:
                what = {"optimize": "steps of optimize", "likeness": "steps of learning which frames are alike"}
                shown[stage] = stack.enter_context(Progress(of, what.get(stage, f"frames of {stage}")))
                counted[stage] = 0
            shown[stage].update(done - counted[stage])
            counted[stage] = done

        words = tuple(word for word in stages.split(",") if word)
        options = Options(
            solver=solver, exact_paper=exact_paper, hand_model=not no_hand_model, descriptor=descriptor, seed=seed
        )
        with ExitStack() as stack:
            solve(opened, words, options, on_progress)
        for stage in words:
            result = opened.result(stage)
            if result is not None:
                conflicts, wrong = result.info.get("conflicts", []), result.info.get("not_believed", [])
                for one in wrong[:10]:
                    print(f"not believed frame {one['frame']} {one['joint'] or 'whole image'}: {one['why']}")
                for one in conflicts[:10]:
                    print(f"frame {one['frame']}: {words_of(one)}")
                if len(conflicts) > 10:
                    print(f"and {len(conflicts) - 10} more that cannot be kept; the page lists all")
                told = f", {len(conflicts)} conflicts of labels" if stage == "lift" else ""
                told += f", {len(wrong)} labels not believed" if wrong else ""
                told += "" if result.info["frames_anew"] else ", nothing had to be solved anew"
                print(f"{stage}: {result.info['seconds']:.1f} s{told}")
        if stale := opened.stale(words[0]):
            print(f"labels or bones have changed meanwhile ({stale}); solve again to follow the change")
        print(f"{session}: solved {', '.join(words)} of {opened.frames} frames")


def next_frame(session: str, *, count: int = 1, doubts: int = 5) -> None:
    """Name the frame whose correction would help most, and the joints that are most in doubt; doubtful labels first.

    Args:
        session: The session, solved or with reference frames that wait for labels.
        count: How many frames to name.
        doubts: How many joints to list.
    """
    from refiner.annotate.plausible.doubts import label_doubts
    from refiner.annotate.quality import NOT_BELIEVED, doubtful, next_frames, not_believed
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        wrong = [doubt for doubt in label_doubts(opened) if not doubt.believed]
        for one in wrong[:doubts]:
            print(f"label of frame {one.frame} {one.joint or 'whole image'}: {one.why}")
        frames = list(dict.fromkeys(one.frame for one in wrong))[:count]
        frames += next_frames(opened, count - len(frames)) if len(frames) < count else []
        stale = opened.stale("optimize")
        if opened.result("optimize") is None:
            print(f"no solved joints to judge yet: run `refiner annotate solve {session}` when frames are labelled")
        elif stale:
            print(f"no solved joints are judged, as the solve is out of date: {stale}.")
            print(f"Solve again to see what is in doubt: `refiner annotate solve {session}`")
        else:
            for one in doubtful(opened, doubts):
                print(f"frame {one.frame} {one.joint}: {one.why}, doubt {one.doubt:.1f}")
            queued = not_believed(opened)
            usual = f"more than {NOT_BELIEVED:g} times the usual cost"
            if queued:
                print(f"frames whose joints fit the labels and maps badly, at {usual}:", *queued[:20])
            else:
                print(f"no frame fits the labels and maps badly (at {usual})")
        print("next frame:", *(frames or ["none, nothing is in doubt"]))


def simulate(
    session: str,
    truth: str,
    *,
    noise_px: float = 0.0,
    seed: int = 0,
    budget: float = 0.1,
    correct: int = 0,
    measure: Literal["image", "space"] = "image",
    descriptor: Literal["codes", "hog"] = "codes",
) -> None:
    """Label the references as a person who knows the truth, and count what that person would correct.

    Args:
        session: The session; references are selected where there are none.
        truth: The same frames with true joints (TRUTH.zarr).
        noise_px: Deviation of each click.
        seed: Of the noise.
        budget: Of references to select, as for `select`.
        correct: Rounds, at most, of solving it and labelling a frame of each spell with joints more than 17 mm off.
        measure: Off as the camera sees it, which is what the paper counts, or in space.
        descriptor: What says which frames are alike.
    """
    from refiner.annotate.sessions.session import Session
    from refiner.annotate.sessions.truth import bones_of_store
    from refiner.annotate.simulate import check_same_frames, labels_of_truth
    from refiner.datasets.store import DepthStore

    true = DepthStore(truth)
    with Session(session) as opened:
        check_same_frames(opened.store, true)
        wanted = opened.references()
    if not wanted:
        select(session, budget=budget, descriptor=descriptor)
    with Session(session) as opened:
        wanted = opened.references()
        opened.put_labels(labels_of_truth(true, wanted, noise_px, seed), "simulated", f"simulate {truth}")
        if opened.bones_mm is None:
            opened.set_bones(bones_of_store(true))
        if correct:
            _correct(opened, true, correct, noise_px, seed, measure, descriptor)
        print(f"{session}: labels of {len(opened.labelled_frames())} frames")


def _correct(
    session: "Session", truth: "DepthStore", rounds: int, noise_px: float, seed: int,
    measure: Literal["image", "space"], descriptor: Literal["codes", "hog"],
) -> None:  # fmt: skip
    from refiner.annotate.corrections import correct
    from refiner.annotate.stages.case import Options

    for now in correct(session, truth, rounds, noise_px, seed, Options(descriptor=descriptor), measure):
        left, joints = now.left, now.left.joints
        print(
            f"{now.joints} joints ({now.joints / joints:.2%}) moved in {now.frames} frames; more than 17 mm off are "
            f"{left.far} of {joints} ({left.far / joints:.2%}), in the image {left.far_in_image} "
            f"({left.far_in_image / joints:.2%}), more than 10 mm {left.near} ({left.near / joints:.2%})"
        )


def evaluate(session: str, truth: str, *, out: str, seed: int = 0, overwrite: bool = False) -> None:
    """Measure every solved stage on true joints.

    Args:
        session: The session.
        truth: The same frames with true joints (TRUTH.zarr).
        out: The report (json) to write.
        seed: Of the bootstrap.
        overwrite: Replace OUT where it exists.
    """
    from refiner.annotate.evaluate import evaluate as measure
    from refiner.annotate.sessions.session import Session
    from refiner.datasets.store import DepthStore

    if Path(out).exists() and not overwrite:
        raise OutputExistsError(f"{out} exists. Give another name, or --overwrite.")
    with Session(session) as opened:
        report = measure(opened, DepthStore(truth), seed)
    write_json(Path(out), report)
    for stage, numbers in report["stages"].items():
        mean, median = numbers["mean_mm"], numbers["median_mm"]
        print(f"{stage}: mean {mean:.2f} mm, median {median:.2f} mm, {numbers['frames']} frames")
    print(f"{out}: {len(report['stages'])} stages")


def export(session: str, out: str, *, max_doubt: float | None = None, overwrite: bool = False) -> None:
    """Write the solved sequence as a labelled dataset, for `train`, `pose train` and `render --poses`.

    Args:
        session: The session, solved.
        out: The dataset (NAME.zarr) to write.
        max_doubt: Leave out frames with a joint that is more in doubt (see `next`; 1 is usual).
        overwrite: Replace OUT where it exists.
    """
    from refiner.annotate.export import export_session
    from refiner.annotate.quality import doubts
    from refiner.annotate.sessions.session import Session

    with Session(session) as opened:
        doubt = None if max_doubt is None else doubts(opened)[0]
        count = export_session(opened, Path(out), doubt, max_doubt, overwrite)
    print(f"{out}: {count} labelled frames")
