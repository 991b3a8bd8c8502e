"""The same networks in PyTorch, to be timed beside ours; nothing else imports this folder."""
