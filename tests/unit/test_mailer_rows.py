"""Reading recipients: good rows go on, bad ones are told by row and reason."""

from pathlib import Path

import pytest

from services.mailer.planning import plan_mailing, rows
from services.mailer.rows import Rejected, Row, from_file
from services.mailer.settings import MailerSettings
from shared.contracts.mailer import MailingResult, SendBatch
from shared.errors import PermanentError
from shared.mailboxes import BadAddressError, normalise
from tests.unit.mailer_job import FakeJob, mailing, plan


def read(tmp_path: Path, content: str | bytes) -> tuple[list[Row], list[Rejected]]:
    """The good and the bad rows of an upload."""
    path = tmp_path / "upload"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    every = list(from_file(path))
    return [row for row in every if isinstance(row, Row)], [row for row in every if isinstance(row, Rejected)]


def test_csv_columns_become_variables(tmp_path: Path) -> None:
    """`email` and `name` are what they say, whatever their case; the rest are vars, made identifiers."""
    good, bad = read(tmp_path, "\ufeffEmail,NAME,First Name,plan\r\nada@example.com,Ada L,Ada,pro\r\n")

    assert bad == []
    assert good[0].row == 2
    assert good[0].recipient.model_dump() == {"email": "ada@example.com", "name": "Ada L", "vars": {"First_Name": "Ada", "plan": "pro"}}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_excels_delimiters_are_understood(tmp_path: Path, delimiter: str) -> None:
    """A German Excel writes semicolons."""
    good, _ = read(tmp_path, f"email{delimiter}a\nada@example.com{delimiter}x\n")

    assert good[0].recipient.vars == {"a": "x"}


def test_bad_csv_rows_are_rejected_one_by_one(tmp_path: Path) -> None:
    """Each with its row number and a reason; the rows around them are good."""
    table = (
        b"email,a\nada@example.com,1\nnonsense,2\n,3\n\nbob@example.com,\xff\nx@example.com,1,2\n"
        b'c..d@example.com,4\ne@localhost,5\n"f@example.com","two\nlines"\n'
    )
    good, bad = read(tmp_path, table)

    assert [row.recipient.email for row in good] == ["ada@example.com", "f@example.com"]
    assert [(row.row, row.email) for row in bad] == [
        (3, "nonsense"), (4, ""), (6, "bob@example.com"), (7, "x@example.com"), (8, "c..d@example.com"), (9, "e@localhost"),
    ]  # fmt: skip
    assert bad[1].reason == "email is missing"
    assert bad[2].reason == "a value is not UTF-8"


def test_json_lines_are_read_nested_and_flat(tmp_path: Path) -> None:
    """`vars` keeps its types; other keys of a flat object are variables too; a broken line costs only itself."""
    good, bad = read(
        tmp_path, '{"email": "a@example.com", "vars": {"n": 3}}\nnot json\n{"email": "b@example.com", "n": [1]}\n[1]\n{"n": 1}\n'
    )

    assert [row.recipient.vars for row in good] == [{"n": 3}, {"n": [1]}]
    assert [row.row for row in bad] == [2, 4, 5]


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "empty"), ("mail,name\na@example.com,A\n", "no column 'email'"), ('[{"email": 1}]', "JSON array"), ("email,a,a\n", "twice: a")],
)
def test_a_senseless_upload_is_refused_as_a_whole(tmp_path: Path, content: str, words: str) -> None:
    """With a pointer to the field."""
    with pytest.raises(PermanentError, match=words) as caught:
        read(tmp_path, content)

    assert caught.value.pointer == "/recipients"


def test_the_same_mailbox_is_mailed_once(tmp_path: Path) -> None:
    """The domain's case does not make another address, the local part's does; the repeat is rejected by name."""
    command = mailing(
        recipients=[{"email": each} for each in ("ada@example.com", "ada@EXAMPLE.com", "Ada@example.com", "a@köln.de", "a@xn--kln-sna.de")]
    )
    every = list(rows(command, FakeJob(tmp_path)))

    assert [type(row) for row in every] == [Row, Rejected, Row, Row, Rejected]
    assert every[1] == Rejected(2, "ada@EXAMPLE.com", "duplicate")


