"""What other people's software makes of our mails: signature checkers, a spam filter, a mail server."""
