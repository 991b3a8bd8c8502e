"""busjax: multi-task learning on breast ultrasound (segmentation and classification) in JAX."""
