import json
import urllib.request

import pytest

from predictor.fetch_telling import Telling


def test_it_tells_while_it_lasts() -> None:
    said = ["1.0 of 2.0 MB (50 %) of s3://b/m"]
    with Telling(lambda: said[0], port=0, host="127.0.0.1") as telling:
        url = f"http://127.0.0.1:{telling.port}/"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert json.load(answer) == {"text": said[0]}
        with pytest.raises(OSError, match="in use"):
            Telling(lambda: "", port=telling.port, host="127.0.0.1")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=10)
