"""Which files a model in Python is made of."""

import pytest

from api import modelcode
from api.modelcode import pin_code
from api.modelfiles import ModelFileError
from tests.api.test_modeldigests import Read, manifest, sha


def test_a_file_alone_is_known_by_its_own_sum() -> None:
    code = b"import json, os.path\nfrom numpy import array\n"
    found = pin_code(Read({"m.py": code, "other.py": b""}), "m.py")
    assert (found.names, found.load, found.digest) == (("m.py",), "m.py", f"sha256:{sha(code)}")


def test_neighbours_that_are_imported_are_pinned_at_any_depth() -> None:
    files = {
        "m.py": b"import columns\ndef f():\n    from package.sub import x\n",
        "columns.py": b"import m, names.deeper\n",
        "names.py": b"",
        "package/__init__.py": b"from . import sub\nimport late",
        "package/sub.py": b"",
        "package/deep/x.py": b"",
        "late.py": b"",
    }
    others = {"other.py": b"", "package/data.bin": b"", "package/.x.py": b"", ".hidden.py": b""}
    found = pin_code(Read({**files, **others}), "m.py")
    assert found.names == tuple(sorted(files))
    assert found.digest == manifest(files)


def test_code_that_can_not_be_read_is_pinned_as_it_is() -> None:
    for code in (b"def (", b"x = '\\ud800'", b"\0"):
        assert pin_code(Read({"m.py": code}), "m.py").digest == f"sha256:{sha(code)}"


def test_there_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modelcode, "_FILES_MAX", 2)
    with pytest.raises(ModelFileError, match="imports more than 2 files"):
        pin_code(Read({"m.py": b"import a, b", "a.py": b"", "b.py": b""}), "m.py")
