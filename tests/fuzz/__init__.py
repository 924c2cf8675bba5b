"""Fuzzing of every parser that strangers, streamers, viewers, the backend or operators reach.

A target is one file in `targets/`: `SEEDS: list[bytes]`, and `run(data)`, which raises only when something is wrong
with our code: errors that the code means to raise for bad input are caught in the target. `corpus/<target>/` has the
minimised inputs that earlier runs found. `python -m tests.fuzz --help` has the rest.
"""
