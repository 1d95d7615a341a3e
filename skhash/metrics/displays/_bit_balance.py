"""Share of the codes in which each bit is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skhash.metrics.codes._bit_balance import count_ones
from skhash.metrics.codes._code_reading import read_codes
from skhash.metrics.displays._base import COLORS, GUIDE, BaseDisplay, encode_one_side, merge_style, name_of, show_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike, SamplesLike


class BitBalanceDisplay(BaseDisplay):
    """Share of the codes in which each bit is 1, as bars from the balanced half.

    Use `from_estimator` or `from_predictions` to create one. A bit that is the same for most codes carries little
    information; the score in the legend, `bit_balance`, is twice the mean length of the bars.

    Parameters
    ----------
    ones : ndarray of float of shape (bits,)
        Share of the codes in which the bit is 1.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        One bar per bit, from 0.5 to its share.
    balanced_ : matplotlib Line2D
        The line at 0.5.
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    bit_balance : Compute the score in the legend.

    Examples
    --------
    >>> from skhash.metrics import BitBalanceDisplay
    >>> display = BitBalanceDisplay.from_predictions([[1, 1], [0, 1], [1, 1], [0, 0]], name="two bits")
    >>> display.ones
    array([0.5 , 0.75])
    >>> display.bars_.get_label()
    'two bits (bit balance = 0.250)'
    """

    bars_: BarContainer
    balanced_: Line2D

    def __init__(self, ones: NDArray[np.float64], *, name: str | None = None) -> None:
        self.ones = ones
        self.name = name

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        name : str, default=None
            Name in the legend; None uses the Display's own.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.bar`.

        Returns
        -------
        display : BitBalanceDisplay
            This Display.
        """
        name = self._prepare(ax, name)
        from matplotlib.patches import Rectangle

        off = np.asarray(self.ones) - 0.5
        balance = f"bit balance = {2 * np.abs(off).mean():.3f}"
        label = balance if name is None else f"{name} ({balance})"
        style = merge_style({"color": COLORS[0], "label": label}, kwargs, Rectangle)
        self.bars_ = self.ax_.bar(np.arange(len(off)), off, bottom=0.5, **style)
        self.balanced_ = self.ax_.axhline(0.5, **GUIDE)
        self.ax_.set(xlabel="Bit", ylabel="Share of codes in which the bit is 1", ylim=(0, 1))
        self.ax_.set_xlim(-0.75, len(off) - 0.25)
        self.ax_.xaxis.get_major_locator().set_params(integer=True)  # pyright: ignore[reportCallIssue]  a MaxNLocator
        show_legend(self.ax_, loc="upper right")
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: Any = None,
        *,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with a fitted estimator, count the ones, and draw them.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n, ...)
            Samples, in any form that the estimator accepts.
        y : object, default=None
            Not used, present for API consistency by convention.
        name : str, default=None
            Name in the legend; None uses the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : BitBalanceDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        codes, bits = encode_one_side(estimator, X, cls.__name__)
        return cls.from_predictions(codes, bits=bits, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        codes: CodesLike,
        y: Any = None,
        *,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Count the ones of codes, and draw them.

        Parameters
        ----------
        codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Hash codes.
        y : object, default=None
            Not used, present for API consistency by convention.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : BitBalanceDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_predictions")
        packed, bits = read_codes(codes, bits, bitorder)
        return cls(count_ones(packed, bits) / len(packed), name=name).plot(ax, **kwargs)
