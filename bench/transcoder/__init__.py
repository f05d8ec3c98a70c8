"""bench.transcoder: films by our workers and by one plain FFmpeg, in turns."""
