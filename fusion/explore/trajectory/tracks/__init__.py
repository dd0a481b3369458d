"""Label tracks for annotators' tools: Praat, ELAN, and what reads RTTM."""
