"""A model together with the tensors that somebody declared for it.

For: names, datatypes and shapes of a model without any; a refusal where a model knows better.
Must not know: which file declares them, formats, HTTP.

A model of rows and columns takes its matrix under any name, or as several inputs side by side.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from predictor.errors import LoadError
from predictor.loaded import Loaded, Run
from predictor.model import Signature, Tensor, TensorSpec
from predictor.refusals import rejected


def applied(loaded: Loaded, signature: Signature, *, where: str) -> Loaded:
    """The model with its declared tensors; LoadError names both where they contradict it."""
    if loaded.signature is not None:
        for role, said, own in (
            ("input", signature.inputs, loaded.signature.inputs),
            ("output", signature.outputs, loaded.signature.outputs),
        ):
            _agree(role, said, own, where)
        return loaded
    described = loaded.described or Signature(inputs=(), outputs=())
    arguments = loaded.facts.get("forward_arguments", ())
    if arguments and not described.inputs:
        return _positional(loaded, signature, arguments, where)
    outputs = _outputs(signature.outputs, described.outputs, where)
    run = _run(loaded, signature.inputs, described.inputs, where)
    scores = None
    if loaded.scores is not None:
        by_scores = dataclasses.replace(loaded, run=loaded.scores)
        scores = _run(by_scores, signature.inputs, described.inputs, where)
    names = {
        own.name: said.name
        for said, own in zip(signature.outputs, described.outputs, strict=False)
        if said.name != own.name
    }
    found = Signature(inputs=signature.inputs, outputs=outputs)
    run = _renaming(run, names) if names else run
    pairs = zip(outputs, described.outputs, strict=False)
    columns = {said.name for said, own in pairs if _is_column(said, own)}
    return dataclasses.replace(
        loaded,
        run=_in_columns(run, columns) if columns else run,
        scores=scores,
        signature=found,
        described=found,
    )


def _agree(role: str, said: Sequence[TensorSpec], own: Sequence[TensorSpec], where: str) -> None:
    known = {spec.name: spec for spec in own}
    for spec in said:
        if spec.name not in known:
            listed = ", ".join(known)
            raise LoadError(
                f"{where} names {role} '{spec.name}', which the model has not: it has {listed}"
            )
        _check(role, spec, known[spec.name], where, is_exact=True)


def _check(role: str, said: TensorSpec, own: TensorSpec, where: str, *, is_exact: bool) -> None:
    """LoadError unless one tensor can be both; `is_exact`: of one datatype, too."""
    if is_exact and said.datatype != own.datatype:
        raise LoadError(
            f"{where} says that {role} '{said.name}' is {said.datatype}, "
            f"while the model's is {own.datatype}"
        )
    is_like = len(said.shape) == len(own.shape) and all(
        -1 in (ours, theirs) or ours == theirs
        for ours, theirs in zip(said.shape, own.shape, strict=True)
    )
    if not is_like:
        raise LoadError(
            f"{where} says that {role} '{said.name}' has shape {list(said.shape)}, "
            f"while the model's has {list(own.shape)}"
        )


def _outputs(
    said: Sequence[TensorSpec], own: Sequence[TensorSpec], where: str
) -> Sequence[TensorSpec]:
    """What is declared of outputs, which are the model's own in their order."""
    if not said or not own:
        return said or own
    if len(said) > len(own):
        raise LoadError(f"{where} names {len(said)} outputs, while the model has {len(own)}")
    for spec, known in zip(said, own, strict=False):
        shape = spec.shape[:-1] if _is_column(spec, known) else spec.shape
        _check("output", dataclasses.replace(spec, shape=shape), known, where, is_exact=True)
    return [*said, *own[len(said) :]]


def _is_column(said: TensorSpec, own: TensorSpec) -> bool:
    """Whether a value a row is declared as a row of one, as Triton's and MLServer's models do."""
    return len(own.shape) == 1 and len(said.shape) == 2 and said.shape[1] == 1


