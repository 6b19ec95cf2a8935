"""Whose: organisations, their limits and usage."""
