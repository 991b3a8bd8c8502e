"""A trained network for images as they come."""

NOTE = "Research only: busjax is no medical device and must not be used for diagnosis."
"""Goes with everything that a network has said or is exported as."""
