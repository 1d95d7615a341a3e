"""The reproduction of the papers' claims: rules, recorded rows and the page agree, and the scripts run."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "reproduce"
SCRIPTS = ("odh", "orthohash", "lbhash", "sdc", "other_data")
# Rows that need neither data nor training, so that a quick run must print the recorded figures.
EXACT = {
    "odh": ["memory", "compute", "memory-m", "no-extra-parameters", "bound", "center-b", "degr", "super", "adapt"],
    "orthohash": ["centers-expected", "quantization-identity", "centers-hadamard"],
    "lbhash": ["centers-reed-solomon", "centers-bch", "centers-hadamard", "centers-auto", "centers-in-order", "kl-8-n"],
    "sdc": ["beta-variance", "beta-quantiles"],
}
QUICK = {
    "odh": ["centers-part"],
    "orthohash": ["centers-maxhd", "centers-million", "margin-128-bits", "scale-adaptive", "losses-nus-wide", "shift",
                  "separability", "bit-balance", "equal-codes", "quantization-error"],
    "lbhash": ["kl-16-blocks", "joint-2-bits", "gain-csq", "bound-epochs", "centers-distance-map", "triangle", "false"],
    "sdc": ["beta-order", "beta-gaussian", "beta-shape", "collapse", "contrastive"],
}  # fmt: skip


@pytest.fixture(scope="module")
def scripts():
    """Return the modules of examples/reproduce, by name."""
    sys.path.insert(0, str(FOLDER))
    before = set(sys.modules)
    found = {name: importlib.import_module(name) for name in ("_claims", "_runs", *SCRIPTS, "make_page")}
    yield found
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(FOLDER.parent)):
            del sys.modules[name]
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def recorded(scripts):
    return {row["id"]: row for row in scripts["_claims"].read()}


def claims(scripts):
    return [(f"{name}.py", claim) for name in SCRIPTS for claim in scripts[name].CLAIMS]


@pytest.mark.parametrize(
    ("rule", "published", "ours", "verdict"),
    [
        ("equal", [4, 10], [4, 10], "reproduced"),
        ("equal", [4, 10], [4, 11], "not reproduced"),
        ("within 5 %", 20, 20.9, "reproduced"),
        ("within 5 %", 20, 22, "same direction"),
        ("within 5 %", 20, 41, "not reproduced"),
        ("within 5 %", 20, -20, "not reproduced"),
        ("within 1 %", [1, 1], [1.005, 1.02], "same direction"),
        ("near", 0.13, -0.8, "reproduced"),
        ("near", 0.13, 1.2, "not reproduced"),
        ("at least", [6, 14], [6, 15], "reproduced"),
        ("at least", [6, 14], [5, 14], "same direction"),
        ("at least", [6, 14], [2, 14], "not reproduced"),
        ("at most", 0.1, 0.1, "reproduced"),
        ("at most", 0.1, 0.2, "same direction"),
        ("at most", 0.1, 0.21, "not reproduced"),
        ("gain", [2.0, 4.0], [1.0, 2.0], "reproduced"),
        ("gain", [2.0, 4.0], [1.0, 1.9], "same direction"),
        ("gain", [2.0, 4.0], [-1.0, 9.0], "same direction"),
        ("gain", [2.0, 4.0], [-2.0, 1.0], "not reproduced"),
        ("gain", -3.0, -2.0, "reproduced"),
        ("order", [1, 2, 3, 4, 5], [2, 3, 4, 6, 5], "reproduced"),
        ("order", [1, 2, 3, 4, 5], [3, 1, 2, 5, 4], "same direction"),
        ("order", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1], "not reproduced"),
        ("order", [1, 2, 3], [1, 1, 1], "not reproduced"),
        ("correlation", None, [0.9, 0.85], "reproduced"),
        ("correlation", 0.87, [0.9, 0.5], "same direction"),
        ("correlation", None, 0.3, "not reproduced"),
        ("positive", None, [0.1, 2], "reproduced"),
        ("positive", None, [-0.1, 2], "same direction"),
        ("positive", None, [0, 0], "not reproduced"),
        ("positive", None, None, "cannot be run here"),
    ],
)
def test_rules(scripts, rule, published, ours, verdict):
    assert scripts["_claims"].verdict(rule, published, ours) == verdict


def test_every_rule_is_tested(scripts):
    assert {mark.args[1][i][0] for mark in test_rules.pytestmark for i in range(len(mark.args[1]))} == set(
        scripts["_claims"].RULES
    )


def test_rank_correlation_is_scipy_s(scripts):
    from scipy.stats import spearmanr

    a, b = np.random.RandomState(0).randint(0, 6, (2, 40))
    assert scripts["_claims"].rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)


def test_every_claim_is_recorded_as_its_script_states_it(scripts, recorded):
    stated = claims(scripts)
    assert sorted(claim.id for _, claim in stated) == sorted(recorded)
    assert len(recorded) >= 25
    for script, claim in stated:
        row = recorded[claim.id]
        for key, value in (("paper", claim.paper), ("place", claim.place), ("claim", claim.text), ("unit", claim.unit),
                           ("published", claim.published), ("rule", claim.rule)):  # fmt: skip
            assert row[key] == value, (claim.id, key)
        assert row["command"] == f"python examples/reproduce/{script} {claim.id}"
        assert row["note"].startswith(claim.note)


def test_verdicts_and_ratios_follow_from_the_figures(scripts, recorded):
    module = scripts["_claims"]
    for row in recorded.values():
        assert row["verdict"] == module.verdict(row["rule"], row["published"], row["ours"]), row["id"]
        assert row["ratio"] == module.ratio(row["rule"], row["published"], row["ours"]), row["id"]


def test_the_page_agrees_with_the_results(scripts, recorded):
    make_page = scripts["make_page"]
    page = make_page.PAGE.read_text()
    assert make_page.filled(page, make_page.blocks(list(recorded.values()))) == page
    for name in recorded:
        assert f"``{name}``" in page
    changed = [{**row, "verdict": "reproduced"} for row in recorded.values()]
    assert make_page.filled(page, make_page.blocks(changed)) != page


def run(scripts, name, ids, *options):
    module = scripts[name]
    return {row["id"]: row for row in module.check_all([*ids, *options])}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EXACT)
def test_figures_without_training_are_those_recorded(scripts, recorded, name):
    rows = run(scripts, name, EXACT[name], "--quick")
    assert len(rows) >= len(EXACT[name])
    for id, row in rows.items():
        assert row["ours"] == pytest.approx(recorded[id]["ours"], rel=1e-3), id
        assert row["verdict"] == recorded[id]["verdict"], id


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", QUICK)
def test_trainings_run_on_digits(scripts, name):
    rows = run(scripts, name, QUICK[name], "--quick")
    assert len(rows) >= len(QUICK[name])
    for id, row in rows.items():
        assert np.isfinite(row["ours"]).all(), id
        assert row["verdict"] in scripts["_claims"].VERDICTS[:3], id


def test_figures_of_stored_runs_are_those_recorded(scripts, recorded, monkeypatch, tmp_path):
    """Everything that was computed from runs.jsonl follows from it again, without data or training."""

    def forbidden(*args, **options):
        raise AssertionError("a run is not stored")

    for module in scripts.values():
        for function in ("load", "make"):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, forbidden)
    derived = {
        "orthohash": [
            *("margin", "scale", "generators", "losses", "separability", "bit-balance", "quantization-e", "equal"),
        ],
        "lbhash": ["gain", "bound", "centers-small", "centers-distance"],
        "sdc": ["beta-order", "beta-gain", "beta-stable", "beta-gaussian", "contrastive"],
    }
    rows = {}
    for name, ids in derived.items():
        rows |= run(scripts, name, ids, "--results", str(tmp_path / "rows.jsonl"))
    assert len(rows) > 25
    for id, row in rows.items():
        assert (row["ours"], row["note"]) == (recorded[id]["ours"], recorded[id]["note"]), id


def test_a_row_replaces_an_earlier_one(scripts, tmp_path):
    module, path = scripts["_claims"], tmp_path / "rows.jsonl"
    for value in (1, 2):
        for id in ("a", "b"):
            module.record({"id": id, "ours": value}, path)
    assert module.read(path) == [{"id": "a", "ours": 2}, {"id": "b", "ours": 2}]


def test_a_new_training_is_stored_once(scripts, tmp_path, monkeypatch):
    module = scripts["_runs"]
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs.jsonl")
    budget = scripts["_claims"].Budget()
    first = module.run(budget, "OrthoHasher", 16, 0, task="digits", max_epochs=1)
    assert module.run(budget, "OrthoHasher", 16, 0, task="digits", max_epochs=1) == first
    module.run(budget, "OrthoHasher", 16, 1, task="digits", max_epochs=1)
    assert [line["seed"] for line in module.stored()] == [0, 1]
    assert 0 < first["map"] < 1


def test_names_of_claims_are_checked(scripts, capsys):
    with pytest.raises(SystemExit):
        scripts["sdc"].check_all(["gamma"])
    assert "no claim begins with ['gamma']" in capsys.readouterr().err


def test_a_whole_name_chooses_one_claim(scripts, capsys):
    for ids, chosen in ((["memory"], ["memory"]), (["memo"], ["memory", "memory-measured"])):
        scripts["odh"].check_all([*ids, "--list"])
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == chosen
