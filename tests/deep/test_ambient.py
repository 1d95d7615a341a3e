"""Tests that torch's ambient state neither changes what `fit` trains nor is changed by it."""

import contextlib
import threading

import numpy as np
import pytest
import torch

from skhash import HashNetHasher, LowerBoundHasher, OneBitDeepHasher, OrthoHasher
from skhash.deep._ambient import isolated_training


@contextlib.contextmanager
def default_float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


AMBIENT = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": default_float64,
}

HASHERS = {
    "features": lambda: OrthoHasher(bits=16, max_epochs=2, random_state=0),
    "images": lambda: OrthoHasher(bits=16, max_epochs=1, backbone="small_cnn", random_state=0),
    "bfloat16": lambda: OrthoHasher(bits=16, max_epochs=1, batch_size=20, precision="bfloat16", random_state=0),
    "lower_bound": lambda: LowerBoundHasher(HashNetHasher(bits=16, max_epochs=2, random_state=0)),
    "one_bit": lambda: OneBitDeepHasher(bits=16, max_epochs=2, warm_up_epochs=1, random_state=0),
}


@pytest.mark.parametrize("kind", HASHERS)
def test_fit_in_an_ambient_context_trains_the_same_model(kind, digits):
    X = digits.images[:100] if kind in ("images", "bfloat16") else digits.X[:200]
    y = digits.y[: len(X)]
    expected = HASHERS[kind]().fit(X, y).decision_function(X)
    for name, ambient in AMBIENT.items():
        with ambient():
            hasher = HASHERS[kind]().fit(X, y)
            grad, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
        np.testing.assert_array_equal(hasher.decision_function(X), expected, err_msg=name)
        assert grad == (name not in ("no_grad", "inference_mode"))
        assert dtype == (torch.float64 if name == "float64" else torch.float32)


@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
def test_partial_fit_in_an_ambient_context_trains_the_same_model(ambient, digits):
    X, y = digits.X[:200], digits.y[:200]
    expected = OrthoHasher(bits=16, random_state=0).partial_fit(X, y).partial_fit(X, y).decision_function(X)
    with ambient():
        hasher = OrthoHasher(bits=16, random_state=0).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(hasher.decision_function(X), expected)


def test_an_interruption_in_a_torch_context_does_not_leave_grad_mode_off(digits):
    def interrupt(batch, generator):
        torch.set_grad_enabled(False)  # as if `no_grad.__exit__` had been interrupted
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OrthoHasher(bits=16, max_epochs=2, views=interrupt).fit(digits.X, digits.y)
    assert torch.is_grad_enabled()


def test_trainings_in_threads_share_one_default_dtype():
    inside, leave = threading.Event(), threading.Event()

    def train():
        with isolated_training():
            inside.set()
            leave.wait()

    with default_float64():
        thread = threading.Thread(target=train)
        thread.start()
        inside.wait()
        with isolated_training():
            assert torch.get_default_dtype() == torch.float32
        assert torch.get_default_dtype() == torch.float32  # the other one still trains
        leave.set()
        thread.join()
        assert torch.get_default_dtype() == torch.float64
