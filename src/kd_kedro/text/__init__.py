"""What a text says: words, numbers, polarity, boilerplate. It imports no other room."""
