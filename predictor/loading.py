"""From settings to a model that answers: opened, checked against what is asked of it, warmed up.

For: whatever serves one model, alone or beside others.
Must not know: sockets, loops, who waits for it.
"""

import dataclasses

from predictor import batches, loader, templates, warmups
from predictor.config import Settings
from predictor.errors import LoadError
from predictor.loaded import Loaded


def load(settings: Settings, on_stuck: warmups.OnStuck | None = None) -> Loaded:
    """Open it, or take what this process inherited; LoadError is one sentence naming the file."""
    inherited = templates.inherited(settings)
    loaded = inherited or loader.load(settings)
    asked = "--max-batch-size" if settings.batch_size_max else ""
    asked = asked or (loaded.batching.said_by if loaded.batching else "")
    if asked and (why := batches.refusal(loaded)):
        model = settings.model or settings.python_file
        raise LoadError(f"{asked}: {model} can not be batched: {why}")
    if inherited is None:  # its zygote has seen it answer
        name, timeout_s = settings.model_name, settings.timeout_s
        warmups.answer(loaded, model_name=name, timeout_s=timeout_s, on_stuck=on_stuck)
    return loaded


def completed(settings: Settings, loaded: Loaded) -> Settings:
    """Where no flag gives a name or says how requests are joined, the model's own files do."""
    if loaded.name and not settings.is_name_given:
        settings = dataclasses.replace(settings, model_name=loaded.name)
    found = loaded.batching
    if settings.batch_size_max or found is None:
        return settings
    return dataclasses.replace(settings, batch_size_max=found.size_max, batch_delay_s=found.delay_s)
