"""What the divergences can and cannot do, shown on problems whose truth is known."""
