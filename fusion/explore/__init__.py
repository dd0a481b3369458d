"""Living with embeddings: similarity, templates, search, clusters, trajectories."""
