"""What a run tells others about itself: loggers, the machine and code it ran on, sweeps, and whether it can be repeated."""
