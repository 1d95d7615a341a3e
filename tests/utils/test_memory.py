import sklearn

from skhash.utils import memory_batches, working_memory


def sizes(*args, **kwargs):
    return [rows.stop - rows.start for rows in memory_batches(*args, **kwargs)]


def test_batches_fit_the_working_memory():
    with sklearn.config_context(working_memory=1):
        assert working_memory() == 2**20
        assert sizes(10, 2**18) == [4, 4, 2]
        assert sizes(3, 2**21) == [1, 1, 1]
        assert sizes(10, 2**18, max_bytes=2**19) == [2] * 5
        assert sizes(1, 8) == [1]
