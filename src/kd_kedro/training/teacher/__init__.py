"""What teachers say, captured once and stored."""
