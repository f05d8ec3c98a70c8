"""Subcommands that hand over work: avatar, mail, transcode, submit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from client.cli.films import add_transcode
from client.cli.handing import given, hand_over, send_file
from client.cli.options import add_options, body_of, read_text, settings_of
from client.cli.session import OK, Session
from client.errors import ClientError

if TYPE_CHECKING:
    from client.cli.session import SubParsers


def register(commands: "SubParsers", shared: argparse.ArgumentParser) -> None:
    """Add the subcommands."""
    _avatar(commands.add_parser("avatar", help="draw avatars from a prompt, a seed or a photo", parents=[shared]))
    _mail(commands.add_parser("mail", aliases=["mailing"], help="mail many people, each with a mail of their own", parents=[shared]))
    add_transcode(commands.add_parser("transcode", help="transcode a video", parents=[shared]))
    any_kind = commands.add_parser("submit", help="submit any kind of job with a JSON body", parents=[shared])
    any_kind.add_argument("kind", help="avatar, mailing, transcode, or a kind such as avatar.generate.v1")
    any_kind.add_argument(
        "body", nargs="+", help="a JSON file, a JSON object, - for standard input, or name=value …; name=@FILE uploads the file"
    )
    add_options(any_kind, watch_by_default=False)
    any_kind.set_defaults(run=submit)


def _avatar(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw avatars from exactly one of a prompt, a seed and a photo."
    parser.add_argument("prompt", nargs="?", help='such as "a grumpy robot with an antenna"')
    parser.add_argument("--seed", help="always the same picture for the same text, such as a mail address")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="a portrait to make an avatar of")
    parser.add_argument("--style", help="see `counterfoil services --json` for the styles")
    parser.add_argument("--style-picture", type=Path, metavar="FILE", help="with --photo: painted in the manner of this picture")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="an option of the style, such as painting=woodcut; may be repeated"
    )
    parser.add_argument("--variants", type=int, metavar="N", help="how many pictures, 1-16")
    parser.add_argument("--size", type=int, metavar="PX", help="edge of the square, 16-2048")
    parser.add_argument("--format", choices=("png", "webp", "avif", "jpeg", "svg"))
    parser.add_argument("--background", help="#rrggbb or transparent")
    parser.add_argument("--random-seed", type=int, metavar="N", help="the same pictures again")
    parser.add_argument(
        "--engine", choices=("diffusion",), help="by a diffusion model, from a prompt, with --photo or without; needs a GPU"
    )
    parser.add_argument(
        "--degrade", action="store_true", default=None, help="with --engine: let another engine stand in where there is none"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="with --engine: how many steps, 1-100")
    parser.add_argument("--strength", type=float, metavar="X", help="with --engine and --photo: how far from the photo, 0.05-1")
    add_options(parser, watch_by_default=True)
    parser.set_defaults(run=avatar)


def _mail(parser: argparse.ArgumentParser) -> None:
    parser.description = "Mail many people. Subject and bodies are Jinja templates; each recipient's columns are their variables."
    parser.add_argument(
        "--from", dest="sender", required=True, metavar="ADDRESS", help='such as news@example.com or "News <news@example.com>"'
    )
    parser.add_argument("--subject", required=True)
    parser.add_argument("--html", type=Path, metavar="FILE")
    parser.add_argument("--mjml", type=Path, metavar="FILE", help="in place of --html")
    parser.add_argument("--inline-css", action="store_true", default=None, help="write the HTML's CSS into style attributes")
    parser.add_argument("--text", type=Path, metavar="FILE")
    parser.add_argument("--recipients", type=Path, metavar="FILE", help="CSV with a header row that has email, or JSON lines")
    parser.add_argument("--to", action="append", default=[], metavar="EMAIL", help="one recipient; may be given several times")
    parser.add_argument("--reply-to", metavar="EMAIL")
    parser.add_argument("--list-unsubscribe", metavar="URL", help="an address, or one-click: a link to the gateway for each recipient")
    parser.add_argument("--transactional", action="store_true", default=None, help="also to those who unsubscribed (a receipt)")
    parser.add_argument("--attach", action="append", default=[], type=Path, metavar="FILE")
    parser.add_argument("--image", action="append", default=[], metavar="CID=FILE", help="a picture that the HTML shows as cid:CID")
    parser.add_argument("--rate", dest="rate_per_second", type=float, metavar="N", help="at most this many mails a second")
    parser.add_argument("--batch-size", type=int, metavar="N")
    parser.add_argument("--preflight", choices=("report", "strict", "off"), help="strict: mail nobody where the preflight finds an error")
    parser.add_argument("--test-to", action="append", default=[], metavar="EMAIL", help="a marked test to this address, to nobody else")
    parser.add_argument("--preview", action="store_true", help="print the first recipient's mail as JSON, send nothing")
    parser.add_argument("--dry-run", action="store_true", default=None, help="render everything, send nothing")
    add_options(parser, watch_by_default=True)
    parser.set_defaults(run=mail)


def avatar(session: Session) -> int:
    """`counterfoil avatar`."""
    args = session.args
    body = given(args, "prompt", "seed", "style", "variants", "size", "format", "background", "random_seed")
    body |= given(args, "engine", "degrade", "steps", "strength")
    if args.engine and not (args.prompt and args.seed is None):
        raise ClientError("--engine diffusion goes by a prompt, with --photo or without, and by no --seed.")
    if not args.engine and sum(source is not None for source in (args.prompt, args.seed, args.photo)) != 1:
        raise ClientError("Give exactly one of a prompt, --seed and --photo.")
    if args.photo:
        body["photo"] = send_file(session, args.photo)
    if args.style_picture:
        body["style_picture"] = send_file(session, args.style_picture)
    if args.set:
        body["style_options"] = settings_of(args.set)
    return hand_over(session, "avatars", body)


def mail(session: Session) -> int:
    """`counterfoil mail`."""
    args = session.args
    if bool(args.recipients) == bool(args.to):
        raise ClientError("Give the recipients either with --recipients FILE or with --to ADDRESS.")
    if not (args.html or args.mjml or args.text):
        raise ClientError("Give --html (or --mjml), --text or both: a mail needs a body.")
    body = given(
        args, "subject", "list_unsubscribe", "transactional", "inline_css", "rate_per_second", "batch_size", "dry_run", "preflight"
    )
    body["from"] = mailbox(args.sender)
    body |= {name: read_text(getattr(args, name)) for name in ("html", "mjml", "text") if getattr(args, name)}
    if args.reply_to:
        body["reply_to"] = mailbox(args.reply_to)
    attachments = [{"upload": send_file(session, path), "name": path.name} for path in args.attach]
    attachments += [image(session, given_image) for given_image in args.image]
    if attachments:
        body["attachments"] = attachments
    body["recipients"] = [{"email": email} for email in args.to] or send_file(session, args.recipients)
    if args.test_to:
        body["test"] = {"to": args.test_to}
    if args.preview:
        session.show_json(session.client.preview(body))
        return OK
    return hand_over(session, "mailings", body)


def image(session: Session, text: str) -> dict[str, str]:
    """`CID=FILE` as an attachment that the HTML shows; the file is uploaded."""
    cid, equals, file = text.partition("=")
    if not cid or not equals or not file:
        raise ClientError(f"--image reads CID=FILE, not {text!r}.")
    return {"upload": send_file(session, Path(file)), "name": Path(file).name, "cid": cid}


def submit(session: Session) -> int:
    """`counterfoil submit`."""
    words = session.args.body
    body, files = body_of([Path("/dev/stdin").read_text(encoding="utf-8")] if words == ["-"] else words)
    uploads = {name: send_file(session, path) for name, path in files.items()}
    return hand_over(session, session.args.kind, {**body, **uploads})


def mailbox(text: str) -> dict[str, str]:
    """`Name <address>` or an address, as the API's object."""
    name, angle, rest = text.rpartition("<")
    return {"email": rest.rstrip("> "), "name": name.strip(' "')} if angle else {"email": text.strip()}
