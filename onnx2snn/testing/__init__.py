"""What ships for authors of backends: strategies that make networks, and checks to hold a backend to."""
