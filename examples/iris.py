"""Train a classifier of iris flowers for `iris.yaml`: `python -m examples.iris`.

What comes out is `examples/models/iris/model.skops`, which loads without running code.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "models" / "iris"


def train(folder: Path = FOLDER) -> Path:
    """Fit, and write; returns the file. `pip install 'relight[sklearn]'` brings what it needs."""
    import skops.io  # type: ignore[import-untyped]
    from sklearn.datasets import load_iris  # type: ignore[import-untyped]
    from sklearn.svm import SVC  # type: ignore[import-untyped]

    inputs, outputs = load_iris(return_X_y=True)
    model = SVC(gamma="scale").fit(inputs, outputs)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.skops"
    skops.io.dump(model, path)
    return path


if __name__ == "__main__":
    sys.stdout.write(f"{train()}\n")
