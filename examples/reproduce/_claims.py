"""Claims of papers: how a script states one, checks it by a rule, and records the result.

A claim is a function with a decorator. The decorator has what the paper says; the function returns what was measured
here. The verdict follows from both by one of the rules below, never by hand.
"""

import argparse
import json
import platform
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
REPRODUCED, DIRECTION, NOT, UNAVAILABLE = "reproduced", "same direction", "not reproduced", "cannot be run here"
VERDICTS = (REPRODUCED, DIRECTION, NOT, UNAVAILABLE)


def values(x):
    """Return a number or a list of numbers as an array."""
    return np.atleast_1d(np.asarray(x, dtype=float))


def rank_correlation(a, b):
    """Return Spearman's rank correlation, 0 if all values of one side are equal."""
    a, b = rankdata(values(a).ravel().round(9)), rankdata(values(b).ravel().round(9))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


# The rules, by name. Each function gets the paper's figures and ours.
def _equal(published, ours):
    p, o = values(published), values(ours)
    return REPRODUCED if (p == o).all() else NOT


def _within(share):
    def check(published, ours):
        p, o = values(published), values(ours)
        ratio = o / p
        if (abs(ratio - 1) <= share).all():
            return REPRODUCED
        return DIRECTION if ((ratio >= 0.5) & (ratio <= 2)).all() else NOT

    return check


def _near(points):
    def check(published, ours):
        return REPRODUCED if (abs(values(ours) - values(published)) <= points).all() else NOT

    return check


def _at_least(published, ours):
    p, o = values(published), values(ours)
    if (o >= p).all():
        return REPRODUCED
    return DIRECTION if o.mean() >= 0.9 * p.mean() else NOT


def _at_most(published, ours):
    p, o = values(published), values(ours)
    if (o <= p).all():
        return REPRODUCED
    return DIRECTION if o.mean() <= 2 * p.mean() else NOT


def _gain(published, ours):
    p, o = values(published), values(ours)
    if o.mean() * p.mean() <= 0:
        return NOT
    return REPRODUCED if (o * p > 0).all() and o.mean() / p.mean() >= 0.5 else DIRECTION


def _order(published, ours):
    rho = rank_correlation(published, ours)
    return REPRODUCED if rho >= 0.8 else DIRECTION if rho >= 0.4 else NOT


def _positive(published, ours):
    o = values(ours)
    return REPRODUCED if (o > 0).all() else DIRECTION if o.mean() > 0 else NOT


def _correlation(published, ours):
    o = values(ours)
    return REPRODUCED if (o >= 0.8).all() else DIRECTION if o.mean() >= 0.4 else NOT


RULES = {
    "equal": ("Reproduced if all figures are equal.", _equal),
    "within 1 %": (
        "Reproduced if every figure is within 1 % of the paper's; same direction if within a factor of 2.",
        _within(0.01),
    ),
    "within 5 %": (
        "Reproduced if every figure is within 5 % of the paper's; same direction if within a factor of 2.",
        _within(0.05),
    ),
    "near": ("Reproduced if every figure is within 1 point of the paper's.", _near(1.0)),
    "at least": (
        "Reproduced if no figure is below the paper's; same direction if their mean is at least 90 % of the paper's.",
        _at_least,
    ),
    "at most": (
        "Reproduced if no figure is above the paper's; same direction if their mean is at most twice the paper's.",
        _at_most,
    ),
    "gain": (
        "For differences. Reproduced if every figure has the paper's sign and their mean is at least half of the "
        "paper's; same direction if the mean has the paper's sign.",
        _gain,
    ),
    "order": (
        "For a list of settings. Reproduced if Spearman's rank correlation of our figures with the paper's is at least "
        "0.8; same direction from 0.4.",
        _order,
    ),
    "correlation": (
        "For rank correlations. Reproduced if every one is at least 0.8; same direction if their mean is at least 0.4.",
        _correlation,
    ),
    "positive": (
        "For differences whose sign the paper states without figures. Reproduced if all of ours are "
        "above 0; same direction if their mean is.",
        _positive,
    ),
}


@dataclass(frozen=True)
class Claim:
    """What a paper says, where, and the rule that compares it with what `measure` returns."""

    id: str
    paper: str
    place: str
    text: str
    published: object
    unit: str
    rule: str
    measure: object
    note: str


class Unavailable(Exception):
    """Data that a claim needs are not here; the message says which."""


def registry():
    """Return an empty list of claims and the decorator that adds one to it."""
    claims = []

    def claim(id, paper, place, text, *, published, unit, rule, note=""):
        assert rule in RULES, rule
        assert id not in [c.id for c in claims], id

        def add(measure):
            claims.append(Claim(id, paper, place, text, published, unit, rule, measure, note))
            return measure

        return add

    return claims, claim


