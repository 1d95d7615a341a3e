"""Claims of OrthoHash: Hoe et al., "One loss for all: deep hashing with a single cosine similarity based learning
objective", NeurIPS 2021, supplement.

The paper trains AlexNet on ImageNet100, NUS-WIDE and MS-COCO; here heads are trained on features of CIFAR-10, so gains
and orders are compared, not absolute mAP. See `_runs.py` for the data.

::

    python examples/reproduce/orthohash.py --list
    python examples/reproduce/orthohash.py                  # all; 10 minutes of CPU time without stored runs
    python examples/reproduce/orthohash.py margin-cos-64    # one claim
"""

import copy
import dataclasses
import warnings

import numpy as np
from _claims import main, registry
from _runs import load, mean, run

from skhash import OrthoHasher
from skhash.centers import bernoulli_centers, hadamard_centers, maxhd_centers, min_distance
from skhash.metrics import mean_average_precision, quantization_error

CLAIMS, claim = registry()
SEEDS = (0, 1)
PAPER = "OrthoHash"
MARGINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
TABLE_2 = {  # mAP@1000 on ImageNet100
    ("cos", 64): (0.698, 0.706, 0.710, 0.712, 0.714, 0.712),
    ("cos", 128): (0.686, 0.706, 0.718, 0.724, 0.726, 0.726),
}
SCALES = (1.0, 2.0, 4.0, "adacos", 8.0, 10.0)
TABLE_3 = {64: (0.706, 0.706, 0.710, 0.713, 0.710, 0.702)}
OTHER_DATA = "CIFAR-10 as features, with 10 classes instead of 100."


@claim(
    "centers-expected",
    PAPER,
    "B, equation 6",
    "Random codes with probability p of +1 differ in 2 K p (1 - p) bits on average",
    published=[32.0, 26.88, 64.0, 53.76],
    unit="bits; K, p = 64, .5; 64, .3; 128, .5; 128, .3",
    rule="within 1 %",
)
def expected_distance(budget):
    rng, means = np.random.RandomState(0), []
    for bits in (64, 128):
        for p in (0.5, 0.3):
            codes = (rng.uniform(size=(2000, bits)) < p) * 2.0 - 1
            pairs = codes @ codes.T
            means.append((bits - pairs[np.triu_indices(2000, 1)].mean()) / 2)
    return means


@claim(
    "quantization-identity",
    PAPER,
    "B, equation 3",
    "With |v| = sqrt(K), the quantization error |v - b|^2 is 2 K (1 - cos)",
    published=0,
    unit="largest relative difference, rounded to 12 digits",
    rule="equal",
)
def quantization_identity(budget):
    v = np.random.RandomState(0).normal(size=(1000, 64))
    v *= 8 / np.linalg.norm(v, axis=1, keepdims=True)
    left = ((v - np.sign(v)) ** 2).sum(axis=1)
    right = np.array([128 * float(quantization_error(row[None])) for row in v])
    return round(float(abs(left / right - 1).max()), 12)


@claim(
    "centers-hadamard",
    PAPER,
    "D.3, figure 1a",
    "If 2 K >= C, rows of a Hadamard matrix and its negative differ in at least K / 2 bits",
    published=[32, 64, 128, 256, 512, 1024],
    unit="bits; C = 100, K = 64 to 2,048",
    rule="equal",
)
def hadamard(budget):
    return [min_distance(hadamard_centers(100, bits)) for bits in (64, 128, 256, 512, 1024, 2048)]


@claim(
    "centers-maxhd",
    PAPER,
    "D.3, figure 1a",
    "MaxHD has a larger minimum distance than random codes at any number of bits",
    published=None,
    unit="bits more; C = 100, K = 16 to 512",
    rule="positive",
    note="At 4 bits, where the figure begins, 100 different codes do not exist.",
)
def maxhd(budget):
    more = []
    for bits in budget.choose((16, 32, 64, 128, 256, 512), (16, 32)):
        of_random = np.mean([min_distance(bernoulli_centers(100, bits, random_state=seed)) for seed in range(20)])
        more.append(min_distance(maxhd_centers(100, bits, random_state=0)) - of_random)
    return more


