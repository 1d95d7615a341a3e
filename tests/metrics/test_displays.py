"""The contract that all Displays keep."""

import inspect
import io
import pickle
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skhash import HammingIndex, LSHHasher, PCAHasher, metrics

pyplot = pytest.importorskip("matplotlib.pyplot")
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.text import Text  # noqa: E402

RETRIEVAL, CODES, IMAGES, SETTINGS = "retrieval", "codes", "images", "settings"

# Constructor arguments of each Display, and options of both class methods.
CASES = {
    "BitBalanceDisplay": (CODES, {}),
    "CodeEmbeddingDisplay": (CODES, {"random_state": 0, "n_max": 50, "perplexity": 5}),
    "DistanceHistogramDisplay": (CODES, {}),
    "MapAgainstLowerBoundDisplay": (SETTINGS, {"percentile": 70}),
    "PrecisionAtKDisplay": (RETRIEVAL, {"max_k": 30, "ties": "expected"}),
    "RetrievalPrecisionRecallDisplay": (RETRIEVAL, {"by": "radius", "empty_ball": "skip"}),
    "RetrievedImagesDisplay": (IMAGES, {"rows": [3, 0], "n_neighbors": 4}),
}
OF_TRAINING = "TrainingHistoryDisplay"  # made of a hasher's history and not of codes: it has tests of its own
DISPLAYS = [name for name in metrics.__all__ if name.endswith("Display") and name != OF_TRAINING]
SEARCHING = [name for name in DISPLAYS if name in CASES and CASES[name][0] != CODES]

each_display = pytest.mark.parametrize("name", DISPLAYS)
each_searching_display = pytest.mark.parametrize("name", SEARCHING)


@pytest.fixture(autouse=True)
def _clean_up():
    with threadpool_limits(1):  # t-SNE's threads wait for each other for seconds on a busy machine
        yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def data(digits):
    """Queries and a database, two fitted hashers, and the codes of one."""
    hashers = {"long": LSHHasher(bits=16, random_state=0), "short": LSHHasher(bits=6, random_state=0)}
    for hasher in hashers.values():
        hasher.fit(digits.X[:200])
    return SimpleNamespace(
        hashers=hashers,
        X=digits.X[:40],
        y=digits.y[:40],
        images=digits.images[:40],
        X_database=digits.X[40:200],
        y_database=digits.y[40:200],
        images_database=digits.images[40:200],
    )


def from_predictions(name, data, /, **options):
    """Make a Display from the codes of `data`."""
    kind, own = CASES[name]
    codes = {key: (hasher.transform(data.X), hasher.transform(data.X_database)) for key, hasher in data.hashers.items()}
    if kind == CODES:
        args = codes["long"][1], data.y_database
    elif kind == SETTINGS:
        args = *({key: both[side] for key, both in codes.items()} for side in (0, 1)), data.y, data.y_database
    else:
        args = *codes["long"], data.y, data.y_database
    if kind == IMAGES:
        options = {"query_images": data.images, "database_images": data.images_database, **options}
    return getattr(metrics, name).from_predictions(*args, **{**own, **options})


def from_estimator(name, data, wrap=lambda hasher: hasher, /, **options):
    """Make the same Display from estimators."""
    kind, own = CASES[name]
    wrapped = {key: wrap(hasher) for key, hasher in data.hashers.items()}
    estimator = wrapped if kind == SETTINGS else wrapped["long"]
    if kind == CODES:
        args = data.X_database, data.y_database
    else:
        args = data.X, data.y, data.X_database, data.y_database
    if kind == IMAGES:
        options = {"images": data.images, "database_images": data.images_database, **options}
    return getattr(metrics, name).from_estimator(estimator, *args, **{**own, **options})


def state(display):
    """Return what a Display stores."""
    return {key: value for key, value in vars(display).items() if not key.endswith("_")}


def assert_same_state(first, second, but=()):
    first, second = state(first), state(second)
    assert first.keys() == second.keys()
    for key in first.keys() - set(but):
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(Text))


def alphas(figure):
    return {artist.get_alpha() for artist in figure.findobj()}


def new_axes():
    """Axes of a figure that is unknown to pyplot."""
    return Figure().subplots()


def test_every_display_has_a_case():
    assert set(CASES) == set(DISPLAYS)


@each_display
def test_the_constructor_stores_arrays_as_they_are(name, data):
    stored = state(from_predictions(name, data, name="codes"))
    display_class = getattr(metrics, name)
    assert list(stored) == list(inspect.signature(display_class).parameters)
    assert all(isinstance(value, (np.ndarray, str, float, type(None))) for value in stored.values())
    assert any(isinstance(value, np.ndarray) for value in stored.values())
    made = vars(display_class(**stored))
    assert made.keys() == stored.keys()
    assert all(made[key] is stored[key] for key in stored)


