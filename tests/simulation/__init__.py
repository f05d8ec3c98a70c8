"""A simulator of everything around the pure state machine: ledger, broker, workers, users and the clock, all of them seeded.

`world.play(seed)` plays one schedule: a while of faults, then calm. It raises `referee.Violation` with the seed and the story.
"""
