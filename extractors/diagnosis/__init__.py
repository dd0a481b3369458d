"""Is everything here, and does it compute right? Checks of the machine, the models, audio files and the store."""
