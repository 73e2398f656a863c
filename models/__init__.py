"""From a window to a latent, and what trains and stores that."""
