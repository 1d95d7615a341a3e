import sys

import pytest

from skhash.utils import import_optional


def test_what_is_there_is_imported():
    assert import_optional("json", extra="vision", purpose="Nothing") is sys.modules["json"]


def test_what_is_missing_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"Reading tea needs teapot, .* pip install 'scikit-hash\[vision\]'"):
        import_optional("teapot.leaves", extra="vision", purpose="Reading tea")
