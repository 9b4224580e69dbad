"""Settings: what cannot be meant is refused at once, by name."""

import pytest

from core.config import load_settings
from core.errors import Invalid


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_level", "verbose"),
        ("log_format", "xml"),
        ("default_country", "UK"),
        ("base_url", "mail.example"),
        ("base_url", "https://mail.example/?a=b"),
        ("worker_processes", "none"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"CLARION_{name.upper()}") as caught:
        load_settings(**{name: value})
    assert caught.value.code == "BAD_SETTING"


def test_small_letters_are_forgiven() -> None:
    settings = load_settings(log_level="warning", default_country="gb", base_url="https://mail.example/clarion")
    assert (settings.log_level, settings.default_country) == ("WARNING", "GB")


@pytest.mark.parametrize(("cores", "wanted", "processes"), [(1, 0, 1), (2, 0, 1), (3, 0, 1), (16, 0, 8), (2, 5, 5)])
def test_half_of_the_cores_are_for_workers_unless_somebody_says_how_many(
    monkeypatch: pytest.MonkeyPatch, cores: int, wanted: int, processes: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    assert load_settings(worker_processes=wanted).worker_processes == processes
