"""Text from elsewhere, made fit for a terminal: an error's words may come from a stranger, and ESC moves the cursor."""


def printable(text: str) -> str:
    """`text` without control characters; line ends and tabs stay."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)


def one_line(text: str, most: int = 160) -> str:
    """`text` in one line of at most `most` characters."""
    return "".join(char if char.isprintable() else " " for char in text)[:most]
