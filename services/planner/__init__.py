"""Planner: reads the clock and its state, publishes a MinuteRequested for every feed minute that is due or missing."""
