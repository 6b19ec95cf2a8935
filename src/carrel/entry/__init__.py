"""Processes and protocols: the web app, the worker, the supervisor, the command line, and the wiring."""
