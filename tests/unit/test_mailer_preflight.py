"""Before the first mail: a variable that nobody has stops the mailing, one that somebody lacks does not."""

from pathlib import Path

import pytest

from services.mailer.settings import MailerSettings
from shared.errors import PermanentError
from tests.unit.mailer_job import FakeJob, mailing, plan

ADA, BOB = {"email": "ada@example.com", "vars": {"name": "Ada", "city": "Turin"}}, {"email": "bob@example.com", "name": "Bob"}


@pytest.mark.parametrize(
    ("field", "source"), [("html", "<p>{{ name }} in {{ town }}</p>"), ("text", "{{ town }}"), ("subject", "{{ town }}, {{ name }}")]
)
def test_a_misspelt_variable_mails_nobody(tmp_path: Path, field: str, source: str) -> None:
    """The pointer says which part asks for it, the sentence names it."""
    with pytest.raises(PermanentError, match="no recipient has a value for town") as refused:
        plan(mailing(recipients=[ADA, BOB], **{field: source}), FakeJob(tmp_path), MailerSettings())

    assert (refused.value.type, refused.value.pointer) == ("missing-variable", f"/{field}")


@pytest.mark.parametrize(
    "html",
    [
        "<p>{{ city }}</p>",
        "{{ town | default('here') }}",
        "{% if town is defined %}{{ town }}{% endif %}",
        "{{ range(2) | join }}",
    ],
)
def test_what_somebody_has_or_a_default_covers_is_fine(tmp_path: Path, html: str) -> None:
    """The recipient who lacks it fails alone, later and by name."""
    fan_out = plan(mailing(recipients=[ADA, BOB], html=html), FakeJob(tmp_path), MailerSettings())

    assert len(list(fan_out.children)) == 1
