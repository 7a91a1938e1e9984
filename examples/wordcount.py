"""A model in Python: how many words each text has."""

from collections.abc import Mapping

import numpy as np

from predictor.model import Model, Signature, Tensor, TensorSpec


class WordCount(Model):
    """Texts to numbers of words."""

    def signature(self) -> Signature:
        """One text in, one number out, for any number of texts."""
        return Signature(
            inputs=[TensorSpec(name="text", datatype="BYTES", shape=(-1,))],
            outputs=[TensorSpec(name="words", datatype="INT64", shape=(-1,))],
        )

    def predict(self, inputs: dict[str, Tensor]) -> Mapping[str, Tensor]:
        """Count what white space separates."""
        return {"words": np.array([len(str(text).split()) for text in inputs["text"]], np.int64)}
