"""The console's files, as a browser gets them: no build, no package, no third party's code."""
