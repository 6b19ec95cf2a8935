"""What is tried: A/B comparisons of rankings."""
