"""What a PyTorch file holds, told from its names and its text alone."""

import zipfile
from pathlib import Path

import pytest

from predictor.errors import LoadError
from predictor.torch_archive import Held, look, unsafe

CODE = b"class M(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    return %s\n"


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            out.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("names", "held"),
    [
        (["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"], Held.SCRIPT),
        (["m/model.json", "m/code/a.py"], Held.SCRIPT),
        (["m/archive_format", "m/models/model.json"], Held.EXPORT),
        (["m/data.pkl", "m/version"], Held.PICKLE),
    ],
)
def test_an_archive_is_told_by_its_names(tmp_path: Path, names: list[str], held: Held) -> None:
    assert look(archive(tmp_path / "m.pt", dict.fromkeys(names, b""))) is held


def test_what_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    path.write_bytes(b"\x80\x02}q\x00.")
    assert look(path) is Held.PICKLE
    for data, said in ((b"nothing", "is not a file of PyTorch's"), (b"PK\x03\x04", "cut short")):
        path.write_bytes(data)
        with pytest.raises(LoadError, match=said):
            look(path)
    archive(path, {"m/other": b""})
    with pytest.raises(LoadError, match="not one that PyTorch wrote"):
        look(path)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (b"torch.add(x, x)", ""),
        (b'torch.save(x, "f")', "names save"),
        (b'ops.aten.save(x, "f")', "names save"),
        (b'torch . \\\n save(x, "f")', "names save"),
        (b"(torch. # so\n from_file('f', True, 4))", "names from_file"),
        (b"x.saved", ""),
        (b"__torch__.torch.classes.quantized.LinearPackedParams", ""),
        (b"__torch__.torch.classes.c10d.TCPStore", "uses the class c10d of an extension"),
    ],
)
def test_code_that_touches_files_is_found(tmp_path: Path, expression: bytes, why: str) -> None:
    path = archive(tmp_path / "m.pt", {"m/code/__torch__.py": CODE % expression})
    found = unsafe(path)
    assert found.startswith(why) if why else not found


def test_what_readers_take_differently_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    archive(path, {"m/code/a.py": b""})
    with zipfile.ZipFile(path, "a") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("m/code/a.py", "")
    assert "two files of one name" in unsafe(path)
    assert "before 1.4" in unsafe(archive(path, {"m/model.json": b"{}"}))


def test_code_that_can_not_be_read_is_not_trusted(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.pt", {"m/code/a.py": b"x = 1"})
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"x = 1", b"x = 2"))  # its checksum is of the other
    assert "holds code that can not be read" in unsafe(path)
    at = whole.index(b"PK\x01\x02") + 10
    path.write_bytes(whole[:at] + b"\x63" + whole[at + 1 :])  # a method nobody knows
    assert "holds code that can not be read" in unsafe(path)
