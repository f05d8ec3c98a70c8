"""HTML to text, once per template: a mail with an HTML part alone reads as spam to filters and not at all to some people.

Works on the *template*: Jinja's expressions travel through as they are, its statements too, even out of parts that are
dropped (a style sheet), so that every `{% if %}` keeps its `{% endif %}`.
"""

import re
from html.parser import HTMLParser

JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
# A Jinja mark is hidden from the HTML parser as its number between two private-use characters; a third follows where it
# stood in a dropped part.
HIDDEN = re.compile("\ue000(\\d+)\ue001(\ue002?)")
PRIVATE = dict.fromkeys((0xE000, 0xE001, 0xE002))
DROPPED = frozenset({"head", "style", "script", "title", "template"})
PARAGRAPHS = frozenset({"p", "table", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
LINES = frozenset({"div", "tr", "li", "section", "article", "header", "footer", "center"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._dropped = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in DROPPED:
            self._dropped += 1
        elif tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.out.append("\n\n----\n\n")
        elif tag == "img" and values.get("alt"):
            self.out.append(str(values["alt"]))
        elif tag == "a":
            self._links.append((values.get("href") or "", len(self.out)))
        elif tag in PARAGRAPHS:
            self.out.append("\n\n")
        elif tag in LINES:
            self.out.append("\n- " if tag == "li" else "\n")
        elif tag in {"td", "th"}:
            self.out.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in DROPPED:
            self._dropped = max(0, self._dropped - 1)
        elif tag == "a" and self._links:
            href, start = self._links.pop()
            label = "".join(self.out[start:]).strip()
            if href and not href.startswith("#") and href.removeprefix("mailto:") != label:
                self.out.append(f" ({href})" if label else href)
        elif tag in PARAGRAPHS:
            self.out.append("\n\n")
        elif tag in LINES:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._dropped:
            self.out.append(re.sub(r"\s+", " ", data))
        else:
            self.out.extend(match.group() + "\ue002" for match in HIDDEN.finditer(data))


def from_html(template: str) -> str:
    """The text part for an HTML template; links become `label (address)`, list items `- item`."""
    marks: list[str] = []

    def hide(match: re.Match[str]) -> str:
        marks.append(match.group())
        return f"\ue000{len(marks) - 1}\ue001"

    def show(match: re.Match[str]) -> str:
        mark = marks[int(match[1])]
        # Of a dropped part only statements are kept: an expression there belongs to the style sheet.
        return mark if not match[2] or mark.startswith("{%") else ""

    reader = _Reader()
    reader.feed(JINJA.sub(hide, template.translate(PRIVATE)))
    reader.close()
    text = HIDDEN.sub(show, "".join(reader.out))
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in text.split("\n")]
    return tidied("\n".join(lines))


def tidied(text: str) -> str:
    """The text without runs of empty lines; asked for again after rendering, where an `{% if %}` may have left some."""
    return (re.sub(r"\n{3,}", "\n\n", text) if "\n\n\n" in text else text).strip() + "\n"
