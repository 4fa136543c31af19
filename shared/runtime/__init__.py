"""What every service runs on: settings, logs, tracing, push handling, HTTP responses."""
