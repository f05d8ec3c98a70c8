"""The mail that all senders but smtp-source write: a personal newsletter of about 11 kB, HTML and text."""

from typing import Any

STORIES = 9
STORY = (
    '<tr><td style="padding:12px 0;border-bottom:1px solid #dde"><h2 style="font:600 18px/24px Helvetica,Arial,sans-serif;margin:0">'
    '<a href="https://news.example.com/s/{number}?u={{{{ number }}}}" style="color:#223;text-decoration:none">Story {number} for '
    '{{{{ name }}}}</a></h2><p style="font:400 15px/22px Georgia,serif;color:#445;margin:6px 0">The harbour was quiet when the ledger '
    "was opened again, and every line in it was where it had been left. Nobody in {{{{ city }}}} was surprised, for that is what ledgers "
    "are for; what surprised them was that it had been opened at all, on a Sunday, by a clerk who had been told to rest.</p>"
    '<p style="font:400 13px/18px Helvetica,Arial,sans-serif;color:#778;margin:0">Read on in four minutes.</p></td></tr>'
)
SUBJECT = "{{ name }}, your week in {{ city }}: nine stories"
HTML = (
    '<!doctype html><html><head><meta charset="utf-8"><title>The week</title></head><body style="margin:0;background:#f4f4f8">'
    '<table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0" style="background:#fff;padding:24px">'
    '<tr><td><h1 style="font:700 26px/32px Helvetica,Arial,sans-serif">Good morning, {{ name }}</h1></td></tr>'
    + "".join(STORY.format(number=number) for number in range(1, STORIES + 1))
    + '<tr><td style="font:400 12px/18px Helvetica,Arial,sans-serif;color:#99a;padding-top:16px">You get this because you subscribed '
    'with {{ email }}. <a href="https://news.example.com/u/{{ number }}">Unsubscribe</a></td></tr></table></body></html>'
)
SENDER = ("news@example.com", "The week")
CITIES = ("Lübeck", "Cork", "Turin", "Split", "Porto", "Gdańsk", "Bergen")


def person(number: int) -> dict[str, Any]:
    """Recipient number so many."""
    values = {"name": f"Reader {number}", "city": CITIES[number % len(CITIES)], "number": number}
    return {"email": f"reader{number}@example.com", **values}
