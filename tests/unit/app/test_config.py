import pytest

from app.config import SettingsError, load

GOOD = {
    "OSTIARY_BASE_URL": "https://learn.example.org/",
    "OSTIARY_SECRET_KEYS": "k" * 32 + "," + "o" * 40,
}


def test_good_settings_are_read_and_frozen():
    settings = load(GOOD)
    assert settings.base_url == "https://learn.example.org"
    assert settings.secret_keys == ("k" * 32, "o" * 40)
    assert settings.secure
    with pytest.raises(Exception, match="frozen"):
        settings.web_threads = 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"OSTIARY_BASE_URL": "http://learn.example.org"}, "OSTIARY_BASE_URL: must be https"),
        ({"OSTIARY_BASE_URL": "https://learn.example.org/path"}, "OSTIARY_BASE_URL"),
        ({"OSTIARY_BASE_URL": "javascript:alert(1)"}, "OSTIARY_BASE_URL"),
        ({"OSTIARY_SECRET_KEYS": "short"}, "OSTIARY_SECRET_KEYS"),
        ({"OSTIARY_SECRET_KEYS": " , "}, "OSTIARY_SECRET_KEYS"),
        ({"OSTIARY_WEB_THREADS": "0"}, "OSTIARY_WEB_THREADS"),
        ({"OSTIARY_WEB_THREADS": "many"}, "OSTIARY_WEB_THREADS"),
        ({"OSTIARY_DELIVERED_DAYS": "0"}, "OSTIARY_DELIVERED_DAYS"),
        ({"OSTIARY_DELIVERED_DAYS": "3651"}, "OSTIARY_DELIVERED_DAYS"),
        ({"OSTIARY_DELETED_DAYS": "0"}, "OSTIARY_DELETED_DAYS"),
        ({"OSTIARY_LOG_LEVEL": "loud"}, "OSTIARY_LOG_LEVEL"),
        ({"OSTIARY_DATABASE_URL": "mysql://x"}, "must begin with sqlite: or postgresql:"),
        ({"OSTIARY_DATABASE_URL": "postgresql://x/y"}, "OSTIARY_DATABASE_SYSTEM_URL"),
        ({"OSTIARY_BASE_ULR": "https://x.org"}, "OSTIARY_BASE_ULR: there is no such setting"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(change, named):
    with pytest.raises(SettingsError, match="These settings stop the start") as stopped:
        load({**GOOD, **change})
    assert named in str(stopped.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(SettingsError) as stopped:
        load({"OSTIARY_WEB_THREADS": "0"})
    text = str(stopped.value)
    assert "OSTIARY_BASE_URL: is required" in text
    assert "OSTIARY_SECRET_KEYS: is required" in text
    assert "OSTIARY_WEB_THREADS" in text


def test_secrets_are_not_shown():
    shown = repr(load({**GOOD, "OSTIARY_METRICS_TOKEN": "a-metrics-token"}))
    assert "kkkk" not in shown
    assert "a-metrics-token" not in shown


def test_variables_of_tests_and_benchmarks_are_left_alone():
    load({**GOOD, "OSTIARY_DATA": "/data", "OSTIARY_TEST_POSTGRES_URL": "postgresql://x"})
