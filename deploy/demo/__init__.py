"""`make demo`: starts the home if it is not up, runs one real job of each service, and shows what came out."""
