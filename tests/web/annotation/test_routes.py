"""What the canvas asks, over HTTP without a browser; the session is a plate at 700 mm with three joints before it."""

import asyncio
from contextlib import contextmanager

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from labelled_sequence import THREE, write_sequence

from refiner.annotate.desk.desk import Desk
from refiner.annotate.sessions.results import StageResult
from refiner.annotate.sessions.session import Session
from refiner.web.annotation.keys import ACTIONS, KeyTables
from refiner.web.annotation.routes import add_routes

NOTHING = {"uv": [None, None, None], "flag": [0, 0, 0], "nearer": []}


class Client:
    """Sends requests to the application in this process."""

    def __init__(self, app):
        self._app = app

    def __call__(self, method, path, **content):
        async def send():
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **content)

        return asyncio.run(send())

    def get(self, path):
        return self("GET", path)

    def post(self, path, **body):
        return self("POST", path, json=body)


@contextmanager
def served(tmp_path, count=6):
    store = write_sequence(tmp_path / "sequence.zarr", count=count)
    with Session.create(tmp_path / "session", store) as session:
        session.set_bones([np.nan, 50.0, 30.0])
        app = FastAPI()
        add_routes(app, Desk(session), KeyTables(tmp_path / "keys.json"), "anna")
        yield Client(app), session


@pytest.fixture
def page(tmp_path):
    with served(tmp_path) as (client, _):
        yield client


@pytest.fixture
def session_and_page(tmp_path):
    with served(tmp_path) as (client, session):
        yield session, client


def labels(*joints):
    """Labels of joints as (u, v, flag), or None where absent."""
    uv = [None if one is None else list(one[:2]) for one in joints]
    return {"uv": uv, "flag": [0 if one is None else one[2] for one in joints], "nearer": []}


def edit(page, frame, made, base=None, who="anna", moved=(), **more):
    body = {"frame": frame, "labels": made, "base": base, "who": who, "moved": list(moved), "note": "test", **more}
    return page.post("/edits", **body)


def test_the_setup_says_what_is_labelled(page):
    found = page.get("/setup.json").json()
    assert (found["frames"], found["size"], found["joints"], found["parents"]) == (
        6,
        32,
        list(THREE.joints),
        [-1, 0, 1],
    )
    assert set(found["tables"]) == {"greys", "viridis", "cividis", "turbo"}


def test_the_keys_are_served(page):
    found = page.get("/keys.json").json()
    assert (found["who"], found["hand"]) == ("anna", "left")
    assert [one["action"] for one in found["actions"]] == [one.action for one in ACTIONS]


def test_a_map_is_served_as_it_is_stored(session_and_page):
    session, page = session_and_page
    reply = page.get(f"/depth/3?of={session.digest[:16]}")
    np.testing.assert_array_equal(
        np.frombuffer(reply.content, "<u2").reshape(32, 32), session.store.read("depth", 3, 4)[0]
    )
    assert "immutable" in reply.headers["Cache-Control"]
    assert page.get("/depth/3?of=another").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/frames/6", "/frames/-1", "/depth/6", "/pose?frame=0&source=9&kind=labels"])
def test_frames_that_do_not_exist_are_refused(page, path):
    reply = page.get(path)
    assert reply.status_code == 422
    assert "wanted 0 to 5" in reply.json()["error"]


@pytest.mark.parametrize("path", ["/frames/../session", "/depth/%2e%2e%2fetc", "/frames/etc", "/next/etc?frame=0"])
def test_no_path_reaches_the_file_system(page, path):
    assert page.get(path).status_code in (400, 404)


def test_an_edit_is_committed_and_seen(session_and_page):
    session, page = session_and_page
    made = labels((10, 12, 2), None, (20, 9.5, 1))
    answer = edit(page, 2, made).json()
    assert answer["saved"] == session.revision
    assert answer["who"] == "anna"
    shown = page.get("/frames/2").json()
    assert shown["labels"] == made
    assert shown["edit"] == answer["edit"]
    np.testing.assert_array_equal(session.labels(2).flag, [2, 0, 1])


def test_two_people_change_different_joints(page):
    base = edit(page, 0, labels((10, 12, 2), (12, 12, 2), None)).json()["edit"]
    edit(page, 0, labels((11, 12, 2), (12, 12, 2), None), base, who="bob")
    answer = edit(page, 0, labels((10, 12, 2), (12, 15, 2), None), base)
    assert answer.status_code == 200
    assert answer.json()["labels"]["uv"] == [[11, 12], [12, 15], None]


