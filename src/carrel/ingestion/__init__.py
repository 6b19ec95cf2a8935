"""The write river: read, cut, embed, publish."""
