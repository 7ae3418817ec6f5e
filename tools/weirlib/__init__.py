"""The parts of tools/weir, Weir's one command-line tool."""
