"""Adapter for scikit-learn's callbacks, which are experimental and exist from 1.9 on.

All use of that interface is in this file. Without it the mixin is empty, the decorator does nothing and no task ever
requests to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

if TYPE_CHECKING:
    # What both branches below offer. scikit-learn's decorator is not typed and would hide the signature of `fit`.
    class CallbackSupport:
        """scikit-learn's mixin, or an empty one."""

    def with_callbacks(method: Method) -> Method:
        """Return a method that calls callbacks, or the method."""
        ...

else:
    try:
        from sklearn.callback import CallbackSupportMixin as CallbackSupport
        from sklearn.callback import with_callbacks
    except ImportError:  # scikit-learn < 1.9

        class CallbackSupport:
            """Empty replacement of scikit-learn's mixin."""

        def with_callbacks(method):
            """Return the method, in place of scikit-learn's decorator."""
            return method


class FitTask:
    """The task "fit" with one subtask per epoch, as scikit-learn's callbacks see it.

    Parameters
    ----------
    estimator : object
        Estimator that is being fitted.
    X, y : object
        Its training data, as passed by the user.
    max_epochs : int
        Number of planned epochs.
    fitted_state : callable
        Returns the attributes that make a copy of the estimator a fitted one.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, max_epochs: int, fitted_state: Callable[[], dict[str, Any]]
    ) -> None:
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": {}}
        self._fitted_state = fitted_state
        self._context: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._context = estimator._init_callback_context(max_subtasks=max_epochs)
            self._context.call_on_fit_task_begin(**self._arguments)
        self._epoch: Any = None

    def begin_epoch(self) -> None:
        """Notify the callbacks that an epoch begins."""
        if self._context is not None:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._arguments)

    def end_epoch(self) -> bool:
        """Notify the callbacks that the epoch has ended; return True if one of them requests to stop the training."""
        if self._epoch is None:
            return False
        return self._epoch.call_on_fit_task_end(**self._arguments, reconstruction_attributes=self._fitted_state)

    def end(self) -> None:
        """Notify the callbacks that `fit` has ended."""
        if self._context is not None:
            self._context.call_on_fit_task_end(**self._arguments, reconstruction_attributes=self._fitted_state)
