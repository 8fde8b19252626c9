"""The verbs: inspect, convert, simulate, verify. The Python face and the command line call the same functions."""
