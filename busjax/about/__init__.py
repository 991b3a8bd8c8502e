"""What busjax is on this machine, and what a configuration asks for; nothing is trained."""
