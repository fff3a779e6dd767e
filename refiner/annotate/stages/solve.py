"""The stages of a solve, one after another, each kept in the session when it is done.

    lift        3D joints of every labelled frame
    propagate   from these to all frames
    optimize    the whole sequence at once

A stage uses what the one before left in the session, and refuses what is missing or older than the labels. Solved
again, it does again only what has been made from something else since (see `refiner.annotate.stages.changes`).

All stages of one solve are made from the labels and bone lengths that the session had when it began. People label on
meanwhile; what they change is not in the results, which are out of date at the end, and the next solve follows it.
"""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refiner.annotate.references.nearest import propagation_order
from refiner.annotate.sessions.results import STAGES, StageResult
from refiner.annotate.sessions.session import Session
from refiner.annotate.solver.anatomy import Anatomy
from refiner.annotate.solver.surface import terms_of
from refiner.annotate.solver.terms import Weights
from refiner.annotate.stages import published
from refiner.annotate.stages.case import LEAST_HANDS, Case, OnProgress, Options
from refiner.annotate.stages.changes import lift_keys, optimize_keys, propagate_keys, sweep_keys
from refiner.annotate.stages.conflicts import conflicts_of
from refiner.annotate.stages.evidence import evidence
from refiner.annotate.stages.lift import LIFT_WEIGHTS, lift
from refiner.annotate.stages.optimize import ITERATIONS, OPTIMIZE_WEIGHTS, PLAIN_WEIGHTS, ROUNDS, optimize
from refiner.annotate.stages.propagate import PROPAGATE_WEIGHTS, Propagated, propagate
from refiner.annotate.stages.settle import Settler
from refiner.annotate.stages.slsqp import lift_slsqp
from refiner.errors import UsageError
from refiner.geometry.camera import project

Numbers = dict[str, NDArray[Any]]

_DEFAULT = Options()


def solve(
    session: Session,
    stages: tuple[str, ...] = STAGES,
    options: Options = _DEFAULT,
    on_progress: OnProgress = lambda stage, done, of: None,  # noqa: ARG005
) -> None:
    """Solve a session; a stage that is done stays, whatever happens to the next.

    Args:
        session: With labels and bone lengths.
        stages: Which, in their order.
        options: How.
        on_progress: Is given the stage ("likeness" while it is learnt which frames are alike), how much of it is
            done, and of how much. Where it raises, the solve ends there.

    Raises:
        SolveError: There are no labels, no bone lengths, or the stage before is missing or out of date.
        SessionBusyError: Another process is solving it.
        UsageError: A stage does not exist.
    """
    if not stages or [s for s in STAGES if s in stages] != list(stages):
        raise UsageError(f"Found the stages {','.join(stages) or 'none'}, wanted some of {','.join(STAGES)}, in order.")
    with session.solving():
        case = Case.of_session(session, options, on_progress)
        for stage in stages:
            began = time.perf_counter()
            result = {"lift": _lift, "propagate": _propagate, "optimize": _optimize}[stage](case)
            seconds = time.perf_counter() - began
            result.info.update(case.origin._asdict(), seconds=seconds, options=asdict(options))
            session.put_result(result)


def _lift(case: Case) -> StageResult:
    sequence, at, session = case.sequence, case.labelled, case.session
    earlier = session.result("lift")
    anatomy = case.known_hand(earlier)
    kept = anatomy is not None
    keys = lift_keys(len(sequence), case.labels, (case.common, None if anatomy is None else anatomy.shape.tolist()))
    stays, _ = case.earlier("lift", keys)
    if case.knows_hand and anatomy is None:
        stays[:] = False
    anew = at[~stays[at]]
    joints_mm, cost = _empty(case)
    if earlier is not None:
        joints_mm[stays], cost[stays] = earlier.joints_mm[stays], earlier.numbers["cost"][stays]
    clicks = [case.labels[int(n)] for n in anew]
    terms = terms_of(sequence.depth[anew], sequence.depth_unit_mm, sequence.camera[anew], case.offset_mm, clicks)
    weights, exact = LIFT_WEIGHTS, case.options.exact_paper
    if exact:
        terms, weights = published.lift_terms(case.tree, terms), published.LIFT_WEIGHTS
    if case.options.solver == "slsqp":
        solution = lift_slsqp(case.tree, terms, published.EPS_MM, weights.nearer_mm, 0.0 if exact else 1.0)
    else:
        solution = lift(case.tree, terms, weights)
    joints_mm[anew], cost[anew] = solution.joints_mm, solution.cost
    if anatomy is None and case.knows_hand and len(at) >= LEAST_HANDS:
        anatomy = Anatomy.of_joints(joints_mm[at])
        keys = lift_keys(len(sequence), case.labels, (case.common, anatomy.shape.tolist()))
    if anatomy is not None and case.options.solver == "fast" and len(anew):
        settler = Settler(case.tree, sequence, anatomy, case.offset_mm)
        joints_mm[anew], cost[anew] = settler.settle_labelled(anew, clicks, joints_mm[anew])
    case.on_progress("lift", len(anew), len(anew))
    names, camera = session.skeleton.joints, sequence.camera
    found = _result("lift", joints_mm, {"cost": cost, "key": keys}, len(anew))
    found.info["conflicts"] = [
        conflict
        for frame, one in sorted(case.labels.items())
        for conflict in conflicts_of(one, joints_mm[frame], camera[frame], names, weights)
    ]
    found.info["not_believed"] = [
        {"frame": doubt.frame, "joint": doubt.joint, "why": doubt.why} for doubt in case.doubts if not doubt.believed
    ]
    if anatomy is not None:
        known = {"side": anatomy.side, "shape": anatomy.shape.tolist(), "residual_mm": anatomy.residual_mm}
        made_from = earlier.info["hand"]["frames"] if kept and earlier is not None else len(at)
        found.info["hand"] = {**known, "frames": made_from, "bones_mm": case.tree.length_mm.tolist()}
    return found


