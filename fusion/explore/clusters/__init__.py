"""What kinds of clips there are: groups of vectors, how firm they are, who is in them, and a map to look at."""
