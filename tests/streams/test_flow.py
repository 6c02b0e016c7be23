"""Board, Pipe, Stage under real threads: fair, bounded, counted, and nothing waits for ever."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.types import Stamp
from streams.flow import Board, Pipe, Stage
from streams.frame import Frame

LONG_S = 20.0  # a deadline for threads that are expected at once
GO = threading.Event()  # never set


def frame(camera_id: str, index: int = 0) -> Frame:
    stamp = Stamp(camera_id, 0, index, index / 10, datetime(2026, 3, 1, tzinfo=UTC), 16, 16)
    return Frame(stamp, av.VideoFrame(16, 16, "gray"))


def names(frames: list[Frame]) -> list[tuple[str, int]]:
    return [(f.stamp.camera_id, f.stamp.index) for f in frames]


def board_of(*cameras: str, lossless: bool = False) -> Board:
    board = Board(lossless)
    for camera in cameras:
        board.join(camera)
    return board


def ended(name: str, error: BaseException) -> None:
    """For stages that are not expected to die."""
    pytest.fail(f"{name} died: {error!r}")


def test_the_newest_picture_wins_and_the_dropped_are_counted() -> None:
    """A live board holds one picture per camera, the newest (ING-08)."""
    board = board_of("a", "b")
    for i in range(5):
        assert board.put(frame("a", i), GO)
    board.put(frame("b"), GO)
    assert names(board.take(8, 0)) == [("a", 4), ("b", 0)]
    assert board.dropped == {"a": 4}


def test_the_longest_waiting_camera_is_first() -> None:
    """A camera that floods the board does not overtake one that waits."""
    board = board_of("a", "b", "c")
    for camera in "abc":
        board.put(frame(camera), GO)
    for i in range(9):
        board.put(frame("c", i), GO)
    assert names(board.take(1, 0)) == [("a", 0)]
    board.put(frame("a", 1), GO)
    assert names(board.take(2, 0)) == [("b", 0), ("c", 8)]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60), st.integers(1, 4))
def test_pictures_are_taken_or_dropped_and_never_both(steps: list[tuple[str, bool]], size: int) -> None:
    """Whatever the order of puts and takes: put = taken + dropped + waiting, and the index only grows."""
    board = board_of(*"abcd")
    n_put, taken = 0, []
    for camera, takes in steps:
        board.put(frame(camera, n_put), GO)
        n_put += 1
        if takes:
            batch = names(board.take(size, 0))
            assert len({c for c, _ in batch}) == len(batch) <= size
            taken += batch
    rest = names(board.take(8, 0))
    assert len(taken) + len(rest) + sum(board.dropped.values()) == n_put
    for camera in "abcd":
        order = [i for c, i in taken + rest if c == camera]
        assert order == sorted(order)


def test_a_lossless_board_keeps_every_picture_in_order() -> None:
    """`put` waits until its picture's place is free."""
    board = board_of("a", "b", lossless=True)

    def put_all(camera: str) -> None:
        for i in range(50):
            assert board.put(frame(camera, i), GO)
        board.leave(camera)

    threads = [threading.Thread(target=put_all, args=(c,)) for c in "ab"]
    for thread in threads:
        thread.start()
    taken = []
    while not board.done:
        taken += names(board.take(8, LONG_S))
    for thread in threads:
        thread.join(LONG_S)
    assert sorted(taken) == [(c, i) for c in "ab" for i in range(50)]
    assert [i for c, i in taken if c == "a"] == list(range(50))
    assert board.dropped == {}


def test_one_camera_may_be_lossless_among_others() -> None:
    """A camera that joined so is waited for; the others' pictures are still overtaken."""
    board = board_of("live")
    board.join("file", lossless=True)
    stop = threading.Event()
    for camera in ("live", "file"):
        board.put(frame(camera, 0), stop)
    board.put(frame("live", 1), stop)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(board.put(frame("file", 1), stop)))
    thread.start()
    assert names(board.take(8, LONG_S)) == [("live", 1), ("file", 0)]
    thread.join(LONG_S)
    assert said == [True]
    assert board.dropped == {"live": 1}


def test_a_waiting_put_ends_with_its_stop_or_the_board() -> None:
    """A lossless `put` that nobody takes from returns False once stopped, or once the board is closed."""
    for end in ("stop", "close"):
        board, stop, said = board_of("a", lossless=True), threading.Event(), []
        board.put(frame("a"), stop)
        thread = threading.Thread(
            target=lambda board=board, stop=stop, said=said: said.append(board.put(frame("a", 1), stop))
        )
        thread.start()
        stop.set() if end == "stop" else board.close()
        thread.join(LONG_S)
        assert said == [False]
        assert board.closed == (end == "close")


def test_an_offer_never_waits() -> None:
    """Taken while there is room; refused when there is none, and by a closed pipe."""
    pipe: Pipe[int] = Pipe(1)
    assert pipe.offer(1)
    assert pipe.full
    assert not pipe.offer(2)
    assert pipe.get(0) == 1
    pipe.close()
    assert not pipe.offer(3)
    assert pipe.done


