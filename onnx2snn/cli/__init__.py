"""The command line: `app.py` and one short file for each command."""
