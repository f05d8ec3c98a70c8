"""Templates: strict, escaped where HTML, and kept in their box; the text that is derived from HTML."""

import pytest

from services.mailer.plaintext import from_html
from services.mailer.templates import MailTemplate, RenderError, TemplateInvalidError, renderer
from services.mailer.transfer import MARK


def test_html_is_escaped_and_text_is_not() -> None:
    """A name with a < is harmless in HTML and as it is in text and subject."""
    template = MailTemplate(subject="{{ n }}", html="<b>{{ n }}</b>", text="{{ n }}", list_unsubscribe=None)
    mail = template.render({"n": "<Ada & Co>"})

    assert mail.html is not None
    assert mail.html.replace(MARK, "") == "<b>&lt;Ada &amp; Co&gt;</b>"
    assert (mail.subject, mail.text) == ("<Ada & Co>", "<Ada & Co>")


def test_a_missing_variable_names_itself_and_the_part() -> None:
    """Nobody gets `Hello ,`."""
    template = MailTemplate(subject="s", html="{{ first_name }}", text=None, list_unsubscribe=None)

    with pytest.raises(RenderError, match="html: line 1: `first_name` is undefined"):
        template.render({})


@pytest.mark.parametrize("source", ["{{ a", "{% if x %}", "{% nosuch %}", "{{ a | nosuch }}", "{{ 'a' 'b' c }}"])
def test_a_template_that_does_not_compile_says_its_line(source: str) -> None:
    """Checked up front, before anybody is mailed."""
    with pytest.raises(TemplateInvalidError, match="line 2: "):
        renderer("first\n" + source, escape=False)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ debug() }}",
        "{{ x.append.__self__ }}",
        "{{ x | attr('__class__') }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{% include '/etc/passwd' %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 1000000000 * 'a' }}",
        "{{ 9 ** 999999999 }}",
        "{{ 9 ** 99 ** 99 ** 99 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ range(999999999) | list }}",
        "{{ 1 / 0 }}",
    ],
)
def test_the_sandbox_holds(source: str) -> None:
    """No way out, no mutation, and no value that grows at a stroke."""
    with pytest.raises(RenderError):
        renderer(source, escape=False)({"x": []})


def test_arithmetic_still_works() -> None:
    """The limits are for monsters only."""
    assert renderer("{{ 3 * 4 }} {{ '-' * 5 }} {{ 2 ** 8 }} {{ 7 % 4 }}", escape=False)({}) == "12 ----- 256 3"


def test_text_from_html_keeps_links_lists_and_jinja() -> None:
    """Links show their address, list items a dash; expressions and statements travel through."""
    html = (
        "<head><title>T</title><style>{% if dark %}p { color: {{ c }} }{% endif %}</style></head>"
        '<h1>Hi {{ name }}</h1><p>See <a href="{{ url }}">the site</a> &amp; more<br>soon.</p>'
        "<ul>{% for i in items %}<li>{{ i }}</li>{% endfor %}</ul><a href='mailto:a@b.example'>a@b.example</a>"
    )
    text = from_html(html)
    rendered = renderer(text, escape=False)({"dark": True, "name": "Ada", "url": "https://x.example/?a=1&b=2", "items": ["one", "two"]})

    assert "Hi Ada" in rendered
    assert "See the site (https://x.example/?a=1&b=2) & more\nsoon." in rendered
    assert "- one" in rendered
    assert "- two" in rendered
    assert "color" not in rendered
    assert rendered.rstrip().endswith("a@b.example")
    assert "(mailto:" not in rendered
