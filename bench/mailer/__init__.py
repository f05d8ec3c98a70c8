"""How fast mails go out: Postfix's own load generator, the tutorial's loop, our transport alone and our whole path, in turns."""
