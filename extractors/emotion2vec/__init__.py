"""Emotion2Vec+: find its weights, verify them, run them exactly and in packs, at every granularity."""
