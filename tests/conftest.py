"""What all tests share."""

import asyncio

# On Python 3.11 asyncio.get_event_loop() makes a loop when there is none and none was ever
# set; pytest-asyncio asks that way before the first asynchronous test, and nobody closes it.
asyncio.set_event_loop(None)
