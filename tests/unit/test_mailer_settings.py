"""Settings, policy and catalogue of the mailer."""

import json

import pytest

from services.mailer.catalogue import catalogue
from services.mailer.policy import LONGEST_PACED, POLICY
from services.mailer.settings import MailerSettings, Relay
from shared.errors import SettingsError


def test_without_a_relay_mail_goes_to_the_catcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the port that the embedded home gave it."""
    monkeypatch.setenv("COUNTERFOIL_CATCHER_SMTP_PORT", "2525")
    monkeypatch.delenv("MAILER_SMTP_URL", raising=False)

    assert MailerSettings().relay == Relay("127.0.0.1", 2525)


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://mail.example.com", Relay("mail.example.com", 25)),
        ("smtps://u%40x:p%2Fw@mail.example.com", Relay("mail.example.com", 465, implicit_tls=True, user="u@x", password="p/w")),
        ("smtp://[::1]:587", Relay("::1", 587)),
    ],
)
def test_a_relay_is_read_from_its_url(url: str, relay: Relay) -> None:
    """Ports by scheme, user and password percent-decoded."""
    assert Relay.parse(url) == relay


@pytest.mark.parametrize("url", ["mail.example.com:25", "http://mail.example.com", "smtp://"])
def test_a_url_that_names_no_relay_is_refused(url: str) -> None:
    """With the variable's name, and without repeating a password."""
    with pytest.raises(SettingsError, match="MAILER_SMTP_URL"):
        Relay.parse(url)


def test_a_paced_mailing_fits_the_time_limit() -> None:
    """What planning lets through, the pool does not kill."""
    assert LONGEST_PACED < POLICY.soft_time_limit < POLICY.hard_time_limit


def test_the_catalogue_is_json_and_keeps_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown to every key that may read."""
    monkeypatch.setattr("services.mailer.catalogue.settings", lambda: MailerSettings(smtp_url="smtp://user:secret@mail.example.com"))
    shown = json.dumps(dict(catalogue()))

    assert "mail.example.com" in shown
    assert "secret" not in shown
