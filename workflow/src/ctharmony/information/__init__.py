"""Information measures: every formula once."""
