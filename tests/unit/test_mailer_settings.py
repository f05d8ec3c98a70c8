"""Settings, policy and catalogue of the mailer."""

import json

import pytest

from services.mailer.catalogue import catalogue
from services.mailer.policy import POLICY
from services.mailer.sending import WORTH_WAITING
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
    """The largest batch, each of its mails waited for as long as a worker waits at all, is not ended by the pool."""
    assert 5_000 * WORTH_WAITING < POLICY.soft_time_limit < POLICY.hard_time_limit


def test_site_rates_are_read_by_domain() -> None:
    """Several domains may be one site; the star is for all others."""
    settings = MailerSettings(site_rates="gmail.com,GoogleMail.com=20 *=0.5")

    assert settings.sites == {"gmail.com": ("gmail.com", 20.0), "googlemail.com": ("gmail.com", 20.0), "*": ("*", 0.5)}


@pytest.mark.parametrize("text", ["gmail.com", "gmail.com=", "gmail.com=0", "gmail.com=inf", "=5", "a.com=1 a.com=2", "a.com,=3"])
def test_site_rates_that_make_no_sense_are_refused(text: str) -> None:
    """At the start, with the variable's name."""
    with pytest.raises(SettingsError, match="MAILER_SITE_RATES"):
        MailerSettings(site_rates=text)


def test_the_catalogue_is_json_and_keeps_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown to every key that may read."""
    monkeypatch.setattr("services.mailer.catalogue.settings", lambda: MailerSettings(smtp_url="smtp://user:secret@mail.example.com"))
    shown = json.dumps(dict(catalogue()))

    assert "mail.example.com" in shown
    assert "secret" not in shown
