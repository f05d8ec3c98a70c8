"""The `counterfoil` command against a scripted gateway: what is asked, what is printed, which code it ends with."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from client.cli.main import main
from tests.unit.client_gateway import DONE, JOB, Answer, Gateway, problem, stream

PNG = b"\x89PNG"
DIGEST = "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"
WITH_PICTURE: dict[str, Any] = {**DONE, "artifacts": [{"name": "a.png", "media_type": "image/png", "bytes": 4, "sha256": DIGEST}]}


def run(words: list[str], *answers: Answer) -> tuple[int, Gateway]:
    """The exit code, and the gateway with what it was asked."""
    gateway = Gateway(*answers)
    return main(words, lambda _url, _key: gateway.client()), gateway


def sent(gateway: Gateway) -> Any:
    """The JSON body of the last POST."""
    return json.loads(next(request.content for request in reversed(gateway.asked) if request.method == "POST"))


def test_avatar_submits_waits_and_downloads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command from the prompt to the picture on disk; a pipe gets plain lines."""
    code, gateway = run(
        ["avatar", "a robot", "--variants", "4", "--label", "team=blue", "-o", str(tmp_path)],
        httpx.Response(202, json=JOB),
        stream((1, "job.started", {}), (2, "job.succeeded", {})),
        httpx.Response(200, json=WITH_PICTURE),
        httpx.Response(200, content=PNG),
    )
    printed = capsys.readouterr()

    assert code == 0
    assert sent(gateway) == {"prompt": "a robot", "variants": 4, "options": {"labels": {"team": "blue"}}}
    assert (tmp_path / "a.png").read_bytes() == PNG
    assert f"{JOB['id']}  avatar.generate.v1  succeeded in 3.0 s" in printed.out
    assert "\x1b" not in printed.out + printed.err


