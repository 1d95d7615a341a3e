import threading

import pytest

from skhash.utils import map_threads


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_results_are_in_the_order_of_the_items(n_jobs):
    assert map_threads(lambda item: item**2, range(50), n_jobs) == [item**2 for item in range(50)]


def test_one_job_starts_no_thread():
    assert set(map_threads(lambda _: threading.current_thread(), range(3), 1)) == {threading.current_thread()}


def test_errors_reach_the_caller():
    with pytest.raises(ZeroDivisionError):
        map_threads(lambda item: 1 // item, [1, 0], 2)
