"""The other side of a side effect: it does what it is told, as often as it is told, and can be asked what it has done.

One folder, one file per key, one line per time. A line is one `write(2)`, which the death of the writer cannot take back.
"""

from collections import Counter
from pathlib import Path


class Sink:
    """A bank, a mail relay: whatever cannot be undone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def apply(self, key: str) -> None:
        """Do it. There is no guard here: done twice is two lines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / key).open("a") as file:
            file.write("applied\n")

    def has(self, key: str) -> bool:
        """Whether it was done at least once."""
        return (self.folder / key).exists()

    def counts(self) -> Counter[str]:
        """How often each key was done."""
        files = self.folder.iterdir() if self.folder.is_dir() else ()
        return Counter({file.name: file.read_text().count("\n") for file in files})