def _in_columns(run: Run, names: Collection[str]) -> Run:
    def in_columns(inputs: dict[str, Tensor], wanted: tuple[str, ...] | None) -> dict[str, Tensor]:
        found = run(inputs, wanted)
        return {n: one.reshape(-1, 1) if n in names else one for n, one in found.items()}

    return in_columns


def _run(loaded: Loaded, said: Sequence[TensorSpec], own: Sequence[TensorSpec], where: str) -> Run:
    """What answers inputs of the declared names."""
    known = {spec.name: spec for spec in own}
    columns = set(map(str, loaded.facts.get("feature_names", ())))
    names = {spec.name for spec in said}
    if not own or names <= columns:
        return loaded.run
    if names <= set(known):
        for spec in said:
            _check("input", spec, known[spec.name], where, is_exact=False)
        return loaded.run
    if len(own) != 1:
        took, has = ", ".join(spec.name for spec in said), ", ".join(known)
        raise LoadError(f"{where} names inputs {took}, while the model takes {has}")
    if len(said) == 1:
        _check("input", said[0], own[0], where, is_exact=False)
        return _renamed(loaded.run, said[0].name, own[0].name)
    return _joined(loaded.run, said, own[0], where)


def _positional(
    loaded: Loaded, signature: Signature, arguments: Sequence[str], where: str
) -> Loaded:
    """A PyTorch module, whose tensors have places: those in Triton's names, else their order."""
    said = [spec.name for spec in signature.inputs]
    if len(said) > len(arguments):
        listed = ", ".join(arguments)
        raise LoadError(f"{where} names {len(said)} inputs, while the model takes {listed}")
    own = set(said) <= set(arguments)
    takes = {n: n if own else f"INPUT__{_place(n, index)}" for index, n in enumerate(said)}
    outputs = enumerate(spec.name for spec in signature.outputs)
    gives = {f"OUTPUT__{_place(name, index)}": name for index, name in outputs}

    def run(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        del wanted  # it computes them all
        found = loaded.run({takes[name]: array for name, array in feeds.items()}, None)
        return {gives.get(name, name): array for name, array in found.items()}

    return dataclasses.replace(loaded, run=run, signature=signature, described=signature)


def _place(name: str, index: int) -> int:
    number = name.rpartition("__")[2] if "__" in name else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else index


def _renamed(run: Run, said: str, own: str) -> Run:
    def renamed(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        return run({own: feeds[said]}, wanted)

    return renamed


def _joined(run: Run, said: Sequence[TensorSpec], own: TensorSpec, where: str) -> Run:
    """Several inputs side by side as the one matrix that the model takes."""
    widths = [_width(spec, where) for spec in said]
    wanted_width = own.shape[-1] if len(own.shape) == 2 else -1
    if wanted_width != -1 and sum(widths) != wanted_width:
        raise LoadError(
            f"{where} names inputs of {sum(widths)} columns, while the model takes {wanted_width}"
        )
    names = [spec.name for spec in said]

    def joined(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        parts = [
            feeds[name].reshape(len(feeds[name]), width)
            for name, width in zip(names, widths, strict=True)
        ]
        if len({len(part) for part in parts}) > 1:
            sizes = ", ".join(f"{name} {len(p)}" for name, p in zip(names, parts, strict=True))
            raise rejected(f"the inputs have different numbers of rows: {sizes}")
        if any(part.dtype.kind == "O" for part in parts):
            parts = [part.astype(object) for part in parts]
        return run({own.name: np.hstack(parts)}, wanted)

    return joined


def _width(spec: TensorSpec, where: str) -> int:
    if len(spec.shape) == 1:
        return 1
    if len(spec.shape) == 2 and spec.shape[1] > 0:
        return spec.shape[1]
    raise LoadError(
        f"{where}: input '{spec.name}' has shape {list(spec.shape)}: several inputs are columns "
        "of a matrix, [-1] or [-1, a number of columns]"
    )


def _renaming(run: Run, names: Mapping[str, str]) -> Run:
    """Outputs under their declared names."""
    own = {said: name for name, said in names.items()}

    def renaming(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        asked = tuple(own.get(name, name) for name in wanted) if wanted else wanted
        return {names.get(name, name): array for name, array in run(feeds, asked).items()}

    return renaming
