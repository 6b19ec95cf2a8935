"""The read river: two legs, fused into ranked passages."""
