from typing import Any

from api.autoscaler_config import Defaults
from api.live_defaults import LiveDefaults


def test_the_settings_of_now_are_those_that_are_stored() -> None:
    stored: dict[str, Any] | None = None
    now = LiveDefaults(lambda: stored)
    assert now() == Defaults()

    def put(version: str, **data: str) -> dict[str, Any]:
        named = {name.replace("_", "-"): text for name, text in data.items()}
        return {"metadata": {"resourceVersion": version}, "data": named}

    stored = put("1", min_scale="3", later="x")
    assert now().min_scale == 3
    assert now() is now()
    stored = put("2", min_scale="-1")
    assert now().min_scale == 3  # stored by somebody who asked nobody
    stored = None
    assert now() == Defaults()