def test_a_failed_job_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is printed, and scripts can tell."""
    error = {"type": "no-face", "title": "No face", "detail": "there is no face in the photo", "retryable": False}
    failed = {**DONE, "state": "failed", "error": error}
    code, _ = run(["avatar", "--seed", "ada"], httpx.Response(202, json={**failed}))

    assert code == 1
    assert "No face: there is no face in the photo" in capsys.readouterr().out


def test_no_wait_prints_the_id_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """`$(counterfoil avatar … --no-wait)` is a job id."""
    run(["avatar", "--seed", "ada", "--no-wait"], httpx.Response(202, json=JOB))

    assert capsys.readouterr().out == f"{JOB['id']}\n"


def test_submit_takes_pairs_with_json_values() -> None:
    """name=value pairs make the body; a value that is JSON is taken as such."""
    _, gateway = run(["submit", "avatar", "seed=ada", "variants=3", "--priority", "low"], httpx.Response(202, json=JOB))

    assert sent(gateway) == {"seed": "ada", "variants": 3, "options": {"priority": "low"}}


def test_submit_takes_a_file(tmp_path: Path) -> None:
    """A JSON file is the body."""
    (tmp_path / "body.json").write_text('{"prompt": "x = y"}', encoding="utf-8")
    _, gateway = run(["submit", "avatar.generate.v1", str(tmp_path / "body.json")], httpx.Response(202, json=JOB))

    assert sent(gateway) == {"prompt": "x = y"}


def test_mail_reads_its_templates(tmp_path: Path) -> None:
    """Bodies come from files, a mailbox may have a name, recipients may be given one by one."""
    (tmp_path / "n.html").write_text("<p>Hi</p>", encoding="utf-8")
    words = ["mail", "--from", "News <news@example.com>", "--subject", "Hi", "--html", str(tmp_path / "n.html"), "--to", "a@example.com"]
    _, gateway = run([*words, "--dry-run", "--no-wait"], httpx.Response(202, json=JOB))

    assert sent(gateway) == {
        "from": {"email": "news@example.com", "name": "News"},
        "subject": "Hi",
        "html": "<p>Hi</p>",
        "recipients": [{"email": "a@example.com"}],
        "dry_run": True,
    }


def test_mail_in_mjml_with_a_picture(tmp_path: Path) -> None:
    """The picture is uploaded and named by its cid; what is not given is not sent."""
    (tmp_path / "n.mjml").write_text("<mjml />", encoding="utf-8")
    (tmp_path / "a.png").write_bytes(b"1234")
    created, patched = httpx.Response(201, headers={"location": "/v1/uploads/upl_1"}), httpx.Response(204, headers={"upload-offset": "4"})
    words = ["mail", "--from", "n@example.com", "--subject", "Hi", "--to", "a@example.com", "--list-unsubscribe", "one-click", "--no-wait"]
    _, gateway = run(
        [*words, "--mjml", f"{tmp_path}/n.mjml", "--image", f"logo={tmp_path}/a.png"], created, patched, httpx.Response(202, json=JOB)
    )

    assert sent(gateway) == {
        "from": {"email": "n@example.com"},
        "subject": "Hi",
        "mjml": "<mjml />",
        "list_unsubscribe": "one-click",
        "attachments": [{"upload": "upl_1", "name": "a.png", "cid": "logo"}],
        "recipients": [{"email": "a@example.com"}],
    }


def test_an_avatar_in_the_manner_of_a_picture(tmp_path: Path) -> None:
    """Photo and picture are uploaded; a style's options are JSON or text."""
    for name in ("me.jpg", "tiles.png"):
        (tmp_path / name).write_bytes(b"1234")
    uploads = [
        answer
        for number in (1, 2)
        for answer in (
            httpx.Response(201, headers={"location": f"/v1/uploads/upl_{number}"}),
            httpx.Response(204, headers={"upload-offset": "4"}),
        )
    ]
    words = ["avatar", "--photo", f"{tmp_path}/me.jpg", "--style-picture", f"{tmp_path}/tiles.png", "--no-wait"]
    _, gateway = run(
        [*words, "--set", 'palette=["#003366","#ffcc00"]', "--set", "painting=woodcut"], *uploads, httpx.Response(202, json=JOB)
    )

    assert sent(gateway) == {
        "photo": "upl_1",
        "style_picture": "upl_2",
        "style_options": {"palette": ["#003366", "#ffcc00"], "painting": "woodcut"},
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["mail", "--from", "a@b.c", "--subject", "s", "--to", "d@e.f", "--text", "/dev/null", "--image", "x"],
            "--image reads CID=FILE, not 'x'.",
        ),
        (["avatar", "x", "--set", "palette"], "'palette' should read name=value."),
        (["avatar"], "Give exactly one of a prompt, --seed and --photo."),
        (["avatar", "x", "--seed", "y"], "Give exactly one of a prompt, --seed and --photo."),
        (["avatar", "--photo", "nowhere.jpg"], "nowhere.jpg cannot be read: No such file or directory."),
        (["mail", "--from", "a@b.c", "--subject", "s"], "Give the recipients either with --recipients FILE or with --to ADDRESS."),
        (["submit", "avatar", "seed"], "seed cannot be read: No such file or directory."),
        (["submit", "avatar", "{]"], "The body is not JSON: "),
        (["submit", "avatar.sweep.v1", "a=1"], "'avatar.sweep.v1' is not a kind that can be submitted"),
        (["dlq", "redrive"], "Give either the id of a dead letter or --all SERVICE."),
    ],
)
def test_a_users_mistake_is_a_sentence_and_code_2(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: what is wrong, on stderr."""
    code, _ = run(words)
    printed = capsys.readouterr()

    assert code == 2
    assert printed.err.startswith(f"counterfoil: {sentence}")
    assert printed.out == ""


def test_a_refusal_is_code_3_with_the_pointer(capsys: pytest.CaptureFixture[str]) -> None:
    """The gateway's problem is the sentence."""
    code, _ = run(["job", "avatar_1"], problem(404, "not-found", "There is no job avatar_1."))

    assert code == 3
    assert capsys.readouterr().err == "counterfoil: There is no job avatar_1.\n"


def test_no_gateway_is_code_4(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence says what to do."""
    code, _ = run(["jobs"], *[httpx.ConnectError("Connection refused")] * 5)

    assert code == 4
    assert "make up" in capsys.readouterr().err


def test_another_servers_answer_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Something else may listen on the port."""
    code, _ = run(["job", "x"], httpx.Response(200, json={"hello": "world"}))

    assert code == 2
    assert "is it a Counterfoil gateway?" in capsys.readouterr().err


def test_jobs_are_tab_separated_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that cut and awk can read."""
    run(["jobs", "--service", "avatar"], httpx.Response(200, json={"items": [JOB], "next_cursor": None}))

    assert capsys.readouterr().out == f"{JOB['id']}\tavatar.generate.v1\tqueued\t0%\t2026-11-22 09:00:00\n"


def test_json_can_be_asked_for_before_and_after_the_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """Both places work, and what is printed is the job."""
    run(["--json", "job", "x"], httpx.Response(200, json=JOB))
    first = capsys.readouterr().out
    run(["job", "x", "--json"], httpx.Response(200, json=JOB))

    assert first == capsys.readouterr().out
    assert json.loads(first)["id"] == JOB["id"]


def test_keys_create_prints_only_the_secret_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be piped into a secret store."""
    made = {"id": "key_1", "name": "ci", "scopes": ["submit"], "key": "cf_secret"}
    _, gateway = run(["keys", "create", "ci", "--scope", "submit"], httpx.Response(201, json=made))

    assert capsys.readouterr().out == "cf_secret\n"
    assert sent(gateway) == {"name": "ci", "scopes": ["submit"]}


def test_redrive_sends_a_mended_payload() -> None:
    """A dead letter can be tried again with another request."""
    words = ["dead-letters", "redrive", "avatar_1", "--request", '{"seed": "b"}']
    _, gateway = run(words, httpx.Response(202, json=JOB))

    assert gateway.calls() == ["POST /v1/dead-letters/avatar_1/redrive"]
    assert sent(gateway) == {"request": {"seed": "b"}}


def test_a_trace_is_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    """Children stand under their parents in order of their start; a foreign parent makes a root, a link a ↻; the rest is counted."""
    spans = [
        {"span": "b", "parent": "a", "name": "send avatar", "service": "gateway", "start": 3_000_000, "ns": 1_500_000},
        {"span": "a", "parent": "theirs", "name": "POST /v1/avatars", "service": "gateway", "start": 1_000_000, "ns": 2_500_000_000},
        {"span": "c", "name": "process avatar", "service": "avatar", "start": 5_000_000, "ns": 65_000_000_000, "links": [["t0", "b"]]},
        *({"span": f"d{n}", "parent": "c", "name": "draw\x1b[2J", "service": "avatar", "start": 6_000_000, "ns": 0} for n in range(14)),
    ]
    code, _ = run(["trace", "x"], httpx.Response(200, json={"trace_id": "t1", "spans": spans}))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    assert code == 0
    assert lines[:5] == [
        "trace t1",
        "└── POST /v1/avatars gateway 2.50 s +0.0 ms",
        "    └── send avatar gateway 1.5 ms +2.0 ms",
        "        └── ↻ process avatar avatar 1 m 05 s +4.0 ms",
        "            ├── draw [2J avatar 0.0 ms +5.0 ms",
    ]
    assert lines[-1] == "            └── … 2 more"


def test_a_strangers_words_do_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters in an error are blanks in what is printed."""
    run(["job", "x"], problem(404, "not-found", "gone\x1b[2J"))

    assert capsys.readouterr().err == "counterfoil: Gone [2J\n"