def rounded(x):
    """Return a number or list of numbers with four significant digits."""
    if isinstance(x, (list, tuple, np.ndarray)):
        return [rounded(v) for v in x]
    return float(f"{float(x):.4g}")


def ratio(rule, published, ours):
    """Return the figure of the column "ratio": ours over the paper's, a rank correlation for "order", or None."""
    if published is None or ours is None:
        return None
    if rule == "order":
        return round(rank_correlation(published, ours), 2)
    p, o = values(published).mean(), values(ours).mean()
    return round(float(o / p), 3) if p else None


def verdict(rule, published, ours):
    """Return the verdict of a rule; without figures of ours, the claim cannot be run here."""
    return UNAVAILABLE if ours is None else RULES[rule][1](published, ours)


def machine():
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return f"{names[0] if names else platform.processor() or platform.machine()}, Python {platform.python_version()}"


def check(claim, budget, command):
    """Measure a claim; return its row."""
    start, note = time.perf_counter(), claim.note
    try:
        ours = claim.measure(budget)
    except Unavailable as error:
        ours, note = None, " ".join(filter(None, [note, str(error)]))
    if isinstance(ours, tuple):
        ours, found = ours
        note = " ".join(filter(None, [note, found]))
    ours = None if ours is None else rounded(ours)
    return {
        "id": claim.id,
        "paper": claim.paper,
        "place": claim.place,
        "claim": claim.text,
        "published": claim.published,
        "ours": ours,
        "ratio": ratio(claim.rule, claim.published, ours),
        "unit": claim.unit,
        "rule": claim.rule,
        "verdict": verdict(claim.rule, claim.published, ours),
        "note": note,
        "command": command,
        "machine": machine(),
        "seconds": round(time.perf_counter() - start, 1),
    }


def read(path=RESULTS):
    """Return the rows of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def record(row, path=RESULTS):
    """Append a row to a file, in place of an earlier row of the same claim."""
    rows = [other for other in read(path) if other["id"] != row["id"]]
    path.write_text("".join(json.dumps(r) + "\n" for r in [*rows, row]))


@dataclass(frozen=True)
class Budget:
    """How much to compute: everything, or seconds on scikit-learn's digits."""

    quick: bool = False
    seeds: tuple = (0, 1)
    data: Path | None = None
    extractor: str = "efficientnet_lite0"

    def choose(self, full, quick):
        """Return the first value, or the second in a quick run."""
        return quick if self.quick else full


def show(figures):
    """Return figures as text."""
    if figures is None:
        return "-"
    if isinstance(figures, (list, tuple)):
        return " / ".join(f"{float(v):g}" for v in figures)
    return f"{float(figures):g}"


def main(claims, script, argv=None, *, seeds=(0,)):
    """Check the claims that the command line names, print their rows and record them."""
    parser = argparse.ArgumentParser(description=f"Check claims: {script}")
    parser.add_argument("ids", nargs="*", help="claims to check, or the beginning of their names; all by default")
    parser.add_argument("--list", action="store_true", help="only print the claims")
    parser.add_argument("--quick", action="store_true", help="seconds on small data, to try the script; not recorded")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--data", type=Path, help="folder of the data sets that are not here")
    parser.add_argument("--extractor", default="efficientnet_lite0", help="network for images, see FeatureExtractor")
    parser.add_argument("--results", type=Path, help="file to record rows in; by default results.jsonl, unless --quick")
    arguments = parser.parse_args(argv)
    ids = {c.id for c in claims}
    chosen = [
        c
        for c in claims
        if not arguments.ids or any(c.id == i or (i not in ids and c.id.startswith(i)) for i in arguments.ids)
    ]
    if not chosen:
        parser.error(f"no claim begins with {arguments.ids}; there are {[c.id for c in claims]}")
    if arguments.list:
        for c in chosen:
            print(f"{c.id:32s} {c.paper}, {c.place}: {c.text}")
        return []
    results = arguments.results or (None if arguments.quick else RESULTS)
    budget = Budget(arguments.quick, tuple(arguments.seeds), arguments.data, arguments.extractor)
    rows = []
    for c in chosen:
        row = check(c, budget, f"python examples/reproduce/{script} {shlex.quote(c.id)}")
        rows.append(row)
        print(
            f"{row['id']:32s} paper {show(row['published'])} | here {show(row['ours'])} {row['unit']} | "
            f"ratio {show(row['ratio'])} | {row['verdict']} ({row['seconds']:.0f} s) {row['note']}",
            flush=True,
        )
        if results is not None:
            record(row, results)
    return rows


if __name__ == "__main__":
    sys.exit("Run odh.py, orthohash.py, lbhash.py, sdc.py or other_data.py.")
