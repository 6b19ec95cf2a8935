"""The lake: chunks, words, vectors; the only ranking SQL there is."""
