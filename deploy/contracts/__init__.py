"""What is made from the messages' models: the schemas of a release, the check against them, and the AsyncAPI document."""
