"""Measuring commands: each prints what it found and fails below its bars."""