def _propagate(case: Case) -> StageResult:
    lifted, at = case.before("propagate", "lift"), case.labelled
    anatomy = case.known_hand(lifted)
    settler = None if anatomy is None else Settler(case.tree, case.sequence, anatomy, case.offset_mm)
    distances, nearest = case.likeness
    order = propagation_order(distances, at.tolist())
    keys = propagate_keys(lifted.numbers["key"], order, nearest, case.common)
    labelled = np.isin(np.arange(len(keys)), at)
    swept = sweep_keys(keys, labelled, case.sequence.starts)
    stays, result = case.earlier("propagate", keys, "unswept_key")
    rests, _ = case.earlier("propagate", swept)
    weights, seen_px = PROPAGATE_WEIGHTS, None
    if case.options.exact_paper:
        weights, seen_px = published.PROPAGATE_WEIGHTS, _seen_px(case, lifted.joints_mm)
    anew, done = int((~stays & ~labelled).sum()), [0]
    steps = anew + (0 if settler is None else 2 * int((~rests & ~labelled).sum()))

    def on_frames(count: int) -> None:
        done[0] += count
        case.on_progress("propagate", done[0], steps)

    found = propagate(
        case.tree, case.sequence, at, lifted.joints_mm[at].astype(np.float64), order, nearest, case.offset_mm, settler,
        weights, None if result is None else (stays, rests, _propagated(result)), seen_px=seen_px, on_frames=on_frames,
    )  # fmt: skip
    case.on_progress("propagate", steps, steps)
    numbers: Numbers = {"cost": found.cost, "key": swept, "unlike": found.unlike, "neighbour": found.neighbour}
    numbers |= {"copied_mm": found.copied_mm.astype(np.float32), "flowed_mm": found.flowed_mm.astype(np.float32)}
    numbers |= {"unswept_mm": found.unswept_mm.astype(np.float32), "unswept_cost": found.unswept_cost}
    return _result("propagate", found.joints_mm, {**numbers, "unswept_key": keys}, anew)


def _propagated(result: StageResult) -> Propagated:
    names = ("copied_mm", "flowed_mm", "neighbour", "cost", "unlike", "unswept_mm", "unswept_cost")
    return Propagated(result.joints_mm.astype(np.float64), *(result.numbers[name] for name in names))


def _optimize(case: Case) -> StageResult:
    before, sequence = case.before("optimize", "propagate"), case.sequence
    lifted = case.before("optimize", "lift")
    _, nearest = case.likeness
    keys = optimize_keys(before.numbers["key"], nearest, sequence.starts, case.common)
    stays, result = case.earlier("optimize", keys)
    anatomy, start_mm = case.known_hand(lifted), before.joints_mm.astype(np.float64)
    weights: Weights = PLAIN_WEIGHTS if anatomy is None else OPTIMIZE_WEIGHTS
    seen_px = None
    if case.options.exact_paper:
        weights = published.optimize_weights(float(np.median(sequence.cube_mm)), sequence.depth.shape[2])
        seen_px = _seen_px(case, lifted.joints_mm)
    at, joints_mm, numbers = np.flatnonzero(~stays), start_mm.copy(), dict[str, NDArray[Any]]()
    if result is not None:
        joints_mm[stays] = result.joints_mm[stays]
        numbers = {name: values.copy() for name, values in result.numbers.items()}
    iterations = 0
    if len(at):
        runs = int((~sequence.linked[at]).sum())
        steps, done = ITERATIONS * (ROUNDS if anatomy is not None else 1) * runs, [0]

        def on_iteration(tried: int, cost: float) -> bool:  # noqa: ARG001
            done[0] += 1
            case.on_progress("optimize", done[0], steps)
            return False

        solution, terms = optimize(
            case.tree, sequence, start_mm, case.labels, nearest, case.offset_mm, anatomy, weights, at,
            seen_px=seen_px, on_iteration=on_iteration,
        )  # fmt: skip
        case.on_progress("optimize", steps, steps)
        iterations, joints_mm[at] = solution.iterations, solution.joints_mm
        against = evidence(case.tree, terms, weights, sequence.linked[at], solution, start_mm[at])
        for name, values in {"cost": solution.cost, **against}.items():
            numbers.setdefault(name, np.zeros((len(sequence), *values.shape[1:])))[at] = values
    found = _result("optimize", joints_mm, {**numbers, "key": keys}, len(at))
    found.info["iterations"] = iterations
    return found


def _seen_px(case: Case, joints_mm: NDArray[np.float32]) -> dict[int, NDArray[np.float64]]:
    """Return where the joints of labelled frames are seen, by frame: at their clicks."""
    camera = case.sequence.camera
    return {n: published.clicked_px(one, project(joints_mm[n], camera[n])) for n, one in case.labels.items()}


def _empty(case: Case) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    frames = len(case.sequence)
    return np.full((frames, len(case.offset_mm), 3), np.nan), np.full(frames, np.nan)


def _result(stage: str, joints_mm: NDArray[np.float64], numbers: Numbers, anew: int) -> StageResult:
    return StageResult(stage, joints_mm.astype(np.float32), numbers, {"frames_anew": anew})
