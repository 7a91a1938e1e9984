import pytest

from controller.config import Settings, SettingsError


def test_the_defaults_are_those_of_one_machine() -> None:
    settings = Settings()
    assert settings.domain == "localhost"
    assert settings.external_port is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", ""),
        ("domain", ".example.com"),
        ("external_port", 0),
        ("external_port", 65536),
        ("workers_max", 0),
        ("digest_grace_s", -1),
        ("digest_grace_s", 11),
    ],
)
def test_what_can_not_work_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings(**{name: value})
