"""CSS written into `style` attributes, once per mailing, for the mail programs that heed no style sheet.

css-inline parses the template as HTML, and an HTML parser moves what may not stand where it stands: a `{% for %}` between the rows of a
table ends up before the table. So marks between elements travel as comments, which may stand anywhere, and afterwards the
elements, their attributes and the text are compared with what they were: whatever is different is refused, not mailed.
Style sheets stay where they are, for media queries and for classes that a variable names. Nothing is fetched.
"""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import zip_longest

import css_inline

from services.mailer.marks import HIDDEN, Marks, MarkupError, refuse_deep

TAG = re.compile(
    r"<!--.*?-->|<(style|script|title|textarea)\b.*?</\1\s*>|<[A-Za-z/](?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL | re.IGNORECASE
)
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
COMMENT = re.compile(r"<!--(cfmark\d+x)-->")
ADDED = frozenset({"html", "head", "body", "tbody", "colgroup"})
"""Elements that are there by HTML's own rules, whether they are written or not."""
UNSEEN = frozenset({"style", "link"})
TBODY = re.compile(r"</?tbody>", re.IGNORECASE)
BLANKS = re.compile(r"\s+")


def inlined(source: str) -> str:
    """The template with its CSS in `style` attributes. Raises `MarkupError` where that would change anything else."""
    marks = Marks(source)
    hidden = _commented(marks.hide(source))
    refuse_deep(hidden)
    inliner = css_inline.CSSInliner(keep_style_tags=True, keep_link_tags=True, load_remote_stylesheets=False)
    try:
        done = inliner.inline(hidden)
    except (ValueError, css_inline.InlineError) as error:
        raise MarkupError(str(error)) from error
    _refuse_changes(_seen(hidden), _seen(done))
    if not TBODY.search(hidden):  # the parser's own: one that stood inside of a loop would be there once for each row
        done = TBODY.sub("", done)
    return marks.show(COMMENT.sub(r"\1", done))


def _commented(hidden: str) -> str:
    """Marks between elements as comments, those within quotes as words. Raises `MarkupError` for one between attributes."""
    out, at = [], 0
    for tag in TAG.finditer(hidden):
        out.append(HIDDEN.sub(r"<!--\g<0>-->", hidden[at : tag.start()]))
        out.append(tag.group())
        at = tag.end()
        opening = tag.group() if tag[1] is None else tag.group().partition(">")[0]
        if not opening.startswith("<!--") and HIDDEN.search(QUOTED.sub("", opening)):
            raise MarkupError("a template mark stands between attributes; put it inside of an attribute's quotes")
    return "".join([*out, HIDDEN.sub(r"<!--\g<0>-->", hidden[at:])])


class _Seen(HTMLParser):
    """What a reader has of a document, piece by piece; style apart."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._inside = tag
        if tag not in ADDED | UNSEEN:
            known = sorted(f'{name}="{value or ""}"' for name, value in dict(attrs).items() if name != "style")
            self.pieces.append(f"<{' '.join([tag, *known])}>")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside != "style" and (words := BLANKS.sub(" ", data).strip()):
            self.pieces.append(words)

    def handle_comment(self, data: str) -> None:
        self.pieces.append(f"<!--{data}-->")


def _seen(markup: str) -> list[str]:
    parser = _Seen()
    parser.feed(markup)
    parser.close()
    return parser.pieces


def _refuse_changes(before: list[str], after: list[str]) -> None:
    if before == after:
        return
    for start, pieces in enumerate(zip_longest(before, after)):
        if pieces[0] != pieces[1]:
            piece = " ".join(before[start : start + 2])[:120] or "its end"
            raise MarkupError(f"HTML's rules would move or change something at: {piece}")
