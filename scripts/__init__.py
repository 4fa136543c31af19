"""Scripts that run before anything is installed: they set up the environment and test it on a fresh machine."""
