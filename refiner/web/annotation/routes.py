"""What the canvas asks the server, and whoever scripts the page: frames, edits, lifts, as JSON.

    GET  /setup.json             what does not change: joints, sizes, colour maps
    GET  /keys.json?who=W        which key does what
    GET  /frames/K               labels, solved joints and state of a frame
    GET  /depth/K                its map, H W uint16, little endian
    GET  /states                 one byte a frame, see `refiner.annotate.desk.overview`
    GET  /next/KIND?frame=K      the frame to go to: reference, doubt, work, unlabelled, edited
    GET  /pose?frame&source&kind labels to start from
    POST /edits                  {"frame", "labels", "base", "moved", "note", "who", "force"}
    POST /lift                   {"frame", "labels"}: joints, bones and conflicts; changes nothing
    POST /undo, /redo            {"who"}
    POST /checks                 {"frame", "right", "who", "seen"}: found right, as the solve of that name has it

A frame is a number, and no request holds a path: none reaches the file system.
"""

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from refiner.annotate.desk.desk import Desk, Pose
from refiner.annotate.desk.going_on import Kind, next_frame
from refiner.annotate.sessions.labels import FrameLabels
from refiner.errors import LabelConflictError, LabelError, RefinerError
from refiner.web.annotation.as_json import digest_of, frame_as_json, labels_as_json, lift_as_json, setup_of
from refiner.web.annotation.keys import KeyTables

Name = Annotated[str, Field(min_length=1, max_length=80)]
Pixel = Annotated[list[float], Field(min_length=2, max_length=2)]


class LabelsIn(BaseModel):
    """Labels of a frame, one entry a joint."""

    uv: list[Pixel | None]
    flag: list[Literal[0, 1, 2]]
    nearer: list[tuple[int, int]]


class EditIn(BaseModel):
    """A change of a frame."""

    frame: int
    labels: LabelsIn
    base: int | None
    moved: list[int] = []
    note: Annotated[str, Field(max_length=200)] = ""
    who: Name
    force: bool = False


class LiftIn(BaseModel):
    """Labels that are not kept."""

    frame: int
    labels: LabelsIn


class WhoIn(BaseModel):
    """A person."""

    who: Name


class CheckIn(BaseModel):
    """Whether a person found a solved frame right."""

    frame: int
    right: bool
    who: Name
    seen: str | None = None


def add_routes(app: FastAPI, desk: Desk, keys: KeyTables, who: str) -> None:
    """Serve a session.

    Args:
        app: Where to.
        desk: The session.
        keys: Of the persons.
        who: The user of this computer.
    """
    router = APIRouter()
    digest = digest_of(desk)

    @router.get("/setup.json")
    def read_setup() -> dict[str, Any]:
        return setup_of(desk)

    @router.get("/keys.json")
    def read_keys(who: str = who) -> dict[str, Any]:
        hand, table = keys.of(who)
        return {"who": who, "hand": hand, "actions": [vars(one) for one in table]}

    @router.get("/frames/{frame}")
    def read_frame(frame: int) -> dict[str, Any]:
        return frame_as_json(desk, _known(desk, frame))

    @router.get("/depth/{frame}")
    def read_depth(frame: int, of: str = "") -> Response:
        data = np.ascontiguousarray(desk.maps.raw(_known(desk, frame)), dtype="<u2").tobytes()
        # Maps of one digest never change, but another session may be served on this port tomorrow.
        cache = "private, max-age=86400, immutable" if of == digest else "no-store"
        return Response(data, media_type="application/octet-stream", headers={"Cache-Control": cache})

    @router.get("/states")
    def read_states() -> Response:
        return Response(desk.states().tobytes(), media_type="application/octet-stream")

    @router.get("/next/{kind}")
    def read_next(kind: Kind, frame: int) -> dict[str, int | None]:
        return {"frame": next_frame(desk, kind, frame)}

    @router.get("/pose")
    def read_pose(frame: int, source: int, kind: Pose) -> dict[str, Any]:
        return labels_as_json(desk.pose_of(_known(desk, frame), _known(desk, source), kind))

    @router.post("/edits")
    def edit(asked: EditIn) -> dict[str, Any]:
        labels = labels_from(desk, asked.frame, asked.labels)
        shown = desk.edit(labels, asked.base, asked.moved, asked.who, asked.note, force=asked.force)
        kept = None if shown.labels is None else labels_as_json(shown.labels)
        return {
            "edit": shown.edit,
            "who": shown.who,
            "when": shown.when,
            "labels": kept,
            "saved": desk.session.revision,
        }

    @router.post("/lift")
    def lift(asked: LiftIn) -> dict[str, Any]:
        return lift_as_json(desk, labels_from(desk, asked.frame, asked.labels))

    @router.post("/undo")
    def undo(asked: WhoIn) -> dict[str, Any]:
        return _step(desk, desk.session.edits.undo(asked.who))

    @router.post("/redo")
    def redo(asked: WhoIn) -> dict[str, Any]:
        return _step(desk, desk.session.edits.redo(asked.who))

    @router.post("/checks")
    def check(asked: CheckIn) -> dict[str, bool]:
        desk.check(_known(desk, asked.frame), asked.who, right=asked.right, seen=asked.seen)
        return {"right": asked.right}

    app.include_router(router)
    app.add_exception_handler(RefinerError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_request)


def labels_from(desk: Desk, frame: int, labels: LabelsIn) -> FrameLabels:
    """Read what the canvas sent.

    Raises:
        LabelError: It is not of the session's joints.
    """
    joints = len(desk.session.skeleton)
    _known(desk, frame)
    if len(labels.uv) != joints or len(labels.flag) != joints:
        raise LabelError(f"Found {len(labels.uv)} places and {len(labels.flag)} flags, wanted {joints} of each.")
    uv_px = np.array([(np.nan, np.nan) if pixel is None else pixel for pixel in labels.uv], dtype=np.float64)
    if any(pixel is None and flag for pixel, flag in zip(labels.uv, labels.flag, strict=True)):
        raise LabelError("Found a joint without a place that is not absent, wanted a place, or the flag 0.")
    return FrameLabels(frame, uv_px, np.array(labels.flag, dtype=np.int8), tuple((a, b) for a, b in labels.nearer))


def _known(desk: Desk, frame: int) -> int:
    if not 0 <= frame < desk.session.frames:
        raise LabelError(f"Found frame {frame}, wanted 0 to {desk.session.frames - 1}.")
    return frame


def _step(desk: Desk, frames: list[int]) -> dict[str, Any]:
    first = frames[0] if frames else None
    note = desk.session.history(first)[-1].note if first is not None else ""
    return {"frame": first, "frames": len(frames), "note": note, "saved": desk.session.revision}


def _refuse(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return JSONResponse({"error": str(error)}, 409 if isinstance(error, LabelConflictError) else 422)


def _refuse_request(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    assert isinstance(error, RequestValidationError)
    wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:3])
    return JSONResponse({"error": f"The request is not one of this page's: {wrong}."}, 400)
