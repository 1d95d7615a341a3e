import sys

import pytest

from skhash.utils import import_optional


def test_what_is_there_is_imported():
    assert import_optional("json", extra="vision", purpose="Nothing") is sys.modules["json"]


def test_what_is_missing_is_named_with_its_extra():
    commands = r"pip install 'scikit-hash\[vision\]', in a copy of the source: pip install '\.\[vision\]'"
    with pytest.raises(ImportError, match=rf"Reading tea needs teapot, .* Install it with: {commands}"):
        import_optional("teapot.leaves", extra="vision", purpose="Reading tea")
