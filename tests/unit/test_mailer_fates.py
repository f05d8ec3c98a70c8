"""`recipients.csv` and `recipients.jsonl` say the same, and any reader of such files reads what was put in."""

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.mailer.fates import STATES, FateFiles, State

WORD = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
ROW = st.tuples(WORD, st.sampled_from(STATES), WORD, WORD, st.booleans())


@settings(max_examples=200, deadline=None)
@given(st.lists(ROW, max_size=6), st.floats(min_value=0, max_value=4e9))
@example([('a"b@x.example', "sent", '250 2.0.0 "Ok", 100 %s', "<k@x>", True), ("a,b", "failed", "", "", False)], 1_700_000_000.9996)
@example([("%s@x.example", "sent", "%", "<%s>", False)], 0.5)
def test_both_files_say_what_was_put_in(rows: list[tuple[str, State, str, str, bool]], at: float) -> None:
    """Quotes, commas, per cents and letters of all kinds included; the time has milliseconds and is the same in both."""
    with TemporaryDirectory() as folder, FateFiles(Path(folder)) as files:
        for email, state, reply, message_id, resent in rows:
            files.add(email=email, state=state, reply=reply, message_id=message_id, at=at, resent=resent)
        files.__exit__(None, None, None)
        with (Path(folder) / "recipients.csv").open(encoding="utf-8", newline="") as table:
            read = list(csv.DictReader(table))
        lines = [json.loads(line) for line in (Path(folder) / "recipients.jsonl").read_text(encoding="utf-8").split("\n")[:-1]]

    assert [(row["email"], row["state"], row["reply"], row["message_id"], row["resent"] == "yes") for row in read] == rows
    assert [(line["email"], line["state"], line["reply"], line["message_id"], line["resent"]) for line in lines] == rows
    assert [row["time"] for row in read] == [line["time"] for line in lines]
    assert all(len(row["time"]) == len("2026-01-01T00:00:00.000Z") for row in read)
