"""A template in pieces gives the mails that rendering the whole of it gives, and no line that SMTP would take for the end."""

import base64
import email
import email.policy
import quopri
from collections.abc import Callable, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.mailer.mime import Skeleton, dot_stuffed
from services.mailer.pieces import Body, Filled, encoded
from services.mailer.plaintext import tidied
from services.mailer.templates import MailTemplate, RenderError, form_of
from services.mailer.transfer import MARK

DECODERS: Mapping[bytes, Callable[[bytes], bytes]] = {
    b"7bit": bytes,
    b"quoted-printable": quopri.decodestring,
    b"base64": base64.b64decode,
}
SPICE = ("\n", "\n\n", ".", "..", "\n.", "=", "_", "=_", "From ", "F", " ", "é", "ж" * 9, "x" * 70, "x" * 880, "\0", "<&>", "")
TEXT = st.lists(st.one_of(st.sampled_from(SPICE), st.text("ab .\n=ü", max_size=80)), max_size=4).map("".join)


def template(source: str, *, tidy: bool = False) -> MailTemplate:
    """`source` as HTML and as text."""
    return MailTemplate(subject="s", html=source, text=source, list_unsubscribe=None, finish_text=tidied if tidy else None)


def read(body: Body | None) -> str:
    """What a receiver reads, after a look at each line as it goes over the wire."""
    assert body is not None
    encoding, raw = encoded(body)
    lines = raw.split(b"\r\n")
    assert not any(b"\n" in line or line.startswith(b".") for line in lines)
    assert max(map(len, lines)) <= (900 if encoding == b"7bit" else 76)
    assert encoding != b"7bit" or not (b"=_" in raw or b"\nFrom " in raw or raw.startswith(b"From "))
    return DECODERS[encoding](raw).decode().replace("\r\n", "\n")


@settings(max_examples=300, deadline=None)
@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT), st.booleans())
@example(("\n", "", "_"), ("From me", "="), False)
@example(("a\n\n", "\n\nb", ""), ("", ""), True)
@example(("", "." * 90, ""), (".", "."), False)
@example(("", "", "=" + "x" * 70 + ".."), ("", "."), False)
def test_both_ways_give_the_same_text(words: tuple[str, str, str], values: tuple[str, str], tidy: bool) -> None:
    """Whatever stands in the template and in the values, a receiver reads what the whole template renders."""
    source = f"{words[0]}{{{{ a }}}}{words[1]}{{{{ b }}}}{{{{ a }}}}{words[2]}"
    source = tidied(source) if tidy else source
    made, of = template(source, tidy=tidy), {"a": values[0], "b": values[1]}
    quick, whole = made.fill(of), made.render(of)

    assert read(quick.html) == str(quick.html).replace(MARK, "") == (whole.html or "").replace(MARK, "")
    assert read(quick.text) == str(quick.text) == whole.text


def test_a_plain_newsletter_is_taken_apart() -> None:
    """Otherwise the test above would compare the long way with itself."""
    mail = template("<p>Hello {{ name }},\nyour week in {{ city | upper }}, {{ name }}</p>").fill({"name": "Ada", "city": "Gdańsk"})

    assert isinstance(mail.html, Filled)
    assert isinstance(mail.text, Filled)
    assert str(mail.text) == "<p>Hello Ada,\nyour week in GDAŃSK, Ada</p>"


@pytest.mark.parametrize(
    "source",
    [
        "no variable",
        "{% if a %}{{ a }}{% endif %}",
        "{{- a }}",
        "{# note #}{{ a }}",
        "{{ '}}' }}{{ a }}",
        '{{ "a }} b {{ c" }}',
        "{ {{{ a }}",
    ],
)
def test_what_has_more_to_it_is_rendered_whole(source: str) -> None:
    """Statements, comments, stripped blanks, and strings that hold braces: only minijinja itself knows where those end."""
    assert form_of(source, escape=False) is None


def test_what_is_wrong_is_said_as_for_the_whole_template() -> None:
    """The line is the template's, not that of a piece."""
    with pytest.raises(RenderError, match="text: line 3"):
        MailTemplate(subject="s", html=None, text="{{ a }}\n\n{{ b }}", list_unsubscribe=None).fill({"a": 1})


@settings(max_examples=100, deadline=None)
@given(TEXT, st.booleans())
def test_a_message_needs_no_dot_stuffing(value: str, odd: bool) -> None:
    """Except for a custom header whose name begins with a dot, which is allowed (RFC 5322, 3.6.8): that skeleton's mails are looked at."""
    skeleton = Skeleton(sender=("news@example.com", ""), extra=[(".Odd" if odd else "X-Even", "v")])
    mail = template("{{ a }}\n{{ a }}").fill({"a": value})
    message = skeleton.build(address="ada@example.com", name="", key="k", mail=mail)

    assert skeleton.for_data(message) == dot_stuffed(message)
    assert email.message_from_bytes(message, policy=email.policy.default)["To"] == "ada@example.com"
