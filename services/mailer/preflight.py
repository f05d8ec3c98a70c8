"""Before the first mail: does the template ask for a variable that no recipient has? Then everybody's mail would fail."""

from services.mailer.content import Content, template_of, values_of
from services.mailer.templates import RenderError, asked_for
from services.mailer.unsubscribe import VARIABLE
from shared.contracts.mailer import Recipient
from shared.errors import PermanentError


class Fields:
    """Looks at every row as it is planned; costs nothing once each variable was seen."""

    def __init__(self, content: Content) -> None:
        """What the parts ask for and nobody has been seen to have."""
        parts = (content.subject, content.html, content.text, content.list_unsubscribe)
        self._content = content
        self._ours = {VARIABLE: ""} if content.one_click_at else {}
        self._unseen = {name for part in parts if part for name in asked_for(part)} - set(self._ours)
        self._first: Recipient | None = None

    def look(self, recipient: Recipient) -> None:
        """One good row."""
        self._first = self._first or recipient
        if self._unseen:
            self._unseen.difference_update(values_of(recipient))

    def refuse(self) -> None:
        """Raise `PermanentError` where a variable that nobody has makes a mail fail (one with a default does not)."""
        if not self._unseen or self._first is None:
            return
        try:
            template_of(self._content).render({**values_of(self._first), **self._ours})
        except RenderError as error:
            part = str(error).partition(":")[0]
            names = ", ".join(sorted(self._unseen))
            raise PermanentError(
                f"no recipient has a value for {names}, which the template asks for ({error}): nobody was mailed",
                type="missing-variable",
                pointer=f"/{part}",
            ) from error
