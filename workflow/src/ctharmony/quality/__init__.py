"""Image quality and scanner physics of one scan."""
