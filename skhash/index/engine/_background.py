"""One thread that builds tables while searches go on, for all indexes of the process.

A build is divided into steps: a table, or a kernel that is compiled. Between two steps the thread gives up if nobody
searches the codes any longer, or if the process ends. It is no daemon, because a thread that compiles while the
interpreter is torn down may crash it: the process waits for it, but for one step at most.

A process is not forked within a step: the child would inherit the compiler's lock, and nobody to release it.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from threading import Event, Lock, RLock, Thread, main_thread
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

if TYPE_CHECKING:
    from skhash.index.engine._segment import Segment

__all__ = ["Build", "finish"]

_LONGEST_STEP = 60.0  # s that a fork waits for
Result = TypeVar("Result")


def finish(steps: Generator[None, None, Result]) -> Result:
    """Take all steps at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class Build:
    """The building of a segment's tables in the background, from when it is asked for.

    The segment is not kept alive. Its tables appear in it at once, when they are complete.

    Parameters
    ----------
    segment : Segment
        The segment.
    """

    def __init__(self, segment: Segment) -> None:
        self._segment = ref(segment)
        self._ended = Event()
        self._process = os.getpid()
        _thread.run(self)

    @property
    def is_running(self) -> bool:
        """Whether it waits or runs: False in a forked process, where there is no thread to run it."""
        return not self._ended.is_set() and self._process == os.getpid()

    def wait(self) -> None:
        """Wait for its end."""
        if self.is_running:
            self._ended.wait()

    def give_up(self) -> None:
        """End without tables."""
        self._ended.set()

    def run(self) -> None:
        """Build the tables, in this thread, unless nobody needs them."""
        try:
            segment = self._segment()
            if segment is None:
                return
            steps = segment.build_steps()
            del segment
            while self._take_step(steps):
                pass
        finally:
            self._ended.set()

    def _take_step(self, steps: Generator[None, None, Any]) -> bool:
        """Take a step; return whether there are more."""
        try:
            with _thread.step:
                if self._segment() is None or not main_thread().is_alive():
                    return False
                next(steps)
        except StopIteration as end:
            segment = self._segment()
            if segment is not None:
                segment.publish(*end.value)
            return False
        except Exception as error:
            segment = self._segment()
            if segment is not None:
                segment.build_failed = True  # there is no second attempt
            message = (
                f"Tables could not be built in the background, so codes are scanned: {type(error).__name__}: {error}"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=2)
            return False
        return True


class _BuilderThread:
    """The thread, which lives while there is something to build."""

    def __init__(self) -> None:
        self.step = RLock()  # held within a step, and while the process is forked
        self._holds = False
        self.forget()

    def run(self, build: Build) -> None:
        """Run a build after those that wait."""
        with self._lock:
            self._waiting.append(build)
            if self._is_alive:
                return
            self._is_alive = True
        try:
            Thread(target=self._run, name="skhash-tables").start()
        except RuntimeError:  # the process ends, or may not start threads: nothing is built
            for waiting in (build, *self._waiting):
                waiting.give_up()
            self.forget()

    def _run(self) -> None:
        """Run builds until there are no more."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_alive = False
                    return
                build = self._waiting.popleft()
            with suppress(RuntimeWarning):  # a warning that the user made an error
                build.run()

    def before_fork(self) -> None:
        """Wait for the end of a step."""
        self._holds = self.step.acquire(timeout=_LONGEST_STEP)

    def after_fork(self) -> None:
        """Let the thread go on."""
        if self._holds:
            self._holds = False
            self.step.release()

    def forget(self) -> None:
        """Begin anew in a forked process, which has no such thread."""
        self._lock, self._waiting, self._is_alive = Lock(), deque[Build](), False

    def after_fork_in_child(self) -> None:
        """Begin anew, with the lock released."""
        self.step, self._holds = RLock(), False
        self.forget()


_thread = _BuilderThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_thread.before_fork,
        after_in_parent=_thread.after_fork,
        after_in_child=_thread.after_fork_in_child,
    )