@claim(
    "centers-million",
    PAPER,
    "D.3, figure 1b",
    "128 bits suffice for a million classes: random codes differ in about 32 bits or more",
    published=32,
    unit="bits; K = 128, C = 1,000,000",
    rule="within 5 %",
)
def million(budget):
    n = budget.choose(1_000_000, 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distance = min_distance(bernoulli_centers(n, 128, random_state=0))
    from scipy.stats import binom

    expected = int(binom.ppf(2 / (n * (n - 1)), 128, 0.5))
    pairs = binom.cdf(31, 128, 0.5) * n * (n - 1) / 2
    return distance, (
        f"Computed exactly over all pairs. Of {n:,} random codes, {pairs:,.0f} pairs are expected to differ in "
        "less than "
        f"32 bits, and the closest in about {expected}. The figure's axis is logarithmic, so that 24 and 32 are close."
    )


@claim(
    "centers-classes",
    PAPER,
    "D.3, figure 1b",
    "The minimum distance of random codes falls slowly with the number of classes",
    published=None,
    unit="bits lost per factor of 10, C = 100 to 1,000,000, K = 128",
    rule="positive",
)
def by_classes(budget):
    sizes = budget.choose((100, 1000, 10_000, 100_000, 1_000_000), (100, 1000, 10_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [min_distance(bernoulli_centers(n, 128, random_state=0)) for n in sizes]
    return -np.diff(found), f"Minimum distances: {', '.join(map(str, found))}."


@claim(
    "centers-256",
    PAPER,
    "D.3",
    "256 bits give many classes a higher minimum distance than 128",
    published=None,
    unit="bits more, C = 100,000",
    rule="positive",
)
def more_bits(budget):
    n = budget.choose(100_000, 10_000)
    wide, narrow = (min_distance(bernoulli_centers(n, bits, random_state=0)) for bits in (256, 128))
    return wide - narrow, f"{wide} instead of {narrow}."


def first_seed(budget):
    """Return the budget with one seed, as in the paper's ablations."""
    return dataclasses.replace(budget, seeds=budget.seeds[:1])


def margin_rows(kind, bits):
    published = [round(100 * (v - TABLE_2[kind, bits][0]), 1) for v in TABLE_2[kind, bits]]

    @claim(
        f"margin-{kind}-{bits}",
        PAPER,
        "table 2",
        f"Margins 0 to 0.5, {kind}, {bits} bits: larger margins do better up to about 0.4",
        published=published,
        unit="points of mAP above margin 0",
        rule="order",
        note=OTHER_DATA,
    )
    def margins(budget):
        chosen = [mean(budget, "map", "OrthoHasher", bits, margin=m, margin_type=kind) for m in MARGINS]
        return [100 * (v - chosen[0]) for v in chosen]


for kind, bits in TABLE_2:
    margin_rows(kind, bits)


@claim(
    "margin-128-bits",
    PAPER,
    "D.1, table 2",
    "128 bits gain on 64 bits by a margin: the gain at margin 0.5 minus that at margin 0",
    published=[2.6],
    unit="points of mAP, cos",
    rule="gain",
    note=OTHER_DATA,
)
def margin_and_length(budget):
    more = [
        mean(budget, "map", "OrthoHasher", 128, margin=m, margin_type="cos")
        - mean(budget, "map", "OrthoHasher", 64, margin=m, margin_type="cos")
        for m in (0.0, 0.5)
    ]
    return [100 * (more[1] - more[0])], f"At margin 0, 128 bits are {100 * more[0]:+.1f} points better than 64."


@claim(
    "margin-types",
    PAPER,
    "D.1",
    "Cosine and angular margins are about equally good",
    published=[-0.1, 0.0],
    unit="points of mAP, 64 bits, margins 0.2 and 0.5",
    rule="near",
    note=OTHER_DATA,
)
def margin_types(budget):
    return [
        100
        * (
            mean(first_seed(budget), "map", "OrthoHasher", 64, margin=m, margin_type="cos")
            - mean(first_seed(budget), "map", "OrthoHasher", 64, margin=m, margin_type="arc")
        )
        for m in (0.2, 0.5)
    ]


def scale_rows(bits):
    @claim(
        f"scale-{bits}",
        PAPER,
        "table 3",
        f"Scales 1, 2, 4, sqrt(2) log(C - 1), 8, 10 at {bits} bits: moderate ones do best",
        published=[round(100 * (v - TABLE_3[bits][0]), 1) for v in TABLE_3[bits]],
        unit="points of mAP above scale 1",
        rule="order",
        note=OTHER_DATA + " There, sqrt(2) log(C - 1) is 3.1.",
    )
    def scales(budget):
        found = [mean(first_seed(budget), "map", "OrthoHasher", bits, margin=0.2, scale=s) for s in SCALES]
        return [100 * (v - found[0]) for v in found]


scale_rows(64)


@claim(
    "scale-adaptive",
    PAPER,
    "D.2, table 3",
    "sqrt(2) log(C - 1) is a better scale than sqrt(K)",
    published=[0.3],
    unit="points of mAP, 64 bits",
    rule="gain",
    note=OTHER_DATA,
)
def adaptive_scale(budget):
    adaptive, root = (
        mean(first_seed(budget), "map", "OrthoHasher", 64, margin=0.2, scale=scale) for scale in ("adacos", 8.0)
    )
    return [100 * (adaptive - root)]


@claim(
    "generators-16",
    PAPER,
    "D.3, table 4",
    "At 16 bits, MaxHD centers are better than random ones",
    published=[1.2],
    unit="points of mAP",
    rule="gain",
    note=OTHER_DATA,
)
def generators_16(budget):
    found = {
        c: mean(first_seed(budget), "map", "OrthoHasher", 16, margin=0.2, centers=c) for c in ("maxhd", "bernoulli")
    }
    return [100 * (found["maxhd"] - found["bernoulli"])]


LOSSES = ("sigmoid", "sigmoid_imbalanced", "softmax")
for name, figures, task, note in (
    ("NUS-WIDE", [79.1, 82.7, 85.0], "pairs",
     "Pictures of two images of CIFAR-10 each. A fifth of the labels are set, so that those that are not set do not "
     "dominate as in the paper's data."),
    ("MS-COCO", [40.0, 71.7, 78.5], "topics",
     "Made-up documents, see `_runs.py`; as in MS-COCO, 80 labels, of which 3 in the mean are set."),
):  # fmt: skip

    @claim(
        f"losses-{name.lower()}",
        PAPER,
        f"table 5, {name}",
        "Losses for several labels: sigmoid, weighted sigmoid, softmax, the last the best",
        published=figures,
        unit="mAP in percent, 64 bits",
        rule="order",
        note=note + " The absolute values cannot be compared.",
    )
    def multilabel_losses(budget, task=task):
        options = {"margin": 0.2, "likelihood_weight": 0.0}  # the paper's rule for several labels
        return [
            100 * mean(budget, "map", "OrthoHasher", 64, task=task, multilabel_loss=loss, **options) for loss in LOSSES
        ]


def shifted(budget, bits, seed):
    """Train on one domain; return mAP there and in another, each before and after recalibration, and differing bits."""
    X, y, query, train, database = load(budget.choose("cifar10", "digits"), seed)
    epochs = {"max_epochs": 2} if budget.quick else {}
    hasher = OrthoHasher(bits, margin=0.2, random_state=seed, **epochs).fit(X[train], y[train])
    found = {}
    for name in ("same", "other"):
        if name == "other":
            X, y, query, _, database = load(budget.choose("pairs", "digits pairs"), seed)
        codes = {"unchanged": [hasher.transform(X[rows]) for rows in (query, database)]}
        for variance in (False, True):
            model = copy.deepcopy(hasher).recalibrate(X[database], variance=variance)
            codes[variance] = [model.transform(X[rows]) for rows in (query, database)]
        before, after = (
            float(mean_average_precision(*codes[key], y[query], y[database], ties="expected"))
            for key in ("unchanged", False)
        )
        differing = sum(int((a != b).sum()) for a, b in zip(codes[False], codes[True], strict=True))
        found[name] = before, after, differing
    return found


def all_shifted(budget, cache={}):  # noqa: B006
    if budget not in cache:
        pairs = [(bits, seed) for bits in (64, 128) for seed in budget.choose(budget.seeds, (0,))]
        cache[budget] = {pair: shifted(budget, *pair) for pair in pairs}
    return cache[budget]


def shift_gain(budget, name):
    """Return gains of recalibration with 64 and 128 bits, and a note."""
    means = [
        np.mean([found[name][:2] for (b, _), found in all_shifted(budget).items() if b == bits], axis=0)
        for bits in (64, 128)
    ]
    return [100 * (after - before) for before, after in means], "; ".join(
        f"{before:.3f} to {after:.3f}" for before, after in means
    ) + "."


SHIFT = "Trained on images of CIFAR-10; the other domain are pictures of two of them on gray, see `_runs.py`."


@claim(
    "shift-variance",
    PAPER,
    "D.5, table 6",
    "The variance of batch normalization changes no bit of a code",
    published=0,
    unit="differing bits of all queries and database codes, both domains, 64 and 128 bits",
    rule="equal",
    note=SHIFT,
)
def shift_variance(budget):
    return sum(differing for found in all_shifted(budget).values() for _, _, differing in found.values())


@claim(
    "shift-other",
    PAPER,
    "table 6, ROxford- and RParis-Hard, 512 bits",
    "New means of batch normalization repair codes in another domain",
    published=[32.3, 44.9],
    unit="points of mAP; here 64 and 128 bits",
    rule="gain",
    note=SHIFT + " Their features shift little.",
)
def shift_other(budget):
    return shift_gain(budget, "other")


@claim(
    "shift-inverted",
    PAPER,
    "table 6, ROxford- and RParis-Hard, 512 bits",
    "The same, where the features are far off",
    published=[32.3, 44.9],
    unit="points of mAP; here 64 and 128 bits",
    rule="gain",
    note="scikit-learn's digits; the other domain are their negatives.",
)
def shift_inverted(budget):
    X, y, query, train, database = load("digits", 0)
    gains, note = [], []
    for bits in (64, 128):
        hasher = OrthoHasher(bits, margin=0.2, random_state=0).fit(X[train], y[train])
        scores = []
        for model in (hasher, copy.deepcopy(hasher).recalibrate(16 - X[database])):
            codes = [model.transform(16 - X[rows]) for rows in (query, database)]
            scores.append(float(mean_average_precision(*codes, y[query], y[database], ties="expected")))
        gains.append(100 * (scores[1] - scores[0]))
        note.append(f"{scores[0]:.3f} to {scores[1]:.3f}")
    return gains, "; ".join(note) + "."


@claim(
    "shift-same",
    PAPER,
    "table 6, GLDv2, 512 bits",
    "New means change nothing in the domain of the training",
    published=[0.1, 0.1],
    unit="points of mAP; here 64 and 128 bits",
    rule="near",
    note=SHIFT,
)
def shift_same(budget):
    return shift_gain(budget, "same")


@claim(
    "separability",
    PAPER,
    "D.7, figure 3",
    "Separability grows from pairs (HashNet) to triplets (DTSH) to points (GreedyHash)",
    published=[13.90, 16.47, 17.34],
    unit="bits between mean distances, 64 bits",
    rule="order",
    note=OTHER_DATA,
)
def separable(budget):
    return [mean(budget, "separability", m, 64) for m in ("HashNetHasher", "DTSHHasher", "GreedyHasher")]


BALANCES = (None, "batch_norm", "bihalf")


@claim(
    "separability-balance",
    PAPER,
    "D.7, figure 3",
    "Separability grows from no balance (CE) to batch normalization to Bi-Half",
    published=None,
    unit="bits gained by each step, 64 bits",
    rule="positive",
    note=OTHER_DATA,
)
def separable_by_balance(budget):
    return np.diff([mean(budget, "separability", "CEHasher", 64, balance=b) for b in BALANCES])


@claim(
    "bit-balance",
    PAPER,
    "D.7",
    "Batch normalization and Bi-Half balance the bits of CE",
    published=None,
    unit="imbalance of CE minus that with batch normalization / Bi-Half",
    rule="positive",
    note=OTHER_DATA,
)
def balance(budget):
    plain, *others = (mean(budget, "balance", "CEHasher", 64, balance=b) for b in BALANCES)
    return [plain - other for other in others], f"Mean |mean bit| of CE is {plain:.3f}."


@claim(
    "quantization-error",
    PAPER,
    "B",
    "One cosine loss also lowers the quantization error: OrthoHash's is below that of CE with batch normalization",
    published=None,
    unit="1 - cos(v, b) of CE + BN minus OrthoHash's, each seed",
    rule="positive",
    note=OTHER_DATA,
)
def quantization(budget):
    pairs = [
        [run(budget, method, 64, seed, **options)["quantization"] for method, options in
         (("CEHasher", {"balance": "batch_norm"}), ("OrthoHasher", {"margin": 0.2}))]
        for seed in budget.choose(budget.seeds, (0,))
    ]  # fmt: skip
    ce, ortho = np.mean(pairs, axis=0)
    return [a - b for a, b in pairs], f"{ce:.3f} and {ortho:.3f}."


@claim(
    "equal-codes",
    PAPER,
    "D.7, figure 3",
    "With predefined targets (DPN, CSQ, OrthoHash) more pairs of a class have equal codes than without",
    published=None,
    unit="smallest share with minus largest without (HashNet, DTSH, GreedyHash)",
    rule="positive",
    note=OTHER_DATA,
)
def equal_codes(budget):
    with_targets, without = (
        {m: mean(budget, "equal_within", m, 64) for m in methods}
        for methods in (("DPNHasher", "CSQHasher", "OrthoHasher"), ("HashNetHasher", "DTSHHasher", "GreedyHasher"))
    )
    shares = ", ".join(f"{m[:-6]} {v:.3f}" for m, v in {**with_targets, **without}.items())
    return min(with_targets.values()) - max(without.values()), f"Shares: {shares}."


def check_all(argv=None):
    """Check the claims that the command line names."""
    return main(CLAIMS, "orthohash.py", argv, seeds=SEEDS)


if __name__ == "__main__":
    check_all()