@pytest.mark.parametrize(
    ("given", "normal"),
    [("Ada@Example.COM", "Ada@example.com"), ("a@Köln.de", "a@xn--kln-sna.de"), (" a+b@x.co ", "a+b@x.co"), ("u\u0308@x.de", "ü@x.de")],
)
def test_addresses_are_normalised(given: str, normal: str) -> None:
    """Domains in lower case and punycode, the local part untouched."""
    assert normalise(given) == normal


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a",
        "@x.de",
        "a@",
        "a@b",
        ".a@x.de",
        "a.@x.de",
        "a..b@x.de",
        "a\u200bb@x.de",
        "a\u3000b@x.de",
        "ü" * 33 + "@x.de",
        "a b@x.de",
        "a@-x.de",
        "a@x.1",
        "a" * 65 + "@x.de",
        "a@x.de\nb",
    ],
)
def test_bad_addresses_are_refused(bad: str) -> None:
    """What no server would take is known before one is asked."""
    with pytest.raises(BadAddressError):
        normalise(bad)


def test_a_plan_cuts_batches_and_passes_the_rejected_rows_on(tmp_path: Path) -> None:
    """Seven good rows by three make batches of 3, 3 and 1; weights are their sizes."""
    upload = tmp_path / "list.csv"
    upload.write_text("email,name\n" + "".join(f"u{n}@example.com,U{n}\n" for n in range(7)) + "broken,X\nu0@example.com,again\n")
    job = FakeJob(tmp_path, uploads={"upl_12345678": upload})
    children = list(plan(mailing(recipients="upl_12345678", batch_size=3), job, MailerSettings(home=tmp_path)).children)
    command = children[0].command
    assert isinstance(command, SendBatch)
    assert command.rejected is not None

    assert [child.weight for child in children] == [3.0, 3.0, 1.0]
    assert Path(command.rejected.key).read_text().splitlines() == [
        "row,email,reason", "9,broken,an address reads local-part@domain", "10,u0@example.com,duplicate",
    ]  # fmt: skip


def test_a_mailing_without_one_good_row_says_why(tmp_path: Path) -> None:
    """There is nobody to mail: that is a result, with the reasons as an artifact."""
    upload = tmp_path / "list.csv"
    upload.write_text("email\nbroken\n")
    job = FakeJob(tmp_path, uploads={"upl_12345678": upload})
    result = plan_mailing(mailing(recipients="upl_12345678"), job, MailerSettings(home=tmp_path))
    assert isinstance(result, MailingResult)

    assert (result.recipients, result.rejected_rows, result.batches) == (0, 1, 0)
    assert "2,broken," in job.artifact("rejected.csv")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"html": "{{ a"}, "/html"),
        ({"subject": "{% if %}"}, "/subject"),
        ({"text": "{{"}, "/text"),
        ({"from": {"email": "a@b"}}, "/from/email"),
        ({"list_unsubscribe": "ftp://x"}, "/list_unsubscribe"),
        ({"rate_per_second": 0.0000001}, "/rate_per_second"),
    ],
)
def test_a_bad_mailing_is_refused_with_a_pointer(tmp_path: Path, fields: dict[str, object], pointer: str) -> None:
    """Before the first mail."""
    with pytest.raises(PermanentError) as caught:
        plan(mailing(**fields), FakeJob(tmp_path), MailerSettings(home=tmp_path))

    assert caught.value.pointer == pointer


def test_the_batches_of_a_paced_mailing_have_their_turns(tmp_path: Path) -> None:
    """Each waits in the ledger until the rate has room for it, five mails at a hundred a second after the one before."""
    people = [{"email": f"u{n}@example.com", "name": "U"} for n in range(20)]
    fan_out = plan(mailing(recipients=people, batch_size=5, rate_per_second=100), FakeJob(tmp_path), MailerSettings(home=tmp_path))
    batches = [child.command for child in fan_out.children if isinstance(child.command, SendBatch)]

    assert [round(batch.not_before - batches[0].planned_at, 3) for batch in batches] == [0.0, 0.05, 0.1, 0.15]
