"""Teaching a student: the loop, what teachers say, what it will cost."""