def test_nobody_is_overwritten_unasked(page):
    base = edit(page, 0, labels((10, 12, 2), None, None)).json()["edit"]
    edit(page, 0, labels((11, 12, 2), None, None), base, who="bob")
    mine = labels((10, 20, 2), None, None)
    refused = edit(page, 0, mine, base)
    assert refused.status_code == 409
    assert "moved root" in refused.json()["error"]
    assert "bob" in refused.json()["error"]
    assert page.get("/frames/0").json()["labels"]["uv"][0] == [11, 12]
    assert edit(page, 0, mine, base, force=True).json()["labels"]["uv"][0] == [10, 20]


def test_an_answer_that_was_lost_is_asked_again_without_harm(session_and_page):
    session, page = session_and_page
    made = labels((10, 12, 2), None, None)
    first = edit(page, 1, made).json()
    again = edit(page, 1, made).json()
    assert again["edit"] == first["edit"]
    assert len(session.history(1)) == 1


def test_undo_and_redo_are_of_one_person(page):
    edit(page, 0, labels((10, 12, 2), None, None))
    edit(page, 3, labels((10, 12, 2), None, None), who="bob")
    answer = page.post("/undo", who="anna").json()
    assert (answer["frame"], answer["note"]) == (0, "undo: test")
    assert page.get("/frames/3").json()["labels"] is not None
    assert page.post("/undo", who="anna").json()["frame"] is None
    assert page.post("/redo", who="anna").json()["frame"] == 0


def test_labels_that_make_no_sense_change_nothing(session_and_page):
    session, page = session_and_page
    for made in (
        labels((99, 12, 2), None, None),
        {**NOTHING, "flag": [2, 0, 0]},
        {**NOTHING, "uv": [None]},
        {**labels((1, 1, 2), (2, 2, 2), None), "nearer": [[0, 1], [1, 0]]},
        {**labels((1, 1, 2), (2, 2, 2), None), "nearer": [[0, 7]]},
    ):
        assert edit(page, 0, made).status_code == 422
    for made in ({"uv": 3}, {**NOTHING, "flag": [5, 0, 0]}, None):
        assert edit(page, 0, made).status_code == 400
    assert edit(page, 0, NOTHING, who="").status_code == 400
    assert session.revision == 1  # the bones


def test_a_lift_changes_nothing(session_and_page):
    session, page = session_and_page
    before = session.revision
    answer = page.post("/lift", frame=0, labels=labels((15.5, 15.5, 2), (19.8, 21.2, 2), (19.8, 17.8, 1))).json()
    assert session.revision == before
    joints_mm = np.array(answer["joints_mm"])
    np.testing.assert_allclose(np.linalg.norm(np.diff(joints_mm, axis=0), axis=1), [50, 30], atol=0.05)
    bones = {one["joint"]: one for one in answer["bones"]}
    # 4.3 and 5.7 px at 700 mm and 100 px of focal length, both on the plate.
    assert bones[1]["found_mm"] == pytest.approx(7 * np.hypot(4.3, 5.7), abs=0.1)
    assert (bones[1]["known_mm"], bones[1]["exact"], bones[2]["exact"]) == (50, True, False)


def test_a_bone_that_no_hand_has_is_named(page):
    answer = page.post("/lift", frame=0, labels=labels((1, 1, 2), (30, 30, 2), None)).json()
    assert [one["joint"] for one in answer["bones"] if one["impossible"]] == [1]


def test_a_solved_frame_is_found_right_and_wrong_again(session_and_page):
    session, page = session_and_page
    assert page.post("/checks", frame=1, right=True, who="anna").status_code == 422  # not solved
    joints_mm = np.tile(np.float32([[0, 0, 700], [30, 40, 700], [30, 16, 718]]), (6, 1, 1))
    session.put_result(StageResult("lift", joints_mm, {}, {"revision": session.revision}))
    assert page.post("/checks", frame=1, right=True, who="anna").status_code == 200
    assert page.get("/frames/1").json()["checked"]["who"] == "anna"
    np.testing.assert_array_equal(np.frombuffer(page.get("/states").content, np.uint8), [2, 10, 2, 2, 2, 2])
    page.post("/checks", frame=1, right=False, who="anna")
    assert page.get("/frames/1").json()["checked"] is None


def test_a_pose_to_start_from(session_and_page):
    _, page = session_and_page
    edit(page, 0, labels((10, 12, 2), (12, 12, 1), None))
    assert page.get("/pose?frame=1&source=0&kind=labels").json()["uv"] == [[10, 12], [12, 12], None]
    assert "neither labelled nor solved" in page.get("/pose?frame=1&source=2&kind=labels").json()["error"]


def test_a_damaged_map_is_a_message(tmp_path):
    with served(tmp_path) as (page, session):
        for chunk in (session.store.path / "depth/c").rglob("*"):
            if chunk.is_file():
                chunk.write_bytes(chunk.read_bytes()[:-9])
        reply = page.get("/depth/0")
        assert reply.status_code == 422
        assert "is not whole" in reply.json()["error"]