@each_display
def test_signatures(name):
    display_class = getattr(metrics, name)
    kinds = inspect.Parameter
    for method in (display_class.plot, display_class.from_estimator, display_class.from_predictions):
        parameters = inspect.signature(method).parameters
        assert list(parameters)[-1] == "kwargs"
        assert {"ax", "name"} <= set(parameters)
        assert parameters["ax"].default is None
        assert parameters["name"].kind is kinds.KEYWORD_ONLY
    assert next(iter(inspect.signature(display_class).parameters.values())).kind is kinds.POSITIONAL_OR_KEYWORD


@each_display
def test_plot_draws_on_the_axes_given_and_leaves_pyplot_alone(name, data):
    display = from_predictions(name, data)
    pyplot.close("all")
    mine = pyplot.figure()
    ax = new_axes()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    for make in (from_predictions, from_estimator):
        assert make(name, data, ax=ax).ax_ is ax
    assert pyplot.get_fignums() == [mine.number]
    assert pyplot.gcf() is mine
    assert not mine.axes


@each_display
def test_plot_draws_on_axes_of_a_subfigure(name, data):
    subfigure = Figure(layout="constrained").subfigures(1, 2)[1]
    display = from_predictions(name, data, ax=subfigure.subplots())
    assert display.figure_ is subfigure
    display.figure_.figure.savefig(io.BytesIO())


@each_display
def test_plot_makes_a_figure_of_its_own_otherwise(name, data):
    display = from_predictions(name, data)
    first = display.figure_
    assert display.plot() is display
    assert display.figure_ is not first
    assert display.ax_.figure is display.figure_
    assert len(pyplot.get_fignums()) == 2


@each_display
def test_the_name_appears(name, data):
    display = from_predictions(name, data, name="some codes", ax=new_axes())
    assert display.name == "some codes"
    assert "some codes" in texts(display.figure_)
    display.plot(new_axes(), name="others")
    assert "others" in texts(display.figure_)
    assert "some codes" not in texts(display.figure_)
    assert display.name == "some codes"
    nameless = from_predictions(name, data, ax=new_axes())
    assert nameless.name is None
    assert "None" not in texts(nameless.figure_)


@each_display
def test_keywords_reach_an_artist(name, data):
    display = from_predictions(name, data, ax=new_axes())
    assert 0.37 not in alphas(display.figure_)
    assert 0.37 in alphas(display.plot(new_axes(), alpha=0.37).figure_)
    for make in (from_predictions, from_estimator):
        assert 0.37 in alphas(make(name, data, ax=new_axes(), alpha=0.37).figure_)
    with pytest.raises((AttributeError, TypeError), match="rhubarb"):
        display.plot(new_axes(), rhubarb=1)


@each_display
def test_from_estimator_is_from_predictions(name, data):
    made = from_estimator(name, data, ax=new_axes())
    assert_same_state(made, from_predictions(name, data, ax=new_axes()), but=["name"])
    assert made.name == (None if CASES[name][0] == SETTINGS else "LSHHasher")
    assert from_estimator(name, data, name="mine", ax=new_axes()).name == "mine"


@each_display
def test_pipelines_and_searches(name, data):
    def fit_with_scaler(hasher):
        return make_pipeline(StandardScaler(with_std=False), clone(hasher)).fit(data.X_database)

    def fit_search(hasher):
        return GridSearchCV(PCAHasher(), {"bits": [hasher.bits]}, scoring=lambda *_: 0.0, cv=2).fit(data.X_database)

    scaled = from_estimator(name, data, fit_with_scaler, ax=new_axes())
    searched = from_estimator(name, data, fit_search, ax=new_axes())
    scaled_hashers = {key: fit_with_scaler(hasher) for key, hasher in data.hashers.items()}
    searched_hashers = {key: fit_search(hasher).best_estimator_ for key, hasher in data.hashers.items()}
    for display, hashers in ((scaled, scaled_hashers), (searched, searched_hashers)):
        same = from_predictions(name, SimpleNamespace(**{**vars(data), "hashers": hashers}), ax=new_axes())
        assert_same_state(display, same, but=["name"])


