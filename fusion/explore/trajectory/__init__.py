"""The course of one recording: scores over time, valence, the path through the encoder's space, and where it changed."""

from fusion.explore.trajectory.build import trajectory
from fusion.explore.trajectory.changes import Search
from fusion.explore.trajectory.result import Change, Run, Trajectory

__all__ = ["Change", "Run", "Search", "Trajectory", "trajectory"]
