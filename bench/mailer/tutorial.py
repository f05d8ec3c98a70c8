"""What the tutorials teach: for each mail an EmailMessage and a new smtplib connection; the template is Jinja2's, compiled once."""

import smtplib
from email.message import EmailMessage

from jinja2 import Environment

from bench.mailer.letter import HTML, SENDER, SUBJECT, person


def send(host: str, port: int, count: int) -> None:
    """One after the other."""
    environment = Environment(autoescape=True)
    subject, html = environment.from_string(SUBJECT), environment.from_string(HTML)
    for number in range(count):
        values = person(number)
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = SENDER[0], values["email"], subject.render(values)
        message.set_content(f"Good morning, {values['name']}")
        message.add_alternative(html.render(values), subtype="html")
        with smtplib.SMTP(host, port) as server:
            server.send_message(message)