@each_searching_display
def test_an_index_at_the_end_is_what_is_searched(name, data):
    indexed = {
        key: make_pipeline(hasher, HammingIndex()).fit(data.X_database, data.y_database)
        for key, hasher in data.hashers.items()
    }
    kind, own = CASES[name]
    images = {"images": data.images, "database_images": data.images_database} if kind == IMAGES else {}
    estimator = indexed if kind == SETTINGS else indexed["long"]
    made = getattr(metrics, name).from_estimator(estimator, data.X, data.y, ax=new_axes(), **own, **images)
    assert_same_state(made, from_predictions(name, data, ax=new_axes()), but=["name"])


@each_searching_display
def test_without_a_database_each_query_is_left_out_of_its_own_ranking(name, data):
    kind, own = CASES[name]
    hashers = data.hashers
    codes = {key: hasher.transform(data.X) for key, hasher in hashers.items()}
    codes, estimator = (codes, hashers) if kind == SETTINGS else (codes["long"], hashers["long"])
    images = {"images": data.images} if kind == IMAGES else {}
    both_images = {"query_images": data.images, "database_images": data.images} if kind == IMAGES else {}
    display_class = getattr(metrics, name)
    made = display_class.from_estimator(estimator, data.X, data.y, ax=new_axes(), **own, **images)
    same = display_class.from_predictions(
        codes, codes, data.y, data.y, exclude_self=True, ax=new_axes(), **own, **both_images
    )
    assert_same_state(made, same, but=["name"])


@each_searching_display
def test_a_database_needs_its_labels(name, data):
    kind, own = CASES[name]
    estimator = data.hashers if kind == SETTINGS else data.hashers["long"]
    images = {"images": data.images} if kind == IMAGES else {}
    make = getattr(metrics, name).from_estimator
    with pytest.raises(ValueError, match=f"{name} requires both y and y_database or neither"):
        make(estimator, data.X, data.y, data.X_database, **own, **images)
    with pytest.raises(ValueError, match="requires X_database with y_database"):
        make(estimator, data.X, data.y, y_database=data.y, **own, **images)
    index = HammingIndex().fit(data.hashers["long"].transform(data.X_database))
    pipeline = make_pipeline(data.hashers["long"], index)
    with pytest.raises(ValueError, match="requires an index with labels: fit the index with y"):
        make([pipeline] if kind == SETTINGS else pipeline, data.X, data.y, **own, **images)


@each_display
def test_estimators_must_be_fitted_and_give_codes(name, data):
    with pytest.raises(NotFittedError):
        from_estimator(name, data, clone)
    with pytest.raises(NotFittedError):
        from_estimator(name, data, lambda hasher: make_pipeline(StandardScaler(), clone(hasher)))
    with pytest.raises(TypeError, match=f"{name} requires an estimator with transform"):
        from_estimator(name, data, lambda _: DummyClassifier().fit(data.X, data.y))
    assert not pyplot.get_fignums()


@each_display
def test_a_display_is_pickled_as_its_arrays(name, data):
    display = from_predictions(name, data, name="codes")
    again = pickle.loads(pickle.dumps(display))
    assert_same_state(display, again)
    assert not [key for key in vars(again) if key.endswith("_")]
    assert len(pyplot.get_fignums()) == 1
    again.plot(new_axes())
    assert texts(again.figure_) == texts(display.figure_)


@each_display
def test_the_picture_can_be_written(name, data):
    picture = io.BytesIO()
    from_predictions(name, data, name="codes").figure_.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")


@each_display
def test_axes_say_what_they_show(name, data):
    ax = from_predictions(name, data, ax=new_axes()).ax_
    if name == "RetrievedImagesDisplay":
        assert "Hamming distance (bits)" in texts(ax.figure)
    else:
        assert ax.get_xlabel()
    if name == "DistanceHistogramDisplay":
        assert ax.get_xlabel() == "Hamming distance (bits)"


@each_display
def test_without_matplotlib_the_extra_is_named(name, data, monkeypatch):
    display = from_predictions(name, data, ax=new_axes())
    for module in [module for module in sys.modules if module.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    display_class = getattr(metrics, name)
    with pytest.raises(ImportError, match=rf"{name}\.plot needs matplotlib.*'scikit-hash\[plot\]'"):
        display.plot()
    # Before anything is read or computed.
    with pytest.raises(ImportError, match=rf"{name}\.from_estimator needs matplotlib"):
        display_class.from_estimator(None, None, None)
    options = dict.fromkeys(["query_images", "database_images"]) if CASES[name][0] == IMAGES else {}
    with pytest.raises(ImportError, match=rf"{name}\.from_predictions needs matplotlib"):
        display_class.from_predictions(*[None] * (2 if CASES[name][0] == CODES else 4), **options)


def test_importing_displays_does_not_import_matplotlib():
    code = f"import sys; from skhash.metrics import {', '.join(DISPLAYS)}; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