def test_a_board_is_done_when_its_cameras_have_left_and_all_is_taken() -> None:
    """`done` needs both; `take` then returns at once."""
    board = board_of("a")
    assert board.take(8, 0) == []
    assert not board.done
    board.put(frame("a"), GO)
    board.leave("a")
    assert not board.done
    assert len(board.take(8, LONG_S)) == 1
    assert board.done
    assert board.take(8, LONG_S) == []


def test_a_take_wakes_for_a_picture_and_for_the_end() -> None:
    """A waiting `take` returns when something comes, not at its time limit."""
    board, got = board_of("a"), []
    thread = threading.Thread(target=lambda: got.extend([board.take(8, LONG_S), board.take(8, LONG_S)]))
    thread.start()
    board.put(frame("a"), GO)
    board.leave("a")
    thread.join(LONG_S / 2)
    assert [len(batch) for batch in got] == [1, 0]


def test_a_pipe_is_bounded_and_keeps_order() -> None:
    """A pipe never holds more than its size, and gives what it was given."""
    pipe: Pipe[int] = Pipe(3)
    most = []

    def put_all() -> None:
        for i in range(100):
            assert pipe.put(i, GO)
            most.append(len(pipe))
        pipe.close()

    thread = threading.Thread(target=put_all)
    thread.start()
    got = []
    while (item := pipe.get(LONG_S)) is not None:
        got.append(item)
    thread.join(LONG_S)
    assert got == list(range(100))
    assert max(most) <= 3
    assert pipe.done


def test_a_closed_pipe_can_be_emptied_and_not_filled() -> None:
    """Closing loses nothing that is inside."""
    pipe: Pipe[int] = Pipe(2)
    pipe.put(1, GO)
    pipe.close()
    assert pipe.closed
    assert not pipe.done
    assert not pipe.put(2, GO)
    assert pipe.get(LONG_S) == 1
    assert pipe.get(LONG_S) is None
    assert pipe.done
    with pytest.raises(ValueError, match="at least 1"):
        Pipe[int](0)


def test_a_full_pipe_lets_go_of_a_stopped_putter() -> None:
    """A `put` into a full pipe ends with its stop."""
    pipe: Pipe[int] = Pipe(1)
    stop = threading.Event()
    pipe.put(1, stop)
    stage = Stage("putter", lambda stop: (pipe.put(2, stop), None)[1], on_death=ended)
    stage.start()
    assert stage.stop(LONG_S)
    assert pipe.get(0) == 1
    assert pipe.get(0) is None


def test_a_dead_stage_closes_its_ends_and_is_reported() -> None:
    """An exception is kept, both ends are closed, and the owner is told, so that it can end the process."""
    board, pipe = board_of("a"), Pipe[int](1)
    told: list[tuple[str, BaseException]] = []
    dead = threading.Event()

    def die(stop: threading.Event) -> None:
        raise ZeroDivisionError("a fault")

    def note(name: str, error: BaseException) -> None:
        told.append((name, error))
        dead.set()

    stage = Stage("bad", die, ends=(board, pipe), on_death=note)
    stage.start()
    assert dead.wait(LONG_S)
    assert board.closed
    assert pipe.closed
    assert told == [("bad", stage.failed)]
    assert isinstance(stage.failed, ZeroDivisionError)
    assert stage.wait(LONG_S)


def test_a_stage_that_ends_well_closes_its_ends_too() -> None:
    """The next stage sees that nothing more comes."""
    pipe: Pipe[int] = Pipe(1)
    stage = Stage("good", lambda stop: None, ends=(pipe,), on_death=ended)
    stage.start()
    assert stage.wait(LONG_S)
    assert pipe.done
    assert stage.failed is None


def test_a_stage_that_does_not_listen_is_abandoned() -> None:
    """`stop` says within its limit whether the stage has ended."""
    release = threading.Event()
    stage = Stage("deaf", lambda stop: (release.wait(LONG_S), None)[1], on_death=ended)
    assert stage.wait(0)  # not started: nothing to wait for
    stage.start()
    assert stage.running
    assert not stage.stop(0.01)
    release.set()
    assert stage.wait(LONG_S)
    assert not stage.running


def test_a_board_keeps_nothing_of_a_camera_that_is_forgotten() -> None:
    """Its waiting picture, its drops and its patience are gone; another one may join under its id."""
    board, stop = Board(), threading.Event()
    board.join("a", lossless=True)
    board.join("b")
    board.put(frame("a", 1), stop)
    for n in (1, 2):
        board.put(frame("b", n), stop)
    assert board.dropped == {"b": 1}
    board.forget("a")
    board.forget("b")
    assert board.dropped == {}
    assert board.done
    board.join("a")
    for n in (1, 2):
        assert board.put(frame("a", n), stop)
    assert board.dropped == {"a": 1}
