"""What all tests share."""

import asyncio

import hypothesis

# On Python 3.11 asyncio.get_event_loop() makes a loop when there is none and none was ever
# set; pytest-asyncio asks that way before the first asynchronous test, and nobody closes it.
asyncio.set_event_loop(None)

# A timing is never an assertion: a machine with other work to do is slow, and not wrong.
hypothesis.settings.register_profile(
    "relight", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("relight")
